import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { ShapeError } from '@rollcast/core';
import { baselines, type BaselineName } from '@rollcast/envs';

import { errorOf, ramp } from './support.js';

// Context 0, 1, 1, 4: mean 1.5; x = −1.5 … 1.5, Σx² = 5, Σxy = −0.5 + 0.5 + 6 = 6: slope 1.2.
const context = [0, 1, 1, 4];

test('the last value is repeated', () => {
  expect(baselines['last-value'](context, 2)).toBeAllClose([4, 4]);
});

// 1.5 + 1.2 (1.5 + h) = 4.5, 5.7.
test('the least squares line is continued', () => {
  expect(baselines['line-40'](context, 2)).toBeAllClose([4.5, 5.7]);
});

test('the last value goes on with the slope of the line', () => {
  expect(baselines['last-value-plus-slope'](context, 2)).toBeAllClose([5.2, 6.4]);
});

// Through 1 and 4: slope 3.
test('line-20 is the line through the last half', () => {
  expect(baselines['line-20'](context, 2)).toBeAllClose([7, 10]);
});

// x² − 1.25 at x: 1, −1, −1, 1; Σ(bend y) = 0 − 1 − 1 + 4 = 2, norm 4: curvature 0.5.
// h = 1: x = 2.5: 1.5 + 3 + 0.5 (6.25 − 1.25) = 7. h = 2: x = 3.5: 1.5 + 4.2 + 0.5 · 11 = 11.2.
test('the least squares parabola is continued', () => {
  expect(baselines.parabola(context, 2)).toBeAllClose([7, 11.2]);
});

test('with 40 points line-20 sees the last 20 only', () => {
  const bent = ramp(40, (i) => (i < 20 ? 100 : 2 * i));
  expect(baselines['line-20'](bent, 3)).toBeAllClose([80, 82, 84]);
});

test('a parabola continues any parabola exactly, a line any line', () => {
  const coefficient = fc.double({ min: -5, max: 5, noNaN: true });
  fc.assert(
    fc.property(coefficient, coefficient, coefficient, (a, b, c) => {
      const at = (i: number) => a + b * i + c * i * i;
      expect(baselines.parabola(ramp(10, at), 5)).toBeAllClose(
        ramp(5, (h) => at(10 + h)),
        { atol: 1e-8 },
      );
      const line = (i: number) => a + b * i;
      for (const name of ['line-40', 'line-20', 'last-value-plus-slope'] as const)
        expect(baselines[name](ramp(10, line), 5)).toBeAllClose(
          ramp(5, (h) => line(10 + h)),
          { atol: 1e-9 },
        );
    }),
  );
});

test('too short a context is refused', () => {
  for (const name of Object.keys(baselines) as BaselineName[])
    expect(errorOf(() => baselines[name]([], 3))).toBeInstanceOf(ShapeError);
});
