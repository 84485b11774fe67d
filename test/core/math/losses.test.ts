import { beforeAll, describe, expect, test } from '@jest/globals';

import {
  ShapeError,
  clippedSurrogateLoss,
  entropy,
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

test('[N, 1] against [N] is refused, never broadcast', () => {
  const [column, flat] = [tf.zeros([3, 1]), tf.zeros([3])];
  expect(() => maskedMean(column, flat)).toThrow(ShapeError);
  expect(() => scoreFunctionLoss(column, flat, flat)).toThrow(ShapeError);
  expect(() => clippedSurrogateLoss(flat, flat, flat, column, 0.2)).toThrow(ShapeError);
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
    () => valueLoss(x, x, x),
    () => valueLoss(x, x, x, { oldValues: x, range: 1 }),
    () => entropy(logits),
  ])
    expectNoTensorLeft(() => loss().dispose());
});
