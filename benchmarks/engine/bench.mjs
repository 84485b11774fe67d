// Times the engine against tfjs's WebAssembly backend and, where `python3` (or $PYTHON) has torch, eager PyTorch:
// `npm run bench:engine -- [--runs N] [--tasks a,b] [--engines onnx,wasm,pytorch] [--json FILE]`.
// The engines take turns, each in a process of its own, so that a busy moment of the machine meets all of them.
import { fork, spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { SIZE } from './tasks.mjs';

const PYTHON = process.env.PYTHON ?? 'python3';
const hasTorch = spawnSync(PYTHON, ['-c', 'import torch']).status === 0;
const ENGINES = ['onnx', 'wasm', ...(hasTorch ? ['pytorch'] : [])];
const TASKS = ['train-step', 'rollout', 'score', 'ppo-iteration'];

const { values: options } = parseArgs({
  options: {
    runs: { type: 'string', default: '7' },
    tasks: { type: 'string', default: TASKS.join() },
    engines: { type: 'string', default: ENGINES.join() },
    json: { type: 'string' },
  },
});
const runs = Number(options.runs);
const tasks = options.tasks.split(',');
const engines = options.engines.split(',');

/** A Node process that computes with one tfjs backend. */
function tfjsEngine(name) {
  const child = fork(fileURLToPath(new URL('worker.mjs', import.meta.url)), [name]);
  const ask = (task) =>
    new Promise((resolve, reject) => {
      child.once('message', ({ error, ...answer }) =>
        error ? reject(new Error(`${name}, ${task}: ${error}`)) : resolve(answer),
      );
      child.send({ task });
    });
  return { ask, end: () => child.kill() };
}

/** A Python process that answers each task with a number. */
async function torchProcess(threads) {
  const { batch, context, horizon, vocabulary, ...shape } = SIZE;
  const sizes = {
    ...shape,
    batchSize: batch,
    contextLength: context,
    horizon,
    vocabularySize: vocabulary,
    threads,
  };
  const script = fileURLToPath(new URL('../peers/pytorch_transformer.py', import.meta.url));
  const child = spawn(PYTHON, [script, JSON.stringify(sizes)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  await lines.next(); // ready
  const ask = async (task) => {
    child.stdin.write(`${task}\n`);
    const number = Number((await lines.next()).value);
    return { milliseconds: number, peakMegabytes: number };
  };
  return { ask, end: () => child.kill() };
}

/** PyTorch with one thread and with two, whichever is faster at the moment. */
async function torchEngine() {
  const variants = [await torchProcess(1), await torchProcess(2)];
  const ask = async (task) => {
    const answers = [];
    for (const variant of variants) answers.push(await variant.ask(task));
    return answers.reduce((best, answer) => (answer.milliseconds < best.milliseconds ? answer : best));
  };
  return { ask, end: () => variants.forEach((variant) => variant.end()) };
}

const processes = {};
for (const engine of engines)
  processes[engine] = engine === 'pytorch' ? await torchEngine() : tfjsEngine(engine);
const ask = (engine, task) => processes[engine].ask(task);
const median = (numbers) => {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

const results = [];
try {
  for (const task of tasks) {
    const times = Object.fromEntries(engines.map((engine) => [engine, []]));
    const first = {};
    for (const engine of engines) first[engine] = (await ask(engine, task)).milliseconds;
    for (const engine of engines) await ask(engine, task); // the compiler has seen the code by now
    for (let run = 0; run < runs; run++) {
      for (const engine of engines) times[engine].push((await ask(engine, task)).milliseconds);
    }
    for (const engine of engines) {
      results.push({ task, engine, medianMs: median(times[engine]), runs, firstMs: first[engine] });
    }
    const line = results
      .filter((result) => result.task === task)
      .map(
        ({ engine, medianMs, firstMs }) =>
          `${engine} ${medianMs.toFixed(1)} ms (first ${firstMs.toFixed(0)})`,
      );
    const ratios = engines
      .slice(1)
      .map(
        (engine) =>
          `${engines[0]}/${engine} ${(median(times[engines[0]]) / median(times[engine])).toFixed(2)}`,
      );
    console.log(`${task.padEnd(14)} ${line.join('   ')}   ${ratios.join('   ')}`);
  }
  for (const engine of engines) {
    const { peakMegabytes } = await ask(engine, 'memory');
    console.log(`${engine}: peak resident memory ${peakMegabytes.toFixed(0)} MB`);
  }
  console.log(`${availableParallelism()} cores, Node ${process.version}, medians of ${runs} runs`);
  if (options.json) {
    const rows = results.map(({ task, engine, medianMs, runs }) => ({ task, engine, medianMs, runs }));
    writeFileSync(options.json, `${JSON.stringify(rows, null, 2)}\n`);
  }
} finally {
  for (const { end } of Object.values(processes)) end();
}
