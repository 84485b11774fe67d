/**
 * A CSV file as columns by name, with the line of every row for messages.
 */
import { CsvError, parse } from 'csv-parse/sync';

import { DataError, suggestion } from '@rollcast/core';

import { readTextFile } from './text-file.js';

export interface CsvRow {
  /** Line in the file, from 1. */
  readonly line: number;
  readonly cells: readonly string[];
}

export interface CsvTable {
  readonly file: string;
  /** Column names as written; a blank one is the empty string. */
  readonly columns: readonly string[];
  readonly rows: readonly CsvRow[];
}

const DELIMITERS = [',', ';', '\t'];

/**
 * Reads a CSV file with a header line; comma, semicolon or tab, whichever the header uses most.
 *
 * @throws {DataError} for broken quotes, a missing header, two columns of one name, a header without rows, ragged rows
 */
export function readCsvTable(file: string, text = readTextFile(file)): CsvTable {
  const records = parseRecords(file, text);
  const header = records[0].cells.map((name) => name.trim());
  // A column without name and content comes from a trailing delimiter.
  while (
    header.length > 1 &&
    header.at(-1) === '' &&
    records.every((r) => !r.cells[header.length - 1]?.trim())
  )
    header.pop();
  checkHeader(file, header, records[0].line);

  const rows = records.slice(1).filter(({ cells }) => cells.some((cell) => cell.trim() !== ''));
  if (rows.length === 0)
    throw new DataError(`${file}: only a header (${header.join(', ')}) and no rows under it.`);
  for (const { line, cells } of rows) {
    const extra = cells.slice(header.length).some((cell) => cell.trim() !== '');
    if (cells.length < header.length || extra)
      throw new DataError(
        `${file}:${line}: expected ${header.length} cell${header.length === 1 ? '' : 's'}, as in the header; got ${cells.length}.`,
      );
  }
  return { file, columns: header, rows };
}

/**
 * The index of a column by its name.
 *
 * @param flag - the option that named it, for the message
 * @throws {DataError} naming the columns that exist and the nearest one
 */
export function columnIndex(table: CsvTable, name: string, flag: string): number {
  const index = table.columns.indexOf(name);
  if (index >= 0) return index;
  throw new DataError(
    `${table.file}: no column "${name}" (${flag}). Columns: ${columnList(table)}.${suggestion(name, table.columns)}`,
  );
}

/** The columns that exist, for messages. */
export function columnList(table: CsvTable): string {
  return table.columns.map((name, i) => name || `(column ${i + 1}, no name)`).join(', ');
}

/** `file.csv:12, column "capacity"`. */
export function cellPlace(table: CsvTable, row: CsvRow, column: number): string {
  return `${table.file}:${row.line}, column "${table.columns[column] || column + 1}"`;
}

function parseRecords(file: string, text: string): CsvRow[] {
  const firstLine = /^\s*(.*)/.exec(text)![1];
  const counts = DELIMITERS.map((delimiter) => firstLine.split(delimiter).length);
  const delimiter = DELIMITERS[counts.indexOf(Math.max(...counts))];
  const records: { line: number; cells: string[] }[] = [];
  try {
    const parsed = parse(text, {
      delimiter,
      bom: true,
      info: true,
      relax_column_count: true,
      skip_empty_lines: true,
    }) as unknown as { record: string[]; info: { lines: number } }[];
    for (const { record, info } of parsed) records.push({ line: info.lines, cells: record });
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const line = (error as CsvError & { lines?: number }).lines;
    throw new DataError(
      `${file}${line === undefined ? '' : `:${line}`}: not a valid CSV file: ${error.message}`,
    );
  }
  if (records.length === 0) throw new DataError(`${file}: the file is empty.`);
  return records;
}

function checkHeader(file: string, header: string[], line: number): void {
  const numeric = header.every((name) => name !== '' && Number.isFinite(Number(name)));
  if (numeric && header.some((name) => !/^\d+$/.test(name)))
    throw new DataError(
      `${file}:${line}: expected column names in the first line; got numbers (${header.slice(0, 4).join(', ')}). Add a header line.`,
    );
  const seen = new Set<string>();
  for (const name of header) {
    if (name !== '' && seen.has(name))
      throw new DataError(`${file}:${line}: two columns are called "${name}". Rename one.`);
    seen.add(name);
  }
}
