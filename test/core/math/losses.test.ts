import { beforeAll, describe, expect, test } from '@jest/globals';

import {
  ShapeError,
  clippedSurrogateLoss,
  dualClippedSurrogateLoss,
  entropy,
  klPenalisedSurrogateLoss,
  maskedMean,
  scoreFunctionLoss,
  tf,
  valueLoss,
} from '@rollcast/core';

import { useBackend } from '../../support/backends.js';
import { expectGradient } from '../../support/gradients.js';
import { expectNoTensorLeft, normals, take } from '../../support/tensors.js';

beforeAll(() => useBackend('cpu'));

const row = (...x: number[]): tf.Tensor2D => tf.tensor2d([x]);

describe('by hand', () => {
  test('the masked mean leaves padding out of sum and count', () => {
    expect(take(maskedMean(row(1, 2, 100), row(1, 1, 0)))).toBeAllClose([1.5]);
  });

  test('score-function loss: −(−1·2 + −3·−1)/2', () => {
    expect(take(scoreFunctionLoss(row(-1, -3, -9), row(2, -1, 5), row(1, 1, 0)))).toBeAllClose([-0.5]);
  });

  test('clipped surrogate: the smaller of the two, in all four cases', () => {
    const ratios = row(1.5, 0.5, 1.5, 0.5);
    const advantages = row(1, 1, -1, -1);
    // ε = .2: min(1.5, 1.2), min(.5, .8), min(−1.5, −1.2), min(−.5, −.8) = 1.2, .5, −1.5, −.8; mean −.15
    const loss = clippedSurrogateLoss(tf.log(ratios), row(0, 0, 0, 0), advantages, row(1, 1, 1, 1), 0.2);
    expect(take(loss)).toBeAllClose([0.15]);
  });

  test('clipped surrogate at ratio 1 is minus the mean advantage', () => {
    const logProbs = row(-1, -2, -3);
    expect(take(clippedSurrogateLoss(logProbs, logProbs, row(1, 2, 9), row(1, 1, 0), 0.2))).toBeAllClose([
      -1.5,
    ]);
  });

  test('clipped surrogate: ε as a tensor is ε as a number', () => {
    const args = [tf.log(row(1.5, 0.5, 1.1)), row(0, 0, 0), row(1, -1, 2), row(1, 1, 1)] as const;
    const asTensor = take(clippedSurrogateLoss(...args, tf.scalar(0.2)));
    expect(asTensor).toBeAllClose(take(clippedSurrogateLoss(...args, 0.2)), { atol: 1e-6 });
  });

  test('dual clip: a negative advantage costs at most c times itself, a positive one is as before', () => {
    const ratios = row(10, 2, 10, 0.5);
    const advantages = row(-1, -1, 1, -1);
    // ε = .2, c = 3: max(−10, −3), max(−2, −3), min(10, 1.2), max(−.8, −3) = −3, −2, 1.2, −.8; mean −1.15
    const args = [tf.log(ratios), row(0, 0, 0, 0), advantages, row(1, 1, 1, 1)] as const;
    expect(take(dualClippedSurrogateLoss(...args, 0.2, 3))).toBeAllClose([1.15], { atol: 1e-6 });
  });

  test('penalised surrogate: −ρÂ + β(ρ − 1 − log ρ), by hand', () => {
    // ρ = 2: −2·3 + .5·(1 − log 2); ρ = 1: −1·(−1) + 0
    const loss = klPenalisedSurrogateLoss(
      tf.log(row(2, 1, 9)),
      row(0, 0, 0),
      row(3, -1, 9),
      row(1, 1, 0),
      0.5,
    );
    expect(take(loss)).toBeAllClose([(-6 + 0.5 * (1 - Math.log(2)) + 1) / 2], { atol: 1e-6 });
  });

  test('value loss: half the mean square', () => {
    // ½ · (1 + 9)/2
    expect(take(valueLoss(row(1, 2, 50), row(2, 5, 0), row(1, 1, 0)))).toBeAllClose([2.5]);
  });

  test('value loss with clipping takes the larger error', () => {
    // V 3, old 1, c 1: clipped to 2. R = 4: errors 1 and 4; R = 0: errors 9 and 4. ½ · (4 + 9)/2
    const clip = { oldValues: row(1, 1), range: 1 };
    expect(take(valueLoss(row(3, 3), row(4, 0), row(1, 1), clip))).toBeAllClose([3.25]);
  });

  test('the entropy of a uniform distribution is the log of its size, of a sure one 0', () => {
    const logits = tf.tensor3d([
      [
        [0, 0, 0, 0],
        [200, 0, 0, 0],
      ],
    ]);
    const spread = entropy(tf.logSoftmax(logits));
    expect(spread).toHaveShape([1, 2]);
    expect(take(spread)).toBeAllClose([Math.log(4), 0], { atol: 1e-6 });
  });
});

describe('gradients agree with central differences', () => {
  const [B, T] = [2, 4];
  const parts = (...names: string[]): tf.Tensor[] => names.map((name) => normals([B, T], name));
  const mask = (): tf.Tensor => tf.tensor2d([1, 1, 0, 1, 1, 1, 1, 0], [B, T]);

  test('score-function loss', () => {
    const [logProbs, advantages] = parts('logProbs', 'advantages');
    const m = mask();
    expectGradient((x) => scoreFunctionLoss(x, advantages, m), [logProbs]);
  });

  test('clipped surrogate inside the clip range', () => {
    const [old, advantages] = parts('old', 'advantages');
    const m = mask();
    const near = tf.add(old, normals([B, T], 'move', 0.02)); // ratios within 1 ± .1
    expectGradient((x) => clippedSurrogateLoss(x, old, advantages, m, 0.3), [near]);
  });

  test('clipped surrogate outside the clip range: only the pessimistic side pulls', () => {
    const old = tf.zeros([1, 4]);
    const logProbs = tf.log(row(1.5, 0.5, 1.5, 0.5));
    const advantages = row(1, 1, -1, -1);
    const ones = tf.ones([1, 4]);
    const loss = (x: tf.Tensor): tf.Scalar => clippedSurrogateLoss(x, old, advantages, ones, 0.2);
    expectGradient(loss, [logProbs]);
    // −ρÂ/4 where the unclipped term is the smaller one, 0 where it is clipped
    expect(take(tf.grad(loss)(logProbs))).toBeAllClose([0, -0.125, 0.375, 0], { atol: 1e-6 });
  });

  test('dual clip, with ratios on every side', () => {
    const old = tf.zeros([1, 6]);
    const logProbs = tf.log(row(10, 2, 1.5, 0.5, 0.9, 1.1));
    const advantages = row(-1, -1, 1, -2, 1, -1);
    const ones = tf.ones([1, 6]);
    const loss = (x: tf.Tensor): tf.Scalar => dualClippedSurrogateLoss(x, old, advantages, ones, 0.2, 3);
    expectGradient(loss, [logProbs]);
    // beyond c nothing pulls; ρ = 2 still does
    expect(take(tf.grad(loss)(logProbs)).slice(0, 3)).toBeAllClose([0, 2 / 6, 0], { atol: 1e-6 });
  });

  test('clipped surrogate with ε as a tensor', () => {
    const old = tf.zeros([1, 4]);
    const [advantages, ones, epsilon] = [row(1, 1, -1, -1), tf.ones([1, 4]), tf.scalar(0.2)];
    expectGradient(
      (x) => clippedSurrogateLoss(x, old, advantages, ones, epsilon),
      [tf.log(row(1.5, 0.5, 1.5, 0.5))],
    );
  });

  test('penalised surrogate', () => {
    const [old, advantages] = parts('old', 'advantages');
    const m = mask();
    const near = tf.add(old, normals([B, T], 'move', 0.3));
    expectGradient((x) => klPenalisedSurrogateLoss(x, old, advantages, m, 0.7), [near]);
  });

  test('value loss', () => {
    const [values, returns] = parts('values', 'returns');
    const m = mask();
    expectGradient((x) => valueLoss(x, returns, m), [values]);
  });

  test('value loss with clipping, moves inside and outside', () => {
    const [returns, oldValues] = parts('returns', 'oldValues');
    const m = mask();
    const moves = tf.tensor2d([0.1, 1, 1, -1, -0.1, 2, -2, 0], [B, T]);
    expectGradient((x) => valueLoss(x, returns, m, { oldValues, range: 0.5 }), [tf.add(oldValues, moves)]);
  });

  test('within its range the clip does not touch the gradient of the value, whatever rounding does to the move', () => {
    const [values, oldValues, returns] = [100.1, 100.03, 0.7].map((x) => row(x, x / 3, x / 7));
    const clip = { oldValues, range: 0.2 };
    const mask = row(1, 1, 1);
    const slope = tf.grad((v) => valueLoss(v, returns, mask, clip))(values);
    expect(take(slope)).toBeAllClose(take(tf.div(tf.sub(values, returns), 3)), { rtol: 1e-6 });
  });

  test('entropy', () => {
    expectGradient(
      (logits) => tf.tidy(() => entropy(tf.logSoftmax(logits) as tf.Tensor3D)),
      [normals([B, T, 5], 'logits')],
    );
  });

  test('masked mean', () => {
    const m = mask();
    expectGradient((x) => maskedMean(x, m), [normals([B, T], 'x')]);
  });
});

test('the first step of PPO is the step of REINFORCE: equal gradients at ratio 1', () => {
  const [logProbs, advantages] = ['l', 'a'].map((name) => normals([2, 3], name));
  const old = logProbs.clone();
  const ones = tf.ones([2, 3]);
  const ppo = tf.grad((x) => clippedSurrogateLoss(x, old, advantages, ones, 0.2))(logProbs);
  const reinforce = tf.grad((x) => scoreFunctionLoss(x, advantages, ones))(logProbs);
  expect(take(ppo)).toBeAllClose(take(reinforce), { atol: 1e-7 });
});

test('the gradient of the penalty, averaged over actions of the old policy, is that of KL(π_old ‖ π)', () => {
  const oldLogits = tf.tensor1d([0.3, -0.5, 1]);
  const logits = tf.tensor1d([-0.2, 0.4, 0.1]);
  const old = tf.logSoftmax(oldLogits);
  const expected = tf.grad((x) => tf.sum(tf.mul(tf.exp(old), tf.sub(old, tf.logSoftmax(x)))))(logits);
  // every action once, weighted by π_old: the mask of a mean
  const [zeros, weights] = [tf.zeros([3]), tf.exp(old)];
  const found = tf.grad((x) => klPenalisedSurrogateLoss(tf.logSoftmax(x), old, zeros, weights, 1))(logits);
  expect(take(found)).toBeAllClose(take(expected), { atol: 1e-6 });
});

test('[N, 1] against [N] is refused, never broadcast', () => {
  const [column, flat] = [tf.zeros([3, 1]), tf.zeros([3])];
  expect(() => maskedMean(column, flat)).toThrow(ShapeError);
  expect(() => scoreFunctionLoss(column, flat, flat)).toThrow(ShapeError);
  expect(() => clippedSurrogateLoss(flat, flat, flat, column, 0.2)).toThrow(ShapeError);
  expect(() => dualClippedSurrogateLoss(flat, column, flat, flat, 0.2, 3)).toThrow(ShapeError);
  expect(() => klPenalisedSurrogateLoss(column, flat, flat, flat, 1)).toThrow(ShapeError);
  expect(() => valueLoss(column, flat, flat)).toThrow(
    'valueLoss needs tensors of one shape; got values [3, 1], returns [3], mask [3].',
  );
  expect(() => valueLoss(flat, flat, flat, { oldValues: column, range: 1 })).toThrow(ShapeError);
});

test('a loss leaves behind its result and nothing else', () => {
  const x = normals([2, 3], 'x');
  const logits = normals([2, 3, 4], 'logits') as tf.Tensor3D;
  for (const loss of [
    () => maskedMean(x, x),
    () => scoreFunctionLoss(x, x, x),
    () => clippedSurrogateLoss(x, x, x, x, 0.2),
    () => dualClippedSurrogateLoss(x, x, x, x, 0.2, 3),
    () => klPenalisedSurrogateLoss(x, x, x, x, 1),
    () => valueLoss(x, x, x),
    () => valueLoss(x, x, x, { oldValues: x, range: 1 }),
    () => entropy(logits),
  ])
    expectNoTensorLeft(() => loss().dispose());
});
