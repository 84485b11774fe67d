/**
 * The gradients that group rewards give, exactly: a policy over three tokens and two steps has nine paths, and every group of
 * k of them is enumerated with its probability, rewarded by the environment itself, and weighed as the algorithms do.
 */
import { describe, expect, test } from '@jest/globals';

import { leaveOneOutAdvantages, rewardsToGo } from '@rollcast/core';
import { DegradationEnvironment, RLDataset, type RewardOptions, type ValueTokeniser } from '@rollcast/envs';

import { ramp, seriesSet } from './support.js';

const TOKENS = 3;
const STEPS = 2;

/** Logits of the first token, then those of the second after each first one. */
const logits = [0.3, -0.4, 0.1, 0.5, 0, -0.2, -0.6, 0.7, 0.2, 0.1, -0.3, 0.4];
const paths = ramp(TOKENS ** 2, (i) => [Math.floor(i / TOKENS), i % TOKENS] as const);
/** Where the logits of each step of a path start. */
const at = ([first]: readonly number[]): [number, number] => [0, TOKENS * (1 + first)];

function softmax(theta: readonly number[], start: number): number[] {
  const weights = theta.slice(start, start + TOKENS).map(Math.exp);
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((w) => w / sum);
}
const probability = (theta: readonly number[], path: readonly number[]): number =>
  at(path).reduce((product, start, t) => product * softmax(theta, start)[path[t]], 1);

// Tokens 0, 1, 2 stand for 2, 4, 7; the truth is 3, 5.
const worth = [2, 4, 7];
const tokeniser: ValueTokeniser<null> = {
  vocabularySize: TOKENS,
  fit: () => null,
  encode: (values) => Int32Array.from(values, () => 0),
  saturated: () => 0,
  decode: (tokens) => Float64Array.from(tokens, (token) => worth[token]),
};
const dataset = new RLDataset(seriesSet({ a: [0, 1, 2, 3, 5] }), { contextLength: 3, horizon: STEPS });
const { future } = dataset.window(0);
const values = (path: readonly number[]) => path.map((token) => worth[token]);

/** Every group of k paths, with its probability and the gradient that its rewards give. */
function expectedGradient(options: RewardOptions, k: number, baseline: 'none' | 'leave-one-out'): number[] {
  const environment = new DegradationEnvironment(dataset, tokeniser, { rewardScale: 'raw', ...options });
  const batch = environment.repeat(environment.batch([dataset.window(0)]), k);
  const gradient = logits.map(() => 0);
  for (let code = 0; code < paths.length ** k; code++) {
    const group = ramp(k, (i) => paths[Math.floor(code / paths.length ** i) % paths.length]);
    const { reward } = environment.reward(batch, Int32Array.from(group.flat()));
    const returns = rewardsToGo(
      {
        batchSize: k,
        steps: STEPS,
        rewards: reward,
        terminated: Uint8Array.from({ length: k * STEPS }, (_, i) => (i % STEPS === STEPS - 1 ? 1 : 0)),
        truncated: new Uint8Array(k * STEPS),
        bootstrapValues: new Float32Array(k * STEPS),
        mask: new Float32Array(k * STEPS).fill(1),
      },
      1,
    );
    const advantages =
      baseline === 'none'
        ? returns
        : leaveOneOutAdvantages({ returns, batchSize: k, steps: STEPS, samplesPerContext: k });
    const weight = group.reduce((product, path) => product * probability(logits, path), 1) / k;
    group.forEach((path, i) =>
      at(path).forEach((start, t) =>
        softmax(logits, start).forEach((p, token) => {
          const score = (token === path[t] ? 1 : 0) - p; // ∂ log π / ∂ logit
          gradient[start + token] += weight * advantages[i * STEPS + t] * score;
        }),
      ),
    );
  }
  return gradient;
}

/** The gradient of a score of the distribution by finite differences. */
function gradientOf(score: (p: readonly number[]) => number): number[] {
  const h = 1e-4;
  const value = (theta: number[]) => score(paths.map((path) => probability(theta, path)));
  return logits.map((_, i) => {
    const moved = (by: number) => logits.map((x, j) => (j === i ? x + by : x));
    return (value(moved(h)) - value(moved(-h))) / (2 * h);
  });
}

/** E e(X) − ½ E d(X, X′). */
const properScore =
  (error: (x: number[]) => number, distance: (a: number[], b: number[]) => number) =>
  (p: readonly number[]): number =>
    paths.reduce(
      (sum, a, i) =>
        sum +
        p[i] * error(values(a)) -
        0.5 * paths.reduce((inner, b, j) => inner + p[i] * p[j] * distance(values(a), values(b)), 0),
      0,
    );
const l1 = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  (Math.abs(a[0] - b[0]) + Math.abs(a[1] - b[1])) / STEPS;
const l2 = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Math.hypot(a[0] - b[0], a[1] - b[1]) / Math.sqrt(STEPS);
const crps = properScore((x) => l1(x, future), l1);
const energy = properScore((x) => l2(x, future), l2);
const variogram = (p: readonly number[]): number => {
  const root = (x: ArrayLike<number>) => Math.sqrt(Math.abs(x[1] - x[0]));
  const expected = paths.reduce((sum, path, i) => sum + p[i] * root(values(path)), 0);
  return (expected - root(future)) ** 2;
};

const largest = (a: number[], b: number[]) => Math.max(...a.map((x, i) => Math.abs(x - b[i])));
const descent = (score: (p: readonly number[]) => number) => gradientOf(score).map((x) => -x);

describe.each([
  ['none', 3],
  ['leave-one-out', 3],
] as const)('baseline %s, %d paths of the context: the expected gradient is that of', (baseline, k) => {
  test.each([
    ['CRPS', '-mae + spread', crps],
    ['CRPS', '-crps', crps],
    ['the energy score', '-pathError + pathSpread', energy],
    ['the energy score', '-energyScore', energy],
    ['the variogram score', '-variogram', variogram],
    ['a sum of them', '-crps - 0.5*variogram', (p: readonly number[]) => crps(p) + 0.5 * variogram(p)],
  ])('%s by %s', (_, reward, score) => {
    expect(expectedGradient({ reward }, k, baseline)).toBeAllClose(descent(score), { atol: 2e-6 });
  });

  test('no score with half of the distance, which narrows the distribution', () => {
    const half = expectedGradient({ reward: '-mae + 0.5*spread' }, k, baseline);
    expect(largest(half, descent(crps))).toBeGreaterThan(0.04);
  });
});

test('with four paths of the context it is the same', () => {
  const gradient = expectedGradient({ reward: '-crps' }, 4, 'leave-one-out');
  expect(gradient).toBeAllClose(descent(crps), { atol: 2e-6 });
});

test('the whole score for every path of the group, the plain mean distance, loses to a leave-one-out baseline', () => {
  // with k = 3 the baseline takes 1/(k − 1) = ½ of the distance back, which is the mistake above
  const plain = (paths: readonly number[][]) =>
    paths.map((a, i) => paths.reduce((sum, b, j) => sum + (i === j ? 0 : l1(a, b)), 0) / (paths.length - 1));
  const group = [
    [2, 2],
    [4, 7],
    [7, 7],
  ];
  const returns = plain(group);
  const advantages = leaveOneOutAdvantages({ returns, batchSize: 3, steps: 1, samplesPerContext: 3 });
  const environment = new DegradationEnvironment(dataset, tokeniser, {
    reward: 'spread',
    rewardScale: 'raw',
    credit: 'sequence',
  });
  const batch = environment.repeat(environment.batch([dataset.window(0)]), 3);
  const shares = environment.reward(batch, Int32Array.of(0, 0, 1, 2, 2, 2)).reward;
  const corrected = leaveOneOutAdvantages({ returns: shares, batchSize: 3, steps: 1, samplesPerContext: 3 });
  expect(advantages).toBeAllClose(
    Array.from(corrected, (x) => x / 2),
    { atol: 1e-6 },
  );
});
