import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { expect, jest } from '@jest/globals';

import { main } from '@rollcast/cli';

/** What a command printed and how it ended. */
export interface CommandResult {
  code: number;
  out: string;
  err: string;
}

/** Runs one command line in this process, as a terminal that is none would see it. */
export async function rollcast(...args: string[]): Promise<CommandResult> {
  const result = { code: -1, out: '', err: '' };
  const capture = (stream: 'out' | 'err') => (text: unknown) => {
    result[stream] += String(text);
    return true;
  };
  const line = (stream: 'out' | 'err') => (text: unknown) => void capture(stream)(`${String(text)}\n`);
  const spies = [
    jest.spyOn(process.stdout, 'write').mockImplementation(capture('out')),
    jest.spyOn(process.stderr, 'write').mockImplementation(capture('err')),
    jest.spyOn(console, 'log').mockImplementation(line('out')),
    jest.spyOn(console, 'error').mockImplementation(line('err')),
  ];
  try {
    result.code = await main(args);
  } finally {
    for (const spy of spies) spy.mockRestore();
    process.exitCode = 0;
  }
  return result;
}

/** Runs one command line that must end well. */
export async function succeed(...args: string[]): Promise<CommandResult> {
  return expectSuccess(await rollcast(...args), args);
}

/** What a command printed that must succeed. */
export async function printed(...args: string[]): Promise<string> {
  return (await succeed(...args)).out;
}

/** The result, once it is sure that the command succeeded. */
export function expectSuccess(result: CommandResult, args: readonly string[]): CommandResult {
  const { code, err } = result;
  expect({ args, code, err: code === 0 ? '' : err }).toEqual({ args, code: 0, err: '' });
  return result;
}

/** Runs one command line that must be refused: a message without a stack, and exit code 2. */
export async function refused(message: RegExp, ...args: string[]): Promise<void> {
  const { code, err } = await rollcast(...args);
  expect(err).toMatch(message);
  expect(err).not.toMatch(/\n\s+at /);
  expect(code).toBe(2);
}

/** Settings of a model that trains in a moment, and as flags of `pretrain`. */
export const tinySettings = [
  'model.width=8',
  'model.heads=2',
  'model.layers=1',
  'tokeniser.vocabularySize=32',
];
export const tiny = tinySettings.flatMap((setting) => ['--set', setting]);

/** A CSV of falling, slightly noisy histories: `units` cells of `length` cycles. */
export function cellsCsv(units: number, length: number): string {
  const rows = ['cell,cycle,capacity_ah'];
  for (let u = 0; u < units; u++) {
    for (let i = 0; i < length; i++) {
      const wobble = 0.002 * Math.sin(12.9898 * i + 78.233 * u);
      rows.push(`cell-${u},${i + 1},${(1.1 - (0.0008 + 0.0002 * u) * i + wobble).toFixed(6)}`);
    }
  }
  return `${rows.join('\n')}\n`;
}

/** The files of the last checkpoint of a run, by name. */
export function lastCheckpoint(run: string): Record<string, Buffer> {
  const checkpoints = join(run, 'checkpoints');
  const last = readdirSync(checkpoints)
    .filter((name) => name.startsWith('update-'))
    .sort()
    .at(-1)!;
  return Object.fromEntries(
    readdirSync(join(checkpoints, last)).map((name) => [name, readFileSync(join(checkpoints, last, name))]),
  );
}

/** The lines of `metrics.jsonl`. */
export function metrics(run: string): Record<string, number>[] {
  return readFileSync(join(run, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, number>);
}

/** Metrics without how long things took. */
export function timeless(records: Record<string, number>[]): Record<string, number>[] {
  return records.map((record) =>
    Object.fromEntries(Object.entries(record).filter(([name]) => !name.endsWith('Seconds'))),
  );
}
