import { describe, expect, test } from '@jest/globals';

import { bestLineError, createReward, crossingError, forecastQuantities, lineScale } from '@rollcast/envs';

import { windowOf } from './support.js';

describe('the error of the whole path', () => {
  // errors 3 and 4, s = 5: √(25/2)/5
  test('is its Euclidean distance over √L', () => {
    expect(forecastQuantities([3, 4], [0, 0], 0, 5).pathError).toBeAllClose(1 / Math.sqrt(2));
  });
});

describe('crossing error', () => {
  // Truth 1, 2, 3, 4 from 0: levels 1, 2, 3 (at ¼, ½, ¾) passed at 1, 2, 3. The path jumps to 2 and stays:
  // it passes them at ½, 1 and never, which counts as 4.
  test('is the mean difference of passages as a share of the horizon', () => {
    expect(crossingError([2, 2, 2, 2], [1, 2, 3, 4], 0)).toBeAllClose((0.5 + 1 + 1) / 3 / 4);
  });

  test('early and late cost alike', () => {
    const truth = [1, 2, 3, 4];
    const early = crossingError([9, 9, 9, 9], truth, 0); // at once: 1, 2, 3 steps early but for a ninth
    const late = crossingError([0, 0, 0, 0], truth, 0); // never: 3, 2, 1 steps late
    expect(early).toBeAllClose((6 - (1 + 2 + 3) / 9) / 3 / 4);
    expect(late).toBeAllClose(6 / 3 / 4);
  });

  test('of the truth itself is 0, and where no level lies ahead', () => {
    expect(crossingError([1, 3, 2, 4], [1, 3, 2, 4], 0)).toBe(0);
    expect(crossingError([9, 9, 9, 9], [0, 0, 0, 0], 0)).toBe(0);
  });

  // Level 2.5: truth at 2.5, path (straight to 5 in one step) at ½.
  test('with a threshold is about that level alone', () => {
    expect(crossingError([5, 5, 5, 5], [1, 2, 3, 4], 0, 2.5)).toBeAllClose((2.5 - 0.5) / 4);
    expect(crossingError([5, 5, 5, 5], [1, 2, 3, 4], 0, 0)).toBe(0); // passed before
    expect(crossingError([1, 1, 1, 1], [1, 2, 3, 4], 0, 9)).toBe(0); // neither gets there
  });

  // Capacity 9, 8, 7 then 6, 5: it falls through 5.5 at 1.5; the path 5, 5 does at 0.75.
  test('takes the threshold in the units of the data, where wear may be a fall', () => {
    const window = windowOf([-9, -8, -7], [-6, -5], { direction: 'falls' });
    const reward = createReward({ reward: '-crossingError', threshold: 5.5, credit: 'sequence' });
    expect(reward.score(window, [Float64Array.of(-5, -5)])[0].reward).toBeAllClose(-0.75 / 2);
  });
});

describe('the scale by lines', () => {
  // Context 0, 1, 2, 3, truth 4, 6: the lines say 4, 5, the last value 3, 3. Errors 0 and 1.
  test('is the error of the best line through the context', () => {
    expect(bestLineError([0, 1, 2, 3], [4, 6])).toBeAllClose(0.5);
    expect(lineScale([0, 1, 2, 3], [4, 6])).toBeAllClose(0.5);
  });

  test('of a future that is a line is a hundredth of the range of the context', () => {
    expect(lineScale([0, 1, 2, 3], [4, 5])).toBeAllClose(0.03);
  });

  // the same forecast error of 1: a third of the range of the context, twice what the line errs
  test('makes errors multiples of it', () => {
    const window = windowOf([0, 1, 2, 3], [4, 6]);
    const mae = (rewardScale: 'window' | 'line' | 'raw') =>
      createReward({ reward: '-mae', rewardScale, credit: 'sequence' }).score(window, [
        Float64Array.of(5, 7),
      ])[0].reward;
    expect([mae('window'), mae('line'), mae('raw')]).toBeAllClose([-1 / 3, -2, -1]);
  });
});
