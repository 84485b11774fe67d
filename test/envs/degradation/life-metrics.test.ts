import { expect, test } from '@jest/globals';

import { ShapeError } from '@rollcast/core';
import { lifeMetrics, phm08Score } from '@rollcast/envs';

import { errorOf } from './support.js';

test('the PHM08 score punishes 10 cycles late as 13 cycles early, and nothing when right', () => {
  expect(phm08Score(0)).toBe(0);
  expect(phm08Score(10)).toBeAllClose(Math.E - 1);
  expect(phm08Score(-13)).toBeAllClose(Math.E - 1);
  expect(phm08Score(20)).toBeAllClose(Math.E ** 2 - 1);
});

// Errors +10, −13, and 60 − 50 = 10 for the one forecast beyond the horizon.
test('errors are of windows that cross; a life forecast beyond the horizon counts as its end', () => {
  const metrics = lifeMetrics(
    [
      { truth: 20, predicted: 30 },
      { truth: 40, predicted: 27 },
      { truth: 50, predicted: null },
      { truth: Infinity, predicted: 55 },
      { truth: Infinity, predicted: null },
    ],
    60,
  );
  expect(metrics).toEqual({
    windows: 3,
    rmse: expect.closeTo(Math.sqrt((100 + 169 + 100) / 3), 12),
    mae: expect.closeTo(11, 12),
    bias: expect.closeTo(7 / 3, 12),
    phm08: expect.closeTo(Math.E - 1, 12),
    missed: 1,
    falseAlarms: 1,
    notCrossing: 2,
  });
});

test('without a crossing there is no error, only false alarms', () => {
  const metrics = lifeMetrics([{ truth: Infinity, predicted: 3 }], 60);
  expect(metrics).toMatchObject({
    windows: 0,
    rmse: null,
    mae: null,
    bias: null,
    phm08: null,
    falseAlarms: 1,
  });
});

test('no forecasts are refused', () => {
  expect(errorOf(() => lifeMetrics([], 60))).toBeInstanceOf(ShapeError);
});
