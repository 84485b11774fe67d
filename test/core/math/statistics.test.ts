import { readFileSync } from 'node:fs';

import { describe, expect, test } from '@jest/globals';

import {
  RandomStream,
  aggregateIntervals,
  bootstrapIntervals,
  curveIntervals,
  improvementInterval,
  interquartileMean,
  meanScore,
  medianScore,
  optimalityGap,
  probabilityOfImprovement,
  profileIntervals,
  scoreDistribution,
  type BootstrapOptions,
  type Interval,
} from '@rollcast/core';

type Names = 'median' | 'interquartileMean' | 'mean' | 'optimalityGap';
/** Recorded by test/golden/record-statistics.py. */
const golden = JSON.parse(readFileSync(new URL('../../golden/statistics.json', import.meta.url), 'utf8')) as {
  thresholds: number[];
  cases: Record<
    string,
    {
      x: number[][];
      y: number[][];
      aggregates: Record<Names, Interval>;
      optimalityGapOfHalf: number;
      profile: Interval[];
      improvement: Interval;
      improvementOfY: number;
    }
  >;
};
const cases = Object.entries(golden.cases);
const random = (name = 'test'): RandomStream => new RandomStream(1, name);

describe('by hand', () => {
  test('the interquartile mean leaves out a quarter at each end, of all runs and tasks together', () => {
    // sorted 0 1 2 3 4 5 6 100: two go at each end, (2 + 3 + 4 + 5) / 4
    expect(
      interquartileMean([
        [100, 0, 5, 2],
        [3, 6, 1, 4],
      ]),
    ).toBe(3.5);
  });

  test('a quarter of a number not divisible by four is rounded down', () => {
    // 5 / 4 → one goes at each end: (2 + 3 + 4) / 3
    expect(interquartileMean([[5, 1, 4, 2, 3]])).toBe(3);
    // 3 / 4 → nothing goes
    expect(interquartileMean([[0, 0, 9]])).toBe(3);
  });

  test('mean and median are over the means of tasks', () => {
    const scores = [
      [0, 2], // 1
      [4, 6], // 5
      [1, 5], // 3
      [0, 100], // 50
    ];
    expect(meanScore(scores)).toBe(14.75);
    expect(medianScore(scores)).toBe(4);
  });

  test('the optimality gap counts only what falls short of gamma', () => {
    // min(score, 1): 0.5, 1, 1, 0 → mean 0.625
    expect(
      optimalityGap([
        [0.5, 1.5],
        [1, 0],
      ]),
    ).toBe(0.375);
    // min(score, 2): 0.5, 1.5, 1, 0 → mean 0.75
    expect(
      optimalityGap(
        [
          [0.5, 1.5],
          [1, 0],
        ],
        2,
      ),
    ).toBe(1.25);
  });

  test('the score distribution is the share strictly above each threshold', () => {
    expect(
      scoreDistribution(
        [
          [0, 0.5],
          [0.5, 1],
        ],
        [-1, 0, 0.5, 1],
      ),
    ).toEqual([1, 0.75, 0.25, 0]);
  });

  test('the probability of improvement counts pairs, ties by half, and averages tasks', () => {
    // task 1: 2 > 1, 2 = 2, 4 > 1, 4 > 2 → 3.5 of 4; task 2: 0 against 1 and 1 → 0 of 4
    const x = [
      [2, 4],
      [0, 0],
    ];
    const y = [
      [1, 2],
      [1, 1],
    ];
    expect(probabilityOfImprovement(x, y)).toBe(0.4375);
    expect(probabilityOfImprovement(y, x)).toBe(1 - 0.4375);
    expect(probabilityOfImprovement(x, x)).toBe(0.5);
  });

  test('two algorithms may have unequal numbers of runs', () => {
    // 3 beats 1 and 2, ties with 3: 2.5 of 3
    expect(probabilityOfImprovement([[3]], [[1, 2, 3]])).toBeAllClose(2.5 / 3, { atol: 1e-15 });
  });

  test('three runs give ten distinct resamples', () => {
    const seen = new Set<string>();
    bootstrapIntervals(
      [[[1, 2, 3]]],
      ([[drawn]]) => {
        seen.add([...drawn].sort().join());
        return [0];
      },
      { random: random(), resamples: 2_000 },
    );
    expect(seen.size).toBe(10);
  });

  test('the interval of a mean of three runs', () => {
    // of the 27 equally likely draws of 0, 1, 2 one (3.7 %) adds up to 0 and four (14.8 %) to 0 or 1
    const at = (confidence: number) =>
      aggregateIntervals([[0, 1, 2]], { random: random(), resamples: 3_000, confidence }).mean;
    expect(at(0.95)).toEqual({ estimate: 1, low: 0, high: 2 }); // 2.5 % < 3.7 %
    expect(at(0.9).low).toBeAllClose(1 / 3, { atol: 1e-12 }); // 3.7 % < 5 % < 14.8 %
    expect(at(0.9).high).toBeAllClose(5 / 3, { atol: 1e-12 });
  });

  test('runs are drawn within their task: tasks without spread have an interval of no width', () => {
    const { mean, interquartileMean: iqm } = aggregateIntervals(
      [
        [0, 0, 0],
        [1, 1, 1],
        [0.4, 0.4, 0.4],
      ],
      { random: random(), resamples: 200 },
    );
    expect(mean.low).toBe(mean.high);
    expect([iqm.low, iqm.high]).toEqual([iqm.estimate, iqm.estimate]);
  });

  test('a curve is drawn whole: its points move together', () => {
    // every run is a constant curve, so each resample has equal values at both points
    const curves = [
      [
        [0, 0],
        [1, 1],
        [3, 3],
        [4, 4],
      ],
    ];
    const [first, second] = curveIntervals(curves, { random: random(), resamples: 500 });
    expect(first.estimate).toBe(2); // (1 + 3) / 2
    expect(second).toEqual(first);
    expect(first.low).toBeLessThan(first.high);
  });
});

describe('rliable', () => {
  test.each(cases)('point estimates agree: %s', (_, { x, y, ...want }) => {
    const tolerance = { atol: 1e-12 };
    expect(medianScore(x)).toBeAllClose(want.aggregates.median.estimate, tolerance);
    expect(interquartileMean(x)).toBeAllClose(want.aggregates.interquartileMean.estimate, tolerance);
    expect(meanScore(x)).toBeAllClose(want.aggregates.mean.estimate, tolerance);
    expect(optimalityGap(x)).toBeAllClose(want.aggregates.optimalityGap.estimate, tolerance);
    expect(optimalityGap(x, 0.5)).toBeAllClose(want.optimalityGapOfHalf, tolerance);
    expect(scoreDistribution(x, golden.thresholds)).toBeAllClose(
      want.profile.map(({ estimate }) => estimate),
      tolerance,
    );
    expect(probabilityOfImprovement(x, y)).toBeAllClose(want.improvement.estimate, tolerance);
    expect(probabilityOfImprovement(y, x)).toBeAllClose(want.improvementOfY, tolerance);
  });

  /**
   * Both ends are quantiles of random draws: the share of one bootstrap's B draws below the end that another found with
   * C draws differs from the tail t = 2.5 % with a standard deviation of √(t (1 − t) (1/B + 1/C)), whatever is drawn. So
   * rliable's ends lie between our quantiles at t ± four of these: 0.9 % for 5 000 and 50 000 draws, 2 % for 2 000 each.
   */
  function expectAgreement(
    intervals: (options: BootstrapOptions) => readonly Interval[],
    want: readonly Interval[],
    draws: { ours: number; rliable: number },
  ): void {
    const tail = 0.025;
    const slack = 4 * Math.sqrt(tail * (1 - tail) * (1 / draws.ours + 1 / draws.rliable));
    const at = (t: number) => intervals({ random: random(), resamples: draws.ours, confidence: 1 - 2 * t });
    const outer = at(tail - slack);
    const inner = at(tail + slack);
    want.forEach(({ low, high }, i) => {
      expect(low).toBeGreaterThanOrEqual(outer[i].low - 1e-12);
      expect(low).toBeLessThanOrEqual(inner[i].low + 1e-12);
      expect(high).toBeGreaterThanOrEqual(inner[i].high - 1e-12);
      expect(high).toBeLessThanOrEqual(outer[i].high + 1e-12);
    });
  }

  test.each(cases)('intervals of aggregates agree: %s', (_, { x, aggregates }) => {
    const names = Object.keys(aggregates) as Names[];
    expectAgreement(
      (options) => {
        const ours = aggregateIntervals(x, options);
        return names.map((name) => ours[name]);
      },
      names.map((name) => aggregates[name]),
      { ours: 5_000, rliable: 50_000 },
    );
  });

  test.each(cases)('intervals of profiles and of improvement agree: %s', (_, recorded) => {
    const { x, y, profile, improvement } = recorded;
    const draws = { ours: 2_000, rliable: 2_000 };
    expectAgreement((options) => profileIntervals(x, golden.thresholds, options), profile, draws);
    expectAgreement((options) => [improvementInterval(x, y, options)], [improvement], draws);
  });
});

describe('reproducible', () => {
  const { x } = golden.cases['10 runs, 5 tasks'];
  const interval = (seed: number) =>
    aggregateIntervals(x, { random: new RandomStream(seed, 'bench'), resamples: 500 });

  test('equal seeds give equal intervals, other seeds others', () => {
    expect(interval(1)).toEqual(interval(1));
    expect(interval(2)).not.toEqual(interval(1));
    expect(interval(2).mean.estimate).toBe(interval(1).mean.estimate);
  });

  test('what is asked for does not change the draws', () => {
    const { interquartileMean: iqm } = interval(1);
    const [curve] = curveIntervals(
      x.map((task) => task.map((score) => [score])),
      { random: new RandomStream(1, 'bench'), resamples: 500 },
    );
    expect(curve).toEqual(iqm);
  });
});

describe('what cannot be computed says why', () => {
  const options = { random: random(), resamples: 10 };
  test.each<[what: string, compute: () => unknown, message: RegExp]>([
    ['no task', () => interquartileMean([]), /at least one task with one run; got none/],
    ['no run', () => meanScore([[]]), /at least one task with one run; got none/],
    [
      'tasks of unequal run counts',
      () =>
        interquartileMean([
          [1, 2, 3],
          [1, 2],
        ]),
      /same number of runs; task 1 has 3, task 2 has 2\. Run the missing ones/,
    ],
    ['a NaN', () => optimalityGap([[1, NaN]]), /run 2 of task 1 is NaN\. Leave a failed run out/],
    ['an infinite score', () => scoreDistribution([[1], [-Infinity]], [0]), /run 1 of task 2 is -Infinity/],
    ['other tasks', () => probabilityOfImprovement([[1], [2]], [[1]]), /same tasks; got 2 tasks and 1/],
    [
      'two runs',
      () => aggregateIntervals([[1, 2]], options),
      /at least 3 runs of each task; got 2\. Run more seeds: 10 or more/,
    ],
    ['a NaN in an interval', () => profileIntervals([[1, 2, NaN]], [0], options), /run 3 of task 1 is NaN/],
    [
      'curves of unequal length',
      () => curveIntervals([[[1, 2], [1], [1, 2]]], options),
      /common steps; one has 2 points and another 1\. Interpolate/,
    ],
    ['no resamples', () => aggregateIntervals([[1, 2, 3]], { ...options, resamples: 0 }), /≥ 1; got 0/],
    [
      'a confidence in percent',
      () => aggregateIntervals([[1, 2, 3]], { ...options, confidence: 95 }),
      /between 0 and 1, for example 0\.95; got 95/,
    ],
  ])('%s', (_, compute, message) => {
    expect(compute).toThrow(message);
  });
});
