/** Batches of a sequence environment in another order or cut to a row, whatever more they hold. */
import type { SequenceBatch } from '../environment.js';

type Rows = ArrayLike<unknown> & { slice(start: number, end: number): Rows };

/**
 * The given rows of a batch. What has one entry a row, or several in row order, follows; everything else stays.
 *
 * @param rows - indices of rows
 */
export function rowsOf<Batch extends SequenceBatch>(batch: Batch, rows: readonly number[]): Batch {
  const { size } = batch;
  const entries = Object.entries(batch).map(([key, value]: [string, unknown]) => {
    if (key === 'size') return [key, rows.length];
    const isRows = Array.isArray(value) || ArrayBuffer.isView(value);
    if (!isRows || (value as unknown as Rows).length % size !== 0) return [key, value];
    return [key, takeRows(value as unknown as Rows, size, rows)];
  });
  return Object.assign(
    Object.create(Object.getPrototypeOf(batch) as object) as object,
    Object.fromEntries(entries),
  ) as Batch;
}

/** Rows of an array of B rows of the same width. */
export function takeRows<A extends ArrayLike<unknown>>(array: A, size: number, rows: readonly number[]): A {
  const width = array.length / size;
  const values = rows.flatMap((row) =>
    Array.from({ length: width }, (_, i): unknown => array[row * width + i]),
  );
  if (Array.isArray(array)) return values as unknown as A;
  return new (array.constructor as new (values: unknown[]) => A)(values);
}
