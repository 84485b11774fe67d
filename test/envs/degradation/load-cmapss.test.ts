import { afterAll, describe, expect, test } from '@jest/globals';

import { ConfigError, DataError } from '@rollcast/core';
import { loadSeries, type DataOptions } from '@rollcast/envs';

import { DataFolder, errorOf } from './support.js';

const folder = new DataFolder();
afterAll(() => folder.remove());

/** A C-MAPSS line: sensor values by number, 0 elsewhere. */
function line(unit: number, cycle: number, sensors: Record<number, number | string> = {}): string {
  const values = Array.from({ length: 21 }, (_, i) => sensors[i + 1] ?? 0);
  return [unit, cycle, 0, 0, 100, ...values].join(' ') + '  ';
}

function load(lines: string[], options: Partial<DataOptions> = {}) {
  return loadSeries({ files: [folder.write('train.txt', lines.join('\n') + '\n')], ...options });
}

describe('C-MAPSS text', () => {
  test('is recognised, and one sensor is a column of it', () => {
    const set = load(
      [line(1, 1, { 11: 47 }), line(1, 2, { 11: 48 }), line(2, 1, { 11: 3 }), line(2, 2, { 11: 4 })],
      {
        sensor: 's11',
      },
    );
    expect(set.units.map(({ unit }) => unit)).toEqual(['1', '2']);
    expect(set.units.map(({ values }) => Array.from(values))).toEqual([
      [47, 48],
      [3, 4],
    ]);
    expect(set.valueLabel).toBe('s11');
  });

  // First 20 cycles: s2 is 1 or 3 in turns: mean 2, deviation 1 (divisor n). s7 is 10 or 14: mean 12, deviation 2.
  // Cycle 21: s2 = 5 → z = 3; s7 = 8 → z = −2, signed + 2. Mean: 2.5.
  test('a health index is the mean of signed standard scores over the first 20 cycles', () => {
    const lines = Array.from({ length: 20 }, (_, i) =>
      line(1, i + 1, { 2: i % 2 ? 3 : 1, 7: i % 2 ? 14 : 10 }),
    );
    const set = load([...lines, line(1, 21, { 2: 5, 7: 8 })], { healthIndex: 's2,-s7' });
    expect(set.units[0].values[20]).toBeCloseTo(2.5, 12);
    expect(set.units[0].values[0]).toBeCloseTo(0, 12);
    expect(set.notes.join('\n')).toContain('health index = mean standard score of s2, -s7');
  });

  const good = [line(1, 1, { 2: 1 }), line(1, 2, { 2: 2 })];
  const cases: [what: string, lines: string[], options: Partial<DataOptions>, message: RegExp][] = [
    ['a row of another width', [...good, '1 3 0 0'], { sensor: 's2' }, /train\.txt:3: expected 26 whitespace-separated columns.*got 4/],
    ['a file of another shape', ['112', '98'], {}, /:1: expected 26 .*got 1/],
    ['text in a cell', [...good, line(1, 3, { 2: 'x' })], { sensor: 's2' }, /:3, column "s2": expected a number; got "x"/],
    ['NaN', [...good, line(1, 3, { 4: 'nan' })], { sensor: 's2' }, /:3, column "s4": expected a number; got nan/],
    ['a cycle twice', [...good, line(1, 2)], { sensor: 's2' }, /:3, column "cycle": engine 1 has cycle 2 twice/],
    ['unsorted cycles', [...good, line(1, 1)], { sensor: 's2' }, /cycles of engine 1 are not sorted: 1 follows 2/],
    ['an unknown sensor', good, { sensor: 's22' }, /unknown sensor "s22"\. Known: s1 to s21/],
    ['an unknown sensor in an index', good, { healthIndex: 's2,t3' }, /unknown sensor "t3"/],
    ['a sensor without spread', good, { healthIndex: 's2,s3' }, /sensor s3 does not vary in the first 20 cycles/],
    ['a constant sensor', good, { sensor: 's5' }, /no usable unit: 1 \(constant at 0\)/],
  ]; // prettier-ignore
  test.each(cases)('refuses %s', (_, lines, options, message) => {
    const error = errorOf(() => load(lines, options));
    expect(error).toBeInstanceOf(DataError);
    expect(error.message).toMatch(message);
  });

  test('an engine with a value that is none may be left out instead of refusing the file', () => {
    const file = folder.write(
      'bad.txt',
      [line(1, 1, { 2: 1 }), line(2, 1, { 2: 'x' }), line(1, 2, { 2: 2 })].join('\n'),
    );
    const set = loadSeries({ files: [file], sensor: 's2' }, { leaveOutBadUnits: true });
    expect(set.units.map(({ unit }) => unit)).toEqual(['1']);
    expect(set.skipped).toEqual([
      { unit: '2', reason: expect.stringMatching(/bad\.txt:2, column "s2".*got "x"/) },
    ]);
    expect(set.timeLabel).toBe('cycle');
  });

  test('a sensor and a health index at once are a ConfigError, and so are column names', () => {
    expect(errorOf(() => load(good, { sensor: 's2', healthIndex: true }))).toBeInstanceOf(ConfigError);
    expect(errorOf(() => load(good, { sensor: 's2', valueColumn: 's2' }))).toBeInstanceOf(ConfigError);
  });
});
