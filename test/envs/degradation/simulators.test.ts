import { describe, expect, test } from '@jest/globals';

import { ConfigError, RegistryError } from '@rollcast/core';
import { orient, physicalLaws, simulate, simulators, type SimulatorName } from '@rollcast/envs';

import { errorOf } from './support.js';

const names = physicalLaws;

/** The one unit of a law without variation and noise, in raw units. */
function nominal(name: SimulatorName, length = 101) {
  const set = simulate(name, { units: 1, length, variation: 0, noise: 0 });
  const [{ times, values }] = set.units;
  return { times, values: orient(values, set.sign) };
}

describe.each(names)('%s', (name) => {
  test('gives finite histories in which wear rises', () => {
    const set = simulate(name, { units: 8, length: 150, seed: 3 });
    expect(set.units).toHaveLength(8);
    for (const { values } of set.units) {
      expect(values.every(Number.isFinite)).toBe(true);
      expect(values[values.length - 1]).toBeGreaterThan(values[0]);
    }
  });

  test('unit k is the same however many units there are, and another one under another seed', () => {
    const few = simulate(name, { units: 2, length: 50, seed: 5 });
    const many = simulate(name, { units: 5, length: 50, seed: 5 });
    expect(many.units.slice(0, 2)).toEqual(few.units);
    const other = simulate(name, { units: 2, length: 50, seed: 6 });
    expect(other.units[0].values).not.toEqual(few.units[0].values);
    expect(few.units[1].values).not.toEqual(few.units[0].values);
  });

  test('the wear it declares is about the wear it makes', () => {
    const { values } = nominal(name);
    const change = Math.abs(values[values.length - 1] - values[0]);
    expect(change / simulators[name].wear).toBeGreaterThan(0.7);
    expect(change / simulators[name].wear).toBeLessThan(1.4);
  });
});

// da/dN = C ΔKᵐ: the ratio of growth rates at two lengths is (a₂/a₁)^{m/2}, m = 2.9.
test('Paris: the growth rate goes with the crack length to the power m/2', () => {
  const { values } = nominal('paris-law', 20_001);
  const rate = (i: number) => (values[i + 1] - values[i - 1]) / 2;
  const ratio = rate(15_000) / rate(1000);
  expect(ratio).toBeAllClose((values[15_000] / values[1000]) ** 1.45, { rtol: 1e-5, atol: 0 });
});

test('Paris: a unit ends when the crack reaches 50 mm', () => {
  const set = simulate('paris-law', { units: 60, length: 100, variation: 0.3, noise: 0 });
  const lengths = set.units.map(({ values }) => values.length);
  expect(Math.min(...lengths)).toBeLessThan(100);
  for (const { values } of set.units) expect(Math.max(...values)).toBeLessThanOrEqual(50);
});

test('gamma process: never goes back, and its mean is E X(t) = (t/1000)^1.2 mm', () => {
  const set = simulate('gamma-process', { units: 400, length: 11, variation: 0, noise: 0 });
  for (const { values } of set.units)
    expect(values.every((value, i) => i === 0 || value >= values[i - 1])).toBe(true);
  const mean = (i: number) => set.units.reduce((sum, { values }) => sum + values[i], 0) / set.units.length;
  // standard deviation of X(1000) is 0.1, of its mean 0.005
  expect(mean(10)).toBeAllClose(1, { atol: 0.02 });
  expect(mean(5)).toBeAllClose(0.5 ** 1.2, { atol: 0.015 });
});

test('Wiener process: mean μt and variance σ²t', () => {
  const set = simulate('wiener-process', { units: 600, length: 5, variation: 0, noise: 0 });
  const at = (i: number) => set.units.map(({ values }) => values[i]);
  const mean = (x: number[]) => x.reduce((a, b) => a + b, 0) / x.length;
  const variance = (x: number[]) => mean(x.map((v) => (v - mean(x)) ** 2));
  expect([mean(at(2)), mean(at(4))]).toBeAllClose([5, 10], { atol: 0.15 });
  expect([variance(at(2)), variance(at(4))]).toBeAllClose([0.5, 1], { rtol: 0.25 });
});

test('SEI growth: the loss goes with the square root of time, 15 % in 1000 days', () => {
  const { times, values } = nominal('sei-growth');
  expect(times[100]).toBe(1000);
  expect(values[100]).toBeAllClose(2 * 0.85);
  expect((2 - values[100]) / (2 - values[25])).toBeAllClose(2);
});

test('knee: slow before, fast after, and never upwards', () => {
  const { times, values } = nominal('knee', 901);
  const slope = (n: number) => values[n + 1] - values[n];
  expect(times[650]).toBe(650);
  expect(slope(100)).toBeAllClose(-4e-5, { rtol: 0.01, atol: 0 });
  expect(slope(650)).toBeAllClose(-4e-5 - 3e-4, { rtol: 0.05, atol: 0 });
  expect(slope(890)).toBeAllClose(-6.4e-4, { rtol: 0.01, atol: 0 });
  expect(values.every((value, i) => i === 0 || value < values[i - 1])).toBe(true);
});

test('logistic wear: half of the final wear at t₀, symmetric around it', () => {
  const { values } = nominal('logistic-wear');
  expect(values[50]).toBeAllClose(0.3);
  expect(values[30] + values[70]).toBeAllClose(0.6);
});

test('noise is a share of the wear over a life', () => {
  const clean = simulate('sei-growth', { units: 1, length: 2000, variation: 0, noise: 0 }).units[0].values;
  const noisy = simulate('sei-growth', { units: 1, length: 2000, variation: 0, noise: 0.1 }).units[0].values;
  const meanSquare = noisy.reduce((sum, value, i) => sum + (value - clean[i]) ** 2, 0) / noisy.length;
  expect(Math.sqrt(meanSquare)).toBeAllClose(0.03, { rtol: 0.1, atol: 0 });
});

test('an unknown simulator names the nearest; options out of range are refused', () => {
  const error = errorOf(() => simulate('paris-lax'));
  expect(error).toBeInstanceOf(RegistryError);
  expect(error.message).toContain('Did you mean "paris-law"?');
  expect(errorOf(() => simulate('constructor'))).toBeInstanceOf(RegistryError);
  expect(errorOf(() => simulate('knee', { units: 0 }))).toBeInstanceOf(ConfigError);
});

describe('random wear', () => {
  const { units } = simulate('random-wear', { units: 300, length: 200, seed: 1 });
  const rises = units.map(({ values }) => values[values.length - 1] - values[0]);

  test('is finite, and as long as 0.3 to 1 of the points asked for', () => {
    for (const { values } of units) expect(values.every(Number.isFinite)).toBe(true);
    const lengths = units.map(({ values }) => values.length);
    expect(Math.min(...lengths)).toBeGreaterThanOrEqual(60);
    expect(Math.min(...lengths)).toBeLessThan(70);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(200);
    expect(Math.max(...lengths)).toBeGreaterThan(190);
  });

  test('mostly rises: by about 1, and in one history of seventeen it falls', () => {
    const falling = rises.filter((rise) => rise < 0).length / rises.length;
    expect(falling).toBeGreaterThan(0.02);
    expect(falling).toBeLessThan(0.2);
    const sorted = Float64Array.from(rises).sort();
    expect(sorted[150]).toBeGreaterThan(0.8);
    expect(sorted[150]).toBeLessThan(1.3);
  });

  test('has all kinds of noise: the jitter of histories spans more than two orders of magnitude', () => {
    // root mean square second difference over the range
    const jitter = units.map(({ values }) => {
      let sum = 0;
      for (let i = 2; i < values.length; i++)
        sum += (values[i] - 2 * values[i - 1] + values[i - 2]) ** 2 / (values.length - 2);
      return Math.sqrt(sum) / (Math.max(...values) - Math.min(...values));
    });
    const sorted = Float64Array.from(jitter).sort();
    expect(sorted[3]).toBeLessThan(1e-3);
    expect(sorted[296]).toBeGreaterThan(0.3);
  });

  test('does not depend on how many units are drawn', () => {
    const few = simulate('random-wear', { units: 3, length: 200, seed: 1 });
    expect(few.units).toEqual(units.slice(0, 3));
  });
});
