import { afterAll, describe, expect, test } from '@jest/globals';

import { ConfigError, DataError } from '@rollcast/core';
import { RLDataset, loadSeries, type DataOptions } from '@rollcast/envs';

import { DataFolder, errorOf } from './support.js';

const folder = new DataFolder();
afterAll(() => folder.remove());

const LONG = 'unit,cycle,capacity_ah\nB1,1,1.1\nB1,2,1.0\nB1,3,0.8\nB2,1,1.2\nB2,2,1.1\n';

function load(content: string | Uint8Array, options: Partial<DataOptions> = {}, name = 'cells.csv') {
  return loadSeries({ files: [folder.write(name, content)], ...options });
}

describe('long CSV', () => {
  test('columns called like unit and time are found; what is left is the value', () => {
    const set = load(LONG);
    expect(set.valueLabel).toBe('capacity_ah');
    expect(set.name).toBe('cells');
    expect(set.units.map(({ unit }) => unit)).toEqual(['B1', 'B2']);
    expect(Array.from(set.units[0].times)).toEqual([1, 2, 3]);
    expect(set.notes.join('\n')).toContain(
      'long CSV with unit = "unit", time = "cycle", value = "capacity_ah"',
    );
  });

  test('a falling column is negated, and the notes say how that was decided', () => {
    const set = load(LONG);
    expect([set.direction, set.sign]).toEqual(['falls', -1]);
    expect(Array.from(set.units[0].values)).toEqual([-1.1, -1, -0.8]);
    expect(set.notes.join('\n')).toContain('0 rise, 2 fall');
  });

  test('an explicit direction overrides the vote', () => {
    const set = load(LONG, { direction: 'rises' });
    expect(Array.from(set.units[0].values)).toEqual([1.1, 1, 0.8]);
  });

  test('columns may be named by the user, in any order of the file', () => {
    const set = load('load,grams,id,when\n5,1,a,0\n6,1,a,1\n', {
      unitColumn: 'id',
      timeColumn: 'when',
      valueColumn: 'load',
    });
    expect(Array.from(set.units[0].values)).toEqual([5, 6]);
  });

  test('three columns of which the first repeats are unit, time and value', () => {
    const set = load('a,b,c\nx,0,1\nx,1,2\ny,0,3\ny,1,5\n');
    expect(set.units.map(({ unit }) => unit)).toEqual(['x', 'y']);
    expect(set.notes.join('\n')).toContain('unit = "a", time = "b", value = "c"');
  });

  test('a value column alone makes the file one unit', () => {
    const set = load('cycle,temperature,soh\n1,20,1\n2,21,0.9\n', { valueColumn: 'soh' }, 'cell-7.csv');
    expect(set.units.map(({ unit }) => unit)).toEqual(['cell-7']);
  });

  test('semicolons, tabs, quotes, a byte-order mark and Windows line ends are read', () => {
    expect(load('\ufeffunit;t;y\r\n"a;1";0;1\r\n"a;1";1;2\r\n').units[0].unit).toBe('a;1');
    expect(Array.from(load('unit\tt\ty\na\t0\t1\na\t1\t2\n').units[0].values)).toEqual([1, 2]);
  });

  test('rows of several units may alternate', () => {
    const set = load('unit,t,y\na,0,1\nb,0,5\na,1,2\nb,1,7\n');
    expect(set.units.map(({ values }) => Array.from(values))).toEqual([
      [1, 2],
      [5, 7],
    ]);
  });

  test('uneven time steps are kept, and noted where windows are made', () => {
    const set = load('unit,t,y\na,0,1\na,1,2\na,5,3\n');
    expect(Array.from(set.units[0].times)).toEqual([0, 1, 5]);
    const { notes } = new RLDataset(set, { contextLength: 2, horizon: 1 });
    expect(notes.join('\n')).toContain('uneven in 1 of 1 units (a): windows count points');
  });
});

describe('wide CSV', () => {
  test('each column is a unit; blank cells at the end mean that it ended', () => {
    const set = load('time,a,b\n0,1,1\n1,2,3\n2,3,\n');
    expect(set.units.map(({ values }) => Array.from(values))).toEqual([
      [1, 2, 3],
      [1, 3],
    ]);
    expect(Array.from(set.units[1].times)).toEqual([0, 1]);
  });

  test('without a time column the row number is the time', () => {
    expect(Array.from(load('a,b\n1,1\n2,3\n', { format: 'wide' }).units[0].times)).toEqual([0, 1]);
  });

  test('a first column without a name is an index: times when it holds numbers, left out when it does not', () => {
    expect(Array.from(load(',a\n10,1\n20,2\n').units[0].times)).toEqual([10, 20]);
    const dated = load(',a\n2004.02.12.10,1\n2004.02.12.20,2\n');
    expect(dated.units.map(({ unit }) => unit)).toEqual(['a']);
    expect(dated.notes.join('\n')).toContain('no name and no numbers');
  });

  test('a first column that counts up in equal steps is the time, whatever its name', () => {
    expect(load('kilometres,a\n0,1\n5,2\n10,4\n').units.map(({ unit }) => unit)).toEqual(['a']);
  });

  test('a gap inside a unit is an error with line and column', () => {
    expect(errorOf(() => load('t,a,b\n0,1,1\n1,,2\n2,3,3\n')).message).toMatch(
      /cells\.csv:3, column "a": a blank cell before the end of the unit/,
    );
  });
});

describe('several files', () => {
  test('unit names stay when they differ and are prefixed by the file when they clash', () => {
    const one = folder.write('one.csv', 'unit,t,y\na,0,1\na,1,2\n');
    const two = folder.write('two.csv', 'unit,t,y\na,0,1\na,1,2\n');
    const other = folder.write('other.csv', 'unit,t,y\nb,0,1\nb,1,2\n');
    expect(loadSeries({ files: [one, other] }).units.map(({ unit }) => unit)).toEqual(['a', 'b']);
    const set = loadSeries({ files: [one, two] });
    expect(set.units.map(({ unit }) => unit)).toEqual(['one/a', 'two/a']);
    expect(set.name).toBe('one+two');
  });

  test('one file twice is refused', () => {
    const file = folder.write('one.csv', LONG);
    expect(errorOf(() => loadSeries({ files: [file, file] })).message).toContain('given twice');
  });
});

describe('bad units may be left out instead of refusing the file', () => {
  const rules = { leaveOutBadUnits: true };
  const lenient = (content: string, options: Partial<DataOptions> = {}) =>
    loadSeries({ files: [folder.write('bad.csv', content)], ...options }, rules);

  test('a long file keeps its good units, and says where the bad ones are bad', () => {
    const set = lenient('unit,t,y\na,0,1\nb,0,1\nb,1,NaN\na,1,2\nb,2,3\nc,1,1\nc,0,2\nd,0,4\nd,0,5\n');
    expect(set.units.map(({ unit, values }) => [unit, Array.from(values)])).toEqual([['a', [1, 2]]]);
    expect(set.skipped).toEqual([
      { unit: 'b', reason: expect.stringMatching(/bad\.csv:4, column "y": expected a number; got NaN/) },
      { unit: 'c', reason: expect.stringMatching(/bad\.csv:8, .*are not sorted: 0 follows 1/) },
      { unit: 'd', reason: expect.stringMatching(/bad\.csv:10, .*time 0 twice/) },
    ]);
  });

  test('a wide file keeps columns without a gap', () => {
    const set = lenient('time,a,b\n0,1,1\n1,2,\n2,4,3\n');
    expect(set.units.map(({ unit }) => unit)).toEqual(['a']);
    expect(set.skipped).toEqual([
      { unit: 'b', reason: expect.stringMatching(/bad\.csv:3, column "b": a blank cell before the end/) },
    ]);
  });

  test('nothing may be left', () => {
    const set = lenient('unit,t,y\na,0,1\na,1,x\nb,0,5\nb,1,5\n');
    expect(set.units).toEqual([]);
    expect(set.skipped.map(({ unit, reason }) => `${unit}: ${reason}`)).toEqual([
      expect.stringMatching(/^a: .*got "x"$/),
      'b: constant at 5',
    ]);
  });

  test('what is wrong with the file as a whole is still refused', () => {
    expect(errorOf(() => lenient('unit,t,y\na,0\n'))).toBeInstanceOf(DataError);
    expect(errorOf(() => lenient(LONG, { valueColumn: 'soh' }))).toBeInstanceOf(DataError);
  });
});

test('times are called as their column, and a row number has no name', () => {
  expect(load(LONG).timeLabel).toBe('cycle');
  expect(load('a,b\n1,1\n2,3\n', { format: 'wide' }).timeLabel).toBeUndefined();
});

describe('bad input is one DataError that says where and what', () => {
  const cases: [what: string, content: string | Uint8Array, options: Partial<DataOptions>, message: RegExp][] = [
    ['an empty file', '', {}, /cells\.csv: the file is empty/],
    ['blank lines only', '\n \n', {}, /the file is empty/],
    ['only a header', 'unit,cycle,y\n', {}, /only a header \(unit, cycle, y\) and no rows/],
    ['no header', '0.1,0.2\n0.3,0.4\n', {}, /:1: expected column names in the first line; got numbers/],
    ['a column name twice', 'unit,y,y\na,1,2\n', {}, /two columns are called "y"/],
    ['binary rubbish', Uint8Array.of(80, 75, 3, 4, 0, 0, 1, 2), {}, /this one is binary/],
    ['UTF-16', Uint8Array.of(0xff, 0xfe, 117, 0), {}, /UTF-16 text\. Save it as UTF-8/],
    ['a missing column', LONG, { valueColumn: 'capacity_a' }, /no column "capacity_a" \(--value-column\).*Did you mean "capacity_ah"/],
    ['a missing unit column', LONG, { unitColumn: 'cell' }, /no column "cell" \(--unit-column\)\. Columns: unit, cycle, capacity_ah/],
    ['two possible value columns', 'unit,cycle,p,q\na,1,1,1\n', {}, /which column holds the values\? .*--value-column.*unit, cycle, p, q/],
    ['no layout', 'p,q\n1,2\n3,4\n', { format: 'long' }, /which columns hold unit and value\?.*Columns: p, q/],
    ['one column for two roles', LONG, { unitColumn: 'unit', valueColumn: 'unit' }, /three different columns/],
    ['a cell that is no number', 'unit,t,y\na,0,1\na,1,x1\n', {}, /cells\.csv:3, column "y": expected a number; got "x1"/],
    ['a hexadecimal cell', 'unit,t,y\na,0,1\na,1,0x10\n', {}, /expected a number; got "0x10"/],
    ['a decimal comma', 'unit;t;y\na;0;1\na;1;1,5\n', {}, /got "1,5"\. Write decimals with a point/],
    ['NaN', 'unit,t,y\na,0,1\na,1,NaN\n', {}, /:3, column "y": expected a number; got NaN/],
    ['an infinite value', 'unit,t,y\na,0,1\na,1,-inf\n', {}, /expected a finite number; got -inf/],
    ['an overflowing value', 'unit,t,y\na,0,1\na,1,1e999\n', {}, /expected a finite number; got 1e999/],
    ['a blank cell', 'unit,t,y\na,0,1\na,1,\n', {}, /:3, column "y": expected a number; the cell is blank/],
    ['a blank unit', 'unit,t,y\n,0,1\n', {}, /:2, column "unit": the name of the unit is blank/],
    ['a time twice', 'unit,t,y\na,0,1\nb,0,1\na,0,2\n', {}, /:4, column "t": unit "a" has time 0 twice \(first on line 2\)/],
    ['unsorted times', 'unit,t,y\na,5,1\na,3,2\n', {}, /:3, column "t": times of unit "a" are not sorted: 3 follows 5/],
    ['unsorted wide times', 'time,a\n1,1\n0,2\n', {}, /:3, column "time": times are not sorted/],
    ['a ragged row', 'unit,t,y\na,0,1\na,1\n', {}, /:3: expected 3 cells, as in the header; got 2/],
    ['an overlong row', 'unit,t,y\na,0,1\na,1,2,3\n', {}, /:3: expected 3 cells, as in the header; got 4/],
    ['an open quote', 'unit,t,y\n"a,0,1\n', {}, /not a valid CSV file/],
    ['constant series only', 'unit,t,y\na,0,1\na,1,1\n', {}, /no usable unit: a \(constant at 1\)/],
  ]; // prettier-ignore
  test.each(cases)('%s', (_, content, options, message) => {
    const error = errorOf(() => load(content, options));
    expect(error).toBeInstanceOf(DataError);
    expect(error.message).toMatch(message);
  });

  test('a missing file names the nearest one', () => {
    folder.write('capacity.csv', LONG);
    const error = errorOf(() => loadSeries({ files: [`${folder.path}/capacty.csv`] }));
    expect(error).toBeInstanceOf(DataError);
    expect(error.message).toMatch(/no such file\. Did you mean "capacity\.csv"/);
  });

  test('a folder is refused, with the data files in it', () => {
    folder.write('capacity.csv', LONG);
    expect(errorOf(() => loadSeries({ files: [folder.path] })).message).toMatch(/is a folder.*\.csv/);
  });

  test('options that contradict the format are a ConfigError', () => {
    expect(errorOf(() => load(LONG, { sensor: 's11' }))).toBeInstanceOf(ConfigError);
    expect(errorOf(() => load(LONG, { format: 'wide', unitColumn: 'unit' }))).toBeInstanceOf(ConfigError);
    expect(errorOf(() => loadSeries({ files: [] }))).toBeInstanceOf(ConfigError);
  });

  test('a constant unit is skipped and named while others are left', () => {
    const set = load('unit,t,y\na,0,1\na,1,1\nb,0,1\nb,1,2\n');
    expect(set.units.map(({ unit }) => unit)).toEqual(['b']);
    expect(set.skipped).toEqual([{ unit: 'a', reason: 'constant at 1' }]);
  });

  test('lines are counted through quoted line breaks and blank lines', () => {
    expect(errorOf(() => load('unit,t,y\n"a\nb",0,1\n\n"a\nb",1,oops\n')).message).toMatch(/:6, column "y"/);
  });
});
