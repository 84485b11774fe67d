import { describe, expect, test } from '@jest/globals';

import { ConfigError, RandomStream } from '@rollcast/core';
import { DegradationEnvironment, RLDataset, WindowMixture, tokenSource } from '@rollcast/envs';

import { errorOf, ramp, seriesSet, stepTokeniser } from './support.js';

const shape = { contextLength: 2, horizon: 3 };
const rising = new RLDataset(
  seriesSet({ long: ramp(200, (i) => i), short: ramp(5, (i) => i) }, 'rises'),
  shape,
);
const falling = new RLDataset(seriesSet({ only: ramp(9, (i) => 8 - i) }, 'falls'), shape);
const mixture = new WindowMixture([
  { source: rising, weight: 3 },
  { source: falling, weight: 1 },
]);

describe('a mixture of windows', () => {
  // 3 : 1 between the sets, then 1 : 1 between long and short: 3/8, 3/8, 1/4. Four standard deviations: 4 √(0.24/4000) = 0.031.
  test('draws a set by weight, then a unit, then a window', () => {
    const random = new RandomStream(1, 'test');
    const drawn = ramp(4000, () => mixture.draw(random).unit);
    const share = (name: string): number => drawn.filter((unit) => unit === name).length / drawn.length;
    expect(share('long')).toBeAllClose(3 / 8, { atol: 0.031 });
    expect(share('short')).toBeAllClose(3 / 8, { atol: 0.031 });
    expect(share('only')).toBeAllClose(1 / 4, { atol: 0.031 });
  });

  test('draws the same windows from the same stream', () => {
    const draw = (): string[] => {
      const random = new RandomStream(7, 'pretrain/windows/0');
      return ramp(20, () => mixture.draw(random)).map(({ unit, start }) => `${unit}${start}`);
    };
    expect(draw()).toEqual(draw());
    expect(new Set(draw()).size).toBeGreaterThan(5);
  });

  test('its tokens are those of the drawn windows', () => {
    const tokens = tokenSource(mixture, stepTokeniser()).draw(new RandomStream(2, 'test'));
    expect(Array.from(tokens)).toEqual([10, 11, 12, 13, 14]); // every series here rises by one when oriented
  });

  test('an environment shows each window in the direction and under the name of its own set', () => {
    const environment = new DegradationEnvironment(mixture, stepTokeniser());
    const batch = environment.batch([rising.window(0), falling.window(0)]);
    const generated = Int32Array.of(12, 13, 14, 12, 13, 14);
    expect(environment.view(batch, 0, generated).target).toEqual([2, 3, 4]);
    expect(environment.view(batch, 1, generated)).toMatchObject({
      context: [8, 7],
      target: [6, 5, 4],
      predicted: [6, 5, 4],
    });
    expect(environment.reward(batch, generated).components['mse']).toBeAllClose([0, 0, 0, 0, 0, 0]);
  });

  test("a reward of one's own is told the sign of each window", () => {
    const signs: number[] = [];
    const reward = (_p: unknown, _t: unknown, _c: unknown, { sign }: { sign: number }): number =>
      signs.push(sign);
    const environment = new DegradationEnvironment(mixture, stepTokeniser(), { reward });
    const batch = environment.batch([rising.window(0), falling.window(0)]);
    environment.reward(batch, new Int32Array(6));
    expect(signs).toEqual([1, -1]);
  });

  test('no parts, weights that are not positive and windows of two shapes are refused', () => {
    const other = new RLDataset(rising.set, { contextLength: 3, horizon: 2 });
    expect(errorOf(() => new WindowMixture([]))).toBeInstanceOf(ConfigError);
    expect(errorOf(() => new WindowMixture([{ source: rising, weight: 0 }])).message).toContain(
      'part 1 has 0',
    );
    const parts = [
      { source: rising, weight: 1 },
      { source: other, weight: 1 },
    ];
    expect(errorOf(() => new WindowMixture(parts)).message).toContain(
      'part 1 has 2 + 3 points, part 2 3 + 2',
    );
  });
});
