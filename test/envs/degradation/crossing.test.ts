import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { ShapeError } from '@rollcast/core';
import { crossingSummary, firstPassage } from '@rollcast/envs';

import { errorOf, ramp } from './support.js';

// From 1 over 2 to 4: 3 is reached halfway between steps 1 and 2.
test('a path crosses on the straight line to the first step at or above the threshold', () => {
  expect(firstPassage([2, 4, 5], 1, 3)).toBe(1.5);
  expect(firstPassage([2, 4, 5], 1, 4)).toBe(2);
  expect(firstPassage([2, 4, 5], 1, 1.25)).toBe(0.25);
});

test('the first crossing counts, also of a path that comes back', () => {
  expect(firstPassage([0, 3, 0, 9], 0, 1.5)).toBe(1.5);
});

test('a path that ends before is censored, and one that is there already takes no time', () => {
  expect(firstPassage([1, 2, 2.9], 0, 3)).toBe(Infinity);
  expect(firstPassage([1, 2], 3, 3)).toBe(0);
});

// Nine paths: rank 0.1 · 10 = 1, 0.5 · 10 = 5, 0.9 · 10 = 9.
test('quantiles are order statistics at rank p (M + 1)', () => {
  const summary = crossingSummary([9, 1, 8, 2, 7, 3, 6, 4, 5], 10);
  expect([summary.low, summary.median, summary.high]).toBeAllClose([1, 5, 9]);
  expect(summary.censoredShare).toBe(0);
});

// The same nine, the last three censored: ranks 1 and 5 are known, rank 9 is not.
test('censored paths come after all others: a quantile among them is unknown', () => {
  const summary = crossingSummary([Infinity, 1, Infinity, 2, Infinity, 3, 6, 4, 5], 6);
  expect([summary.low, summary.median]).toBeAllClose([1, 5]);
  expect(summary.high).toBeNull();
  expect(summary.censoredShare).toBeAllClose(1 / 3);
});

// Four paths, rank 0.5 · 5 = 2.5 lies between 3 and a censored one.
test('a quantile between a crossing and a censored path is unknown', () => {
  expect(crossingSummary([1, 3, Infinity, Infinity], 5).median).toBeNull();
  expect(crossingSummary([1, 3, 4, Infinity], 5).median).toBeAllClose(3.5);
});

test('no crossing at all is all censored', () => {
  expect(crossingSummary([Infinity, Infinity], 3)).toEqual({
    median: null,
    low: null,
    high: null,
    censoredShare: 1,
    crossedBy: Float64Array.of(0, 0, 0),
  });
});

// Of four: one by step 1 (also exactly at it), one between 1 and 2, none by 3 that was not by 2, one never.
test('the share that has crossed by a step counts crossings up to it', () => {
  const { crossedBy } = crossingSummary([1, 0.2, 1.5, Infinity], 3);
  expect(crossedBy).toBeAllClose([0.5, 0.75, 0.75]);
});

test('one path is its own distribution', () => {
  const { low, median, high } = crossingSummary([2.5], 4);
  expect([low, median, high]).toEqual([2.5, 2.5, 2.5]);
});

test('the distribution function of real paths is the share of running maxima at or above the threshold', () => {
  const paths = fc.array(
    fc.array(fc.double({ min: -3, max: 3, noNaN: true }), { minLength: 5, maxLength: 5 }),
    {
      minLength: 1,
      maxLength: 8,
    },
  );
  fc.assert(
    fc.property(paths, fc.double({ min: 0.1, max: 3, noNaN: true }), (sample, threshold) => {
      const passages = sample.map((path) => firstPassage(path, 0, threshold));
      const shares = ramp(5, (t) => {
        const crossed = sample.filter((path) => Math.max(...path.slice(0, t + 1)) >= threshold);
        return crossed.length / sample.length;
      });
      const { crossedBy, censoredShare } = crossingSummary(passages, 5);
      expect(crossedBy).toBeAllClose(shares, { atol: 1e-12 });
      expect(censoredShare).toBeAllClose(1 - shares[4], { atol: 1e-12 });
    }),
  );
});

test('no paths are refused', () => {
  expect(errorOf(() => crossingSummary([], 3))).toBeInstanceOf(ShapeError);
});
