/** Rotary position embedding (Su et al. 2021, RoFormer, eq. 34, arXiv:2104.09864), in the half-split layout. */
import { tf } from '../tf.js';

/** cos and sin of position × frequency, each [T, d], and the constant matrix that turns pairs by 90°, [d, d]. */
export interface RotaryTable {
  readonly cos: tf.Tensor2D;
  readonly sin: tf.Tensor2D;
  readonly quarterTurn: tf.Tensor2D;
}

/**
 * The table for consecutive positions.
 *
 * @param firstPosition - absolute position of the first row
 * @param length - T
 * @param headWidth - d, even
 * @param base - the longest wavelength is about 2π · base positions
 * @returns three tensors; the caller disposes them
 */
export function rotaryTable(
  firstPosition: number,
  length: number,
  headWidth: number,
  base: number,
): RotaryTable {
  const half = headWidth / 2;
  const cos = new Float32Array(length * headWidth);
  const sin = new Float32Array(length * headWidth);
  for (let t = 0; t < length; t++) {
    for (let j = 0; j < headWidth; j++) {
      const angle = (firstPosition + t) * Math.pow(base, -(j % half) / half);
      cos[t * headWidth + j] = Math.cos(angle);
      sin[t * headWidth + j] = Math.sin(angle);
    }
  }
  // x · quarterTurn = [−x₂, x₁] for x = [x₁, x₂]
  const turn = new Float32Array(headWidth * headWidth);
  for (let j = 0; j < half; j++) {
    turn[(j + half) * headWidth + j] = -1;
    turn[j * headWidth + j + half] = 1;
  }
  return {
    cos: tf.tensor2d(cos, [length, headWidth]),
    sin: tf.tensor2d(sin, [length, headWidth]),
    quarterTurn: tf.tensor2d(turn, [headWidth, headWidth]),
  };
}

/**
 * Turns every pair of coordinates by its position's angle: x · cos + turn(x) · sin.
 *
 * @param x - [..., T, d]
 * @returns the shape of `x`; the caller disposes it
 */
export function applyRotary<T extends tf.Tensor>(x: T, { cos, sin, quarterTurn }: RotaryTable): T {
  const turn = (y: tf.Tensor, matrix: tf.Tensor): tf.Tensor =>
    tf.reshape(tf.matMul(tf.reshape(y, [-1, matrix.shape[0]]), matrix as tf.Tensor2D), y.shape);
  const operation = tf.customGrad((...args: (tf.Tensor | tf.GradSaveFunc)[]) => {
    const [input, save] = args as [tf.Tensor, tf.GradSaveFunc];
    save([cos, sin, quarterTurn]);
    return {
      value: tf.add(tf.mul(input, cos), tf.mul(turn(input, quarterTurn), sin)),
      // the matrix of a quarter turn is antisymmetric: its transpose turns back
      gradFunc: (dy: tf.Tensor, [cosSaved, sinSaved, matrix]: tf.Tensor[]) =>
        tf.sub(tf.mul(dy, cosSaved), turn(tf.mul(dy, sinSaved), matrix)),
    };
  });
  return operation(x) as T;
}
