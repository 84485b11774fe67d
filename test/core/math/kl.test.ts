import { beforeAll, describe, expect, test } from '@jest/globals';

import {
  RandomStream,
  ShapeError,
  exactKl,
  exactKlOnHost,
  gaussianKl,
  sampledKl,
  sampledKlTensor,
  tf,
} from '@rollcast/core';

import { useBackend } from '../../support/backends.js';
import { expectGradient } from '../../support/gradients.js';
import { expectNoTensorLeft, normals, take } from '../../support/tensors.js';

beforeAll(() => useBackend('cpu'));

const estimators = ['k1', 'k2', 'k3'] as const;

test('one sample by hand', () => {
  // p = ½, q = ¼: log p/q = ln 2; k2 = ½ ln² 2; k3 = ½ − 1 + ln 2
  const [p, q] = [Math.log(0.5), Math.log(0.25)];
  expect(sampledKl('k1', p, q)).toBeAllClose(0.693147, { atol: 1e-6 });
  expect(sampledKl('k2', p, q)).toBeAllClose(0.240227, { atol: 1e-6 });
  expect(sampledKl('k3', p, q)).toBeAllClose(0.193147, { atol: 1e-6 });
});

test('k3 is never negative and keeps its digits near 0', () => {
  for (const logRatio of [-5, -1, -1e-3, 0, 1e-3, 1, 5])
    expect(sampledKl('k3', logRatio, 0)).toBeGreaterThanOrEqual(0);
  expect(sampledKl('k3', 1e-6, 0)).toBeAllClose(5e-13, { atol: 1e-16 });
});

// Schulman, joschu.net/blog/kl-approx: bias and standard deviation over the true KL, N(0,1) against N(μ,1).
describe.each([
  { mu: 0.1, kl: 0.005, bias: { k1: 0, k2: 0.0025, k3: 0 }, spread: { k1: 20, k2: 1.418, k3: 1.417 } },
  { mu: 1, kl: 0.5, bias: { k1: 0, k2: 0.25, k3: 0 }, spread: { k1: 2, k2: 1.73, k3: 1.7 } },
])('samples of N(0,1) against N($mu,1), whose KL is $kl', ({ mu, kl, bias, spread }) => {
  const n = 200_000;
  const draws = new RandomStream(1, 'kl').normals(n);

  test.each(estimators)('%s has the published bias and spread', (estimator) => {
    // log densities up to the shared constant
    const ratios = Array.from(draws, (x) => sampledKl(estimator, -0.5 * x * x, -0.5 * (x - mu) ** 2) / kl);
    const mean = ratios.reduce((a, b) => a + b) / n;
    const std = Math.sqrt(ratios.reduce((a, b) => a + (b - mean) ** 2, 0) / n);
    // four standard errors of the mean
    expect(mean - 1).toBeAllClose(bias[estimator], { atol: (4 * spread[estimator]) / Math.sqrt(n) });
    expect(std).toBeAllClose(spread[estimator], { rtol: 0.05 });
  });
});

test('exact KL by hand, and 0 for a policy with itself', () => {
  // (½, ½) against (¼, ¾): ½ ln 2 + ½ ln(2/3) = 0.143841
  const [p, q] = [[0.5, 0.5].map(Math.log), [0.25, 0.75].map(Math.log)];
  const both = tf.tensor3d([[p, p]]);
  const reference = tf.tensor3d([[q, p]]);
  const kl = exactKl(both, reference);
  expect(kl).toHaveShape([1, 2]);
  expect(take(kl)).toBeAllClose([0.143841, 0], { atol: 1e-6 });
  expect(exactKlOnHost([...p, ...p], [...q, ...p], 2)).toBeAllClose([0.143841, 0], { atol: 1e-6 });
  tf.dispose([both, reference]);
});

test('tensors and host say the same, for the exact KL and every estimator', () => {
  const [p, q] = ['p', 'q'].map((name) => tf.logSoftmax(normals([3, 4, 5], name)) as tf.Tensor3D);
  const kl = take(exactKl(p, q));
  expect(kl).toBeAllClose(exactKlOnHost(p.dataSync(), q.dataSync(), 5), { atol: 1e-6 });
  expect(Math.min(...kl)).toBeGreaterThan(0);
  for (const estimator of estimators) {
    const onHost = Array.from(p.dataSync(), (x, i) => sampledKl(estimator, x, q.dataSync()[i]));
    expect(take(sampledKlTensor(estimator, p, q))).toBeAllClose(onHost, { atol: 1e-5 });
    expectNoTensorLeft(() => sampledKlTensor(estimator, p, q).dispose());
  }
  expectNoTensorLeft(() => exactKl(p, q).dispose());
});

test('the expectation of every sampled estimator but k2 is the exact KL', () => {
  const [p, q] = ['p', 'q'].map((name) => Array.from(tf.logSoftmax(normals([6], name)).dataSync()));
  const [exact] = exactKlOnHost(p, q, 6);
  const expectation = (estimator: (typeof estimators)[number]): number =>
    p.reduce((sum, logP, v) => sum + Math.exp(logP) * sampledKl(estimator, logP, q[v]), 0);
  expect(expectation('k1')).toBeAllClose(exact, { atol: 1e-6 });
  expect(expectation('k3')).toBeAllClose(exact, { atol: 1e-6 });
});

describe('gradients agree with central differences', () => {
  const reference = (): tf.Tensor3D => tf.logSoftmax(normals([2, 3, 4], 'q')) as tf.Tensor3D;

  test('exact KL', () => {
    const q = reference();
    expectGradient(
      (logits) => tf.tidy(() => exactKl(tf.logSoftmax(logits) as tf.Tensor3D, q)),
      [normals([2, 3, 4], 'p')],
    );
  });

  test.each(estimators)('%s', (estimator) => {
    const q = reference();
    expectGradient((logProbs) => sampledKlTensor(estimator, logProbs, q), [normals([2, 3, 4], 'p')]);
  });
});

describe('between independent normal numbers', () => {
  const row = (...numbers: number[]): tf.Tensor2D => tf.tensor2d([numbers]);

  test.each([
    // N(0, 1) against N(μ, 1): μ²/2
    ['means apart', [0, 0, 0.1, 0], 0.005],
    ['means further apart', [0, 0, 1, 0], 0.5],
    // N(0, 1) against N(0, 2²): ln 2 + 1/8 − 1/2
    ['a wider reference', [0, 0, 0, Math.log(2)], Math.log(2) - 0.375],
    // N(1, 2²) against N(0, 1): −ln 2 + (4 + 1)/2 − 1/2
    ['a narrower reference', [1, Math.log(2), 0, 0], 2 - Math.log(2)],
    ['itself', [0.7, -1.3, 0.7, -1.3], 0],
  ])('%s, by hand', (_what, [mean, logStd, referenceMean, referenceLogStd], expected) => {
    const inputs = [mean, logStd, referenceMean, referenceLogStd].map((x) => row(x));
    const [p, s, q, r] = inputs;
    const kl = expectNoTensorLeft(() => take(gaussianKl(p, s, q, r)));
    expect(kl).toBeAllClose([expected], { atol: 1e-6 });
  });

  test('adds up over the numbers of an action, one sum a row', () => {
    const kl = gaussianKl(
      tf.tensor2d([[0, 1], [0, 0]]), tf.tensor2d([[0, Math.log(2)], [0, 0]]),
      tf.tensor2d([[1, 0], [0, 0]]), tf.zeros<tf.Rank.R2>([2, 2]),
    ); // prettier-ignore
    expect(take(kl)).toBeAllClose([0.5 + 2 - Math.log(2), 0], { atol: 1e-6 });
  });

  test('its gradient agrees with central differences', () => {
    const [q, r] = [normals([3, 2], 'q'), normals([3, 2], 'r', 0.3)] as tf.Tensor2D[];
    expectGradient(
      (mean, logStd) => gaussianKl(mean as tf.Tensor2D, logStd as tf.Tensor2D, q, r),
      [normals([3, 2], 'mean'), normals([3, 2], 'std', 0.3)],
    );
  });

  test('shapes that would only broadcast are refused', () => {
    const [two, one] = [tf.zeros<tf.Rank.R2>([3, 2]), tf.zeros<tf.Rank.R2>([3, 1])];
    expect(() => gaussianKl(two, one, two, two)).toThrow(ShapeError);
  });
});

test('the expected gradient on-policy: right for exact and k2, zero for k1', () => {
  const logits = normals([1, 1, 5], 'p');
  const q = tf.logSoftmax(normals([1, 1, 5], 'q')) as tf.Tensor3D;
  const p = tf.softmax(logits);
  const exact = take(tf.grad((x) => tf.tidy(() => exactKl(tf.logSoftmax(x) as tf.Tensor3D, q)))(logits));
  // Σ_a p(a) ∇ k(a), the weights p(a) constant
  const expected = (estimator: 'k1' | 'k2'): number[] =>
    take(tf.grad((x) => tf.sum(tf.mul(p, sampledKlTensor(estimator, tf.logSoftmax(x), q))))(logits));
  expect(expected('k2')).toBeAllClose(exact, { atol: 1e-5 });
  expect(expected('k1')).toBeAllClose([0, 0, 0, 0, 0], { atol: 1e-6 });
});

test('shapes that would only broadcast are refused', () => {
  const [column, row] = [tf.zeros([3, 1]), tf.zeros([3])];
  expect(() => sampledKlTensor('k3', column, row)).toThrow(ShapeError);
  const [many, one] = [tf.zeros<tf.Rank.R3>([2, 3, 4]), tf.zeros<tf.Rank.R3>([1, 3, 4])];
  expect(() => exactKl(many, one)).toThrow(
    /logDistribution \[2, 3, 4\], referenceLogDistribution \[1, 3, 4\]/,
  );
  expect(() => exactKlOnHost([0, 0], [0, 0, 0, 0], 2)).toThrow(ShapeError);
});
