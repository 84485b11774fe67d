/**
 * Wide CSV of times: the first column is the value, the others are the times at which each unit reached it, as fatigue
 * tests report crack growth (D. A. Virkler, B. M. Hillberry, P. K. Goel 1979, J. Eng. Mater. Technol. 101:148).
 */
import { ConfigError, DataError } from '@rollcast/core';

import { cellPlace, type CsvRow, type CsvTable } from './csv-table.js';
import { type ResolvedDataOptions } from './data-options.js';
import { isTimeName, timeWordOf } from './load-long.js';
import { type RawSeries, type SkippedUnit, type UnitSeries } from './series.js';
import { parseNumber } from './text-file.js';
import { type UnitGuard } from './unit-guard.js';

/**
 * Does a table look like this format? The first column holds numbers and is not called like a time; the names of at least
 * two others, and of all of them, begin with one word for time (`cycles_specimen_1`), and the numbers in each rise strictly.
 */
export function looksWideTimes({ columns, rows }: CsvTable): boolean {
  const [value, ...units] = columns;
  const words = new Set(units.map((name) => (isTimeName(name) ? undefined : timeWordOf(name))));
  if (units.length < 2 || words.size !== 1 || words.has(undefined)) return false;
  if (value === '' || timeWordOf(value) !== undefined) return false;
  return numbersIn(rows, 0).every(Number.isFinite) && units.every((_, i) => rises(numbersIn(rows, i + 1)));
}

function rises(times: readonly number[]): boolean {
  return times.length > 0 && times.every((time, i) => Number.isFinite(time) && !(time <= times[i - 1]));
}

/** The cells of a column up to its last that is not blank; NaN where there is no number. */
function numbersIn(rows: readonly CsvRow[], column: number): number[] {
  return rows
    .slice(0, lengthOf(rows, column))
    .map(({ cells }) => (cells[column].trim() === '' ? NaN : Number(cells[column])));
}

/**
 * Reads a wide table of times. Blank cells at the end of a column mean that the unit ended there.
 *
 * @throws {ConfigError} when there is no column of times
 * @throws {DataError} with file, line and column for a gap, a cell that is not a finite number, times that do not rise
 */
export function loadWideTimes(table: CsvTable, options: ResolvedDataOptions, guard: UnitGuard): RawSeries {
  const { file, columns, rows } = table;
  if (columns.length < 2)
    throw new ConfigError(
      `${file}: --format wide-times needs a first column of values and one column of times a unit; got ${columns.length} column.`,
    );
  const units: UnitSeries[] = [];
  const skipped: SkippedUnit[] = [];
  for (let column = 1; column < columns.length; column++) {
    const unit = columns[column] || `column ${column + 1}`;
    guard.try(unit, () => {
      const times = readTimes(table, column);
      const read = rows.slice(0, times.length);
      const values = read.map((row) => parseNumber(row.cells[0], () => cellPlace(table, row, 0)));
      if (times.length === 0) skipped.push({ unit, reason: 'an empty column' });
      else units.push({ unit, times, values: Float64Array.from(values) });
    });
  }
  const valueLabel = columns[0] || 'value';
  const uneven =
    options.points === undefined
      ? ' Their times are uneven as a rule: --points N resamples each unit evenly in time.'
      : '';
  return {
    name: file,
    valueLabel,
    timeLabel: timeWordOf(columns[1]) ?? 'time',
    units,
    notes: [
      `${file}: read as wide CSV of times: value = "${valueLabel}", the other ${columns.length - 1} columns say when each unit reached it (--format wide reads them as values).${uneven}`,
    ],
    skipped: [...skipped, ...guard.skipped],
  };
}

function readTimes(table: CsvTable, column: number): Float64Array {
  let last = -Infinity;
  return Float64Array.from(table.rows.slice(0, lengthOf(table.rows, column)), (row) => {
    const place = () => cellPlace(table, row, column);
    if (row.cells[column].trim() === '')
      throw new DataError(
        `${place()}: a blank cell before the end of the unit. Fill the gap or remove the row.`,
      );
    const time = parseNumber(row.cells[column], place);
    if (time <= last)
      throw new DataError(
        `${place()}: times must rise from row to row; ${time} follows ${last}. --format wide reads the columns as values.`,
      );
    last = time;
    return time;
  });
}

/** Rows up to the last cell of a column that is not blank. */
function lengthOf(rows: readonly CsvRow[], column: number): number {
  let end = rows.length;
  while (end > 0 && rows[end - 1].cells[column].trim() === '') end--;
  return end;
}
