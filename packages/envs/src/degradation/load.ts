/**
 * Data files of any known format → one `SeriesSet`.
 */
import { basename, dirname, extname, join, resolve } from 'node:path';

import { ConfigError, DataError, resolveOptions } from '@rollcast/core';

import { columnList, readCsvTable } from './csv-table.js';
import { dataOptions, type DataOptions, type ResolvedDataOptions } from './data-options.js';
import { loadCmapss } from './load-cmapss.js';
import { findLongLayout, loadLong } from './load-long.js';
import { loadWideTimes, looksWideTimes } from './load-wide-times.js';
import { loadWide } from './load-wide.js';
import { resampleUnit } from './resample.js';
import { orientSeries, type RawSeries, type SeriesSet } from './series.js';
import { readTextFile } from './text-file.js';
import { UnitGuard } from './unit-guard.js';

/** How strictly files are read. */
export interface LoadRules {
  /**
   * Leave out units with points that cannot be read, and name them in `skipped`, instead of refusing the file; the set may
   * then be empty. @defaultValue false
   */
  readonly leaveOutBadUnits?: boolean;
}

/**
 * Reads one or several files into one set, oriented so that wear rises.
 *
 * @throws {ConfigError} for options that contradict each other
 * @throws {DataError} for anything wrong in a file; see the loaders
 */
export function loadSeries(input: DataOptions, { leaveOutBadUnits = false }: LoadRules = {}): SeriesSet {
  const options = resolveOptions(dataOptions, input, 'data');
  checkFiles(options.files);
  const parts = options.files.map((file) => loadFile(file, options, new UnitGuard(leaveOutBadUnits)));
  const raw = parts.length === 1 ? withShortName(parts[0]) : merge(options.files, parts);
  return orientSeries(
    options.points === undefined ? raw : resample(raw, options.points),
    options.direction,
    leaveOutBadUnits,
  );
}

function resample(raw: RawSeries, points: number): RawSeries {
  const lengths = raw.units.map(({ values }) => values.length);
  const from = [...new Set([Math.min(...lengths), Math.max(...lengths)])].join(' to ');
  const note = `each unit is resampled to ${points} points evenly spaced in its time, on straight lines (from ${from}).`;
  return {
    ...raw,
    units: raw.units.map((unit) => resampleUnit(unit, points)),
    notes: [...(raw.notes ?? []), ...(lengths.length > 0 ? [note] : [])],
  };
}

function loadFile(file: string, options: ResolvedDataOptions, guard: UnitGuard): RawSeries {
  const text = readTextFile(file);
  const format = options.format === 'auto' ? detectTextFormat(text, options) : options.format;
  if (format === 'cmapss') {
    refuse(options, ['unitColumn', 'timeColumn', 'valueColumn'], 'C-MAPSS files have no named columns');
    return loadCmapss(file, options, guard, text);
  }
  refuse(options, ['sensor', 'healthIndex'], `${file} is a CSV file; sensors belong to C-MAPSS files`);
  const table = readCsvTable(file, text);
  if (format === 'wide') {
    refuse(options, ['unitColumn', 'valueColumn'], 'a wide CSV has one column a unit');
    return loadWide(table, options, guard);
  }
  const { unitColumn, timeColumn, valueColumn } = options;
  const unnamed = [unitColumn, timeColumn, valueColumn].every((name) => name === undefined);
  if (format === 'wide-times' || (options.format === 'auto' && unnamed && looksWideTimes(table))) {
    refuse(
      options,
      ['unitColumn', 'timeColumn', 'valueColumn'],
      'a wide CSV of times has the value in its first column and one column of times a unit',
    );
    return loadWideTimes(table, options, guard);
  }
  const layout = findLongLayout(table, options);
  if (layout) return loadLong(table, layout, stem(file), guard);
  if (options.format === 'auto') return loadWide(table, options, guard);
  throw new DataError(
    `${file}: which columns hold unit and value? Name them with --unit-column, --time-column and --value-column. Columns: ${columnList(table)}.`,
  );
}

/** C-MAPSS when the first line is numbers between blanks; otherwise a CSV, long or wide by its columns. */
function detectTextFormat(text: string, options: ResolvedDataOptions): 'cmapss' | 'csv' {
  const first = /^\s*(.*)/.exec(text)![1].trim();
  const numbers = !/[,;]/.test(first) && first.split(/\s+/).every((token) => Number.isFinite(Number(token)));
  const asked = options.sensor !== undefined || (options.healthIndex ?? false) !== false;
  const looksCsv = /[,;\t]/.test(first);
  return numbers || (asked && !looksCsv) ? 'cmapss' : 'csv';
}

function refuse(options: ResolvedDataOptions, keys: (keyof ResolvedDataOptions)[], why: string): void {
  for (const key of keys) {
    if (options[key] === undefined || options[key] === false) continue;
    const flag = `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    throw new ConfigError(`${flag} does not apply: ${why}.`, [{ path: `data.${key}`, message: why }]);
  }
}

function checkFiles(files: string[]): void {
  const seen = new Set<string>();
  for (const file of files) {
    if (seen.has(resolve(file))) throw new DataError(`${file}: the file is given twice.`);
    seen.add(resolve(file));
  }
}

function withShortName(part: RawSeries): RawSeries {
  return { ...part, name: stem(part.name) };
}

/** Units of all files; names are prefixed by the file only where several files use the same name. */
function merge(files: string[], parts: RawSeries[]): RawSeries {
  const names = parts.flatMap((part) => part.units.map(({ unit }) => unit));
  const clash = new Set(names).size < names.length;
  const labels = fileLabels(files);
  const rename = (unit: string, i: number) => (clash ? `${labels[i]}/${unit}` : unit);
  const valueLabels = [...new Set(parts.map((part) => part.valueLabel))];
  const timeLabels = new Set(parts.map((part) => part.timeLabel));
  const notes = parts.flatMap((part) => part.notes ?? []);
  if (clash) notes.push('unit names are prefixed by their file, because several files use the same ones.');
  if (valueLabels.length > 1)
    notes.push(
      `the files call their values differently (${valueLabels.join(', ')}): make sure that they are one quantity.`,
    );
  return {
    name: labels.join('+'),
    valueLabel: valueLabels[0],
    timeLabel: timeLabels.size === 1 ? parts[0].timeLabel : 'time',
    notes,
    units: parts.flatMap((part, i) => part.units.map((unit) => ({ ...unit, unit: rename(unit.unit, i) }))),
    skipped: parts.flatMap((part, i) =>
      (part.skipped ?? []).map(({ unit, reason }) => ({ unit: rename(unit, i), reason })),
    ),
  };
}

/** The shortest of stem, folder/stem and path that tells the files apart. */
function fileLabels(files: string[]): string[] {
  const candidates = [
    stem,
    (file: string) => join(basename(dirname(resolve(file))), stem(file)),
    (file: string) => file,
  ];
  const label = candidates.find((name) => new Set(files.map(name)).size === files.length)!;
  return files.map(label);
}

function stem(file: string): string {
  return basename(file, extname(file));
}
