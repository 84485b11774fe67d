// Times the engine against tfjs's WebAssembly backend and, where `python3` (or $PYTHON) has torch, eager PyTorch:
// `npm run bench:engine -- [--runs N] [--tasks a,b] [--engines onnx,wasm,pytorch] [--growth] [--json FILE]`; engines are named
// with their device where that is no processor: onnx:cuda, onnx:webgpu, pytorch:cuda.
// The engines take turns, each in a process of its own, so that a busy moment of the machine meets all of them.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { PYTHON, startEngine } from './engines.mjs';
import { ACT_CALLS, SGEMM_SIZE, SIZE, trainingFlops } from './tasks.mjs';

const hasTorch = spawnSync(PYTHON, ['-c', 'import torch']).status === 0;
const ENGINES = ['onnx', 'wasm', ...(hasTorch ? ['pytorch'] : [])];
const TASKS = ['train-step', 'rollout', 'score', 'ppo-iteration'];
/** Before each task, so that threads which another engine left waiting actively have gone to sleep. */
const PAUSE_MS = 250;
/** What --growth varies, and the task that it is measured by. */
const GROWTH = [
  { task: 'train-step', key: 'batch', values: [16, 32, 64, 128, 256] },
  { task: 'train-step', key: 'width', values: [32, 64, 128, 256] },
  { task: 'rollout', key: 'batch', values: [16, 32, 64, 128, 256] },
  { task: 'rollout', key: 'horizon', values: [60, 120, 240, 480, 960] },
];

const { values: options } = parseArgs({
  options: {
    runs: { type: 'string', default: '7' },
    tasks: { type: 'string', default: TASKS.join() },
    engines: { type: 'string', default: ENGINES.join() },
    growth: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});
const runs = Number(options.runs);
const engines = options.engines.split(',');
const median = (numbers) => {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

/** Medians of one task by engine, the engines taking turns; `first` is the first call, which compiles. */
async function measure(processes, task, count) {
  const names = Object.keys(processes);
  const ask = async (name) => {
    await pause(PAUSE_MS);
    return (await processes[name].ask(task)).milliseconds;
  };
  const first = {};
  for (const name of names) first[name] = await ask(name);
  for (const name of names) await ask(name); // the compiler has seen the code by now
  const times = Object.fromEntries(names.map((name) => [name, []]));
  for (let run = 0; run < count; run++) for (const name of names) times[name].push(await ask(name));
  return Object.fromEntries(
    names.map((name) => [name, { medianMs: median(times[name]), firstMs: first[name] }]),
  );
}

async function withEngines(names, size, work) {
  const processes = {};
  try {
    for (const name of names) processes[name] = await startEngine(name, size);
    return await work(processes);
  } finally {
    for (const { end } of Object.values(processes)) end();
  }
}

const column = (text, width = 22) => String(text).padStart(width);
const rows = [];

await withEngines(engines, SIZE, async (processes) => {
  console.log(
    `Medians of ${runs} runs in ms, first call in brackets; ${availableParallelism()} × ${cpus()[0].model}, Node ${process.version}`,
  );
  console.log(
    'task'.padEnd(14) +
      engines.map((name) => column(name)).join('') +
      engines
        .slice(1)
        .map((name) => column(`${engines[0]} / ${name}`, 18))
        .join(''),
  );
  for (const task of options.tasks.split(',')) {
    const found = await measure(processes, task, runs);
    for (const engine of engines) rows.push({ task, engine, medianMs: found[engine].medianMs, runs });
    const times = engines.map((name) =>
      column(`${found[name].medianMs.toFixed(1)} (${found[name].firstMs.toFixed(0)})`),
    );
    const ratios = engines
      .slice(1)
      .map((name) => column((found[engines[0]].medianMs / found[name].medianMs).toFixed(2), 18));
    console.log(task.padEnd(14) + times.join('') + ratios.join(''));
  }
  const memory = {};
  for (const name of engines) memory[name] = (await processes[name].ask('memory')).peakMegabytes;
  const megabytes = engines.map((name) => column(`${memory[name].toFixed(0)} MB`));
  const shares = engines.slice(1).map((name) => column((memory[engines[0]] / memory[name]).toFixed(2), 18));
  console.log('peak memory'.padEnd(14) + megabytes.join('') + shares.join(''));
  if (engines.includes('onnx')) {
    const only = { onnx: processes.onnx };
    const act = await measure(only, 'act', 9);
    const product = await measure(only, 'sgemm', 15);
    const rate = (2 * SGEMM_SIZE ** 3) / product.onnx.medianMs / 1e6;
    console.log(
      `\nA 2 × 64 network acting on 4 environments: ${((1000 * act.onnx.medianMs) / ACT_CALLS).toFixed(0)} µs a call.\n` +
        `This machine multiplies ${SGEMM_SIZE} × ${SGEMM_SIZE} matrices at ${rate.toFixed(0)} GFLOP/s: ` +
        `the ${(trainingFlops(SIZE) / 1e9).toFixed(1)} GFLOP of a training step would take ${(trainingFlops(SIZE) / rate / 1e6).toFixed(0)} ms.`,
    );
  }
});

if (options.growth) {
  const names = engines.filter((name) => name !== 'wasm');
  for (const { task, key, values } of GROWTH) {
    console.log(`\n${task} in ms by ${key}, growth from the line above in brackets`);
    console.log(key.padEnd(14) + names.map((name) => column(name)).join(''));
    let before;
    for (const value of values) {
      const found = await withEngines(names, { ...SIZE, [key]: value }, (processes) =>
        measure(processes, task, Math.min(runs, 5)),
      );
      const cells = names.map((name) => {
        const growth = before ? ` (× ${(found[name].medianMs / before[name].medianMs).toFixed(2)})` : '';
        return column(`${found[name].medianMs.toFixed(1)}${growth}`);
      });
      console.log(String(value).padEnd(14) + cells.join(''));
      before = found;
    }
  }
}

if (options.json) writeFileSync(options.json, `${JSON.stringify(rows, null, 2)}\n`);
