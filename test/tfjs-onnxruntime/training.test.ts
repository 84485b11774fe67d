import { afterAll, beforeAll, expect, test } from '@jest/globals';

import {
  Adam,
  DegradationTransformer,
  GradientSteps,
  ParameterStore,
  RandomStream,
  selectBackend,
  tf,
} from '@rollcast/core';
import { compile, onnxBackend } from '@rollcast/tfjs-onnxruntime';

beforeAll(() => selectBackend('onnx'));
afterAll(() => selectBackend('cpu'));

test('the losses of 100 updates agree with the cpu backend, and with themselves bit for bit', async () => {
  const losses = (): number[] => {
    const model = new DegradationTransformer(
      { vocabularySize: 16, width: 8, layers: 1, heads: 2, attentionWindow: 12 },
      3,
    );
    const optimizer = new Adam(model.parameters);
    const steps = new GradientSteps({
      parameters: model.parameters,
      optimizer,
      maxGradNorm: 0.5,
      name: 'test',
      rowsPerPass: 1, // several threads at once
      loss: ({ contexts, actions }) => ({
        loss: tf.neg(tf.mean(model.score(contexts as tf.Tensor2D, actions as tf.Tensor2D).logProbs)),
      }),
    });
    const found = Array.from({ length: 100 }, (_, i) => {
      const draws = new RandomStream(i, 'test/tokens').uniforms(12);
      const tokens = Int32Array.from(draws, (u) => Math.floor(u * u * 16));
      const rows = {
        contexts: { data: tokens.slice(0, 6), shape: [2, 3] },
        actions: { data: tokens.slice(6), shape: [2, 3] },
      };
      return steps.step({ rows, learningRate: 1e-2 * (1 - i / 100) }).stats['loss'];
    });
    steps.dispose();
    optimizer.dispose();
    model.dispose();
    return found;
  };
  const first = losses();
  expect(losses()).toEqual(first);
  await selectBackend('cpu');
  expect(first).toBeAllClose(losses(), { rtol: 1e-4, atol: 0 });
  await selectBackend('onnx');
});

test('a thousand updates with a falling learning rate keep tensors, data and sessions as they were', () => {
  const store = new ParameterStore();
  store.add('w', [8, 8], new RandomStream(1, 'test/w').normals(64));
  const optimizer = new Adam(store);
  const x = { data: new RandomStream(1, 'test/x').normals(128), shape: [16, 8] };
  const steps = new GradientSteps({
    parameters: store,
    optimizer,
    maxGradNorm: 1,
    name: 'test',
    loss: (rows) => ({
      loss: tf.mean(tf.square(tf.tanh(tf.matMul(rows['x'] as tf.Tensor2D, store.get<tf.Rank.R2>('w'))))),
    }),
  });
  const update = (i: number): void => void steps.step({ rows: { x }, learningRate: 1e-3 / (i + 1) });
  for (let i = 0; i < 5; i++) update(i);
  const counts = (): number[] => [
    tf.memory().numTensors,
    onnxBackend().numDataIds(),
    onnxBackend().statistics.sessions,
  ];
  const before = counts();
  for (let i = 5; i < 1000; i++) update(i);
  expect(counts()).toEqual(before);
  steps.dispose();
  optimizer.dispose();
  store.dispose();
});

test('a small network acts through compile in well under a millisecond', () => {
  const weights = [
    [4, 64],
    [64, 64],
    [64, 2],
  ].map((shape) => tf.variable(tf.fill(shape, 0.1)));
  const act = compile((x: tf.Tensor) => weights.reduce((h, w) => tf.tanh(tf.matMul(h, w)), x));
  const milliseconds: number[] = [];
  for (let i = 0; i < 500; i++) {
    const start = performance.now();
    tf.tidy(() => void act(tf.ones([4, 4])).dataSync());
    milliseconds.push(performance.now() - start);
  }
  // the quickest tenth, because the machine may be busy; benchmarks have the median
  expect(milliseconds.sort((a, b) => a - b)[50]).toBeLessThan(0.5);
  act.dispose();
  tf.dispose(weights);
});
