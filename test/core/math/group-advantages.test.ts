import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { RandomStream, ShapeError, groupNormalisedAdvantages, leaveOneOutAdvantages } from '@rollcast/core';

/** One number a row, on each of `steps` steps. */
const whole = (returns: number[], samplesPerContext: number, steps = 1) => ({
  returns: returns.flatMap((r) => new Array<number>(steps).fill(r)),
  batchSize: returns.length,
  steps,
  samplesPerContext,
});

describe('leave-one-out advantages', () => {
  test('by hand: returns 1, 2, 6 of one context against the mean of the other two', () => {
    // baselines (2+6)/2, (1+6)/2, (1+2)/2
    expect(leaveOneOutAdvantages(whole([1, 2, 6], 3))).toBeAllClose([1 - 4, 2 - 3.5, 6 - 1.5]);
  });

  test('groups do not see each other', () => {
    expect(leaveOneOutAdvantages(whole([1, 3, 100, 140], 2))).toBeAllClose([-2, 2, -40, 40]);
  });

  test('every step of rewards-to-go is compared by itself', () => {
    // rows (3, 2) and (7, 5)
    const grouped = { returns: [3, 2, 7, 5], batchSize: 2, steps: 2, samplesPerContext: 2 };
    expect(leaveOneOutAdvantages(grouped)).toBeAllClose([-4, -3, 4, 3]);
  });

  test('agree with the formula (ΣG − Gᵢ)/(k − 1) over any shape, and add up to 0 in each group', () => {
    const shapes = fc.record({
      groups: fc.integer({ min: 1, max: 4 }),
      k: fc.integer({ min: 2, max: 6 }),
      steps: fc.integer({ min: 1, max: 5 }),
      seed: fc.nat(1e6),
    });
    fc.assert(
      fc.property(shapes, ({ groups, k, steps, seed }) => {
        const returns = Array.from(new RandomStream(seed, 'returns').normals(groups * k * steps));
        const found = leaveOneOutAdvantages({
          returns,
          batchSize: groups * k,
          steps,
          samplesPerContext: k,
        });
        for (let g = 0; g < groups; g++)
          for (let t = 0; t < steps; t++) {
            const places = Array.from({ length: k }, (_, j) => (g * k + j) * steps + t);
            const total = places.reduce((sum, i) => sum + returns[i], 0);
            for (const i of places)
              expect(found[i]).toBeAllClose(returns[i] - (total - returns[i]) / (k - 1), { atol: 1e-5 });
            expect(places.reduce((sum, i) => sum + found[i], 0)).toBeAllClose(0, { atol: 1e-5 });
          }
      }),
      { numRuns: 50 },
    );
  });
});

describe('group-normalised advantages', () => {
  test('by hand: returns 1, 2, 6 have mean 3 and deviation √7', () => {
    const spread = Math.sqrt((4 + 1 + 9) / 2) + 1e-4;
    expect(groupNormalisedAdvantages(whole([1, 2, 6], 3, 2))).toBeAllClose(
      [-2, -2, -1, -1, 3, 3].map((x) => x / spread),
      { atol: 1e-6 },
    );
  });

  test('rewards-to-go are centred by step and divided by the spread of the whole returns', () => {
    // rows (3, 2) and (7, 4): means 5 and 3; deviation of 3 and 7 is √8
    const grouped = { returns: [3, 2, 7, 4], batchSize: 2, steps: 2, samplesPerContext: 2 };
    const spread = Math.sqrt(8) + 1e-4;
    expect(groupNormalisedAdvantages(grouped)).toBeAllClose(
      [-2, -1, 2, 1].map((x) => x / spread),
      { atol: 1e-6 },
    );
  });

  test('a group that agrees has nothing to learn, and stays finite', () => {
    expect(groupNormalisedAdvantages(whole([5, 5, 5, 5], 2))).toBeAllClose([0, 0, 0, 0]);
  });

  test('ε is added to the deviation, not to the variance: returns 0 and 2e-4', () => {
    // deviation √2·1e-4
    const expected = 1e-4 / (Math.SQRT2 * 1e-4 + 1e-4);
    expect(groupNormalisedAdvantages(whole([0, 2e-4], 2))).toBeAllClose([-expected, expected], {
      atol: 1e-4,
    });
  });
});

test.each([
  ['a group of one', whole([1, 2], 1)],
  ['a batch that is no multiple', whole([1, 2, 3], 2)],
  ['returns of another size', { ...whole([1, 2], 2), steps: 3 }],
])('%s is refused', (_what, grouped) => {
  expect(() => leaveOneOutAdvantages(grouped)).toThrow(ShapeError);
  expect(() => groupNormalisedAdvantages(grouped)).toThrow(ShapeError);
});
