import { beforeAll, describe, expect, test } from '@jest/globals';

import {
  Adam,
  GradientSteps,
  NumericalError,
  ParameterStore,
  tf,
  type GradientStepsOptions,
  type LossParts,
  type RowArray,
} from '@rollcast/core';

import { backendsUnderTest, useBackend } from '../../support/backends.js';
import { expectNoTensorLeft } from '../../support/tensors.js';

/** Two parameters, and a loss 3a + 4b (plus what a test makes of it) whose gradient (3, 4) has norm 5. */
function problem(parts: (x: tf.Scalar) => LossParts, changes: Partial<GradientStepsOptions> = {}) {
  const parameters = new ParameterStore();
  parameters.add('a', [], Float32Array.of(1));
  parameters.add('b', [], Float32Array.of(1));
  // a huge ε makes Adam's first step proportional to the gradient: lr · g / ε
  const optimizer = new Adam(parameters, { epsilon: 1e6 });
  const steps = new GradientSteps({
    parameters,
    optimizer,
    maxGradNorm: 1,
    name: 'test',
    loss: () => parts(tf.add<tf.Scalar>(tf.mul(parameters.get('a'), 3), tf.mul(parameters.get('b'), 4))),
    ...changes,
  });
  const values = (): number[] => parameters.entries().map(([, v]) => v.dataSync()[0]);
  return { parameters, optimizer, steps, values };
}

const row = (...data: number[]): RowArray => ({ data: Float32Array.from(data), shape: [data.length] });
const one = { rows: { x: row(1) }, learningRate: 1e6 };

describe.each(backendsUnderTest('cpu', 'onnx'))('on %s', (backend) => {
  beforeAll(() => useBackend(backend));

  test('gradients beyond the limit are scaled down to that global norm, smaller ones are left alone', () => {
    const clipped = problem((loss) => ({ loss }), { maxGradNorm: 0.5 });
    const { stats, taken } = clipped.steps.step(one);
    expect(taken).toBe(true);
    expect(stats['loss']).toBe(7);
    expect(stats['gradNorm']).toBeAllClose(5, { atol: 1e-5 });
    // (3, 4) · 0.5/5 = (0.3, 0.4)
    expect(clipped.values()).toBeAllClose([0.7, 0.6], { atol: 1e-5 });

    const free = problem((loss) => ({ loss }), { maxGradNorm: 10 });
    free.steps.step(one);
    expect(free.values()).toBeAllClose([-2, -3], { atol: 1e-4 });
  });

  test.each<[string, (x: tf.Scalar) => LossParts, RegExp]>([
    ['the loss', (x) => ({ loss: tf.mul<tf.Scalar>(x, NaN) }), /test: loss became NaN/],
    [
      'a statistic',
      (x) => ({ loss: x, means: { spread: tf.div<tf.Scalar>(x, 0) } }),
      /test: spread became Infinity/,
    ],
    [
      'the gradient',
      (x) => ({ loss: tf.sqrt<tf.Scalar>(tf.sub(x, 7)) }), // √0, slope ∞
      /test: gradNorm became/,
    ],
  ])('when %s is not finite, the error names it and nothing moves', (_what, parts, message) => {
    const { optimizer, steps, values } = problem(parts);
    const slots = optimizer.state();
    expectNoTensorLeft(() => expect(() => steps.step(one)).toThrow(message));
    expect(() => steps.step(one)).toThrow(NumericalError);
    expect(values()).toEqual([1, 1]);
    expect(optimizer.state()).toEqual(slots);
  });

  test('a step that is not accepted is not taken', () => {
    const { optimizer, steps, values } = problem((x) => ({
      loss: x,
      means: { twice: tf.mul<tf.Scalar>(x, 2) },
    }));
    const slots = optimizer.state();
    const seen: number[] = [];
    const { taken, stats } = steps.step({
      ...one,
      accept: (numbers) => {
        seen.push(numbers['twice']);
        return false;
      },
    });
    expect({ taken, twice: stats['twice'], seen }).toEqual({ taken: false, twice: 14, seen: [14] });
    expect(values()).toEqual([1, 1]);
    expect(optimizer.state()).toEqual(slots);
  });

  test('a step leaves no tensor behind, also when a statistic is the loss itself', () => {
    const { steps } = problem((x) => ({ loss: x, means: { same: x }, maxima: { other: tf.square(x) } }));
    expectNoTensorLeft(() => steps.step(one));
  });

  test('a parameter that the loss does not touch stays as it is', () => {
    const { parameters, steps, values } = problem((loss) => ({ loss }), {
      loss: () => ({ loss: tf.mul<tf.Scalar>(parameters.get('a'), 1) }),
    });
    steps.step(one);
    expect(values()).toBeAllClose([0, 1], { atol: 1e-5 });
  });

  /** Fits a to the rows: mean of (a − x)² over the real steps, with a maximum and a number from outside. */
  function fit(rowsPerPass?: number) {
    const parameters = new ParameterStore();
    parameters.add('a', [], Float32Array.of(0));
    const optimizer = new Adam(parameters, { epsilon: 1 });
    const steps = new GradientSteps({
      parameters,
      optimizer,
      maxGradNorm: 100,
      name: 'fit',
      rowsPerPass,
      loss: ({ x, mask }, { weight }) => {
        const error = tf.square(tf.sub(parameters.get('a'), x));
        const mean = tf.div<tf.Scalar>(tf.sum(tf.mul(error, mask)), tf.sum(mask));
        return {
          loss: tf.mul<tf.Scalar>(mean, weight),
          means: { mean },
          maxima: { largest: tf.max<tf.Scalar>(tf.mul(x, mask)) },
        };
      },
    });
    return { parameters, steps };
  }

  test.each([[undefined], [1], [2], [3], [4]])(
    'parts of %s rows give the loss, the statistics and the gradient of the whole batch, masked steps left out',
    (rowsPerPass) => {
      // five rows of two steps; the real ones are 1, 2, 3, 5, 9, and one row is nothing but padding
      const x = [1, 2, 3, 50, 60, 70, 5, 80, 90, 9];
      const mask = Float32Array.of(1, 1, 1, 0, 0, 0, 1, 0, 0, 1);
      const { steps, parameters } = fit(rowsPerPass);
      const { stats } = steps.step({
        rows: { x: { data: Float32Array.from(x), shape: [5, 2] }, mask: { data: mask, shape: [5, 2] } },
        scalars: { weight: 0.5 },
        mask,
        learningRate: 0,
      });
      // mean of squares (1 + 4 + 9 + 25 + 81)/5 = 24; gradient of half of it at a = 0: −mean(x) = −4
      expect(stats['mean']).toBeAllClose(24, { rtol: 1e-5 });
      expect(stats['loss']).toBeAllClose(12, { rtol: 1e-5 });
      expect(stats['largest']).toBe(9);
      expect(stats['gradNorm']).toBeAllClose(4, { rtol: 1e-5 });
      expect(parameters.get('a').dataSync()[0]).toBe(0);
    },
  );

  test('a batch of nothing but padding is refused', () => {
    const { steps } = fit();
    expect(() =>
      steps.step({
        rows: { x: row(2), mask: row(0) },
        scalars: { weight: 1 },
        mask: Float32Array.of(0),
        learningRate: 0,
      }),
    ).toThrow('fit: there is no real step; the mask is 0 everywhere.');
  });

  test('a number from outside may change from step to step', () => {
    const { steps } = fit();
    const rows = { x: row(2), mask: row(1) };
    const losses = [1, 10].map(
      (weight) => steps.step({ rows, scalars: { weight }, learningRate: 0 }).stats['loss'],
    );
    expect(losses).toBeAllClose([4, 40]);
  });
});
