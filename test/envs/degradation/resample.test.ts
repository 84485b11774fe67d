import { afterAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { ConfigError, DataError } from '@rollcast/core';
import { RLDataset, loadSeries, resampleUnit, type DataOptions } from '@rollcast/envs';

import { DataFolder, errorOf } from './support.js';

const folder = new DataFolder();
afterAll(() => folder.remove());

function load(content: string, options: Partial<DataOptions> = {}) {
  return loadSeries({ files: [folder.write('crack.csv', content)], ...options });
}

const CRACKS = 'crack_mm,cycles_a,cycles_b\n9,0,0\n10,100,50\n12,200,\n16,250,\n';

describe('wide CSV of times', () => {
  test('the first column is the value, the others say when each unit reached it', () => {
    const set = load(CRACKS);
    expect(set.valueLabel).toBe('crack_mm');
    expect(set.timeLabel).toBe('cycles');
    expect(set.direction).toBe('rises');
    expect(set.units.map(({ unit }) => unit)).toEqual(['cycles_a', 'cycles_b']);
    expect(Array.from(set.units[0].times)).toEqual([0, 100, 200, 250]);
    expect(Array.from(set.units[0].values)).toEqual([9, 10, 12, 16]);
    expect(Array.from(set.units[1].times)).toEqual([0, 50]);
    expect(Array.from(set.units[1].values)).toEqual([9, 10]);
  });

  test('what was recognised is said, and that uneven times want --points', () => {
    expect(load(CRACKS).notes[0]).toMatch(
      /wide CSV of times: value = "crack_mm", the other 2 columns .*--format wide .*--points N resamples/,
    );
    expect(load(CRACKS, { points: 5 }).notes[0]).not.toContain('--points');
  });

  test.each([
    ['times of which one does not rise', 'crack_mm,cycles_a,cycles_b\n9,0,0\n10,100,50\n12,90,60\n'],
    ['a first column that is called like a time', 'cycle,cycles_a,cycles_b\n1,0,0\n2,100,50\n3,120,60\n'],
    ['columns that are called like units', 'crack_mm,a,b\n9,0,0\n10,100,50\n12,120,60\n'],
    ['two clocks of one unit', 'crack_mm,cycle,hours\n9,0,0\n10,100,50\n12,120,60\n'],
  ])('%s: not recognised by itself', (_, content) => {
    const notes = load(content).notes.join('\n');
    expect(notes).not.toContain('wide CSV of times');
  });

  test('--format wide-times reads columns of any name, --format wide reads the file as values', () => {
    const named = load('crack_mm,a,b\n9,0,0\n10,100,50\n', { format: 'wide-times' });
    expect(Array.from(named.units[1].times)).toEqual([0, 50]);
    expect(load(CRACKS, { format: 'wide' }).units[0].unit).toBe('crack_mm');
  });

  test('times that do not rise, gaps, and flags of other formats are refused, with their place', () => {
    const times = errorOf(() => load('crack_mm,a\n9,5\n10,5\n', { format: 'wide-times' }));
    expect(times).toBeInstanceOf(DataError);
    expect(times.message).toMatch(/crack.csv:3, column "a": times must rise from row to row; 5 follows 5/);
    const gap = errorOf(() => load('crack_mm,a\n9,5\n10,\n11,7\n', { format: 'wide-times' }));
    expect(gap.message).toMatch(/crack.csv:3, column "a": a blank cell before the end/);
    const flag = errorOf(() => load(CRACKS, { format: 'wide-times', unitColumn: 'cycles_a' }));
    expect(flag).toBeInstanceOf(ConfigError);
    expect(flag.message).toContain('--unit-column does not apply');
    expect(errorOf(() => load('crack_mm\n9\n', { format: 'wide-times' })).message).toContain('got 1 column');
  });
});

describe('--points', () => {
  // 0 → 9, 100 → 10, 200 → 12, 250 → 16; at 0, 62.5, 125, 187.5, 250:
  // 9, 9 + 0.625, 10 + 2 · 0.25, 10 + 2 · 0.875, 16
  test('straight lines between the points, evenly spaced from the first to the last time', () => {
    const [a, b] = load(CRACKS, { points: 5 }).units;
    expect(Array.from(a.times)).toEqual([0, 62.5, 125, 187.5, 250]);
    expect(a.values).toBeAllClose([9, 9.625, 10.5, 11.75, 16], { atol: 1e-12 });
    expect(Array.from(b.times)).toEqual([0, 12.5, 25, 37.5, 50]);
  });

  test('windows of resampled units are evenly spaced, and the notes say what was done', () => {
    const dataset = new RLDataset(load(CRACKS, { points: 9 }), { contextLength: 4, horizon: 3 });
    const notes = dataset.notes.join('\n');
    expect(notes).toContain(
      'resampled to 9 points evenly spaced in its time, on straight lines (from 2 to 4)',
    );
    expect(notes).not.toContain('uneven in');
  });

  test('a line stays on its line, whatever the times; first and last point stay', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 1e-3, max: 1e3, noNaN: true }), { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 2, max: 50 }),
        (steps, points) => {
          let time = 0;
          const times = Float64Array.from([0, ...steps.map((step) => (time += step))]);
          const even = resampleUnit({ unit: 'u', times, values: times.map((t) => 3 - 2 * t) }, points);
          expect(even.times).toHaveLength(points);
          expect(even.times[points - 1]).toBe(time);
          expect(even.values).toBeAllClose(
            even.times.map((t) => 3 - 2 * t),
            { atol: 1e-6 },
          );
        },
      ),
    );
  });

  test('fewer than two points are refused', () => {
    expect(errorOf(() => load(CRACKS, { points: 1 })).message).toContain('data.points');
  });
});
