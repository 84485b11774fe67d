import { describe, expect, test } from '@jest/globals';

import { RandomStream } from '@rollcast/core';
import { DegradationEnvironment, RLDataset, difficulty, drawByDifficulty } from '@rollcast/envs';

import { errorOf, ramp, seriesSet, stepTokeniser, windowOf } from './support.js';

// Context 0 … 3 deviates by √1.25. The line is right, or errs by 0 and 1.
const easy = windowOf([0, 1, 2, 3], [4, 5]);
const hard = windowOf([0, 1, 2, 3], [4, 6]);

describe('the difficulty of a window', () => {
  test('is the error of the best line in units of the deviation of the context', () => {
    expect(difficulty(easy)).toBeAllClose(0);
    expect(difficulty(hard)).toBeAllClose(0.5 / Math.sqrt(1.25));
  });

  test('does not depend on the unit of measurement', () => {
    const scaled = windowOf([0, 1000, 2000, 3000], [4000, 6000]);
    expect(difficulty(scaled)).toBeAllClose(difficulty(hard));
  });

  test('of a flat context is finite', () => {
    expect(Number.isFinite(difficulty(windowOf([5, 5, 5], [5, 6])))).toBe(true);
    expect(difficulty(windowOf([5, 5, 5], [5, 5]))).toBe(0);
  });
});

describe('drawing by difficulty', () => {
  const twice = windowOf([0, 1, 2, 3], [4, 7]); // errors 0 and 2
  const share = (power: number) => {
    const random = new RandomStream(3, 'test');
    const draws = ramp(4000, () =>
      drawByDifficulty(() => (random.uniform() < 0.5 ? hard : twice), power, random),
    );
    return draws.filter((drawn) => drawn === twice).length / draws.length;
  };

  // of many candidates 2/3 would be the one that is twice as hard; of eight, with the halves of a binomial, 0.655
  test('is in proportion to it', () => {
    expect(share(1)).toBeAllClose(0.655, { atol: 0.025 });
  });

  test('is tempered by the power', () => {
    expect(share(0.5)).toBeAllClose(Math.SQRT2 / (1 + Math.SQRT2), { atol: 0.03 });
  });

  test('of windows that are all lines is as usual', () => {
    const random = new RandomStream(3, 'test');
    const lines = [easy, windowOf([1, 2, 3], [4, 5])];
    const draws = ramp(400, () => drawByDifficulty(() => lines[random.integer(2)], 1, random));
    expect(draws.filter((drawn) => drawn === lines[0]).length / 400).toBeAllClose(0.5, { atol: 0.08 });
  });
});

describe('in the environment', () => {
  const bent = ramp(30, (i) => (i < 20 ? i : 20 + 3 * (i - 20)));
  const dataset = new RLDataset(seriesSet({ line: ramp(30, (i) => i), bent }), {
    contextLength: 4,
    horizon: 6,
  });
  const make = (options: object) => new DegradationEnvironment(dataset, stepTokeniser(), options);

  test('windows by difficulty are those where lines fail', () => {
    const mean = (options: object) => {
      const { windows } = make(options).sample(300, new RandomStream(1, 'test'));
      return windows.reduce((sum, one) => sum + difficulty(one), 0) / windows.length;
    };
    expect(mean({ windows: 'difficulty' })).toBeGreaterThan(2 * mean({}));
  });

  test('the same stream draws the same ones', () => {
    const draw = () => make({ windows: 'difficulty' }).sample(5, new RandomStream(1, 'test')).contextTokens;
    expect(draw()).toEqual(draw());
  });
});

describe('a shorter horizon', () => {
  const dataset = new RLDataset(seriesSet({ a: [0, 1, 2, 3, 4, 5, 6] }), { contextLength: 3, horizon: 4 });
  const whole = new DegradationEnvironment(dataset, stepTokeniser(), { reward: '-mae', rewardScale: 'raw' });

  // truth 3, 4 | 5, 6; generated 3, 3: errors 0 and 1, each over L = 2
  test('cuts the futures, and the reward knows nothing of the rest', () => {
    const short = whole.withHorizon(2);
    const batch = short.batch([dataset.window(0)]);
    expect([short.horizon, batch.targets.length, batch.windows[0].future.length]).toEqual([2, 2, 2]);
    expect(short.reward(batch, Int32Array.of(13, 13)).reward).toBeAllClose([0, -0.5]);
    expect(Array.from(short.repeat(batch, 2).targets)).toEqual([13, 14, 13, 14]);
  });

  test('is not longer than the windows', () => {
    expect(errorOf(() => whole.withHorizon(5)).message).toBe(
      'a horizon must be an integer from 1 to that of the windows (4); got 5.',
    );
  });
});

test('a batch knows what followed, as tokens', () => {
  const dataset = new RLDataset(seriesSet({ a: [0, 1, 2, 3, 5] }), { contextLength: 3, horizon: 2 });
  const batch = new DegradationEnvironment(dataset, stepTokeniser()).batch([dataset.window(0)]);
  expect(Array.from(batch.targets)).toEqual([13, 15]);
});
