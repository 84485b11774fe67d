// 10 000 updates of a small model on the engine: tensors, sessions and resident memory must stay as they are after warm-up.
// `npm run soak:engine -- [UPDATES]`; the exit code is 1 when they grow. Garbage is collected before each count (--expose-gc),
// because V8 leaves it lying about for as long as memory is plentiful.
import { setImmediate as turn } from 'node:timers/promises';

import { Adam, DegradationTransformer, GradientSteps, RandomStream, selectBackend, tf } from '@rollcast/core';
import { onnxBackend } from '@rollcast/tfjs-onnxruntime';

const updates = Number(process.argv[2] ?? 10_000);
const [batch, context, horizon, vocabulary] = [8, 8, 8, 32];
await selectBackend('onnx');
const model = new DegradationTransformer(
  { vocabularySize: vocabulary, width: 16, layers: 1, heads: 2, attentionWindow: 16 },
  1,
);
const optimizer = new Adam(model.parameters);
const steps = new GradientSteps({
  parameters: model.parameters,
  optimizer,
  maxGradNorm: 0.5,
  name: 'soak',
  rowsPerPass: 4, // two threads
  loss: ({ contexts, actions }) => ({ loss: tf.neg(tf.mean(model.score(contexts, actions).logProbs)) }),
});
const counts = () => {
  globalThis.gc();
  return {
    tensors: tf.memory().numTensors,
    data: onnxBackend().numDataIds(),
    sessions: onnxBackend().statistics.sessions,
    megabytes: Math.round(process.memoryUsage().rss / 2 ** 20),
  };
};

let warm;
for (let update = 0; update < updates; update++) {
  const generated = model.generate({
    contextTokens: Int32Array.from(new RandomStream(update, 'soak').uniforms(batch * context), (u) =>
      Math.floor(u * vocabulary),
    ),
    batchSize: batch,
    horizon,
    random: new RandomStream(update, 'soak/actions'),
  });
  steps.step({
    rows: {
      contexts: { data: new Int32Array(batch * context), shape: [batch, context] },
      actions: { data: generated.tokens, shape: [batch, horizon] },
    },
    learningRate: 1e-3 / (1 + update),
  });
  // the event loop turns as in a real run, so that memory can be given back
  if (update % 10 === 0) await turn();
  if (update === Math.floor(updates / 10)) warm = counts();
  if (update % Math.ceil(updates / 10) === 0) console.log(`update ${update}:`, JSON.stringify(counts()));
}
const end = counts();
console.log('after warm-up:', JSON.stringify(warm));
console.log('at the end:   ', JSON.stringify(end));
const grown = ['tensors', 'data', 'sessions'].filter((key) => end[key] > warm[key]);
if (end.megabytes > 1.05 * warm.megabytes) grown.push('megabytes');
console.log(grown.length === 0 ? 'Nothing grew.' : `Grew: ${grown.join(', ')}.`);
process.exitCode = grown.length === 0 ? 0 : 1;
