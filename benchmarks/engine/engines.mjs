// The processes that the benchmark of the engine asks in turn.
import { fork, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const PYTHON = process.env.PYTHON ?? 'python3';

/**
 * Starts an engine: `ask(task)` answers with `milliseconds`, or with `peakMegabytes` for the task `memory`.
 *
 * @param name - a tfjs backend or `pytorch`, with `:DEVICE` behind it for another device than the processor: `onnx:cuda`
 * @param size - as SIZE in tasks.mjs
 */
export function startEngine(name, size) {
  const [peer, device] = name.split(':');
  return peer === 'pytorch' ? torchEngine(size, device) : tfjsEngine(name, size);
}

/** A Node process that computes with one tfjs backend, on the device behind its name. */
function tfjsEngine(name, size) {
  const script = fileURLToPath(new URL('worker.mjs', import.meta.url));
  const child = fork(script, [name, JSON.stringify(size)]);
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
async function torchProcess(size, threads, device = 'cpu') {
  const { batch, context, horizon, vocabulary, ...shape } = size;
  const sizes = {
    ...shape,
    batchSize: batch,
    contextLength: context,
    horizon,
    vocabularySize: vocabulary,
    threads,
    device,
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

/** PyTorch with one thread and with two, whichever is faster at the moment; or on a device that is no processor. */
async function torchEngine(size, device) {
  const variants = device
    ? [await torchProcess(size, 1, device)]
    : [await torchProcess(size, 1), await torchProcess(size, 2)];
  const ask = async (task) => {
    const answers = [];
    for (const variant of variants) answers.push(await variant.ask(task));
    return answers.reduce((best, answer) => (answer.milliseconds < best.milliseconds ? answer : best));
  };
  return { ask, end: () => variants.forEach((variant) => variant.end()) };
}
