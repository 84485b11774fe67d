import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';

import { selectBackend, tf } from '@rollcast/core';
import { compile, onnxBackend, readValues } from '@rollcast/tfjs-onnxruntime';

import { ArrayPool } from '../../packages/tfjs-onnxruntime/src/array-pool.js';

/** Elements of an array that is large enough to be kept. */
const N = 20_000;

beforeAll(() => selectBackend('onnx'));
beforeEach(() => onnxBackend().pool.clear());
afterAll(() => selectBackend('cpu'));

test('a pool gives back what it was given, by type and size, and nothing twice', () => {
  const pool = new ArrayPool(2 * 4 * N);
  const [floats, integers] = [new Float32Array(N), new Int32Array(N)];
  pool.give(floats);
  pool.give(integers);
  expect(pool.take({ type: 'float32', shape: [N + 1] })).toBeUndefined();
  expect(pool.take({ type: 'float32', shape: [2, N / 2] })).toBe(floats);
  expect(pool.take({ type: 'float32', shape: [N] })).toBeUndefined();
  expect(pool.take({ type: 'int32', shape: [N] })).toBe(integers);
});

test('a pool keeps no small arrays, no views of larger ones, and no more than its bound', () => {
  const pool = new ArrayPool(2 * 4 * N);
  pool.give(new Float32Array(10));
  pool.give(new Float32Array(2 * N).subarray(N));
  for (let i = 0; i < 3; i++) pool.give(new Float32Array(N));
  const taken = Array.from({ length: 3 }, () => pool.take({ type: 'float32', shape: [N] }));
  expect(taken.map((array) => array?.length)).toEqual([N, N, undefined]);
  expect(pool.take({ type: 'float32', shape: [10] })).toBeUndefined();
});

/** What lies in memory that the pool has at this moment. */
const memoryOf = (tensor: tf.Tensor): ArrayBufferLike => readValues(tensor, ({ buffer }) => buffer);

test('the memory of a disposed result serves a later one', () => {
  const add = compile((x: tf.Tensor, y: tf.Tensor) => tf.add(x, y));
  tf.tidy(() => {
    const ones = tf.ones([N]);
    const first = add(ones, tf.scalar(1));
    const memory = memoryOf(first);
    first.dispose();
    const second = add(ones, tf.scalar(2));
    expect(memoryOf(second)).toBe(memory);
    expect(second.dataSync().slice(0, 3)).toEqual(Float32Array.of(3, 3, 3));
  });
  add.dispose();
});

test('what somebody may still hold is never overwritten: values that were read, clones, recorded graphs', () => {
  const add = compile((x: tf.Tensor, y: tf.Tensor) => tf.add(x, y));
  tf.tidy(() => {
    const ones = tf.ones([N]);
    const read = add(ones, tf.scalar(1));
    const values = read.dataSync();
    read.dispose();
    const cloned = add(ones, tf.scalar(2));
    const clone = cloned.clone();
    cloned.dispose();
    const used = add(ones, tf.scalar(3));
    const later = tf.mul(used, 10); // runs when it is read
    used.dispose();
    for (let i = 0; i < 4; i++) add(ones, tf.scalar(100)).dispose();
    expect(values[N - 1]).toBe(2);
    expect(clone.dataSync()[N - 1]).toBe(3);
    expect(later.dataSync()[N - 1]).toBe(40);
  });
  add.dispose();
});

test('an output that becomes two tensors is not reused while one of them lives', () => {
  const twice = compile((x: tf.Tensor) => {
    const y = tf.add(x, 1);
    return [y, y.clone()];
  });
  tf.tidy(() => {
    const ones = tf.ones([N]);
    const [one, other] = twice(ones);
    one.dispose();
    twice(tf.mul(ones, 7)).forEach((tensor) => tensor.dispose());
    twice(tf.mul(ones, 8));
    expect(other.dataSync()[N - 1]).toBe(2);
  });
  twice.dispose();
});

test('variables that are assigned keep their values, traced anew or not', () => {
  const variable = tf.variable(tf.ones([N]));
  const grow = compile((by: tf.Tensor) => {
    variable.assign(tf.add(variable, by));
    return tf.sum(variable);
  });
  const call = (by: tf.Tensor): number => tf.tidy(() => grow(by).dataSync()[0]);
  const sums = [1, 2, 3].map((by) => call(tf.scalar(by)));
  expect(sums).toEqual([2 * N, 4 * N, 7 * N]);
  expect(call(tf.fill([1], 3))).toBe(10 * N); // another signature
  expect(call(tf.scalar(1))).toBe(11 * N);
  expect(variable.dataSync()[N - 1]).toBe(11);
  variable.dispose();
  grow.dispose();
});

test('threads write into memory that they are handed', () => {
  const add = compile((x: tf.Tensor, y: tf.Tensor) => tf.add(x, y));
  tf.tidy(() => {
    const ones = tf.ones([N]);
    const run = (numbers: number[]): number[] => {
      const results = add.map(numbers.map((n) => [ones, tf.scalar(n)]));
      const found = results.map((result) => readValues(result, (values) => values[N - 1]));
      tf.dispose(results);
      return found;
    };
    for (let i = 0; i < 3; i++) expect(run([1, 2, 3, 4])).toEqual([2, 3, 4, 5]);
    expect(onnxBackend().pool.take({ type: 'float32', shape: [N] })).toBeDefined();
  });
  add.dispose();
});
