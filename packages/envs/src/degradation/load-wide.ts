/**
 * Wide CSV: one column a unit, optionally one column of times.
 */
import { DataError } from '@rollcast/core';

import { cellPlace, columnIndex, type CsvTable } from './csv-table.js';
import { type ResolvedDataOptions } from './data-options.js';
import { isTimeName } from './load-long.js';
import { type RawSeries, type SkippedUnit, type UnitSeries } from './series.js';
import { parseNumber } from './text-file.js';
import { type UnitGuard } from './unit-guard.js';

/**
 * Reads a wide table. The time column is the one named, or a first column that is called like a time, has no name, or
 * counts up in equal steps; otherwise the row number (from 0) is the time. Blank cells at the end of a column mean that
 * the unit ended there.
 *
 * @throws {DataError} with file, line and column for a gap, a cell that is not a finite number, unsorted times
 */
export function loadWide(table: CsvTable, options: ResolvedDataOptions, guard: UnitGuard): RawSeries {
  const notes: string[] = [];
  const timeColumn = findTimeColumn(table, options, notes);
  const times = timeColumn.numeric ? readTimes(table, timeColumn.index!) : table.rows.map((_, i) => i);
  const unitColumns = table.columns.map((_, i) => i).filter((i) => i !== timeColumn.index);
  if (unitColumns.length === 0)
    throw new DataError(
      `${table.file}: no column is left for units beside "${table.columns[timeColumn.index!]}".`,
    );
  const units: UnitSeries[] = [];
  const skipped: SkippedUnit[] = [];
  for (const column of unitColumns) {
    const unit = table.columns[column] || `column ${column + 1}`;
    guard.try(unit, () => {
      const values = readColumn(table, column);
      if (values.length === 0) skipped.push({ unit, reason: 'an empty column' });
      else units.push({ unit, times: Float64Array.from(times.slice(0, values.length)), values });
    });
  }
  skipped.push(...guard.skipped);
  const timeName = timeColumn.numeric ? `"${table.columns[timeColumn.index!]}"` : 'the row number';
  notes.push(
    `${table.file}: read as wide CSV, one unit a column (${unitColumns.length}), time = ${timeName}.`,
  );
  const single = unitColumns.length === 1 ? table.columns[unitColumns[0]] : '';
  const timeLabel = timeColumn.numeric ? table.columns[timeColumn.index!] || 'time' : undefined;
  return { name: table.file, valueLabel: single || 'value', timeLabel, units, notes, skipped };
}

function findTimeColumn(
  table: CsvTable,
  options: ResolvedDataOptions,
  notes: string[],
): { index?: number; numeric: boolean } {
  if (options.timeColumn !== undefined)
    return { index: columnIndex(table, options.timeColumn, '--time-column'), numeric: true };
  if (table.columns.length > 1 && table.columns[0] === '') {
    const numeric = table.rows.every(
      (row) => row.cells[0].trim() !== '' && Number.isFinite(Number(row.cells[0])),
    );
    if (!numeric) notes.push(`${table.file}: the first column has no name and no numbers; it is left out.`);
    return { index: 0, numeric };
  }
  const usual = table.columns.findIndex(isTimeName);
  if (usual >= 0 && table.columns.length > 1) return { index: usual, numeric: true };
  if (table.columns.length > 1 && countsUp(table)) return { index: 0, numeric: true };
  return { numeric: false };
}

function countsUp(table: CsvTable): boolean {
  const first = table.rows.map((row) => (row.cells[0].trim() === '' ? NaN : Number(row.cells[0])));
  const step = first[1] - first[0];
  return (
    first.length > 2 &&
    step > 0 &&
    first.every((time, i) => i === 0 || Math.abs(time - first[i - 1] - step) <= 1e-6 * step)
  );
}

function readTimes(table: CsvTable, column: number): number[] {
  const times: number[] = [];
  for (const row of table.rows) {
    const place = () => cellPlace(table, row, column);
    const time = parseNumber(row.cells[column], place);
    const last = times.at(-1);
    if (last !== undefined && time === last) throw new DataError(`${place()}: time ${time} comes twice.`);
    if (last !== undefined && time < last)
      throw new DataError(
        `${place()}: times are not sorted: ${time} follows ${last}. Sort the rows by time.`,
      );
    times.push(time);
  }
  return times;
}

function readColumn(table: CsvTable, column: number): Float64Array {
  let end = table.rows.length;
  while (end > 0 && table.rows[end - 1].cells[column].trim() === '') end--;
  return Float64Array.from(table.rows.slice(0, end), (row) => {
    const place = () => cellPlace(table, row, column);
    if (row.cells[column].trim() === '')
      throw new DataError(
        `${place()}: a blank cell before the end of the unit. Fill the gap or remove the row.`,
      );
    return parseNumber(row.cells[column], place);
  });
}
