import { beforeAll, describe, expect, test } from '@jest/globals';

import { box, discrete, distributionKind, multiDiscrete, tf } from '@rollcast/core';

import { backendsUnderTest, useBackend } from '../../support/backends.js';
import { expectGradient } from '../../support/gradients.js';
import { normals, take } from '../../support/tensors.js';

const plain = { squash: false };

describe.each(backendsUnderTest('cpu', 'onnx'))('on %s', (backend) => {
  beforeAll(() => useBackend(backend));

  test('a discrete action has the probability of its softmax', () => {
    const kind = distributionKind(discrete(3), plain);
    expect(kind).toMatchObject({ outputs: 3, draws: 1, drawnFrom: 'uniform', actionSize: 1, integers: true });
    // probabilities 1/6, 2/6, 3/6
    const of = kind.of(tf.log(tf.tensor2d([[1, 2, 3]])));
    expect(take(of.logProbs(tf.tensor2d([[2]], [1, 1], 'int32')))).toBeAllClose([Math.log(1 / 2)], {
      atol: 1e-6,
    });
    const h = -(Math.log(1 / 6) / 6 + Math.log(1 / 3) / 3 + Math.log(1 / 2) / 2);
    expect(take(of.entropy())).toBeAllClose([h], { atol: 1e-6 });
    expect(take(of.mode())).toEqual([2]);
    // cumulative 1/6, 1/2, 1
    const draws = [0.1, 0.2, 0.49, 0.51, 0.99];
    const many = kind.of(tf.log(tf.tensor2d(draws.map(() => [1, 2, 3]))));
    expect(take(many.sample(tf.tensor2d(draws, [5, 1])))).toEqual([0, 1, 1, 2, 2]);
  });

  test('several choices are independent: log-probabilities and entropies add up', () => {
    const kind = distributionKind(multiDiscrete([2, 3]), plain);
    expect(kind).toMatchObject({ outputs: 5, draws: 2, actionSize: 2, integers: true });
    const of = kind.of(tf.log(tf.tensor2d([[1, 3, 1, 2, 1]])));
    expect(take(of.logProbs(tf.tensor2d([[1, 2]], [1, 2], 'int32')))).toBeAllClose(
      [Math.log(3 / 4) + Math.log(1 / 4)],
      { atol: 1e-6 },
    );
    const first = -(0.25 * Math.log(0.25) + 0.75 * Math.log(0.75));
    const second = -(0.5 * Math.log(0.25) + 0.5 * Math.log(0.5));
    expect(take(of.entropy())).toBeAllClose([first + second], { atol: 1e-6 });
    expect(take(of.mode())).toEqual([1, 1]);
    expect(take(of.sample(tf.tensor2d([[0.2, 0.9]])))).toEqual([0, 2]);
  });

  test('a diagonal Gaussian has the density of the textbook', () => {
    const kind = distributionKind(box(-Infinity, Infinity, [2]), plain);
    expect(kind).toMatchObject({ outputs: 2, draws: 2, drawnFrom: 'normal', actionSize: 2, integers: false });
    const logStd = [0, Math.log(2)];
    const of = kind.of(tf.tensor2d([[1, -1]]), tf.tensor1d(logStd));
    // N(3; 1, 1) · N(1; −1, 4): z = 2 and 1
    const log = (z: number, std: number): number =>
      -0.5 * z * z - Math.log(std) - 0.5 * Math.log(2 * Math.PI);
    expect(take(of.logProbs(tf.tensor2d([[3, 1]])))).toBeAllClose([log(2, 1) + log(1, 2)], { atol: 1e-5 });
    const h = (std: number): number => 0.5 * Math.log(2 * Math.PI * Math.E * std * std);
    expect(take(of.entropy())).toBeAllClose([h(1) + h(2)], { atol: 1e-5 });
    expect(take(of.sample(tf.tensor2d([[0.5, -2]])))).toBeAllClose([1.5, -5], { atol: 1e-6 });
    expect(take(of.mode())).toEqual([1, -1]);
  });

  test('squashed, the density over the box integrates to one', () => {
    const of = distributionKind(box(-2, 2, [1]), { squash: true });
    const n = 20_000;
    const actions = Array.from({ length: n }, (_, i) => -1 + (2 * (i + 0.5)) / n);
    const mean = tf.fill<tf.Rank.R2>([n, 1], 0.3);
    const logProbs = take(of.of(mean, tf.tensor1d([-0.5])).logProbs(tf.tensor2d(actions, [n, 1])));
    const integral = logProbs.reduce((sum, logProb) => sum + Math.exp(logProb) * (2 / n), 0);
    expect(integral).toBeAllClose(1, { atol: 2e-3 });
    const sampled = take(of.of(mean, tf.tensor1d([-0.5])).sample(normals([n, 1], 'draws', 5) as tf.Tensor2D));
    expect(sampled.every((a) => a >= -1 && a <= 1)).toBe(true);
  });
});

describe('the KL to another distribution of the kind', () => {
  beforeAll(() => useBackend('cpu'));
  const rows = (numbers: number[]): tf.Tensor2D => tf.tensor2d([numbers]);

  test('of one choice, by hand', () => {
    const kind = distributionKind(discrete(2), plain);
    const [p, q] = [kind.of(tf.log(rows([1, 1]))), kind.of(tf.log(rows([1, 3])))];
    // (½, ½) against (¼, ¾): ½ ln 2 + ½ ln(2/3)
    expect(take(p.klTo(q.parameters()))).toBeAllClose([0.143841], { atol: 1e-6 });
  });

  test('of several choices it adds up', () => {
    const kind = distributionKind(multiDiscrete([2, 2]), plain);
    const [p, q] = [kind.of(tf.log(rows([1, 1, 1, 1]))), kind.of(tf.log(rows([1, 3, 3, 1])))];
    expect(take(p.klTo(q.parameters()))).toBeAllClose([2 * 0.143841], { atol: 1e-6 });
  });

  test.each([
    ['numbers', false],
    ['squashed numbers', true],
  ])('of %s it is the mean log-ratio of samples, and 0 for itself', (_what, squash) => {
    const n = 40_000;
    const kind = distributionKind(box(-1, 1, [2]), { squash });
    const of = (mean: number[], logStd: number[]) =>
      kind.of(tf.tile(rows(mean), [n, 1]), tf.tensor1d(logStd));
    const [p, q] = [of([0.3, -0.2], [-0.5, -1]), of([0, 0.1], [-0.3, -0.8])];
    const [kl] = take(p.klTo(q.parameters()));
    const actions = p.sample(normals([n, 2], 'draws') as tf.Tensor2D);
    const ratios = take(tf.sub(p.logProbs(actions), q.logProbs(actions)));
    const mean = ratios.reduce((a, b) => a + b) / n;
    const variance = ratios.reduce((a, b) => a + (b - mean) ** 2, 0) / n;
    expect(kl).toBeGreaterThan(0.1);
    // four standard errors
    expect(mean).toBeAllClose(kl, { atol: 4 * Math.sqrt(variance / n) });
    expect(take(p.klTo(p.parameters()))[0]).toBeAllClose(0, { atol: 1e-7 });
  });
});

describe('gradients agree with central differences', () => {
  beforeAll(() => useBackend('cpu'));

  test('log-probabilities and entropies of each kind', () => {
    const integers = tf.tensor2d([1, 0, 2], [3, 1], 'int32');
    const choice = distributionKind(discrete(4), plain);
    expectGradient((x) => choice.of(x as tf.Tensor2D).logProbs(integers), [normals([3, 4], 'x')]);
    expectGradient((x) => choice.of(x as tf.Tensor2D).entropy(), [normals([3, 4], 'x')]);
    const pairs = tf.tensor2d([1, 0, 0, 2, 1, 1], [3, 2], 'int32');
    const choices = distributionKind(multiDiscrete([2, 3]), plain);
    expectGradient((x) => choices.of(x as tf.Tensor2D).logProbs(pairs), [normals([3, 5], 'x')]);
    const numbers = tf.tensor2d([0.1, -0.4, 0.3, 0.2, -0.7, 0.5], [3, 2]);
    for (const squash of [false, true]) {
      const normal = distributionKind(box(-1, 1, [2]), { squash });
      expectGradient(
        (mean, logStd) => normal.of(mean as tf.Tensor2D, logStd as tf.Tensor1D).logProbs(numbers),
        [normals([3, 2], 'mean'), normals([2], 'std', 0.3)],
      );
    }
  });
});

test('what cannot be squashed is refused with what an action is', () => {
  expect(() => distributionKind(discrete(2), { squash: true })).toThrow(
    'policy.squash needs actions that are numbers between bounds; an action is an integer from 0 to 1. Leave squash out.',
  );
  expect(() => distributionKind(box(-Infinity, 1, [1]), { squash: true })).toThrow('Leave squash out');
});
