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

/** The table of the last positions only. */
export function rotaryOfLast({ cos, sin, quarterTurn }: RotaryTable, count: number): RotaryTable {
  const [length, width] = cos.shape;
  if (count === length) return { cos, sin, quarterTurn };
  const last = (x: tf.Tensor2D): tf.Tensor2D => tf.slice(x, [length - count, 0], [count, width]);
  return { cos: last(cos), sin: last(sin), quarterTurn };
}

/** x · quarterTurn, over the last axis. */
function turn(x: tf.Tensor, quarterTurn: tf.Tensor): tf.Tensor {
  return tf.reshape(
    tf.matMul(tf.reshape(x, [-1, quarterTurn.shape[0]]), quarterTurn as tf.Tensor2D),
    x.shape,
  );
}

/** x · cos + turn(x) · sin for x [..., T, d]; no gradient of its own. */
export function rotate(x: tf.Tensor, { cos, sin, quarterTurn }: RotaryTable): tf.Tensor {
  return tf.add(tf.mul(x, cos), tf.mul(turn(x, quarterTurn), sin));
}

/** The transpose of `rotate`, which carries gradients back: the matrix of a quarter turn is antisymmetric. */
export function rotateBack(dy: tf.Tensor, { cos, sin, quarterTurn }: RotaryTable): tf.Tensor {
  return tf.sub(tf.mul(dy, cos), turn(tf.mul(dy, sin), quarterTurn));
}

/**
 * Turns every pair of coordinates by its position's angle: x · cos + turn(x) · sin.
 *
 * @param x - [..., T, d]
 * @returns the shape of `x`; the caller disposes it
 */
export function applyRotary<T extends tf.Tensor>(x: T, table: RotaryTable): T {
  const operation = tf.customGrad((...args: (tf.Tensor | tf.GradSaveFunc)[]) => {
    const [input, save] = args as [tf.Tensor, tf.GradSaveFunc];
    save([table.cos, table.sin, table.quarterTurn]);
    return {
      value: rotate(input, table),
      gradFunc: (dy: tf.Tensor, [cos, sin, quarterTurn]: tf.Tensor[]) =>
        rotateBack(dy, { cos, sin, quarterTurn } as RotaryTable),
    };
  });
  return operation(x) as T;
}

/**
 * The same rotation as a matrix for each of consecutive positions: x_t · R_t.
 *
 * @returns [T, d, d]; the caller disposes it
 */
export function rotationMatrices(
  firstPosition: number,
  length: number,
  headWidth: number,
  base: number,
): tf.Tensor3D {
  const half = headWidth / 2;
  const data = new Float32Array(length * headWidth * headWidth);
  for (let t = 0; t < length; t++) {
    for (let j = 0; j < half; j++) {
      const angle = (firstPosition + t) * Math.pow(base, -j / half);
      const at = (row: number, column: number): number => (t * headWidth + row) * headWidth + column;
      data[at(j, j)] = data[at(j + half, j + half)] = Math.cos(angle);
      data[at(j, j + half)] = Math.sin(angle);
      data[at(j + half, j)] = -Math.sin(angle);
    }
  }
  return tf.tensor3d(data, [length, headWidth, headWidth]);
}
