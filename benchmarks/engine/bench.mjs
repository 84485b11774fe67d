// Times the engine against tfjs's WebAssembly backend: `npm run bench:engine -- [--runs N] [--tasks a,b] [--json FILE]`.
// The engines take turns, each in a process of its own, so that a busy moment of the machine meets both.
import { fork } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ENGINES = ['onnx', 'wasm'];
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

const worker = fileURLToPath(new URL('worker.mjs', import.meta.url));
const processes = Object.fromEntries(engines.map((engine) => [engine, fork(worker, [engine])]));
const ask = (engine, task) =>
  new Promise((resolve, reject) => {
    processes[engine].once('message', ({ error, ...answer }) =>
      error ? reject(new Error(`${engine}, ${task}: ${error}`)) : resolve(answer),
    );
    processes[engine].send({ task });
  });
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
    const [a, b] = engines.map((engine) => median(times[engine]));
    console.log(
      `${task.padEnd(14)} ${line.join('   ')}${b ? `   ${engines[1]}/${engines[0]} ${(b / a).toFixed(1)}` : ''}`,
    );
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
  for (const child of Object.values(processes)) child.kill();
}
