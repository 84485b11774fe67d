import { expect } from '@jest/globals';

import { RandomStream, tf } from '@rollcast/core';

/** The numbers of a tensor that is no longer needed. */
export function take(tensor: tf.Tensor): number[] {
  const numbers = Array.from(tensor.dataSync());
  tensor.dispose();
  return numbers;
}

/** Standard normal numbers of a shape, the same for the same name. */
export function normals(shape: number[], name: string, scale = 1): tf.Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  return tf.tensor(
    new RandomStream(11, name).normals(size).map((x) => x * scale),
    shape,
  );
}

/** Runs `body` and claims that it left no tensor behind. */
export function expectNoTensorLeft<T>(body: () => T): T {
  const before = tf.memory().numTensors;
  const result = body();
  expect(tf.memory().numTensors).toBe(before);
  return result;
}
