import { beforeAll, describe, expect, test } from '@jest/globals';

import {
  MlpPolicy,
  RandomStream,
  box,
  discrete,
  fanInUniform,
  multiDiscrete,
  orthogonal,
  tf,
  type Space,
} from '@rollcast/core';

import { backendsUnderTest, useBackend } from '../../support/backends.js';
import { expectNoTensorLeft, take } from '../../support/tensors.js';

const observations = new RandomStream(1, 'observations').normals(5 * 3);

test('orthogonal matrices have orthonormal columns or rows, times the gain', () => {
  for (const [rows, columns] of [
    [6, 3],
    [3, 6],
    [4, 4],
  ]) {
    const m = orthogonal(rows, columns, 2, new RandomStream(1, 'm'));
    const tall = rows >= columns;
    const [count, length] = tall ? [columns, rows] : [rows, columns];
    const at = (v: number, i: number): number => (tall ? m[i * columns + v] : m[v * columns + i]);
    for (let a = 0; a < count; a++) {
      for (let b = 0; b <= a; b++) {
        let product = 0;
        for (let i = 0; i < length; i++) product += at(a, i) * at(b, i);
        expect(product).toBeAllClose(a === b ? 4 : 0, { atol: 1e-5 });
      }
    }
  }
});

describe.each(backendsUnderTest('cpu', 'onnx'))('on %s', (backend) => {
  beforeAll(() => useBackend(backend));

  test.each<[string, Space, object]>([
    ['one of three', discrete(3), {}],
    ['two choices', multiDiscrete([2, 3]), {}],
    ['numbers', box(-1, 1, [2]), { logStdInit: -1, activation: 'relu', hidden: [8] }],
    ['squashed numbers', box(-2, 2, [2]), { squash: true, hidden: [] }],
    ['numbers, gSDE', box(-1, 1, [2]), { gsde: true, logStdInit: -3.29, orthoInit: false }],
    ['numbers, gSDE of observations', box(-1, 1, [2]), { gsde: true, hidden: [], fullStd: false }],
    ['squashed numbers, gSDE', box(-2, 2, [2]), { gsde: true, squash: true, logStdInit: -1 }],
  ])('it scores what it did as it did it: %s', (_what, space, options) => {
    const policy = new MlpPolicy(3, space, options, 4);
    // weights that say something: the last layer starts at almost nothing
    const random = new RandomStream(2, 'shake');
    policy.parameters.load(
      Object.fromEntries(
        Object.entries(policy.parameters.save()).map(([name, { shape, data }]) => [
          name,
          { shape, data: data.map((x) => x + 0.3 * random.normal()) },
        ]),
      ),
    );
    const decisions = expectNoTensorLeft(() =>
      policy.act(observations, policy.draw(5, new RandomStream(3, 'act'))),
    );
    expect(decisions.actions).toHaveLength(5 * space.size);
    // an unsquashed Gaussian may leave the box, which the environment's wrapper sees to
    const bounded = space.kind !== 'box' || 'squash' in options;
    if (bounded) {
      for (let n = 0; n < 5; n++) expect(space.outside(decisions.actions, n * space.size)).toBe(-1);
    }
    const scores = tf.tidy(() => {
      const { logProbs, values, entropy } = policy.scoreRows({
        observations: tf.tensor2d(observations, [5, 3]),
        actions: tf.tensor(
          decisions.actions,
          [5, 1, ...(space.size > 1 ? [space.size] : [])],
          space.kind === 'box' ? 'float32' : 'int32',
        ),
      });
      expect([logProbs.shape, values.shape, entropy().shape]).toEqual([
        [5, 1],
        [5, 1],
        [5, 1],
      ]);
      return [logProbs, values].map((x) => Array.from(x.dataSync()));
    });
    expect(scores[0]).toBeAllClose(decisions.logProbs, { atol: 1e-4 });
    expect(scores[1]).toBeAllClose(decisions.values, { atol: 1e-5 });
    expect(policy.valuesOf(observations)).toBeAllClose(decisions.values, { atol: 1e-5 });
    policy.dispose();
  });

  test('the same numbers give the same actions; without any it takes the most likely', () => {
    const policy = new MlpPolicy(3, discrete(4), {}, 1);
    const act = (seed?: number): number[] =>
      Array.from(
        policy.act(observations, seed === undefined ? undefined : policy.draw(5, new RandomStream(seed, 'a')))
          .actions,
      );
    expect(act(1)).toEqual(act(1));
    expect(act()).toEqual(act());
    const greedy = tf.tidy(() => {
      const rows = { observations: tf.tensor2d(observations, [5, 3]), actions: tf.zeros([5, 1], 'int32') };
      return take(tf.argMax(tf.reshape(policy.scoreRows(rows).logDistribution!, [5, 4]), 1));
    });
    expect(act()).toEqual(greedy);
    policy.dispose();
  });
});

test('without orthogonal weights, weights and biases are uniform in ±1/√inputs', () => {
  // variance of a uniform number in ±b: b²/3
  const numbers = fanInUniform(4, 10_000, new RandomStream(1, 'uniform'));
  expect(numbers.every((x) => Math.abs(x) <= 0.5)).toBe(true);
  expect(numbers.reduce((sum, x) => sum + x * x, 0) / 10_000).toBeAllClose(0.25 / 3, { rtol: 0.05 });
  const policy = new MlpPolicy(4, discrete(2), { orthoInit: false, hidden: [9] });
  const { 'policy.0.bias': first, 'policy.1.weight': last } = policy.parameters.save();
  expect(Math.max(...first.data.map(Math.abs))).toBeLessThanOrEqual(1 / 2);
  expect(first.data.every((x) => x !== 0)).toBe(true);
  const largest = Math.max(...last.data.map(Math.abs));
  expect(largest).toBeLessThanOrEqual(1 / 3);
  expect(largest).toBeGreaterThan(0.2);
  policy.dispose();
});

test('gSDE: the same draws make the same noise in the same state, and another in another', () => {
  const policy = new MlpPolicy(1, box(-1, 1, [1]), { gsde: true, sdeSampleFreq: 4, hidden: [8] }, 3);
  expect(policy.stepsPerDraw).toBe(4);
  expect(new MlpPolicy(1, box(-1, 1, [1]), { gsde: true }).stepsPerDraw).toBe(Infinity);
  expect(new MlpPolicy(1, box(-1, 1, [1]), { sdeSampleFreq: 4 }).stepsPerDraw).toBe(1);
  // instances 0 and 1 have matrices of their own
  const draws = policy.draw(2, new RandomStream(1, 'draws'));
  expect(draws).toHaveLength(2 * 8);
  const noise = (...observations: number[]): number[] => {
    const seen = Float32Array.from(observations);
    const { actions: modes } = policy.act(seen);
    return Array.from(policy.act(seen, draws).actions, (action, i) => action - modes[i]);
  };
  const [a, b] = noise(0.5, 0.5);
  expect(noise(0.5, 0.5)).toEqual([a, b]);
  expect(Math.abs(a - b)).toBeGreaterThan(0.01);
  // features are odd functions of the observation without biases, so the noise is
  expect(noise(-0.5, -0.5)).toBeAllClose([-a, -b], { atol: 1e-6 });
});

test('wrong options are refused by name', () => {
  expect(() => new MlpPolicy(3, discrete(2), { hiden: [3] } as object)).toThrow('Did you mean "hidden"?');
  expect(() => new MlpPolicy(3, discrete(2), { squash: true })).toThrow('policy.squash');
  expect(() => new MlpPolicy(3, discrete(2), { gsde: true })).toThrow('policy.gsde');
});
