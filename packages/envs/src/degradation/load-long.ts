/**
 * Long CSV: one row a point, columns for unit, time and value found by name.
 */
import { DataError } from '@rollcast/core';

import { cellPlace, columnIndex, columnList, type CsvTable } from './csv-table.js';
import { type ResolvedDataOptions } from './data-options.js';
import { type RawSeries, type UnitSeries } from './series.js';
import { parseNumber } from './text-file.js';
import { type UnitGuard } from './unit-guard.js';

/** Names (lower case) under which unit and time columns usually go. */
const UNIT_NAMES = ['unit', 'unit_id', 'unitid', 'cell', 'cell_id', 'specimen', 'engine', 'battery', 'bearing', 'sample', 'sample_id', 'id']; // prettier-ignore
const TIME_NAMES = ['time', 't', 'cycle', 'cycles', 'cycle_number', 'cycle_index', 'megacycles', 'hour', 'hours', 'day', 'days', 'step', 'row', 'index', 'n']; // prettier-ignore
const VALUE_NAMES = /^(value|y|capacity|health|health_index|soh|wear|crack|crack_length|damage)([_ (]|$)/i;

/** Columns by index; an absent unit means one unit, an absent time means the row number within the unit. */
export interface LongLayout {
  readonly unit?: number;
  readonly time?: number;
  readonly value: number;
  readonly notes: readonly string[];
}

/** Is this column called like a time? */
export function isTimeName(name: string): boolean {
  return TIME_NAMES.includes(name.toLowerCase());
}

/** The word for time that a name is, or begins with: `cycles` of `cycles_specimen_1`; in small letters. */
export function timeWordOf(name: string): string | undefined {
  const [word] = name.toLowerCase().split(/[_ .:-]/);
  return [name.toLowerCase(), word].find((part) => TIME_NAMES.includes(part));
}

/**
 * Which columns hold unit, time and value, or `undefined` when the table does not look long. Named columns win; then
 * usual names; then exactly three columns of which the first repeats (unit, time, value in this order).
 *
 * @throws {DataError} when a named column is missing or the value column is ambiguous
 */
export function findLongLayout(table: CsvTable, options: ResolvedDataOptions): LongLayout | undefined {
  const named = (name: string | undefined, flag: string) =>
    name === undefined ? undefined : columnIndex(table, name, flag);
  const usual = (names: readonly string[], taken: readonly (number | undefined)[]) =>
    names
      .map((name) => table.columns.findIndex((column) => column.toLowerCase() === name))
      .find((index) => index >= 0 && !taken.includes(index));
  let unit = named(options.unitColumn, '--unit-column');
  let time = named(options.timeColumn, '--time-column');
  let value = named(options.valueColumn, '--value-column');
  const byUser = [unit, time, value];

  unit ??= usual(UNIT_NAMES, [time, value]);
  if (unit === undefined && value === undefined) {
    if (table.columns.length !== 3 || time !== undefined || !firstColumnRepeats(table)) return undefined;
    [unit, time, value] = [0, 1, 2];
  }
  time ??= usual(TIME_NAMES, [unit, value]);
  value ??= guessValue(table, unit, time);

  const roles = [unit, time, value];
  if (new Set(roles.filter((i) => i !== undefined)).size < roles.filter((i) => i !== undefined).length)
    throw new DataError(
      `${table.file}: unit, time and value must be three different columns; got ${roles.map((i) => (i === undefined ? 'none' : `"${table.columns[i]}"`)).join(', ')}.`,
    );
  return { unit, time, value, notes: layoutNotes(table, roles, byUser) };
}

/**
 * Reads a long table.
 *
 * @throws {DataError} with file, line and column for a blank unit, a cell that is not a finite number, and times within a
 *   unit that repeat or are not sorted
 */
export function loadLong(
  table: CsvTable,
  layout: LongLayout,
  singleUnit: string,
  guard: UnitGuard,
): RawSeries {
  const units = new Map<string, { times: number[]; values: number[]; lines: number[] }>();
  for (const row of table.rows) {
    const unit = layout.unit === undefined ? singleUnit : row.cells[layout.unit].trim();
    if (unit === '')
      throw new DataError(`${cellPlace(table, row, layout.unit!)}: the name of the unit is blank.`);
    const good = guard.try(unit, () => {
      let series = units.get(unit);
      if (!series) units.set(unit, (series = { times: [], values: [], lines: [] }));
      const time =
        layout.time === undefined
          ? series.times.length
          : parseNumber(row.cells[layout.time], () => cellPlace(table, row, layout.time!));
      checkTime(table, layout, unit, series, time, row.line);
      series.times.push(time);
      series.values.push(parseNumber(row.cells[layout.value], () => cellPlace(table, row, layout.value)));
      series.lines.push(row.line);
    });
    if (!good) units.delete(unit);
  }
  const list: UnitSeries[] = [...units].map(([unit, { times, values }]) => ({
    unit,
    times: Float64Array.from(times),
    values: Float64Array.from(values),
  }));
  return {
    name: table.file,
    valueLabel: table.columns[layout.value] || 'value',
    timeLabel: layout.time === undefined ? undefined : table.columns[layout.time] || 'time',
    units: list,
    notes: layout.notes,
    skipped: guard.skipped,
  };
}

function checkTime(
  table: CsvTable,
  layout: LongLayout,
  unit: string,
  series: { times: number[]; lines: number[] },
  time: number,
  line: number,
): void {
  const last = series.times.at(-1);
  if (last === undefined || time > last) return;
  const place = `${table.file}:${line}, column "${table.columns[layout.time!]}"`;
  const known = series.times.indexOf(time);
  const wayOut =
    layout.unit === undefined
      ? ' If the file holds several units, name their column with --unit-column.'
      : '';
  if (known >= 0)
    throw new DataError(
      `${place}: unit "${unit}" has time ${time} twice (first on line ${series.lines[known]}).${wayOut}`,
    );
  throw new DataError(
    `${place}: times of unit "${unit}" are not sorted: ${time} follows ${last}. Sort its rows by time.${wayOut}`,
  );
}

function guessValue(table: CsvTable, unit: number | undefined, time: number | undefined): number {
  const rest = table.columns.map((_, i) => i).filter((i) => i !== unit && i !== time);
  if (rest.length === 1) return rest[0];
  const likely = rest.filter((i) => VALUE_NAMES.test(table.columns[i]));
  if (likely.length === 1) return likely[0];
  throw new DataError(
    `${table.file}: which column holds the values? Name it with --value-column. Columns: ${columnList(table)}.`,
  );
}

function firstColumnRepeats(table: CsvTable): boolean {
  return new Set(table.rows.map((row) => row.cells[0])).size < table.rows.length;
}

function layoutNotes(
  table: CsvTable,
  roles: (number | undefined)[],
  byUser: (number | undefined)[],
): string[] {
  const absent = ['one unit for the whole file', 'the row number', ''];
  const parts = ['unit', 'time', 'value'].map((role, i) => {
    const index = roles[i];
    return `${role} = ${index === undefined ? absent[i] : `"${table.columns[index]}"`}`;
  });
  const allNamed = roles.every((_, i) => byUser[i] !== undefined);
  return allNamed ? [] : [`${table.file}: read as long CSV with ${parts.join(', ')}.`];
}
