import { tf } from '../tf.js';
import { fusedKernel } from './fused-kernels.js';

/** Rows by which a cache that is written in place grows: few copies, and little that is attended to in vain. */
const BLOCK = 20;

/**
 * Keys or values of one layer, to which a row a step is added. Where the backend writes in place it grows by blocks, with zeros
 * where rows are still to come, which the attention mask must hide; elsewhere by single rows.
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
  constructor(
    past: tf.Tensor4D | undefined,
    private readonly shape: readonly [number, number, number, number],
  ) {
    this.inPlace = Boolean(tf.getKernel('WriteRow', tf.getBackend()));
    this.count = past?.shape[2] ?? 0;
    this.rows = past;
  }

  /**
   * Adds one row.
   *
   * @param row - [B, H, 1, d]
   * @returns [B, H, S, d], the rows so far and perhaps zeros after them
   */
  add(row: tf.Tensor4D): tf.Tensor4D {
    if (this.inPlace) {
      const [written] = fusedKernel('WriteRow', { x: this.withRoom(), row }, { index: this.count })!;
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

  private withRoom(): tf.Tensor4D {
    const [batch, heads, size, width] = this.shape;
    const block = Math.min(BLOCK, size - this.count);
    if (!this.rows) return tf.zeros([batch, heads, block, width]);
    if (this.count < this.rows.shape[2]) return this.rows;
    return tf.pad4d(this.rows, [[0, 0], [0, 0], [0, block], [0, 0]]); // prettier-ignore
  }
}
