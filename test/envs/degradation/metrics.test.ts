import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { NumericalError, RandomStream, ShapeError } from '@rollcast/core';
import {
  baselineMetrics,
  crpsOfSorted,
  forecastMetrics,
  meanPath,
  pairedBootstrap,
  pairErrors,
  quantileOfSorted,
  quantilePaths,
  sampleQuantile,
} from '@rollcast/envs';

import { errorOf, ramp, windowOf } from './support.js';

const options = { sign: 1, bestNaiveRmse: 2 } as const;

describe('point forecasts', () => {
  // Errors: 1, −2 and 0, 3. Squares 1, 4, 0, 9: mean 3.5. Steps: 1→2 up, 2→1 down (wrong); 5→5 level, 5→9 up.
  const windows = [windowOf([0, 1], [1, 3]), windowOf([5, 5], [5, 6], { unit: 1 })];
  const points = [
    [2, 1],
    [5, 9],
  ];
  const metrics = forecastMetrics(windows, { points }, options);

  test('pool all windows and steps', () => {
    expect(metrics.rmse).toBeAllClose(Math.sqrt(3.5));
    expect(metrics.ratioToBestNaive).toBeAllClose(Math.sqrt(3.5) / 2);
    expect(metrics.mae).toBeAllClose(6 / 4);
    expect(metrics.bias).toBeAllClose(2 / 4);
    expect(metrics.finalError).toBeAllClose((2 + 3) / 2);
    expect(metrics.wrongWayShare).toBeAllClose(1 / 4);
  });

  test('have an RMSE at each reported step that the horizon reaches', () => {
    expect(Object.keys(metrics.rmseAt)).toEqual(['1']);
    expect(metrics.rmseAt['1']).toBeAllClose(Math.sqrt(0.5));
    const long = forecastMetrics(
      [
        windowOf(
          [0],
          ramp(60, () => 0),
        ),
      ],
      { points: [ramp(60, (i) => i)] },
      options,
    );
    expect(long.rmseAt).toEqual({ '1': 0, '10': 9, '30': 29, '60': 59 });
  });

  test('score their absolute error as CRPS and have no coverage', () => {
    expect(metrics.crps).toBe(metrics.mae);
    expect(metrics.coverage80).toBeNull();
    expect(metrics.klPerToken).toBeNull();
  });

  test('of a falling column change only the sign of the bias', () => {
    const { bias, ...same } = forecastMetrics(windows, { points }, { ...options, sign: -1 });
    const { bias: rising, ...others } = metrics;
    expect(bias).toBe(-rising);
    expect(same).toEqual(others);
  });

  test('the keys are those of the JSON contract', () => {
    expect(Object.keys({ name: '', ...metrics })).toEqual(
      'name rmse ratioToBestNaive mae bias rmseAt finalError wrongWayShare crps coverage80 klPerToken'.split(
        ' ',
      ),
    );
  });

  test('that do not fit or are not finite are refused', () => {
    expect(errorOf(() => forecastMetrics([], { points: [] }, options))).toBeInstanceOf(ShapeError);
    expect(errorOf(() => forecastMetrics(windows, { points: [[1, 2]] }, options))).toBeInstanceOf(ShapeError);
    expect(errorOf(() => forecastMetrics(windows, { points: [[1, 2], [3]] }, options))).toBeInstanceOf(
      ShapeError,
    );
    const broken = { points: [points[0], [NaN, 1]] };
    expect(errorOf(() => forecastMetrics(windows, broken, options))).toBeInstanceOf(NumericalError);
  });
});

describe('ensembles', () => {
  // Samples 0, 1, 3 and truth 2: mean |x − y| = (2 + 1 + 1)/3; Σᵢⱼ |xᵢ − xⱼ| = 2 (1 + 3 + 2) = 12: 4/3 − 12/18 = 2/3.
  test('CRPS is mean |x − y| − ½ mean |x − x′|', () => {
    expect(crpsOfSorted([0, 1, 3], 2)).toBeAllClose(2 / 3);
    expect(crpsOfSorted([5], 2)).toBe(3);
  });

  test('CRPS by sorting is CRPS by its definition', () => {
    const value = fc.double({ min: -100, max: 100, noNaN: true });
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 12 }), value, (samples, y) => {
        const mean = (x: number[]) => x.reduce((a, b) => a + b, 0) / x.length;
        const spread = mean(samples.flatMap((a) => samples.map((b) => Math.abs(a - b))));
        const expected = mean(samples.map((x) => Math.abs(x - y))) - spread / 2;
        expect(crpsOfSorted(Float64Array.from(samples).sort(), y)).toBeAllClose(expected, { atol: 1e-9 });
      }),
    );
  });

  test('quantiles interpolate between order statistics', () => {
    expect(quantileOfSorted([0, 10, 20, 30], 0.1)).toBeAllClose(3);
    expect(quantileOfSorted([0, 10, 20, 30], 1)).toBe(30);
    expect(quantileOfSorted([7], 0.9)).toBe(7);
    // type 6: rank 0.25 · 5 = 1.25 of four samples; below the first rank it is the first sample
    expect(sampleQuantile([0, 10, 20, 30], 0.25)).toBeAllClose(2.5);
    expect(sampleQuantile([0, 10, 20, 30], 0.1)).toBe(0);
    expect(sampleQuantile([7], 0.9)).toBe(7);
  });

  // Three paths, rank p (M + 1): of 1, 2, 3 the median is 2, the quarter 1; of 10, 20, 60 they are 20 and 10.
  test('quantiles of paths are taken at each step', () => {
    const paths = [
      [3, 10],
      [1, 60],
      [2, 20],
    ];
    expect(quantilePaths(paths, [0.25, 0.5]).map((path) => Array.from(path))).toEqual([
      [1, 10],
      [2, 20],
    ]);
  });

  // Samples 0 … 10: the 10 % and 90 % quantiles are 1 and 9. Truths 1 and 9.5: one of two covered.
  test('coverage counts truths between the 10 % and the 90 % quantile, in any order of the samples', () => {
    const paths = [ramp(11, (i) => [10 - i, (i * 7) % 11])];
    const windows = [windowOf([0], [1, 9.5])];
    const metrics = forecastMetrics(windows, { points: [meanPath(paths[0])], paths }, options);
    // ranks 0.1 · 12 and 0.9 · 12 of 0 … 10: from 0.2 to 9.8
    expect(metrics.coverage80).toBe(1);
    const wider = [windowOf([0], [0.1, 9.9])];
    expect(forecastMetrics(wider, { points: [meanPath(paths[0])], paths }, options).coverage80).toBe(0);
    const sorted = ramp(11, (i) => i);
    expect(metrics.crps).toBeAllClose((crpsOfSorted(sorted, 1) + crpsOfSorted(sorted, 9.5)) / 2);
    expect(metrics.rmse).toBeAllClose(Math.sqrt((4 ** 2 + 4.5 ** 2) / 2)); // mean path: 5, 5
  });

  test('one path scores its MAE', () => {
    const metrics = forecastMetrics(
      [windowOf([0], [1, 2])],
      { points: [[3, 3]], paths: [[[3, 3]]] },
      options,
    );
    expect(metrics.crps).toBe(metrics.mae);
  });

  test('of unequal size are refused', () => {
    const windows = [windowOf([0], [1]), windowOf([0], [1])];
    const paths = [[[1], [2]], [[1]]];
    expect(errorOf(() => forecastMetrics(windows, { points: [[1], [1]], paths }, options))).toBeInstanceOf(
      ShapeError,
    );
  });
});

test('the best naive forecast has ratio 1 and the others more', () => {
  const line = (i: number) => 2 * i + (i % 2);
  const windows = [
    windowOf(
      ramp(40, line),
      ramp(60, (i) => line(40 + i)),
    ),
  ];
  const { bestNaive, bestNaiveRmse, methods } = baselineMetrics(windows, 1);
  expect(methods.map(({ name }) => name)).toEqual([
    'last-value',
    'line-40',
    'last-value-plus-slope',
    'line-20',
    'parabola',
  ]);
  const best = methods.find(({ name }) => name === bestNaive)!;
  expect([best.ratioToBestNaive, best.rmse]).toEqual([1, bestNaiveRmse]);
  expect(Math.min(...methods.map(({ ratioToBestNaive }) => ratioToBestNaive))).toBe(1);
});

test('on straight lines some baseline makes no error: it is 1 × itself, and the others infinitely worse', () => {
  const { bestNaive, bestNaiveRmse, methods } = baselineMetrics([windowOf([0, 1, 2], [3, 4])], 1);
  expect([bestNaive, bestNaiveRmse]).toEqual(['line-40', 0]); // the first of those that are exact
  const ratios = Object.fromEntries(methods.map(({ name, ratioToBestNaive }) => [name, ratioToBestNaive]));
  expect(ratios).toMatchObject({ 'last-value': Infinity, 'line-40': 1, 'last-value-plus-slope': 1 });
});

describe('paired bootstrap', () => {
  test('errors pool by unit, samples of a window count as their mean', () => {
    const windows = [
      windowOf([0], [1], { unit: 0 }),
      windowOf([0], [2], { unit: 0 }),
      windowOf([0], [0], { unit: 1 }),
    ];
    const before = [[[0]], [[0]], [[1], [3]]]; // squares 1, 4 and (1 + 9)/2
    const after = [[[1]], [[1]], [[0]]]; // squares 0, 1 and 0
    expect(pairErrors(windows, before, after)).toEqual([
      { unit: 'u0', before: 5, after: 1 },
      { unit: 'u1', before: 5, after: 0 },
    ]);
  });

  // Sums 8/10 → −20 %. Two units: resamples give (2·3)/(2·5), 8/10 or (2·5)/(2·5): changes −0.4, −0.2, 0.
  test('the change is a ratio of pooled sums, and units are resampled whole', () => {
    const units = [
      { unit: 'a', before: 5, after: 3 },
      { unit: 'b', before: 5, after: 5 },
    ];
    const result = pairedBootstrap(units, new RandomStream(1, 'test'), 2000);
    expect(result.change).toBeAllClose(-0.2);
    expect([result.low, result.high]).toBeAllClose([-0.4, 0]);
    expect([result.units, result.resamples]).toEqual([2, 2000]);
  });

  test('the same ratio in every unit leaves no uncertainty', () => {
    const units = ramp(10, (i) => ({ unit: `${i}`, before: i + 1, after: 0.7 * (i + 1) }));
    const { low, high } = pairedBootstrap(units);
    expect([low, high]).toBeAllClose([-0.3, -0.3], { atol: 1e-12 });
  });

  test('the same seed gives the same interval', () => {
    const units = ramp(10, (i) => ({ unit: `${i}`, before: 1 + (i % 3), after: 1 + (i % 4) }));
    const run = () => pairedBootstrap(units, new RandomStream(3, 'test'), 500);
    expect(run()).toEqual(run());
  });

  test('no units and a perfect forecast to compare with are refused', () => {
    expect(errorOf(() => pairedBootstrap([]))).toBeInstanceOf(ShapeError);
    expect(errorOf(() => pairedBootstrap([{ unit: 'a', before: 0, after: 1 }]))).toBeInstanceOf(
      NumericalError,
    );
  });
});
