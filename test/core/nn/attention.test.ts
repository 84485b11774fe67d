import { beforeAll, expect, test } from '@jest/globals';

import {
  applyRotary,
  attend,
  attentionMask,
  rotaryTable,
  rotationMatrices,
  selfAttention,
  tf,
} from '@rollcast/core';

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

/** Attention of the last Q of K positions by plain loops; the scale is in the queries. */
function attentionByLoop(q: tf.Tensor4D, k: tf.Tensor4D, v: tf.Tensor4D, window: number): number[] {
  const [batch, heads, queries, width] = q.shape;
  const keys = k.shape[2];
  const [qs, ks, vs] = [q, k, v].map((t) => t.dataSync());
  const out: number[] = [];
  for (let head = 0; head < batch * heads; head++) {
    for (let i = 0; i < queries; i++) {
      const position = keys - queries + i;
      const seen = Array.from({ length: keys }, (_, j) => j).filter(
        (j) => j <= position && position - j < window,
      );
      const scores = seen.map((j) => {
        let sum = 0;
        for (let d = 0; d < width; d++)
          sum += qs[(head * queries + i) * width + d] * ks[(head * keys + j) * width + d];
        return Math.exp(sum);
      });
      const total = scores.reduce((a, b) => a + b);
      for (let d = 0; d < width; d++)
        out.push(
          seen.reduce((sum, j, n) => sum + (scores[n] / total) * vs[(head * keys + j) * width + d], 0),
        );
    }
  }
  return out;
}

test.each([
  ['all positions', 4, 4, 3],
  ['the last positions only', 2, 5, 3],
  ['one block after the other, all keys in the window', 70, 70, 200],
  ['blocks whose first keys have left the window', 90, 100, 20],
])('attention is the softmax-weighted mean of the visible values: %s', (_what, queries, keys, window) => {
  const [B, H, D] = [2, 2, 3];
  const q = normals([B, H, queries, D], 'q') as tf.Tensor4D;
  const [k, v] = ['k', 'v'].map((name) => normals([B, H, keys, D], name) as tf.Tensor4D);
  const out = attend(q, k, v, window);
  expect(out).toHaveShape([B, H, queries, D]);
  expect(take(out)).toBeAllClose(attentionByLoop(q, k, v, window), { atol: 1e-5 });
  expectNoTensorLeft(() => attend(q, k, v, window).dispose());
  tf.dispose([q, k, v]);
});

test.each([
  ['one block', 3, 4, 3],
  ['several blocks and a window', 72, 80, 30],
])('the gradient of attention agrees with central differences: %s', (_what, queries, keys, window) => {
  expectGradient(
    (q, k, v) => attend(q as tf.Tensor4D, k as tf.Tensor4D, v as tf.Tensor4D, window),
    [normals([1, 2, queries, 3], 'q'), ...['k', 'v'].map((name) => normals([1, 2, keys, 3], name))],
    { rtol: 5e-3, atol: 2e-3 },
  );
});

test('self-attention cuts, turns, attends and merges: each head sees its own columns', () => {
  const [batch, heads, T, Q, d] = [2, 2, 5, 2, 4];
  const [key, value] = ['key', 'value'].map((name) => normals([batch * T, heads * d], name) as tf.Tensor2D);
  const query = normals([batch * Q, heads * d], 'query') as tf.Tensor2D;
  const rotary = rotaryTable(0, T, d, 100);
  const mixed = selfAttention({ query, key, value }, { batch, heads, window: 3, rotary });
  expect(mixed).toHaveShape([batch * Q, heads * d]);
  const byHead = tf.tidy(() => {
    const cut = (rows: tf.Tensor2D): tf.Tensor4D =>
      tf.transpose(tf.reshape(rows, [batch, -1, heads, d]), [0, 2, 1, 3]);
    // the queries are those of the last positions
    const q = applyRotary(cut(query), rotaryTable(T - Q, Q, d, 100));
    const out = attentionByLoop(q, applyRotary(cut(key), rotary), cut(value), 3);
    return Array.from(tf.transpose(tf.tensor4d(out, [batch, heads, Q, d]), [0, 2, 1, 3]).dataSync());
  });
  expect(take(mixed)).toBeAllClose(byHead, { atol: 1e-5 });
  expectNoTensorLeft(() =>
    selfAttention({ query, key, value }, { batch, heads, window: 3, rotary }).dispose(),
  );
  tf.dispose([query, key, value, { ...rotary }]);
});

test('the gradient of self-attention agrees with central differences', () => {
  const rotary = rotaryTable(0, 5, 4, 100);
  const options = { batch: 2, heads: 2, window: 3, rotary };
  for (const queries of [5, 2]) {
    expectGradient(
      (...parts) => {
        const [query, key, value] = parts as tf.Tensor2D[];
        return selfAttention({ query, key, value }, options);
      },
      [normals([2 * queries, 8], 'query'), ...['key', 'value'].map((name) => normals([10, 8], name))],
      { rtol: 5e-3, atol: 1e-3 },
    );
  }
  tf.dispose({ ...rotary });
});

test('rotation matrices turn as the rotary table does', () => {
  const [T, d] = [6, 8];
  const x = normals([T, d], 'x');
  const byMatrix = tf.tidy(() =>
    Array.from(tf.matMul(tf.reshape(x, [T, 1, d]), rotationMatrices(3, T, d, 100)).dataSync()),
  );
  expect(byMatrix).toBeAllClose(
    tf.tidy(() => applyRotary(x, rotaryTable(3, T, d, 100)).dataSync()),
    { atol: 1e-6 },
  );
  x.dispose();
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
