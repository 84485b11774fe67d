import { beforeAll, expect, test } from '@jest/globals';

import {
  columns,
  copyColumns,
  equalNeighbours,
  greatestCommonDivisor,
  partsOf,
} from '../../../packages/core/src/models/batch-parts.js';
import { useBackend } from '../../support/backends.js';
import { take } from '../../support/tensors.js';

beforeAll(() => useBackend('cpu'));

test('a batch is cut into parts, the last of which takes what is left', () => {
  expect(partsOf(7, 3)).toEqual([
    { first: 0, rows: 3 },
    { first: 3, rows: 3 },
    { first: 6, rows: 1 },
  ]);
});

test.each([
  ['all rows alike', [5, 5, 5, 5], 4],
  ['pairs', [1, 1, 2, 2, 3, 3], 2],
  ['runs of 4 and 2 share 2', [1, 1, 1, 1, 2, 2], 2],
  ['runs of 2 and 3', [1, 1, 2, 2, 2], 1],
  ['equal rows that are no neighbours', [1, 2, 1, 2], 1],
  ['one row', [1], 1],
])('equal neighbours: %s', (_what, rows, expected) => {
  // two columns, of which the second tells the rows apart
  const data = Int32Array.from([9, 9, ...rows.flatMap((row) => [7, row])]);
  expect(equalNeighbours(data, { first: 1, rows: rows.length }, 2)).toBe(expected);
});

test('the greatest common divisor', () => {
  expect([greatestCommonDivisor(12, 18), greatestCommonDivisor(7, 3), greatestCommonDivisor(5, 0)]).toEqual([
    6, 1, 5,
  ]);
});

test('columns are cut out of some rows, with zeros past the end, and put back', () => {
  const data = Float32Array.from({ length: 12 }, (_, i) => i + 1); // 4 rows of 3
  const cut = { length: 3, from: 1, count: 3 };
  expect(take(columns(data, { first: 1, rows: 2 }, cut))).toEqual([5, 6, 0, 8, 9, 0]);
  expect(take(columns(data, { first: 0, rows: 4 }, { ...cut, count: 1, every: 2 }))).toEqual([2, 8]);
  const into = new Float32Array(12);
  const at = { first: 1, rows: 2, columns: 3, start: 1, steps: 3, width: 1 };
  copyColumns(Float32Array.of(5, 6, 0, 8, 9, 0), into, at);
  expect(Array.from(into)).toEqual([0, 0, 0, 0, 5, 6, 0, 8, 9, 0, 0, 0]);
});
