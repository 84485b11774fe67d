import { describe, expect, test } from '@jest/globals';

import { RandomStream, ShapeError } from '@rollcast/core';
import {
  compareForecasts,
  distributionMetrics,
  forecastMetrics,
  unitScores,
  type DegradationWindow,
  type UnitScores,
} from '@rollcast/envs';

import { errorOf, ramp, windowOf as anyWindow } from './support.js';

const windowOf = (unit: number, future: number[]): DegradationWindow => anyWindow([0, 1], future, { unit });

describe('scores by unit', () => {
  // Unit 0: errors 1, −2 and 0, 1. Unit 1: errors 3, 0.
  const windows = [windowOf(0, [0, 2]), windowOf(1, [0, 0]), windowOf(0, [5, 5])];
  const points = [[1, 0], [3, 0], [5, 6]]; // prettier-ignore

  test('sum over the windows of a unit, wherever they stand', () => {
    const point = { covered: null };
    expect(unitScores(windows, { points })).toEqual([
      { unit: 'u0', windows: 2, steps: 4, squared: 6, crps: 4, ...point },
      { unit: 'u1', windows: 1, steps: 2, squared: 9, crps: 3, ...point },
    ]);
  });

  test('of paths add up to the CRPS and the coverage of the tables', () => {
    const random = new RandomStream(3, 'test');
    const paths = windows.map(() => ramp(9, () => ramp(2, () => 3 * random.normal())));
    const scores = unitScores(windows, { points, paths });
    const { crps, rmse } = forecastMetrics(windows, { points, paths }, { sign: 1, bestNaiveRmse: 1 });
    const sum = (of: (unit: UnitScores) => number): number => scores.reduce((total, u) => total + of(u), 0);
    expect(sum((u) => u.crps) / 6).toBeAllClose(crps);
    expect(Math.sqrt(sum((u) => u.squared) / 6)).toBeAllClose(rmse);
    const { intervals } = distributionMetrics(windows, { points, paths });
    expect(sum((u) => u.covered!) / 6).toBeAllClose(intervals!['80'].coverage);
  });

  test('are refused when forecasts do not fit the windows', () => {
    expect(errorOf(() => unitScores(windows, { points: [] })).message).toMatch(
      /one forecast a window \(3\); got 0/,
    );
  });
});

describe('a paired comparison', () => {
  const scores = (squared: number[], crps = squared, covered: number[] | null = null): UnitScores[] =>
    squared.map((value, u) => ({
      unit: `u${u}`,
      windows: 1,
      steps: 10,
      squared: value,
      crps: crps[u],
      covered: covered && covered[u],
    }));

  test('pools units: ratio of RMSE, ratio of CRPS, difference of coverage', () => {
    const judged = scores([1, 3], [2, 1], [8, 6]);
    const other = scores([9, 7], [3, 3], [5, 4]);
    const { rmseRatio, crpsRatio, coverage80Difference, units } = compareForecasts(judged, other);
    expect(rmseRatio.value).toBeAllClose(Math.sqrt(4 / 16));
    expect(crpsRatio.value).toBeAllClose(3 / 6);
    expect(coverage80Difference!.value).toBeAllClose((3 + 2) / 20);
    expect(units).toBe(2);
  });

  // Two units, ratios of squares 1/4 and 1: a resample has both the same (¼ each) or one of each (½).
  test('resamples units whole, both forecasts together', () => {
    const { rmseRatio } = compareForecasts(scores([1, 4]), scores([4, 4]));
    expect([rmseRatio.low, rmseRatio.value, rmseRatio.high]).toBeAllClose([0.5, Math.sqrt(5 / 8), 1]);
  });

  test('of a forecast with itself is no difference at all, with an interval of no width', () => {
    const some = scores([1, 2, 5], [1, 2, 3], [5, 6, 7]);
    const { rmseRatio, coverage80Difference } = compareForecasts(some, some);
    expect(rmseRatio).toEqual({ value: 1, low: 1, high: 1 });
    expect(coverage80Difference).toEqual({ value: 0, low: 0, high: 0 });
  });

  // 40 experiments of 30 units with a true ratio of RMSE 1: a 95 % interval misses it in 2 on average; Bin(40, 0.1) ≤ 9 in 99 %.
  test('has an interval that holds the true ratio', () => {
    const random = new RandomStream(1, 'test');
    const draw = (): UnitScores[] => scores(ramp(30, () => random.normal() ** 2 + random.normal() ** 2));
    const missed = ramp(40, (i) => {
      const stream = new RandomStream(i, 'test/bootstrap');
      const { rmseRatio } = compareForecasts(draw(), draw(), stream, 400);
      return Number(rmseRatio.low! > 1 || rmseRatio.high! < 1);
    });
    expect(missed.reduce((a, b) => a + b)).toBeLessThanOrEqual(9);
  });

  test('of one unit has no interval, and with a point forecast no coverage', () => {
    const { rmseRatio, coverage80Difference } = compareForecasts(scores([1]), scores([4], [4], [5]));
    expect(rmseRatio).toEqual({ value: 0.5, low: null, high: null });
    expect(coverage80Difference).toBeNull();
  });

  test('of other units is refused', () => {
    expect(errorOf(() => compareForecasts(scores([1]), scores([1, 2])))).toBeInstanceOf(ShapeError);
    expect(errorOf(() => compareForecasts([], []))).toBeInstanceOf(ShapeError);
  });
});
