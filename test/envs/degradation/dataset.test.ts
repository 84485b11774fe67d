import { describe, expect, test } from '@jest/globals';

import { ConfigError, DataError } from '@rollcast/core';
import { RLDataset } from '@rollcast/envs';

import { errorOf, ramp, seriesSet } from './support.js';

const set = seriesSet({ a: ramp(7, (i) => i), short: [1, 2, 3], b: ramp(6, (i) => 10 * i) });
const options = { contextLength: 2, horizon: 3 };

describe('RLDataset', () => {
  test('a window is W points of context and the L points that follow', () => {
    const window = new RLDataset(set, options).window(1);
    expect([Array.from(window.context), Array.from(window.future)]).toEqual([
      [1, 2],
      [3, 4, 5],
    ]);
    expect([window.unit, window.unitIndex, window.start]).toEqual(['a', 0, 1]);
  });

  // a has 7 − 5 + 1 = 3 windows, b has 2; with stride 2 they have 2 and 1.
  test('windows are counted over all units, at the stride', () => {
    const all = new RLDataset(set, options);
    expect(all.length).toBe(5);
    expect(ramp(5, (i) => all.window(i)).map(({ unit, start }) => `${unit}${start}`)).toEqual([
      'a0',
      'a1',
      'a2',
      'b0',
      'b1',
    ]);
    const strided = new RLDataset(set, { ...options, stride: 2 });
    expect(ramp(strided.length, (i) => strided.window(i).start)).toEqual([0, 2, 0]);
  });

  test('units shorter than W + L are skipped, counted and named', () => {
    const dataset = new RLDataset(set, options);
    expect(dataset.skipped).toEqual([{ unit: 'short', reason: '3 points' }]);
    expect(dataset.notes.join('\n')).toContain(
      'skipped 1 of 3 units, shorter than context 2 + horizon 3: short (3 points)',
    );
    expect(dataset.window(4).unitIndex).toBe(1);
  });

  test('it is an error when no unit is long enough', () => {
    const error = errorOf(() => new RLDataset(set));
    expect(error).toBeInstanceOf(DataError);
    expect(error.message).toMatch(/no unit has the 100 points of one window.*a \(7 points\)/);
  });

  test('a window out of range and options out of range are refused', () => {
    expect(() => new RLDataset(set, options).window(5)).toThrow(RangeError);
    expect(errorOf(() => new RLDataset(set, { horizon: 0 }))).toBeInstanceOf(ConfigError);
  });

  // 205 points: the last start is 105. Three windows: ⌊0⌋, ⌊52.5⌋, 105.
  test('evaluation windows are spread evenly and truncated to whole points', () => {
    const dataset = new RLDataset(seriesSet({ a: ramp(205, (i) => i) }), { stride: 7 });
    expect(dataset.evenlySpacedWindows(3).map(({ start }) => start)).toEqual([0, 52, 105]);
    expect(dataset.evenlySpacedWindows(1).map(({ start }) => start)).toEqual([0]);
    expect(dataset.evenlySpacedWindows()).toHaveLength(40);
  });

  // 205 points: starts 0 … 105, of a unit of 100 points only 0.
  test('a rolling backtest starts at each so many points, as long as the whole future is known', () => {
    const dataset = new RLDataset(seriesSet({ a: ramp(205, (i) => i), b: ramp(100, (i) => i) }));
    const starts = (every: number): [string, number][] =>
      dataset.rollingWindows(every).map(({ unit, start }) => [unit, start]);
    expect(starts(50)).toEqual([['a', 0], ['a', 50], ['a', 100], ['b', 0]]); // prettier-ignore
    expect(starts(1)).toHaveLength(106 + 1);
    expect(errorOf(() => dataset.rollingWindows(0)).message).toMatch(/integer ≥ 1; got 0/);
  });

  test('a unit with fewer starts than asked gives each once', () => {
    expect(new RLDataset(set, options).evenlySpacedWindows(40).map(({ start }) => start)).toEqual([
      0, 1, 2, 0, 1,
    ]);
  });
});
