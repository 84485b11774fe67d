import { describe, expect, test } from '@jest/globals';

import {
  AdaptiveKlController,
  ConfigError,
  DoublingKlController,
  FixedKlController,
  NumericalError,
} from '@rollcast/core';

const adaptive = (changes = {}): AdaptiveKlController =>
  new AdaptiveKlController({ target: 0.1, initial: 0.5, horizonEpisodes: 1000, ...changes });

function after(kl: number, episodes: number): number {
  const controller = adaptive();
  controller.update(kl, episodes);
  return controller.coefficient;
}

describe('the adaptive controller', () => {
  test('follows the error in proportion: 10 % above target, 100 of 1000 episodes', () => {
    // e = .11/.1 − 1 = .1; β = .5 · (1 + .1 · .1)
    expect(after(0.11, 100)).toBeAllClose(0.505, { atol: 1e-12 });
    expect(after(0.09, 100)).toBeAllClose(0.495, { atol: 1e-12 });
    expect(after(0.1, 100)).toBeAllClose(0.5, { atol: 1e-12 });
  });

  test('clips the error at a fifth', () => {
    // .5 · (1 ± .2 · .1)
    expect(after(100, 100)).toBeAllClose(0.51, { atol: 1e-12 });
    expect(after(0, 100)).toBeAllClose(0.49, { atol: 1e-12 });
  });

  test('reaches e^{±0.2 N / horizon} over N episodes', () => {
    const [up, down] = [adaptive(), adaptive()];
    for (let n = 0; n < 3000; n += 10) {
      up.update(1, 10);
      down.update(0, 10);
    }
    expect(up.coefficient / 0.5).toBeAllClose(Math.exp(0.6), { rtol: 2e-3 });
    expect(down.coefficient / 0.5).toBeAllClose(Math.exp(-0.6), { rtol: 2e-3 });
  });

  test('stays positive when the horizon is shorter than the batch', () => {
    const controller = adaptive({ horizonEpisodes: 1 });
    controller.update(0, 64);
    expect(controller.coefficient).toBeAllClose(0.05, { atol: 1e-12 });
  });

  test.each([NaN, Infinity])('refuses a KL of %p and keeps its coefficient', (kl) => {
    const controller = adaptive();
    expect(() => controller.update(kl, 10)).toThrow(NumericalError);
    expect(controller.coefficient).toBe(0.5);
  });

  test.each([
    ['target', 0],
    ['target', -0.1],
    ['target', NaN],
    ['initial', 0],
    ['horizonEpisodes', 0],
    ['horizonEpisodes', Infinity],
  ])('refuses %s = %p', (name, value) => {
    expect(() => adaptive({ [name]: value })).toThrow(ConfigError);
    expect(() => adaptive({ [name]: value })).toThrow(`klControl.${name} must be > 0; got ${value}`);
  });

  test('goes on from a restored coefficient', () => {
    const controller = adaptive();
    controller.restore(2);
    controller.update(0.11, 100);
    expect(controller.coefficient).toBeAllClose(2.02, { atol: 1e-12 });
  });
});

test('the fixed controller stays what it is, and a negative coefficient is refused', () => {
  const controller = new FixedKlController(0.3);
  controller.update();
  expect(controller.coefficient).toBe(0.3);
  expect(() => new FixedKlController(-1)).toThrow(ConfigError);
  expect(() => new FixedKlController(NaN)).toThrow('klCoef must be ≥ 0; got NaN');
});

describe('the doubling controller', () => {
  const after = (...kls: number[]): number => {
    const controller = new DoublingKlController({ target: 0.03, initial: 1 });
    for (const kl of kls) controller.update(kl);
    return controller.coefficient;
  };

  test('halves below target / 1.5, doubles above 1.5 · target, and stays between', () => {
    expect(after(0.019)).toBe(0.5);
    expect(after(0.021)).toBe(1);
    expect(after(0.044)).toBe(1);
    expect(after(0.046)).toBe(2);
    expect(after(0.046, 0.046, 0.01)).toBe(2);
  });

  test('comes back after a long stretch of nothing: it stays within 2^±20 of its start', () => {
    expect(after(...new Array<number>(500).fill(0))).toBe(2 ** -20);
    expect(after(...new Array<number>(500).fill(1))).toBe(2 ** 20);
  });

  test('refuses a target or start ≤ 0, and a KL that is not a number', () => {
    expect(() => new DoublingKlController({ target: 0, initial: 1 })).toThrow('must be > 0; got 0');
    expect(() => new DoublingKlController({ target: 1, initial: -1 })).toThrow(ConfigError);
    expect(() => after(NaN)).toThrow(NumericalError);
  });
});
