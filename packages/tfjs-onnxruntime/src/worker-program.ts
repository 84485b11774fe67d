/**
 * What a worker thread runs. It is text and not a function or a file of its own, because a compiler or bundler may rewrite a
 * function so that it no longer stands alone, and a file would have to be found wherever this package ends up.
 *
 * It answers the requests of `workers.ts`. Feeds come in shared memory and are copied, because ONNX Runtime takes none that
 * is shared; outputs are handed over with their memory.
 */
export const WORKER_PROGRAM = `
'use strict';
const { createRequire } = require('node:module');
const { workerData } = require('node:worker_threads');
const { port, signal, resolveFrom } = workerData;
const sessions = new Map();

function loadSession({ id, model, ports, outputs, config }) {
  const loaded = { slots: [], failure: undefined };
  sessions.set(id, loaded);
  try {
    const load = createRequire(resolveFrom);
    const { binding, initOrt } = load('onnxruntime-node/dist/binding.js');
    const { Tensor } = load('onnxruntime-common');
    initOrt();
    loaded.session = new binding.InferenceSession();
    loaded.session.loadModel(model.buffer, model.byteOffset, model.byteLength, config);
    const arrays = { float32: Float32Array, int32: Int32Array, bool: Uint8Array };
    loaded.own = ports.map(
      ({ type, shape }) => new arrays[type](shape.reduce((size, dimension) => size * dimension, 1)),
    );
    loaded.feeds = Object.fromEntries(
      ports.map(({ type, shape }, i) => ['i' + i, new Tensor(type, loaded.own[i], shape)]),
    );
    loaded.outputs = outputs;
    loaded.Tensor = Tensor;
  } catch (error) {
    loaded.failure = error.message; // what every run of it answers
  }
}

function runSession({ session, slots, own, feeds, outputs, Tensor, failure }, { slot, memory }) {
  if (failure !== undefined) return { error: failure };
  try {
    own.forEach((array, i) => array.set(slots[slot][i]));
    const fetches = Object.fromEntries(
      outputs.map(({ type, shape }, i) => ['o' + i, memory[i] && new Tensor(type, memory[i], shape)]),
    );
    const results = session.run(feeds, fetches, {});
    return { outputs: outputs.map((_, i) => memory[i] ?? results['o' + i].data) };
  } catch (error) {
    return { error: error.message };
  }
}

process.on('exit', () => {
  Atomics.add(signal, 0, 1);
  Atomics.notify(signal, 0);
});

port.on('message', (request) => {
  if (request === null) return; // the other side looks whether this thread is there
  if (request.kind === 'load') {
    loadSession(request);
  } else if (request.kind === 'slot') {
    sessions.get(request.id).slots.push(request.shared);
  } else if (request.kind === 'dispose') {
    sessions.get(request.id)?.session.dispose();
    sessions.delete(request.id);
  } else {
    const answer = runSession(sessions.get(request.id), request);
    port.postMessage(answer, (answer.outputs ?? []).map((array) => array.buffer));
    Atomics.add(signal, 0, 1);
    Atomics.notify(signal, 0);
  }
});
`;
