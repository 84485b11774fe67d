import { expect } from '@jest/globals';

import { RandomStream, tf } from '@rollcast/core';

import { take } from './tensors.js';

export interface DifferenceOptions {
  /** Half the step of the difference. */
  epsilon?: number;
  rtol?: number;
  atol?: number;
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
};

/**
 * Claims that the gradient of a function is right in every input: along random directions d, for a random weighting w
 * of the outputs, ⟨∂(w·f)/∂x, d⟩ = w · (f(x + εd) − f(x − εd)) / 2ε. Tensors are float32, the sums here float64.
 *
 * @param f - leaves nothing but its result behind
 */
export function expectGradient(
  f: (...inputs: tf.Tensor[]) => tf.Tensor,
  inputs: tf.Tensor[],
  { epsilon = 5e-3, rtol = 2e-3, atol = 2e-4 }: DifferenceOptions = {},
): void {
  const random = new RandomStream(5, 'directions');
  const output = f(...inputs);
  const weights = random.normals(output.size);
  const cotangent = tf.tensor(weights, output.shape);
  const gradients = tf.grads(f)(inputs, cotangent).map(take);
  tf.dispose([output, cotangent]);
  inputs.forEach((input, which) => {
    const at = input.dataSync();
    for (let trial = 0; trial < 3; trial++) {
      const direction = random.normals(input.size);
      const moved = (sign: number): number[] => {
        const x = tf.tensor(
          Float32Array.from(at, (v, i) => v + sign * epsilon * direction[i]),
          input.shape,
        );
        const y = take(f(...inputs.map((other, i) => (i === which ? x : other))));
        x.dispose();
        return y;
      };
      const difference = (dot(weights, moved(1)) - dot(weights, moved(-1))) / (2 * epsilon);
      expect(dot(gradients[which], direction)).toBeAllClose(difference, { rtol, atol });
    }
  });
}
