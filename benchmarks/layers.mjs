// Why the layers write out their gradients: forward and backward of one linear layer on tfjs-wasm, ours (plain products)
// against tfjs's own (transposed products), alternating; and one whole training step. Medians in milliseconds.
//
//   npm run bench:layers
import { RandomStream, linear, selectBackend, tf } from '@rollcast/core';

const RUNS = 9;
const median = (times) => [...times].sort((a, b) => a - b)[Math.floor(times.length / 2)];

/** Runs every task in turn, RUNS times after a warm-up, and returns the median of each. */
function alternate(tasks) {
  const times = Object.fromEntries(Object.keys(tasks).map((name) => [name, []]));
  for (let run = -1; run < RUNS; run++) {
    for (const [name, task] of Object.entries(tasks)) {
      const start = performance.now();
      task();
      if (run >= 0) times[name].push(performance.now() - start);
    }
  }
  return Object.fromEntries(Object.entries(times).map(([name, all]) => [name, median(all)]));
}

await selectBackend('wasm');
const [rows, inputs, outputs] = [6400, 64, 256];
const normals = (name, n) => new RandomStream(1, name).normals(n);
const x = tf.tensor2d(normals('x', rows * inputs), [rows, inputs]);
const w = tf.tensor2d(normals('w', inputs * outputs), [inputs, outputs]);
const b = tf.zeros([outputs]);
const backward = (layer) => () =>
  tf.tidy(() =>
    tf
      .grads((...args) => tf.sum(layer(...args)))([x, w, b])
      .map((g) => g.dataSync()[0]),
  );
const layers = alternate({
  ours: backward(linear),
  tfjs: backward((input, weight, bias) => tf.add(tf.matMul(input, weight), bias)),
});
console.log(`linear layer ${rows} × ${inputs} → ${outputs}, forward and backward`);
console.log(
  `  ours ${layers.ours.toFixed(1)} ms, tfjs ${layers.tfjs.toFixed(1)} ms, ratio ${(layers.ours / layers.tfjs).toFixed(2)}`,
);
