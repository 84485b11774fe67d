import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import {
  ConfigError,
  ShapeError,
  Tokeniser,
  fitLine,
  type Scaling,
  type TokeniserOptions,
} from '@rollcast/core';

const scalings = ['min-max', 'standard', 'line-residual', 'line-noise'] as const;
const bins = ['uniform', 'asinh'] as const;
const kinds = scalings.flatMap((scaling) => bins.map((b) => ({ scaling, bins: b })));
/** The z axis as it is. */
const plain: Scaling = { intercept: 0, slope: 0, scale: 1, trend: 0 };
const context = fc.array(fc.double({ min: -100, max: 100, noNaN: true }), { minLength: 2, maxLength: 40 });

function tokeniser(options: TokeniserOptions): Tokeniser {
  return new Tokeniser({ vocabularySize: 64, limit: 5, ...options });
}

describe.each(bins)('%s bins', (kind) => {
  test('edges rise strictly from −limit to the limit, and each centre lies in the middle of its bin', () => {
    const { edges, centres } = tokeniser({ bins: kind });
    expect([edges[0], edges[64]]).toBeAllClose([-5, 5], { atol: 1e-12 });
    for (let k = 0; k < 64; k++) {
      expect(edges[k + 1]).toBeGreaterThan(edges[k]);
      expect(centres[k]).toBe((edges[k] + edges[k + 1]) / 2);
    }
  });

  test('an edge belongs to the bin above it; what lies outside goes to the first and last bins', () => {
    const t = tokeniser({ bins: kind });
    const inner = Array.from(t.edges.subarray(0, 64));
    expect(Array.from(t.encode(inner, plain, 0))).toEqual(inner.map((_, k) => k));
    expect(Array.from(t.encode([-1e9, -5.1, 5.1, 1e9], plain, 0))).toEqual([0, 0, 63, 63]);
    expect(Array.from(t.encode(t.centres, plain, 0))).toEqual(inner.map((_, k) => k));
  });

  test('decoding comes back within half a bin', () => {
    const t = tokeniser({ bins: kind });
    fc.assert(
      fc.property(fc.double({ min: -5, max: 5, noNaN: true }), (z) => {
        const [k] = t.encode([z], plain, 0);
        const half = (t.edges[k + 1] - t.edges[k]) / 2;
        expect(Math.abs(t.decode([k], plain, 0)[0] - z)).toBeLessThanOrEqual(half * (1 + 1e-9));
      }),
    );
  });

  test('the mean error over values spread evenly within the limit is zero', () => {
    const t = tokeniser({ bins: kind });
    // evenly within each bin, so that every bin weighs as it should
    const values = Array.from({ length: 64 * 50 }, (_, i) => {
      const k = Math.floor(i / 50);
      return t.edges[k] + ((t.edges[k + 1] - t.edges[k]) * ((i % 50) + 0.5)) / 50;
    });
    const back = t.decode(t.encode(values, plain, 0), plain, 0);
    expect(values.reduce((sum, v, i) => sum + back[i] - v, 0) / values.length).toBeAllClose(0, {
      atol: 1e-12,
    });
  });
});

test('uniform bins by hand: four bins of width 1 from −2 to 2', () => {
  const t = new Tokeniser({ vocabularySize: 4, bins: 'uniform', limit: 2 });
  expect(t.edges).toBeAllClose([-2, -1, 0, 1, 2], { atol: 1e-12 });
  expect(t.centres).toBeAllClose([-1.5, -0.5, 0.5, 1.5], { atol: 1e-12 });
  expect(Array.from(t.encode([-1.2, -0.1, 0, 0.99, 1], plain, 0))).toEqual([0, 1, 2, 2, 3]);
});

test('asinh bins are equally wide in asinh(z / knee): fine near 0, coarse far out', () => {
  const { edges } = new Tokeniser({ vocabularySize: 4, bins: 'asinh', limit: 20, knee: 2 });
  // sinh(x/2) = √((cosh x − 1)/2), sinh x = 10: 2 · √((√101 − 1)/2) = 4.254380
  expect(edges).toBeAllClose([-20, -4.25438, 0, 4.25438, 20], { atol: 1e-5 });
});

describe('scalings by hand, context 1, 2, 6', () => {
  const fit = (scaling: (typeof scalings)[number]): Scaling => tokeniser({ scaling }).fit([1, 2, 6]);
  const deviation = Math.sqrt(14 / 3); // mean 3: (4 + 1 + 9)/3

  test('min-max: distance from the middle over the range', () => {
    expect(fit('min-max')).toEqual({ intercept: 3.5, slope: 0, scale: 5, trend: 0 });
  });

  test('standard: distance from the mean over the standard deviation', () => {
    const { intercept, slope, scale } = fit('standard');
    expect([intercept, slope, scale]).toBeAllClose([3, 0, deviation], { atol: 1e-12 });
  });

  test('line-residual: distance from the fitted line, which goes on into the future', () => {
    const scaling = fit('line-residual');
    const { intercept, slope, scale } = scaling;
    // slope (−1·−2 + 1·3)/2 = 2.5 through (1, 3)
    expect([intercept, slope, scale]).toBeAllClose([0.5, 2.5, deviation], { atol: 1e-12 });
    const t = tokeniser({ scaling: 'line-residual', bins: 'uniform' });
    // on the line at step 5, 0.5 + 2.5 · 5 = 13, plus a tenth so as to be off the edge at 0
    const [k] = t.encode([13.1], scaling, 5);
    expect(t.decode([k], scaling, 5)[0]).toBeAllClose(13, { atol: (5 / 32) * scale });
    expect(k).toBe(32);
  });

  test('line-noise: distance from the fitted line over the median distance from it, as of a normal distribution', () => {
    const { intercept, slope, scale } = fit('line-noise');
    // distances from 0.5 + 2.5 · step: 0.5, −1, 0.5
    expect([intercept, slope, scale]).toBeAllClose([0.5, 2.5, 1.4826 * 0.5], { atol: 1e-12 });
  });

  test('line-noise: an outlier does not pass for noise', () => {
    const wave = (spike: number) =>
      Array.from({ length: 40 }, (_, i) => 0.1 * i + Math.sin(2.4 * i) + (i === 20 ? spike : 0));
    const { scale } = tokeniser({ scaling: 'line-noise' }).fit(wave(0));
    expect(tokeniser({ scaling: 'line-noise' }).fit(wave(20)).scale / scale).toBeLessThan(1.4);
    // but for 0.03 of the deviation, which a wild one makes
    const wild = tokeniser({ scaling: 'line-noise' }).fit(wave(1e4)).scale;
    expect(wild).toBeGreaterThan(0.9 * 0.03 * (1e4 / Math.sqrt(40)));
  });

  test('line-noise: a context on a line has 0.003 of its deviation as scale, a flat one 1e-5 of its magnitude', () => {
    expect(tokeniser({ scaling: 'line-noise' }).fit([1, 2, 3]).scale).toBeCloseTo(
      0.003 * Math.sqrt(2 / 3),
      12,
    );
    expect(tokeniser({ scaling: 'line-noise' }).fit([7, 7, 7]).scale).toBeCloseTo(7e-5, 15);
  });
});

describe('the trend token', () => {
  const t = tokeniser({ scaling: 'line-noise', trendToken: true, bins: 'uniform', limit: 32 });

  test('stands in place of the first value of a context, and only there', () => {
    const values = [1, 2, 6];
    const fitted = t.fit(values);
    const trend = (3 * 2.5) / (1.4826 * 0.5); // 10.12: bins are 1 wide from −32
    expect(fitted.trend).toBeCloseTo(trend, 12);
    const without = tokeniser({ scaling: 'line-noise', bins: 'uniform', limit: 32 }).encode(
      values,
      fitted,
      0,
    );
    expect(Array.from(t.encode(values, fitted, 0))).toEqual([42, without[1], without[2]]);
    expect(t.encode([6], fitted, 3)[0]).toBe(t.encode([0, 0, 0, 6], fitted, 0)[3]);
  });

  test('loses nothing: the distances of the other values from the line sum to minus that of the first', () => {
    fc.assert(
      fc.property(context, (values) => {
        const { intercept, slope, scale } = t.fit(values);
        const distances = values.map((y, i) => (y - intercept - slope * i) / scale);
        expect(Math.abs(distances.reduce((sum, z) => sum + z, 0))).toBeLessThan(1e-6);
      }),
    );
  });
});

test('a line is found exactly, and a single value has no slope', () => {
  const { intercept, slope } = fitLine([3, 5, 7, 9]);
  expect([intercept, slope]).toBeAllClose([3, 2], { atol: 1e-12 });
  expect(fitLine([4])).toEqual({ intercept: 4, slope: 0 });
});

describe.each(kinds)('$scaling with $bins bins', (options) => {
  test('is affine-equivariant: a·y + b, a > 0, has the tokens of y', () => {
    const t = tokeniser(options);
    // spreads well above a millionth of the level, below which a context counts as flat
    const scaled = fc.tuple(
      context.filter((y) => Math.max(...y) - Math.min(...y) > 1),
      fc.double({ min: 0.1, max: 1e3, noNaN: true }),
      fc.double({ min: -1e3, max: 1e3, noNaN: true }),
    );
    fc.assert(
      fc.property(scaled, ([y, a, b]) => {
        const fitted = t.fit(y);
        const tokens = t.encode(y, fitted, 0);
        const moved = y.map((v) => a * v + b);
        const movedTokens = t.encode(moved, t.fit(moved), 0);
        y.forEach((v, i) => {
          const z = (v - fitted.intercept - fitted.slope * i) / fitted.scale;
          // a value on an edge may fall either way by rounding
          const onEdge = t.edges.some((edge) => Math.abs(edge - z) < 1e-6);
          if (!onEdge) expect(movedTokens[i]).toBe(tokens[i]);
        });
      }),
    );
  });

  test('contexts come back within half a bin', () => {
    const t = tokeniser(options);
    fc.assert(
      fc.property(context, (y) => {
        const fitted = t.fit(y);
        if (t.saturated(y, fitted, 0) > 0) return;
        const tokens = t.encode(y, fitted, 0);
        t.decode(tokens, fitted, 0).forEach((back, i) => {
          const half = ((t.edges[tokens[i] + 1] - t.edges[tokens[i]]) / 2) * fitted.scale;
          expect(Math.abs(back - y[i])).toBeLessThanOrEqual(half * (1 + 1e-6) + 1e-9);
        });
      }),
    );
  });

  test('a ramp of 60 steps keeps its end value within half a bin', () => {
    const t = new Tokeniser({ ...options, vocabularySize: 256 });
    const ramp = Array.from({ length: 100 }, (_, i) => 5 + 0.3 * i);
    const fitted = t.fit(ramp.slice(0, 40));
    const future = ramp.slice(40);
    const tokens = t.encode(future, fitted, 40);
    expect(t.saturated(future, fitted, 40)).toBe(0);
    const last = tokens[59];
    const half = ((t.edges[last + 1] - t.edges[last]) / 2) * fitted.scale;
    expect(t.decode(tokens, fitted, 40)[59]).toBeAllClose(future[59], { atol: half * (1 + 1e-9) });
  });

  test.each([0, 1, -7.5, 1e12])('a flat context at %p gives tokens, and comes back as it was', (level) => {
    const t = tokeniser(options);
    const flat = new Array<number>(40).fill(level);
    const fitted = t.fit(flat);
    expect(fitted.scale).toBeGreaterThan(0);
    const back = t.decode(t.encode(flat, fitted, 0), fitted, 0);
    expect(back).toBeAllClose(flat, { atol: 1e-12, rtol: 1e-6 });
  });
});

test('values beyond the limit are counted, those on it are not', () => {
  const t = tokeniser({ bins: 'uniform' });
  expect(t.saturated([-5.01, -5, 0, 5, 5.01, 1e9], plain, 0)).toBe(3);
  // the line is followed: 0.5 a step is no saturation, standing still is
  const rising: Scaling = { intercept: 0, slope: 0.5, scale: 1, trend: 20 };
  expect(t.saturated([20, 20.5, 21], rising, 40)).toBe(0);
  expect(t.saturated([20, 20.5, 21], plain, 40)).toBe(3);
});

test('wrong options are refused with what would be right', () => {
  expect(() => new Tokeniser({ vocabularysize: 3 } as TokeniserOptions)).toThrow(
    'tokeniser.vocabularysize: unknown option. Did you mean "vocabularySize"? Known: vocabularySize, scaling, trendToken, bins, limit, knee.',
  );
  expect(() => new Tokeniser({ vocabularySize: 1 })).toThrow(ConfigError);
  expect(() => new Tokeniser({ scaling: 'max' as 'min-max' })).toThrow(/tokeniser\.scaling: .*got "max"/);
  expect(() => new Tokeniser().fit([])).toThrow(ShapeError);
});
