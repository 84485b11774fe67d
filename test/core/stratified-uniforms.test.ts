import { expect, test } from '@jest/globals';

import { RandomStream, StratifiedUniforms } from '@rollcast/core';

const GROUPS = 3;
const ROWS = 8;
const STEPS = 5;
const streams = (): RandomStream[] =>
  Array.from({ length: GROUPS }, (_, group) => new RandomStream(4, `group/${group}`));
const drawn = new StratifiedUniforms(streams(), ROWS).uniforms(GROUPS * ROWS * STEPS);

/** Numbers of the rows of a group at one step. */
const at = (group: number, t: number): number[] =>
  Array.from({ length: ROWS }, (_, m) => drawn[(group * ROWS + m) * STEPS + t]);

test('at each step every stratum holds one row of a group', () => {
  for (let group = 0; group < GROUPS; group++) {
    for (let t = 0; t < STEPS; t++) {
      const strata = at(group, t).map((u) => Math.floor(u * ROWS));
      expect(strata.sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    }
  }
});

test('a group depends on its own stream alone, and goes on where it was', () => {
  const alone = new StratifiedUniforms([streams()[1]], ROWS).uniforms(ROWS * STEPS);
  expect(alone).toEqual(drawn.subarray(ROWS * STEPS, 2 * ROWS * STEPS));
  const parts = new StratifiedUniforms(streams(), ROWS);
  const [first, second] = [2, 3].map((steps) => parts.uniforms(GROUPS * ROWS * steps));
  expect(Array.from(first.subarray(0, 2))).toEqual(Array.from(drawn.subarray(0, 2)));
  expect(Array.from(second.subarray(0, 3))).toEqual(Array.from(drawn.subarray(2, 5)));
});

test('one row is as uniform as a stream, and below 1', () => {
  const rows = new StratifiedUniforms([new RandomStream(1, 'one')], 4).uniforms(4 * 20_000);
  const row = rows.subarray(0, 20_000);
  const mean = (power: number): number => row.reduce((sum, u) => sum + u ** power, 0) / row.length;
  expect(mean(1)).toBeCloseTo(1 / 2, 2);
  expect(mean(2)).toBeCloseTo(1 / 3, 2);
  expect(rows.every((u) => u >= 0 && u < 1)).toBe(true);
});

test('the mean of a random walk is far less uncertain than over independent rows', () => {
  const end = (numbers: Float32Array): number => numbers.reduce((sum, u) => sum + u - 0.5, 0) / ROWS;
  const square = (draw: (i: number) => Float32Array): number =>
    Array.from({ length: 200 }, (_, i) => end(draw(i)) ** 2).reduce((a, b) => a + b, 0) / 200;
  const count = ROWS * STEPS;
  const independent = square((i) => new RandomStream(2, `rows/${i}`).uniforms(count));
  const spread = square((i) =>
    new StratifiedUniforms([new RandomStream(2, `rows/${i}`)], ROWS).uniforms(count),
  );
  // a sum is additive in its draws, so that only the variance within the strata, 1/M² of the whole, is left
  expect(spread).toBeLessThan((2 * independent) / ROWS ** 2);
});

test('a number of numbers that does not divide among the rows is refused', () => {
  expect(() => new StratifiedUniforms(streams(), ROWS).uniforms(25)).toThrow(
    'uniforms(n) needs a multiple of 3 groups of 8 rows; got 25.',
  );
});
