import { describe, expect, test } from '@jest/globals';

import { RandomStream, ShapeError } from '@rollcast/core';
import {
  distributionMetrics,
  intervalScore,
  meanAbsoluteScaledError,
  rmseByStep,
  weightedQuantileLoss,
} from '@rollcast/envs';

import { errorOf, ramp, windowOf } from './support.js';

describe('mean absolute scaled error', () => {
  // Context 0, 1, 3: steps 1 and 2, mean 1.5. Errors 1 and 2: mean 1.5. Ratio 1.
  // Context 5, 9: step 4. Errors 2 and 0: mean 1. Ratio 1/4. Mean of both: 5/8.
  const windows = [windowOf([0, 1, 3], [4, 4]), windowOf([5, 9], [8, 8])];
  const points = [
    [5, 2],
    [10, 8],
  ];

  test('divides the error of each window by the mean step of its context', () => {
    expect(meanAbsoluteScaledError(windows, points)).toBeAllClose(5 / 8);
  });

  test('does not depend on the unit or the direction of the data', () => {
    const turned = windows.map(
      ({ context, future }) =>
      windowOf(Array.from(context, (x) => -7 * x), Array.from(future, (x) => -7 * x)), // prettier-ignore
    );
    const negated = points.map((path) => path.map((x) => -7 * x));
    expect(meanAbsoluteScaledError(turned, negated)).toBeAllClose(5 / 8);
  });

  test('leaves constant contexts out, and is unknown without any other', () => {
    const flat = windowOf([2, 2], [3, 3]);
    expect(meanAbsoluteScaledError([...windows, flat], [...points, [9, 9]])).toBeAllClose(5 / 8);
    expect(meanAbsoluteScaledError([flat], [[9, 9]])).toBeNull();
  });
});

describe('weighted quantile loss', () => {
  // Truth 10. Level 0.9, quantile 12: pinball (0.9 − 1)(10 − 12) = 0.2. Level 0.5, quantile 8: 0.5 · 2 = 1.
  // 2 · (0.2 + 1) / 10 / 2 levels = 0.12.
  test('is twice the pinball loss over the magnitude of the truths', () => {
    expect(weightedQuantileLoss([[10]], [[[12]], [[8]]], [0.9, 0.5])).toBeAllClose(0.12);
  });

  test('of a point forecast is its absolute error over the magnitude of the truths', () => {
    const deciles = ramp(9, () => [[7, 5]]);
    const levels = ramp(9, (k) => (k + 1) / 10);
    expect(weightedQuantileLoss([[10, -6]], deciles, levels)).toBeAllClose((3 + 11) / 16);
  });
});

// Widths 2, 2, 4, 0: mean 2. Truths 1 and 5 within (the ends count), 9 and 0 outside.
test('an interval covers what lies between its ends, which belong to it', () => {
  const truths = [
    [1, 9],
    [5, 0],
  ];
  const low = [
    [0, 6],
    [1, 1],
  ];
  const high = [
    [2, 8],
    [5, 1],
  ];
  expect(intervalScore(truths, low, high)).toEqual({ coverage: 0.5, width: 2 });
});

// Errors by step: 3 and 4 → √12.5; 0 and 2 → √2.
test('the error by step pools windows, not steps', () => {
  const truths = [
    [0, 0],
    [0, 0],
  ];
  expect(rmseByStep(truths, [[3, 0], [4, 2]])).toBeAllClose([Math.sqrt(12.5), Math.sqrt(2)]); // prettier-ignore
});

describe('together', () => {
  // 99 paths 1 … 99: rank p · 100, so the deciles are 10, 20, … 90 and the 80 % interval goes from 10 to 90.
  const paths = [ramp(99, (i) => [i + 1])];
  const judge = (truth: number) =>
    distributionMetrics([windowOf([0, 1], [truth])], { points: [[50]], paths });

  test('intervals are between the ranks of their level', () => {
    const { intervals } = judge(93);
    expect(Object.keys(intervals!)).toEqual(['50', '80', '90']);
    expect([intervals!['50'].width, intervals!['80'].width, intervals!['90'].width]).toBeAllClose([
      50, 80, 90,
    ]);
    expect(Object.values(intervals!).map(({ coverage }) => coverage)).toEqual([0, 0, 1]);
  });

  test('the reliability diagram counts truths at or below each decile', () => {
    expect(judge(45).belowDecile).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 1]);
  });

  test('a point forecast has no intervals', () => {
    const metrics = distributionMetrics([windowOf([0, 2], [10])], { points: [[7]] });
    expect(metrics).toEqual({ mase: 1.5, wql: expect.closeTo(0.3, 12), intervals: null, belowDecile: null, rmseByStep: [3] }); // prettier-ignore
  });

  test('paths and truths of one distribution are calibrated at every level', () => {
    const random = new RandomStream(1, 'test');
    const draw = (): number => random.normal();
    const windows = ramp(2000, () => windowOf([0, 1], [draw()]));
    const sampled = windows.map(() => ramp(16, () => [draw()]));
    const { intervals, belowDecile } = distributionMetrics(windows, {
      points: sampled.map(() => [0]),
      paths: sampled,
    });
    // three standard errors of 2000 windows; 90 % of 16 paths cannot reach beyond the outermost: 15/17
    expect(intervals!['50'].coverage).toBeAllClose(0.5, { atol: 0.034 });
    expect(intervals!['80'].coverage).toBeAllClose(0.8, { atol: 0.027 });
    expect(intervals!['90'].coverage).toBeAllClose(15 / 17, { atol: 0.022 });
    belowDecile!.forEach((share, k) => expect(share).toBeAllClose((k + 1) / 10, { atol: 0.034 }));
  });

  test('no windows are refused', () => {
    expect(errorOf(() => distributionMetrics([], { points: [] }))).toBeInstanceOf(ShapeError);
  });
});
