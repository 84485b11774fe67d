import { tf } from '../tf.js';
import { fusedKernel } from './fused-kernels.js';

/**
 * Keys or values of one layer, to which a row a step is added. Where the backend writes in place it has its final size from
 * the start, with zeros where rows are still to come, which the attention mask must hide; elsewhere it grows.
 *
 * It is used inside `tf.tidy`, which owns its tensors.
 */
export class RowCache {
  private rows: tf.Tensor4D | undefined;
  private count: number;
  private readonly inPlace: boolean;

  /**
   * @param past - [B, H, P, d] the rows that are there, or undefined for none
   * @param shape - [B, H, size, d] with room for all that will be added
   */
  constructor(past: tf.Tensor4D | undefined, shape: readonly [number, number, number, number]) {
    this.inPlace = Boolean(tf.getKernel('WriteRow', tf.getBackend()));
    this.count = past?.shape[2] ?? 0;
    const free = shape[2] - this.count;
    if (!this.inPlace) this.rows = past;
    else if (past)
      this.rows = tf.pad4d(past, [[0, 0], [0, 0], [0, free], [0, 0]]); // prettier-ignore
    else this.rows = tf.zeros([...shape]);
  }

  /**
   * Adds one row.
   *
   * @param row - [B, H, 1, d]
   * @returns [B, H, S, d], the rows so far and perhaps zeros after them
   */
  add(row: tf.Tensor4D): tf.Tensor4D {
    if (this.inPlace) {
      const [written] = fusedKernel('WriteRow', { x: this.rows!, row }, { index: this.count })!;
      this.rows = written as tf.Tensor4D;
    } else {
      this.rows = this.rows ? tf.concat([this.rows, row], 2) : row;
    }
    this.count += 1;
    return this.rows;
  }

  /** The last rows, at most `most` of them. */
  last(most: number): tf.Tensor4D {
    const kept = Math.min(most, this.count);
    return tf.slice4d(this.rows!, [0, 0, this.count - kept, 0], [-1, -1, kept, -1]);
  }
}
