// Memory over long trainings: `rollcast train` as it is, 5 000 updates on CartPole and 500 of the main job, side by side, each in a process
// of its own that notes its resident memory and its tensors every second, and collects garbage twice: after the warm-up and at the end.
//
//   npm run bench:memory -- [--share 1] [--out docs]
//
// writes docs/memory.md and docs/memory.svg; the exit code is 1 when tensors or memory grow. --share 0.01 makes a hundredth of the updates
// and writes nothing unless it is told where.
import { Buffer } from 'node:buffer';
import { fork } from 'node:child_process';
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { clearInterval, setInterval } from 'node:timers';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { format } from 'prettier';

import { main } from '@rollcast/cli';
import { curveChart, renderSvg, rollcastVersion, tf } from '@rollcast/core';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { share: { type: 'string', default: '1' }, out: { type: 'string' } },
});
const share = Number(options.share);
/** Shares of the run: what comes before is warm-up, and what is compared. */
const WARM_UP = 0.1;
const MOST_GROWTH = 0.05;

const jobs = {
  'CartPole, PPO': {
    updates: 5000,
    // cleanrl's settings: 4 × 128 steps an update
    commands: (updates, folder) => [
      `train --env cart-pole-v1 --algo ppo --steps ${updates * 512} --seed 1 --out ${folder}/run`,
    ],
  },
  'degradation, PPO': {
    updates: 500,
    commands: (updates, folder) => [
      `pretrain --steps 100 --seed 1 --out ${folder}/pre`,
      `train --env degradation --init ${folder}/pre --algo ppo --updates ${updates} --seed 1 --out ${folder}/run`,
    ],
  },
};

/** In a process of its own: the commands of a job, looked at every second during the last one. */
async function measure(name) {
  const folder = mkdtempSync(join(tmpdir(), 'rollcast-memory-'));
  const { updates, commands } = jobs[name];
  const asked = Math.max(10, Math.round(updates * share));
  const samples = [];
  const look = () => ({ megabytes: process.memoryUsage().rss / 2 ** 20, tensors: tf.memory().numTensors });
  const collected = () => {
    globalThis.gc();
    return look();
  };
  /** Updates done: of the last whole line of the metrics, reading no more than its end. */
  const done = () => {
    const file = join(folder, 'run', 'metrics.jsonl');
    if (!existsSync(file)) return 0;
    const handle = openSync(file);
    const tail = Buffer.alloc(Math.min(4096, fstatSync(handle).size));
    readSync(handle, tail, 0, tail.length, fstatSync(handle).size - tail.length);
    closeSync(handle);
    const lines = tail.toString('utf8').split('\n');
    return lines.length < 3 ? 0 : JSON.parse(lines.at(-2)).update;
  };
  let afterWarmUp;
  let atEnd;
  const watch = () => {
    const update = done();
    if (update === 0 || update === asked) return;
    samples.push({ update, ...look() });
    if (update >= 2 * WARM_UP * asked) afterWarmUp ??= { update, ...collected() };
    if (update >= (1 - WARM_UP / 10) * asked) atEnd ??= { update, ...collected() };
  };
  const list = commands(asked, folder);
  for (const [i, command] of list.entries()) {
    const timer = i === list.length - 1 ? setInterval(watch, 1000) : undefined;
    const code = await main(command.split(' '));
    clearInterval(timer);
    if (code !== 0) throw new Error(`rollcast ${command} ended with ${code}`);
  }
  rmSync(folder, { recursive: true });
  process.send({
    updates: asked,
    samples,
    collected: [afterWarmUp, atEnd ?? { update: asked, ...collected() }],
  });
}

const mean = (numbers) => numbers.reduce((a, b) => a + b, 0) / numbers.length;

/** @param measured - what a child sent */
function summary({ updates, samples, collected: [held, heldAtEnd] }) {
  const during = (from, to) =>
    samples.filter(({ update }) => update > from * updates && update <= to * updates);
  const warm = mean(during(WARM_UP, 2 * WARM_UP).map(({ megabytes }) => megabytes));
  const end = mean(during(1 - WARM_UP, 1).map(({ megabytes }) => megabytes));
  const tensors = during(WARM_UP, 1).map((sample) => sample.tensors);
  return {
    updates,
    looks: samples.length,
    warm,
    end,
    growth: end / warm - 1,
    held: held.megabytes,
    heldAtEnd: heldAtEnd.megabytes,
    heldGrowth: heldAtEnd.megabytes / held.megabytes - 1,
    fewest: Math.min(...tensors),
    most: Math.max(...tensors),
  };
}

function inChild(name) {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), [name, '--share', options.share], {
      execArgv: ['--expose-gc'],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    let measured;
    child.once('message', (message) => (measured = message));
    child.once('exit', (code) =>
      measured ? resolve(measured) : reject(new Error(`${name} ended with ${code}`)),
    );
  });
}

async function report() {
  const rows = [];
  const panels = [];
  const all = await Promise.all(Object.keys(jobs).map(async (name) => [name, await inChild(name)]));
  for (const [name, measured] of all) {
    const { updates, samples, collected } = measured;
    const row = { name, ...summary(measured) };
    console.log(JSON.stringify(row));
    rows.push(row);
    const points = (looks) => looks.map(({ update, megabytes }) => [(100 * update) / updates, megabytes]);
    const series = [
      { name: 'as it is', points: points(samples) },
      { name: 'garbage collected', points: points(collected), dashed: true },
    ];
    panels.push({ yLabel: `${name} [MB]`, series });
  }
  const grown = rows.filter(({ growth, fewest, most }) => most > fewest || growth > MOST_GROWTH);
  for (const { name } of grown) console.log(`grew: ${name}`);
  process.exitCode = grown.length > 0 ? 1 : 0;
  if (share < 1 && options.out === undefined) return;
  const docs = options.out ?? fileURLToPath(new URL('../docs/', import.meta.url));
  const chart = curveChart({
    title: 'Resident memory over a training',
    xLabel: 'share of the run [%]',
    panels,
  });
  mkdirSync(docs, { recursive: true });
  writeFileSync(join(docs, 'memory.svg'), await renderSvg(chart.option, chart));
  writeFileSync(join(docs, 'memory.md'), await format(page(rows), { parser: 'markdown' }));
}

const megabytes = (x) => `${x.toFixed(0)} MB`;
const signed = (x) => `${x < 0 ? '−' : '+'}${Math.abs(100 * x).toFixed(1)} %`;

function page(rows) {
  const table = rows.flatMap((row) => [
    `| ${row.name} | ${row.updates} | as it is | ${megabytes(row.warm)} | ${megabytes(row.end)} | ${signed(row.growth)} | ${row.fewest === row.most ? row.most : `${row.fewest}–${row.most}`} |`,
    `| | | garbage collected | ${megabytes(row.held)} | ${megabytes(row.heldAtEnd)} | ${signed(row.heldGrowth)} | |`,
  ]);
  return `# Memory

\`npm run bench:memory\` makes this page. It runs \`rollcast train\` as it is, metrics, checkpoints and pictures included, and looks every
second at the resident memory of the process and at the number of tensors that are alive.

![Resident memory over the run](memory.svg)

| training | updates | looked at | after warm-up | at the end | growth | tensors |
| --- | --- | --- | --- | --- | --- | --- |
${table.join('\n')}

As it is: mean of the second tenth of the run, and of the last. Garbage collected: once after the second tenth, once at the end; the two
together are what the program holds. Tensors: their number after the first tenth, one number where it never changed. Growth of more than
${100 * MOST_GROWTH} % or of a single tensor makes the command fail.

V8 collects garbage when it finds it worth its while: a process as users see it carries some tens of megabytes of it, more in one
second and less in the next.
Beside these long runs, every training watches its own tensors: an update that leaves one behind, time and again, ends the run
([invariants](run-folders.md#invariants)).

Measured with Rollcast ${rollcastVersion()} on Node ${process.version}, backend \`onnx\`, ${availableParallelism()} × ${cpus()[0].model.trim()}.
`;
}

await (positionals.length > 0 ? measure(positionals[0]) : report());
