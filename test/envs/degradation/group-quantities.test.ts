import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { ConfigError, EnvironmentError } from '@rollcast/core';
import {
  DegradationEnvironment,
  RLDataset,
  createReward,
  forecastQuantities,
  groupQuantities,
  type GroupQuantities,
  type RewardOptions,
} from '@rollcast/envs';

import { errorOf, ramp, seriesSet, stepTokeniser } from './support.js';

const of = (paths: number[][], target: number[], scale = 1): GroupQuantities[] =>
  groupQuantities(
    paths,
    target,
    scale,
    paths.map((path) => forecastQuantities(path, target, 0, scale)),
  );
const mean = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0) / numbers.length;

describe('by hand', () => {
  // Paths 0, 2, 3: distances 2, 3, 1, together D = 6; to the others 5, 3, 4; share Dᵢ/1 − 6/2.
  test('spread is what a path adds to the distances of its group', () => {
    const group = of([[0], [2], [3]], [1]);
    expect(group.map(({ spread }) => spread[0])).toBeAllClose([2, 0, 1]);
    expect(group.map(({ crps }) => crps[0])).toBeAllClose([1 - 2, 1 - 0, 2 - 1]);
  });

  test('is in units of the scale', () => {
    expect(of([[0], [2], [3]], [1], 2).map(({ spread }) => spread[0])).toBeAllClose([1, 0, 0.5]);
  });

  // Distances 5, 10, 5 over √2; D = 20, to the others 15, 10, 15.
  test('pathSpread is the same for whole paths', () => {
    const group = of(
      [
        [0, 0],
        [3, 4],
        [6, 8],
      ],
      [3, 4],
    );
    expect(group.map(({ pathSpread }) => pathSpread * Math.SQRT2)).toBeAllClose([5, 0, 5]);
    expect(group.map(({ energyScore }) => energyScore * Math.SQRT2)).toBeAllClose([0, 0, 0]);
  });

  // Increments 0, 1, 4 and of the truth 1: roots 0, 1, 2 less 1: u = −1, 0, 1. Products uᵢuⱼ with the others: −1, 0, −1, all
  // pairs −1; shares −1 + ½, 0 + ½, −1 + ½, doubled.
  test('variogram compares the roots of increments', () => {
    const group = of(
      [
        [5, 5],
        [5, 6],
        [5, 9],
      ],
      [0, 1],
    );
    expect(group.map(({ variogram }) => variogram)).toBeAllClose([-1, 1, -1]);
  });

  test('a variogram of one step is 0', () => {
    expect(of([[1], [2], [3]], [1])[0].variogram).toBe(0);
  });
});

describe('the mean over the group is the unbiased score', () => {
  const number = fc.double({ min: -5, max: 5, noNaN: true });
  const steps = 7;
  const path = fc.array(number, { minLength: steps, maxLength: steps });
  const groups = fc.array(path, { minLength: 3, maxLength: 6 });
  /** Mean of f over all ordered pairs of two different paths. */
  const overPairs = (paths: number[][], f: (a: number[], b: number[]) => number) =>
    mean(paths.flatMap((a, i) => paths.flatMap((b, j) => (i === j ? [] : [f(a, b)]))));

  test('CRPS at each step: mean |x − y| − ½ mean |x − x′|', () => {
    fc.assert(
      fc.property(groups, path, (paths, truth) => {
        const group = of(paths, truth);
        for (let t = 0; t < steps; t++) {
          const error = mean(paths.map((x) => Math.abs(x[t] - truth[t])));
          const spread = overPairs(paths, (a, b) => Math.abs(a[t] - b[t]));
          expect(mean(group.map(({ crps }) => crps[t]))).toBeAllClose(error - spread / 2, { atol: 1e-9 });
        }
      }),
    );
  });

  test('energy score of whole paths', () => {
    const distance = (a: number[], b: number[]) =>
      Math.hypot(...a.map((x, t) => x - b[t])) / Math.sqrt(steps);
    fc.assert(
      fc.property(groups, path, (paths, truth) => {
        const expected = mean(paths.map((x) => distance(x, truth))) - overPairs(paths, distance) / 2;
        const got = mean(of(paths, truth).map(({ energyScore }) => energyScore));
        expect(got).toBeAllClose(expected, { atol: 1e-9 });
      }),
    );
  });

  test('variogram score of order ½ over lags 1 and 5, the 20 being longer than the path', () => {
    const root = (x: number[], t: number, lag: number) => Math.sqrt(Math.abs(x[t + lag] - x[t]));
    fc.assert(
      fc.property(groups, path, (paths, truth) => {
        const expected = mean(
          [1, 5].map((lag) =>
            mean(
              ramp(steps - lag, (t) => {
                const u = (x: number[]) => root(x, t, lag) - root(truth, t, lag);
                return overPairs(paths, (a, b) => u(a) * u(b));
              }),
            ),
          ),
        );
        const got = mean(of(paths, truth).map(({ variogram }) => variogram));
        expect(got).toBeAllClose(expected, { atol: 1e-9 });
      }),
    );
  });

  test('no share of a distance is negative', () => {
    fc.assert(
      fc.property(groups, path, (paths, truth) => {
        for (const { spread, pathSpread } of of(paths, truth))
          expect(Math.min(pathSpread, ...spread)).toBeGreaterThan(-1e-9);
      }),
    );
  });
});

describe('in the environment', () => {
  const data = seriesSet({ a: ramp(6, (i) => i), b: ramp(6, (i) => 2 * i) });
  const dataset = new RLDataset(data, { contextLength: 3, horizon: 2 });
  const make = (options: RewardOptions) => new DegradationEnvironment(dataset, stepTokeniser(), options);
  const windows = [dataset.window(0), dataset.window(2)]; // a: 0 1 2 | 3 4 (s = 2), b: 0 2 4 | 6 8 (s = 4)

  // Values at step 1: 0, 2, 3 in units of 2, as above with s = 1 halved; step 2 alike.
  test('rows of one window are a group, wherever they are in the batch', () => {
    const environment = make({ reward: '-mae + spread', rewardScale: 'raw' });
    const pairs = environment.batch([windows[0], windows[1], windows[0], windows[1], windows[0], windows[1]]);
    const tokens = [10, 10, 12, 12, 13, 13].flatMap((token) => [token, token]);
    const mixed = Int32Array.from([0, 3, 2, 4, 4, 5].flatMap((row) => tokens.slice(2 * row, 2 * row + 2)));
    const { components } = environment.reward(pairs, mixed);
    // a has the rows 0, 2, 4: values 0, 2, 3; b the rows 1, 3, 5: values 2, 3, 3
    expect(ramp(3, (i) => components['spread'][4 * i])).toBeAllClose([2, 0, 1]);
    expect(ramp(3, (i) => components['spread'][4 * i + 2])).toBeAllClose([1, 0, 0]);
  });

  test('crps is logged wherever there are groups, and only there', () => {
    const environment = make({});
    const single = environment.batch(windows);
    expect(Object.keys(environment.reward(single, new Int32Array(4)).components)).toEqual([
      'mse',
      'nonMonotonicity',
    ]);
    const groups = environment.repeat(single, 3);
    const { components } = environment.reward(groups, new Int32Array(12).fill(12));
    expect(components['crps']).toEqual(createCrps());
  });

  /** Of three equal paths the CRPS is the absolute error: of 2, 2 against 3, 4 over 2, and against 6, 8 over 4. */
  const createCrps = () => Float32Array.from([0.5, 1, 0.5, 1, 0.5, 1, 1, 1.5, 1, 1.5, 1, 1.5]);

  test('too few paths are refused with what to ask for', () => {
    const error = errorOf(() => make({ reward: '-mae + spread' }).checkPaths(1));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toBe(
      'spread in the reward: the paths of a context are compared with each other, 3 or more of them; got 1. Ask for more, for example --algo rloo --set rloo.samplesPerContext=16.',
    );
    const environment = make({ reward: '-energyScore - variogram' });
    expect(() => environment.reward(environment.batch(windows), new Int32Array(4))).toThrow(
      'energyScore and variogram in the reward',
    );
    expect(() => make({ reward: '-mse - crossingError' }).checkPaths(1)).not.toThrow();
  });

  test('a reward that is not finite names the window, in groups too', () => {
    const reward = createReward({ reward: '1/spread' });
    const path = Float64Array.of(1, 1);
    expect(errorOf(() => reward.score(windows[0], [path, path, path]))).toBeInstanceOf(EnvironmentError);
  });
});
