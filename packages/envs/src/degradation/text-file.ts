/**
 * Reading text that somebody else wrote: one clear message for everything that is not a readable text file.
 */
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';

import { DataError, suggestion } from '@rollcast/core';

/** Control characters that no text file holds (tab, line feed, form feed and carriage return excepted). */
const BINARY = /[\0-\x08\x0b\x0e-\x1a\x1c-\x1f]/; // eslint-disable-line no-control-regex

/** Squares and sums of squares of larger numbers leave the range of the arithmetic. */
const LARGEST = 1e30;

/**
 * The text of a file, without a byte-order mark. UTF-8, or Latin-1 where it is not valid UTF-8.
 *
 * @throws {DataError} for a missing file (nearest name suggested), a folder, an empty file, UTF-16, binary content
 */
export function readTextFile(file: string): string {
  const bytes = readBytes(file);
  if (bytes.length === 0) throw new DataError(`${file}: the file is empty.`);
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff))
    throw new DataError(`${file}: the file is UTF-16 text. Save it as UTF-8 (in Excel: "CSV UTF-8").`);
  const text = decode(bytes);
  if (BINARY.test(text))
    throw new DataError(`${file}: expected a text file (CSV or C-MAPSS); this one is binary.`);
  if (text.trim() === '') throw new DataError(`${file}: the file is empty.`);
  return text;
}

/**
 * The number in a cell.
 *
 * @param where - gives the place for the message, for example `cells.csv:12, column "capacity"`
 * @throws {DataError} for a blank cell, text, NaN, an infinite value or one beyond ±1e30
 */
export function parseNumber(cell: string, where: () => string): number {
  const text = cell.trim();
  const value = Number(text);
  if (text !== '' && Math.abs(value) <= LARGEST && !/^0[xob]/i.test(text)) return value;
  throw new DataError(`${where()}: ${badNumber(text, value)}`);
}

function badNumber(text: string, value: number): string {
  if (text === '') return 'expected a number; the cell is blank.';
  if (/^[+-]?(nan|na|null|none)$/i.test(text))
    return `expected a number; got ${text}. Remove the row or fill the gap first.`;
  if (/^[+-]?inf(inity)?$/i.test(text) || Math.abs(value) === Infinity)
    return `expected a finite number; got ${text}.`;
  if (Math.abs(value) > LARGEST) return `expected a number within ±${LARGEST}; got ${text}.`;
  const hint = /^[+-]?\d+,\d+$/.test(text) ? ' Write decimals with a point.' : '';
  const shown = text.length > 40 ? `${text.slice(0, 40)}…` : text;
  return `expected a number; got "${shown}".${hint}`;
}

function readBytes(file: string): Buffer {
  try {
    if (statSync(file).isDirectory())
      throw new DataError(`${file}: this is a folder; give the data file itself.${example(file)}`);
    return readFileSync(file);
  } catch (error) {
    if (error instanceof DataError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw new DataError(`${file}: no such file.${suggestion(basename(file), siblings(dirname(file)))}`);
    throw new DataError(`${file}: cannot be read: ${message}`);
  }
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return bytes.toString('latin1');
  }
}

function siblings(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function example(folder: string): string {
  const data = siblings(folder).filter((name) => /\.(csv|txt|tsv)$/i.test(name));
  return data.length > 0 ? ` It holds ${data.slice(0, 5).join(', ')}.` : '';
}
