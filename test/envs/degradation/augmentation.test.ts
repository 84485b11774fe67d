import { describe, expect, test } from '@jest/globals';

import { RandomStream } from '@rollcast/core';
import { AugmentedWindows, RLDataset, type AugmentOptions, type DegradationWindow } from '@rollcast/envs';

import { errorOf, ramp, seriesSet } from './support.js';

const shape = { contextLength: 4, horizon: 3 };
/** A parabola's points say where they are from: value v lies at index √v. */
const parabola = new RLDataset(seriesSet({ a: ramp(61, (i) => i * i) }), shape);
const line = new RLDataset(seriesSet({ a: ramp(61, (i) => 5 + 2 * i) }), shape);

function draws(dataset: RLDataset, options: AugmentOptions, count = 400): DegradationWindow[] {
  const windows = new AugmentedWindows(dataset, options);
  const random = new RandomStream(3, 'test');
  return ramp(count, () => windows.draw(random));
}

const points = ({ context, future }: DegradationWindow): number[] => [...context, ...future];
const slopes = (window: DegradationWindow): number[] =>
  points(window)
    .slice(1)
    .map((x, i) => x - points(window)[i]);

describe('stretch', () => {
  test('a line keeps its shape: its slope is multiplied by a factor within the range', () => {
    const factors = draws(line, { stretch: [0.5, 4], plain: 0 }).map((window) => {
      const [first, ...rest] = slopes(window);
      expect(rest).toBeAllClose(
        rest.map(() => first),
        { atol: 1e-9 },
      );
      return first / 2;
    });
    expect(Math.min(...factors)).toBeGreaterThanOrEqual(0.5);
    expect(Math.max(...factors)).toBeLessThanOrEqual(4 + 1e-9);
    // log-uniform: the median is √(0.5 · 4) = 1.41, and ± 4 standard errors of a rank of 400 are 40 % to 60 %
    const sorted = factors.sort((a, b) => a - b);
    expect(sorted[160]).toBeLessThan(Math.SQRT2);
    expect(sorted[240]).toBeGreaterThan(Math.SQRT2);
  });

  test('windows lie within their unit, and never take a point that is not there', () => {
    for (const window of draws(parabola, { stretch: [0.5, 100], plain: 0 })) {
      expect(Math.min(...points(window))).toBeGreaterThanOrEqual(0);
      expect(Math.max(...points(window))).toBeLessThanOrEqual(3600);
      expect(Math.floor(Math.sqrt(window.context[0]))).toBe(window.start);
    }
  });

  // 7 points of a unit of 9 span at most 8/6 of their pace.
  test('a unit that is too short for a factor gets what it is long enough for, or its own pace', () => {
    const short = new RLDataset(seriesSet({ a: ramp(9, (i) => 3 * i) }), shape);
    const factors = draws(short, { stretch: [1, 4], plain: 0 }).map((window) => slopes(window)[0] / 3);
    expect(Math.max(...factors)).toBeLessThanOrEqual(8 / 6 + 1e-9);
    expect(Math.max(...factors)).toBeGreaterThan(1.3);
    for (const window of draws(short, { stretch: [2, 4], plain: 0 }, 20))
      expect(slopes(window)).toEqual([3, 3, 3, 3, 3, 3]);
  });

  test('`plain` is the share that keeps its pace', () => {
    const plain = draws(line, { stretch: [2, 4], plain: 0.25 }).filter((window) => slopes(window)[0] === 2);
    expect(plain.length / 400).toBeAllClose(0.25, { atol: 4 * Math.sqrt((0.25 * 0.75) / 400) });
  });
});

describe('halfTurn', () => {
  test('reads the window from its end and upside down: its ends stay, and what sped up slows down', () => {
    const expected = (start: number): number[] => {
      const square = (i: number): number => (start + i) ** 2;
      return ramp(7, (i) => square(0) + square(6) - square(6 - i));
    };
    for (const window of draws(parabola, { halfTurn: 1 }, 50)) {
      expect(points(window)).toEqual(expected(window.start));
      expect(window.context).toHaveLength(4);
      const steps = slopes(window);
      expect(steps).toEqual([...steps].sort((a, b) => b - a));
    }
  });

  test('a line stays as it is', () => {
    for (const window of draws(line, { halfTurn: 1 }, 50))
      expect(points(window)).toEqual(ramp(7, (i) => 5 + 2 * (window.start + i)));
  });

  test('happens to the share that is asked for', () => {
    const turned = draws(parabola, { halfTurn: 0.3 }).filter(
      (window) => slopes(window)[0] > slopes(window)[1],
    );
    expect(turned.length / 400).toBeAllClose(0.3, { atol: 4 * Math.sqrt((0.3 * 0.7) / 400) });
  });
});

describe('mix', () => {
  // Both windows of the line have one context deviation and slope, so that any mixture in units of it has that slope again,
  // and the mean of its context is that of the window which it started from.
  test('is a convex combination in units of the context, brought to the window that it started from', () => {
    for (const window of draws(line, { mix: 1 }, 50)) {
      expect(slopes(window)).toBeAllClose([2, 2, 2, 2, 2, 2], { atol: 1e-9 });
      const mean = window.context.reduce((sum, x) => sum + x, 0) / 4;
      expect(mean).toBeAllClose(5 + 2 * (window.start + 1.5), { atol: 1e-9 });
    }
  });

  test('lies between the two windows, both of one set', () => {
    const both = new RLDataset(
      seriesSet({ up: [0, 1, 2, 3, 4, 5, 6], bent: [0, 1, 2, 3, 9, 16, 24] }),
      shape,
    );
    const last = draws(both, { mix: 1 }).map((window) => window.future[2]);
    expect(Math.min(...last)).toBeGreaterThanOrEqual(6 - 1e-9);
    expect(Math.max(...last)).toBeLessThanOrEqual(24 + 1e-9);
    expect(last.filter((x) => x > 7 && x < 23).length).toBeGreaterThan(100);
  });

  test('a context without deviation is left alone', () => {
    const flat = new RLDataset(seriesSet({ a: [1, 1, 1, 1, 2, 3, 4] }), shape);
    for (const window of draws(flat, { mix: 1, noise: 1 }, 10))
      expect(points(window)).toEqual([1, 1, 1, 1, 2, 3, 4]);
  });
});

describe('noise', () => {
  // Context 5, 7, 9, 11 and its like: deviation √5 = 2.236; a tenth of it is 0.2236.
  test('is white, of the given share of the deviation of the context', () => {
    const residuals = draws(line, { noise: 1, noiseDeviation: [0.1, 0.1] }).flatMap((window) =>
      points(window).map((x, i) => x - (5 + 2 * (window.start + i))),
    );
    const variance = residuals.reduce((sum, x) => sum + x * x, 0) / residuals.length;
    expect(Math.sqrt(variance)).toBeAllClose(0.1 * Math.sqrt(5), { rtol: 0.06 }); // 4/√(2 · 2800) = 0.053
    const neighbours = residuals.slice(1).reduce((sum, x, i) => sum + x * residuals[i], 0);
    expect(Math.abs(neighbours / residuals.length / variance)).toBeLessThan(4 / Math.sqrt(residuals.length));
  });

  test('is added to the share that is asked for', () => {
    const noisy = draws(line, { noise: 0.3 }).filter((window) => slopes(window)[0] !== 2);
    expect(noisy.length / 400).toBeAllClose(0.3, { atol: 4 * Math.sqrt((0.3 * 0.7) / 400) });
  });
});

test('nothing is changed unless it is asked for', () => {
  for (const window of draws(parabola, {}, 50)) {
    expect(points(window)).toEqual(ramp(7, (i) => (window.start + i) ** 2));
    expect(window.set).toBe(parabola.set);
  }
  expect(new AugmentedWindows(parabola, {}).options).toEqual({
    plain: 0.5,
    halfTurn: 0,
    mix: 0,
    noise: 0,
    noiseDeviation: [0.01, 0.3],
  });
});

test('the windows of the dataset are not written to', () => {
  const before = parabola.units[0].values.slice();
  draws(parabola, { stretch: [0.5, 4], mix: 1, noise: 1 });
  expect(parabola.units[0].values).toEqual(before);
});

test.each([
  [{ stretch: [4, 1] }, /augment.stretch: expected \[low, high\] with low ≤ high; got \[4,1\]/],
  [{ stretch: [0, 1] }, /augment.stretch.0/],
  [{ noise: 1.5 }, /augment.noise/],
  [{ halfTurn: -0.1 }, /augment.halfTurn/],
  [{ strech: [1, 2] }, /augment.strech: unknown option. Did you mean "stretch"/],
])('%j is refused', (options, message) => {
  expect(errorOf(() => new AugmentedWindows(line, options as AugmentOptions)).message).toMatch(message);
});
