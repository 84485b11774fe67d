/** Parts of the rows of a batch, which go on several threads at once: what moves between them and the whole, on the host. */
import { tensorOver, type tf } from '../tf.js';

/** Some rows of the batch. */
export interface Part {
  readonly first: number;
  readonly rows: number;
}

/** Cuts rows into parts of so many, the last of which may be smaller. */
export function partsOf(batchSize: number, partRows: number): Part[] {
  return Array.from({ length: Math.ceil(batchSize / partRows) }, (_, i) => ({
    first: i * partRows,
    rows: Math.min(partRows, batchSize - i * partRows),
  }));
}

/**
 * How many rows after one another are equal: the largest k that divides the rows of a part so that all of the first k are
 * equal, all of the next k, and so on; 1 where neighbours differ.
 *
 * @param data - [B, width]
 */
export function equalNeighbours(data: Int32Array, { first, rows }: Part, width: number): number {
  const equal = (i: number): boolean => {
    const at = (first + i) * width;
    for (let j = at; j < at + width; j++) if (data[j] !== data[j - width]) return false;
    return true;
  };
  // k divides every distance between rows that differ from the one before
  let k = rows;
  for (let i = 1; i < rows; i++) if (!equal(i)) k = greatestCommonDivisor(k, i);
  return k;
}

/** The largest number that divides both; a where b is 0. */
export function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** Which columns of which rows of a part. */
export interface Cut {
  /** L, of the whole array. */
  readonly length: number;
  readonly from: number;
  readonly count: number;
  /** The first of every so many rows. @defaultValue 1 */
  readonly every?: number;
}

/** Some columns of some rows of a [B, L] array as a tensor [rows / every, count] of its type, zeros past its end. */
export function columns(
  data: Float32Array | Int32Array,
  { first, rows }: Part,
  { length, from, count, every = 1 }: Cut,
): tf.Tensor2D {
  const kept = rows / every;
  const picked = data instanceof Int32Array ? new Int32Array(kept * count) : new Float32Array(kept * count);
  const width = Math.min(count, length - from);
  for (let b = 0; b < kept; b++) {
    const start = (first + b * every) * length + from;
    picked.set(data.subarray(start, start + width), b * count);
  }
  return tensorOver(picked, [kept, count]) as tf.Tensor2D;
}

/** [rows, steps, width] into rows and columns of [B, columns, width]; what goes past the end is left out. */
export function copyColumns(
  from: Float32Array | Int32Array | Uint8Array,
  into: Float32Array | Int32Array,
  at: Part & { columns: number; start: number; steps: number; width: number },
): void {
  const kept = Math.min(at.steps, at.columns - at.start) * at.width;
  for (let b = 0; b < at.rows; b++) {
    const begin = b * at.steps * at.width;
    into.set(from.subarray(begin, begin + kept), ((at.first + b) * at.columns + at.start) * at.width);
  }
}
