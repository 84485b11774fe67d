import { beforeAll, expect, test } from '@jest/globals';

import { applyRotary, attend, attentionMask, rotaryTable, tf } from '@rollcast/core';

import { useBackend } from '../../support/backends.js';
import { expectGradient } from '../../support/gradients.js';
import { expectNoTensorLeft, normals, take } from '../../support/tensors.js';

beforeAll(() => useBackend('cpu'));

test('a query sees itself and the window before it, never what follows', () => {
  const visible = (mask: tf.Tensor2D): boolean[] => take(mask).map((m) => m === 0);
  const [o, x] = [true, false];
  // four positions, window 2
  expect(visible(attentionMask(0, 4, 0, 4, 2))).toEqual([o, x, x, x, o, o, x, x, x, o, o, x, x, x, o, o]);
  // one query at position 5 on keys 2 … 5, window 3: keys 3, 4, 5
  expect(visible(attentionMask(5, 1, 2, 4, 3))).toEqual([x, o, o, o]);
});

test('attention is the softmax-weighted mean of the visible values', () => {
  const [B, H, T, D] = [2, 2, 4, 3];
  const [q, k, v] = ['q', 'k', 'v'].map((name) => normals([B, H, T, D], name) as tf.Tensor4D);
  const mask = attentionMask(0, T, 0, T, 3);
  const out = attend(q, k, v, mask);
  expect(out).toHaveShape([B, H, T, D]);
  const [qs, ks, vs] = [q, k, v].map((t) => t.dataSync());
  const byLoop: number[] = [];
  for (let head = 0; head < B * H; head++) {
    for (let i = 0; i < T; i++) {
      const row = (j: number): number => (head * T + j) * D;
      const seen = [0, 1, 2, 3].filter((j) => j <= i && i - j < 3);
      const scores = seen.map((j) => {
        let sum = 0;
        for (let d = 0; d < D; d++) sum += qs[row(i) + d] * ks[row(j) + d];
        return Math.exp(sum / Math.sqrt(D));
      });
      const total = scores.reduce((a, b) => a + b);
      for (let d = 0; d < D; d++)
        byLoop.push(seen.reduce((sum, j, n) => sum + (scores[n] / total) * vs[row(j) + d], 0));
    }
  }
  expect(take(out)).toBeAllClose(byLoop, { atol: 1e-5 });
  expectNoTensorLeft(() => attend(q, k, v, mask).dispose());
  tf.dispose([q, k, v, mask]);
});

test('the gradient of attention agrees with central differences', () => {
  const mask = attentionMask(0, 4, 0, 4, 3);
  expectGradient(
    (q, k, v) => attend(q as tf.Tensor4D, k as tf.Tensor4D, v as tf.Tensor4D, mask),
    ['q', 'k', 'v'].map((name) => normals([1, 2, 4, 3], name)),
  );
});

/** The vector x as it stands at one absolute position. */
function turned(x: tf.Tensor, position: number): tf.Tensor {
  return tf.tidy(() => applyRotary(x, rotaryTable(position, 1, x.shape[1]!, 10_000)));
}

test('rotary positions: the product of query and key depends on their distance only', () => {
  const [q, k] = [normals([1, 8], 'q'), normals([1, 8], 'k')];
  const product = (i: number, j: number): number =>
    tf.tidy(() => tf.sum(tf.mul(turned(q, i), turned(k, j))).dataSync()[0]);
  expect(product(57, 50)).toBeAllClose(product(7, 0), { atol: 1e-4 });
  expect(product(107, 100)).toBeAllClose(product(7, 0), { atol: 1e-4 });
  expect(product(8, 0)).not.toBeAllClose(product(7, 0), { atol: 1e-2 });
});

test('rotary positions keep the length of a vector, and position 0 keeps the vector', () => {
  const x = normals([1, 8], 'x');
  const norm = (t: tf.Tensor): number => Math.hypot(...take(t));
  expect(take(turned(x, 0))).toEqual(Array.from(x.dataSync()));
  expect(norm(turned(x, 33))).toBeAllClose(norm(x.clone()), { atol: 1e-5 });
});

test('rotary positions turn the pairs (j, j + d/2), the first by one radian a step', () => {
  const x = tf.tensor2d([[1, 0, 0, 0]]);
  // base 10 000 and d = 4: angles 2 and 2/100 at position 2
  expect(take(turned(x, 2))).toBeAllClose([Math.cos(2), 0, Math.sin(2), 0], { atol: 1e-6 });
});

test('the gradient of rotary positions agrees with central differences', () => {
  const table = rotaryTable(3, 4, 6, 100);
  expectGradient((x) => applyRotary(x, table), [normals([2, 2, 4, 6], 'x')]);
  const x = normals([2, 4, 6], 'y');
  expectNoTensorLeft(() => applyRotary(x, table).dispose());
});
