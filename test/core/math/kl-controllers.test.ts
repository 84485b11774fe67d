import { describe, expect, test } from '@jest/globals';

import { AdaptiveKlController, ConfigError, FixedKlController, NumericalError } from '@rollcast/core';

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
