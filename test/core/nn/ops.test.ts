import { beforeAll, describe, expect, test } from '@jest/globals';

import { embed, gelu, layerNorm, linear, tf } from '@rollcast/core';

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

  test('layerNorm standardises each row by its population variance', () => {
    // row (1, 3): mean 2, variance 1; row (0, 8): mean 4, variance 16; ε is lost in the tolerance
    const [x, gain, bias] = [
      tf.tensor2d([
        [1, 3],
        [0, 8],
      ]),
      tf.tensor1d([2, 3]),
      tf.tensor1d([10, 20]),
    ];
    expect(take(layerNorm(x, gain, bias))).toBeAllClose([8, 23, 8, 23], { atol: 1e-4 });
    tf.dispose([x, gain, bias]);
  });

  test('layerNorm of a constant row is its bias', () => {
    const [x, gain, bias] = [tf.tensor2d([[7, 7, 7]]), tf.tensor1d([1, 2, 3]), tf.tensor1d([4, 5, 6])];
    expect(take(layerNorm(x, gain, bias))).toBeAllClose([4, 5, 6], { atol: 1e-6 });
    tf.dispose([x, gain, bias]);
  });

  test('gelu is x · σ(1.702 x)', () => {
    const inputs = [-3, -0.5, 0, 0.5, 3];
    const x = tf.tensor2d([inputs]);
    expect(take(gelu(x))).toBeAllClose(
      inputs.map((v) => v / (1 + Math.exp(-1.702 * v))),
      { atol: 1e-6 },
    );
    x.dispose();
  });

  test('each leaves behind its result and nothing else, gradients included', () => {
    const [x, w, b] = [normals([N, I], 'x'), normals([I, I], 'w'), normals([I], 'b')];
    const ids = tf.tensor1d([1, 3], 'int32');
    const loss = (...[p, q, r]: tf.Tensor[]): tf.Scalar =>
      tf.sum(
        tf.concat([
          gelu(
            layerNorm(
              linear(p as tf.Tensor2D, q as tf.Tensor2D, r as tf.Tensor1D),
              r as tf.Tensor1D,
              r as tf.Tensor1D,
            ),
          ),
          embed(ids, q as tf.Tensor2D),
        ]),
      );
    expectNoTensorLeft(() => tf.dispose(tf.grads(loss)([x, w, b])));
    expectNoTensorLeft(() => linear(x as tf.Tensor2D, w as tf.Tensor2D, b as tf.Tensor1D).dispose());
    expectNoTensorLeft(() => embed(ids, w as tf.Tensor2D).dispose());
    expectNoTensorLeft(() => layerNorm(x as tf.Tensor2D, b as tf.Tensor1D, b as tf.Tensor1D).dispose());
    expectNoTensorLeft(() => gelu(x as tf.Tensor2D).dispose());
    tf.dispose([x, w, b, ids]);
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

  test('layerNorm', () => {
    expectGradient(
      (x, gain, bias) => layerNorm(x as tf.Tensor2D, gain as tf.Tensor1D, bias as tf.Tensor1D),
      [normals([N, 8], 'x'), normals([8], 'gain'), normals([8], 'bias')],
    );
  });

  test('gelu', () => {
    expectGradient((x) => gelu(x as tf.Tensor2D), [normals([N, I], 'x', 2)]);
  });
});
