import { describe, expect, test } from '@jest/globals';

import { evenContext, type EvenContext } from '@rollcast/envs';

import { ramp } from './support.js';

const unit = (times: number[], values: number[]) => ({
  unit: 'a',
  times: Float64Array.from(times),
  values: Float64Array.from(values),
});
const context = (times: number[], values: number[], count: number): EvenContext => {
  const found = evenContext(unit(times, values), count);
  if (typeof found === 'string') throw new Error(found);
  return found;
};

test('evenly spaced points are taken as they are', () => {
  const { values, lastTime, timeStep, resampled } = context([0, 1, 5, 7, 9], [9, 8, 3, 2, 0], 3);
  expect(Array.from(values)).toEqual([3, 2, 0]);
  expect([lastTime, timeStep, resampled]).toEqual([9, 2, false]);
});

// Steps 1, 1, 3, 1: median 1. Grid 3, 4, 5, 6, 7; between time 3 (value 30) and 6 (value 60) on a line.
test('unevenly spaced points are resampled to the median step, backwards from the last one', () => {
  const found = context([0, 1, 2, 3, 6, 7], [0, 10, 20, 30, 60, 80], 5);
  expect(found.values).toBeAllClose([30, 40, 50, 60, 80]);
  expect([found.lastTime, found.timeStep, found.resampled]).toEqual([7, 1, true]);
});

// The last four points have steps 1, 3, 3: the grid goes back 9, beyond them, to time 1.
test('older points than the last W are used where the median step reaches beyond them', () => {
  const found = context([0, 2, 3, 4, 7, 10], [0, 2, 3, 4, 7, 10], 4);
  expect(found.values).toBeAllClose([1, 4, 7, 10]);
  expect(found.timeStep).toBe(3);
});

test('resampling a line gives the line', () => {
  const times = ramp(60, (i) => i + 0.3 * Math.sin(5 * i));
  const found = context(
    times,
    times.map((time) => 4 - 2 * time),
    40,
  );
  const grid = ramp(40, (k) => times[59] - (39 - k) * found.timeStep);
  expect(found.values).toBeAllClose(
    grid.map((time) => 4 - 2 * time),
    { atol: 1e-9 },
  );
});

describe('is refused in a sentence', () => {
  test('where there are fewer points than the model reads', () => {
    expect(evenContext(unit([0, 1], [1, 2]), 3)).toBe('2 points, and the model reads 3');
  });

  test('where the history does not reach back W median steps', () => {
    // steps 1, 1, 4, 4: median of the sorted 1, 1, 4, 4 is 2.5; four of them reach back 10 = the whole history
    expect(context([0, 1, 2, 6, 10], [0, 1, 2, 6, 10], 5).values).toBeAllClose([0, 2.5, 5, 7.5, 10]);
    // steps 1, 4, 4: two points more are needed
    expect(evenContext(unit([0, 1, 5, 9], [0, 1, 5, 9]), 4)).toBe(
      'its 4 points reach back 9, and the model reads 4 points at their median time step of 4, which is 12',
    );
  });

  test('where a gap is longer than five median steps, and not where it is five', () => {
    const at = (gap: number) => [0, 1, 2, 3, 4, 5, 5 + gap, 6 + gap, 7 + gap, 8 + gap];
    const values = ramp(10, (i) => i);
    expect(context(at(5), values, 9).values).toHaveLength(9);
    expect(evenContext(unit(at(5.5), values), 9)).toMatch(
      /a gap of 5\.5 after time 5, more than 5 median time steps of 1/,
    );
  });

  test('but a gap before the context does no harm', () => {
    const times = [0, 100, 101, 102, 103.5];
    expect(evenContext(unit(times, [0, 1, 2, 3, 4]), 3)).toMatchObject({ resampled: true });
  });
});
