import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { ConfigError, DataError } from '@rollcast/core';
import { detectDirection, orient, splitUnits } from '@rollcast/envs';

import { errorOf, ramp, seriesSet } from './support.js';

test('turning round twice gives the values back, bit for bit', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }).map((x) => x + 0)),
      fc.constantFrom<1 | -1>(1, -1),
      (values, sign) => {
        expect(Array.from(orient(orient(values, sign), sign))).toEqual(values.map((x) => x || 0));
      },
    ),
  );
});

test('turning round makes no negative zero', () => {
  expect(Object.is(orient([0], -1)[0], 0)).toBe(true);
});

test('a falling set holds negated values, and raw = sign × oriented', () => {
  const set = seriesSet({ a: [3, 2, 1] }, 'falls');
  expect(Array.from(set.units[0].values)).toEqual([-3, -2, -1]);
  expect(Array.from(orient(set.units[0].values, set.sign))).toEqual([3, 2, 1]);
});

test('the majority of units decides the direction by last tenth minus first tenth', () => {
  const falling = ramp(20, (i) => -i);
  // Ends above its start by one outlier only: the mean of the last two points is still lower.
  const outlier = ramp(20, (i) => (i === 19 ? 5 : -i));
  const rising = ramp(20, (i) => i);
  const { units } = seriesSet({ falling, outlier, rising });
  expect(detectDirection(units)).toEqual({ direction: 'falls', rising: 1, falling: 2 });
});

const ten = Object.fromEntries(ramp(10, (i) => i).map((i) => [`u${i}`, [i, i + 1]]));

test('a split leaves every unit on exactly one side', () => {
  const { train, heldOut } = splitUnits(seriesSet(ten), { holdoutShare: 0.3, seed: 1 });
  expect([train.units.length, heldOut.units.length]).toEqual([7, 3]);
  expect([...train.units, ...heldOut.units].map(({ unit }) => unit).sort()).toEqual(Object.keys(ten));
});

test('a split depends on the seed and on the names, not on the order of the units', () => {
  const names = (seed: number, units = ten) =>
    splitUnits(seriesSet(units), { holdoutShare: 0.3, seed }).heldOut.units.map(({ unit }) => unit);
  const reversed = Object.fromEntries(Object.entries(ten).reverse());
  expect(names(1, reversed)).toEqual(names(1));
  expect(new Set([1, 2, 3, 4].map((seed) => names(seed).join())).size).toBeGreaterThan(1);
});

test('at least one unit lands on each side, however small or large the share', () => {
  const set = seriesSet({ a: [1, 2], b: [1, 2] });
  for (const holdoutShare of [0.01, 0.99]) {
    const { train, heldOut } = splitUnits(set, { holdoutShare, seed: 0 });
    expect([train.units.length, heldOut.units.length]).toEqual([1, 1]);
  }
});

test('one unit cannot be split, and a share outside (0, 1) is refused', () => {
  expect(errorOf(() => splitUnits(seriesSet({ a: [1, 2] }), { holdoutShare: 0.5, seed: 0 }))).toBeInstanceOf(
    DataError,
  );
  expect(errorOf(() => splitUnits(seriesSet(ten), { holdoutShare: 1, seed: 0 }))).toBeInstanceOf(ConfigError);
});
