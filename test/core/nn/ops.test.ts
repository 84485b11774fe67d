import { beforeAll, describe, expect, test } from '@jest/globals';

import {
  embed,
  foldNorm,
  linear,
  logSoftmax,
  normalise,
  silu,
  stopGradient,
  takeColumns,
  tf,
} from '@rollcast/core';

import { backendsUnderTest, useBackend } from '../../support/backends.js';
import { expectGradient } from '../../support/gradients.js';
import { expectNoTensorLeft, normals, take } from '../../support/tensors.js';

const N = 5;
const I = 4;
const O = 3;

describe.each(backendsUnderTest('cpu', 'wasm'))('on %s', (backend) => {
  beforeAll(() => useBackend(backend));

  test('linear is x W + b', () => {
    const [x, w, b] = [normals([N, I], 'x'), normals([I, O], 'w'), normals([O], 'b')];
    const y = linear(x as tf.Tensor2D, w as tf.Tensor2D, b as tf.Tensor1D);
    expect(y).toHaveShape([N, O]);
    const [xs, ws, bs] = [x.dataSync(), w.dataSync(), b.dataSync()];
    const byLoop: number[] = [];
    for (let n = 0; n < N; n++) {
      for (let o = 0; o < O; o++) {
        let sum = bs[o];
        for (let i = 0; i < I; i++) sum += xs[n * I + i] * ws[i * O + o];
        byLoop.push(sum);
      }
    }
    expect(take(y)).toBeAllClose(byLoop, { atol: 1e-5 });
    tf.dispose([x, w, b]);
  });

  test('embed picks rows of the table', () => {
    const table = tf.tensor2d([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    const ids = tf.tensor1d([2, 0, 2], 'int32');
    expect(take(embed(ids, table))).toEqual([5, 6, 1, 2, 5, 6]);
    tf.dispose([ids, table]);
  });

  test('takeColumns picks one entry of every row', () => {
    const x = tf.tensor2d([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    const columns = tf.tensor1d([2, 0], 'int32');
    expect(take(takeColumns(x, columns))).toEqual([3, 4]);
    tf.dispose([x, columns]);
  });

  test('normalise standardises each row by its population variance; a constant row becomes 0', () => {
    // row (1, 3): mean 2, variance 1; row (0, 8): mean 4, variance 16; ε is lost in the tolerance
    const x = tf.tensor2d([
      [1, 3],
      [0, 8],
      [7, 7],
    ]);
    expect(take(normalise(x))).toBeAllClose([-1, 1, -1, 1, 0, 0], { atol: 1e-4 });
    x.dispose();
  });

  test('foldNorm: gain and shift before an affine map are another affine map', () => {
    const [x, gain, shift] = [normals([N, I], 'x'), normals([I], 'gain'), normals([I], 'shift')];
    const [weight, bias] = [normals([I, O], 'w') as tf.Tensor2D, normals([O], 'b') as tf.Tensor1D];
    const folded = foldNorm(gain as tf.Tensor1D, shift as tf.Tensor1D, { weight, bias });
    const found = take(linear(x as tf.Tensor2D, folded.weight, folded.bias));
    const rows = tf.tidy(() => tf.add<tf.Tensor2D>(tf.mul(x, gain), shift).clone());
    expect(found).toBeAllClose(take(linear(rows, weight, bias)), { atol: 1e-5 });
    tf.dispose([x, gain, shift, weight, bias, rows, { ...folded }]);
  });

  test('logSoftmax is x − log Σ exp x, also for large numbers', () => {
    const x = tf.tensor2d([
      [0, Math.log(3)],
      [1000, 1000],
    ]);
    expect(take(logSoftmax(x))).toBeAllClose([-Math.log(4), Math.log(3 / 4), -Math.log(2), -Math.log(2)], {
      atol: 1e-4,
    });
    x.dispose();
  });

  test('silu is x · σ(x)', () => {
    const inputs = [-3, -0.5, 0, 0.5, 3];
    const x = tf.tensor2d([inputs]);
    expect(take(silu(x))).toBeAllClose(
      inputs.map((v) => v / (1 + Math.exp(-v))),
      { atol: 1e-6 },
    );
    x.dispose();
  });

  test('each leaves behind its result and nothing else, gradients included', () => {
    const [x, w, b] = [normals([N, I], 'x'), normals([I, I], 'w'), normals([I], 'b')];
    const ids = tf.tensor1d([1, 3], 'int32');
    const picks = tf.tensor1d([3, 0, 1, 1], 'int32');
    const loss = (...[p, q, r]: tf.Tensor[]): tf.Scalar =>
      tf.sum(
        tf.concat([
          logSoftmax(silu(normalise(linear(p as tf.Tensor2D, q as tf.Tensor2D, r as tf.Tensor1D)))),
          embed(ids, q as tf.Tensor2D),
          tf.reshape(takeColumns(q as tf.Tensor2D, picks), [1, I]),
        ]),
      );
    expectNoTensorLeft(() => tf.dispose(tf.grads(loss)([x, w, b])));
    expectNoTensorLeft(() => linear(x as tf.Tensor2D, w as tf.Tensor2D, b as tf.Tensor1D).dispose());
    expectNoTensorLeft(() => embed(ids, w as tf.Tensor2D).dispose());
    expectNoTensorLeft(() => takeColumns(w as tf.Tensor2D, picks).dispose());
    expectNoTensorLeft(() => normalise(x as tf.Tensor2D).dispose());
    expectNoTensorLeft(() => logSoftmax(x as tf.Tensor2D).dispose());
    expectNoTensorLeft(() => silu(x as tf.Tensor2D).dispose());
    expectNoTensorLeft(() => stopGradient(x).dispose());
    tf.dispose([x, w, b, ids, picks]);
  });
});

describe('gradients agree with central differences', () => {
  beforeAll(() => useBackend('cpu'));

  test('linear', () => {
    expectGradient(
      (x, w, b) => linear(x as tf.Tensor2D, w as tf.Tensor2D, b as tf.Tensor1D),
      [normals([N, I], 'x'), normals([I, O], 'w'), normals([O], 'b')],
    );
  });

  test('embed, where rows come up more than once', () => {
    const ids = tf.tensor1d([3, 0, 3, 3, 1], 'int32');
    expectGradient((table) => embed(ids, table as tf.Tensor2D), [normals([4, I], 'table')]);
  });

  test('takeColumns', () => {
    const columns = tf.tensor1d([2, 0, 3, 3, 1], 'int32');
    expectGradient((x) => takeColumns(x as tf.Tensor2D, columns), [normals([N, I], 'x')]);
  });

  test('normalise', () => {
    expectGradient((x) => normalise(x as tf.Tensor2D), [normals([N, 8], 'x')]);
  });

  test('foldNorm', () => {
    expectGradient(
      (gain, shift, weight, bias) => {
        const folded = foldNorm(gain as tf.Tensor1D, shift as tf.Tensor1D, {
          weight: weight as tf.Tensor2D,
          bias: bias as tf.Tensor1D,
        });
        return tf.concat([folded.weight, tf.reshape(folded.bias, [1, O])]);
      },
      [normals([I], 'gain'), normals([I], 'shift'), normals([I, O], 'w'), normals([O], 'b')],
    );
  });

  test('logSoftmax', () => {
    expectGradient((x) => logSoftmax(x as tf.Tensor2D), [normals([N, I], 'x')]);
  });

  test('silu', () => {
    expectGradient((x) => silu(x as tf.Tensor2D), [normals([N, I], 'x', 2)]);
  });

  test('stopGradient gives the same numbers and no gradient', () => {
    const x = tf.tensor1d([1, 2, 3]);
    expect(take(stopGradient(x))).toEqual([1, 2, 3]);
    // d(x · const(x))/dx = const(x), where x² would have 2x
    expect(take(tf.grad((x) => tf.mul(x, stopGradient(x)))(x))).toEqual([1, 2, 3]);
  });
});
