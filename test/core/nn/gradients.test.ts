import { beforeAll, expect, test } from '@jest/globals';

import { Adam, NumericalError, ParameterStore, gradientStep, tf } from '@rollcast/core';

import { useBackend } from '../../support/backends.js';
import { expectNoTensorLeft } from '../../support/tensors.js';

beforeAll(() => useBackend('cpu'));

/** Two parameters, and a loss 3a + 4b (plus what `shape` adds) whose gradient (3, 4) has norm 5. */
function problem() {
  const parameters = new ParameterStore();
  parameters.add('a', [], Float32Array.of(1));
  parameters.add('b', [], Float32Array.of(1));
  // a huge ε makes Adam's first step proportional to the gradient: lr · g / ε
  const optimizer = new Adam(parameters, { epsilon: 1e6 });
  const loss = (): tf.Scalar =>
    tf.add<tf.Scalar>(tf.mul(parameters.get('a'), 3), tf.mul(parameters.get('b'), 4));
  const values = (): number[] => parameters.entries().map(([, v]) => v.dataSync()[0]);
  return { parameters, optimizer, loss, values };
}

const common = { learningRate: 1e6, name: 'test' };

test('gradients beyond the limit are scaled down to that global norm, smaller ones are left alone', () => {
  const clipped = problem();
  const { stats, taken } = gradientStep({
    ...clipped,
    ...common,
    maxGradNorm: 0.5,
    loss: () => ({ loss: clipped.loss(), stats: {} }),
  });
  expect(taken).toBe(true);
  expect(stats['loss']).toBe(7);
  expect(stats['gradNorm']).toBeAllClose(5, { atol: 1e-5 });
  // (3, 4) · 0.5/5 = (0.3, 0.4)
  expect(clipped.values()).toBeAllClose([0.7, 0.6], { atol: 1e-5 });

  const free = problem();
  gradientStep({ ...free, ...common, maxGradNorm: 10, loss: () => ({ loss: free.loss(), stats: {} }) });
  expect(free.values()).toBeAllClose([-2, -3], { atol: 1e-4 });
});

test.each([
  ['the loss', (x: tf.Scalar) => ({ loss: tf.mul<tf.Scalar>(x, NaN), stats: {} }), /test: loss became NaN/],
  [
    'a statistic',
    (x: tf.Scalar) => ({ loss: x, stats: { spread: tf.div<tf.Scalar>(x, 0) } }),
    /test: spread became Infinity/,
  ],
  [
    'the gradient',
    (x: tf.Scalar) => ({ loss: tf.sqrt<tf.Scalar>(tf.sub(x, 7)), stats: {} }), // √0, slope ∞
    /test: gradNorm became/,
  ],
])('when %s is not finite, the error names it and nothing moves', (_what, parts, message) => {
  const { parameters, optimizer, loss, values } = problem();
  const slots = optimizer.state();
  expectNoTensorLeft(() =>
    expect(() =>
      gradientStep({ parameters, optimizer, ...common, maxGradNorm: 1, loss: () => parts(loss()) }),
    ).toThrow(message),
  );
  expect(() =>
    gradientStep({ parameters, optimizer, ...common, maxGradNorm: 1, loss: () => parts(loss()) }),
  ).toThrow(NumericalError);
  expect(values()).toEqual([1, 1]);
  expect(optimizer.state()).toEqual(slots);
});

test('a step that is not accepted is not taken', () => {
  const { parameters, optimizer, loss, values } = problem();
  const slots = optimizer.state();
  const seen: number[] = [];
  const { taken, stats } = gradientStep({
    parameters,
    optimizer,
    ...common,
    maxGradNorm: 1,
    accept: (numbers) => {
      seen.push(numbers['twice']);
      return false;
    },
    loss: () => {
      const x = loss();
      return { loss: x, stats: { twice: tf.mul<tf.Scalar>(x, 2) } };
    },
  });
  expect({ taken, twice: stats['twice'], seen }).toEqual({ taken: false, twice: 14, seen: [14] });
  expect(values()).toEqual([1, 1]);
  expect(optimizer.state()).toEqual(slots);
});

test('a step leaves no tensor behind, also when a statistic is the loss itself', () => {
  const { parameters, optimizer, loss } = problem();
  expectNoTensorLeft(() => {
    gradientStep({
      parameters,
      optimizer,
      ...common,
      maxGradNorm: 1,
      loss: () => {
        const x = loss();
        return { loss: x, stats: { same: x, other: tf.square(x) } };
      },
    });
  });
});

test('a parameter that the loss does not touch stays as it is', () => {
  const { parameters, optimizer, values } = problem();
  gradientStep({
    parameters,
    optimizer,
    ...common,
    maxGradNorm: 1,
    loss: () => ({ loss: tf.mul<tf.Scalar>(parameters.get('a'), 1), stats: {} }),
  });
  expect(values()).toBeAllClose([0, 1], { atol: 1e-5 });
});
