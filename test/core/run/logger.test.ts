import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';

import { expect, test } from '@jest/globals';

import { closeLogger, createLogger } from '@rollcast/core';

import { temporaryFolder } from '../../support/temporary.js';

const text = (stream: PassThrough) => String(stream.read() ?? '');

test('people read short lines, the file gets JSON with timestamps', async () => {
  const console = new PassThrough();
  const file = join(temporaryFolder(), 'log.jsonl');
  const logger = createLogger({ file, console });
  logger.info('backend onnx', { device: 'cpu' });
  logger.warn('3 units are too short');
  logger.debug('not shown');
  await closeLogger(logger);
  expect(text(console)).toBe('backend onnx\nwarning: 3 units are too short\n');
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  const records = lines.map((line) => JSON.parse(line) as Record<string, string>);
  expect(records).toEqual([
    expect.objectContaining({ level: 'info', message: 'backend onnx', device: 'cpu' }),
    expect.objectContaining({ level: 'warn', message: '3 units are too short' }),
  ]);
  expect(Number.isNaN(Date.parse(records[0].timestamp))).toBe(false);
});

test('nothing is logged that nobody said: the file holds level, message and timestamp only', async () => {
  const file = join(temporaryFolder(), 'log.jsonl');
  const logger = createLogger({ file, console: false });
  logger.info('hello');
  await closeLogger(logger);
  expect(Object.keys(JSON.parse(readFileSync(file, 'utf8')) as object).sort()).toEqual([
    'level',
    'message',
    'timestamp',
  ]);
});

test('a log file that cannot be written is reported once and does not stop the run', async () => {
  const console = new PassThrough();
  const logger = createLogger({ file: join(temporaryFolder(), 'gone', 'log.jsonl'), console });
  logger.info('one');
  logger.info('two');
  await closeLogger(logger);
  const said = text(console);
  expect(said.match(/cannot be written/g)).toHaveLength(1);
  expect(said).toContain('two\n');
});

test('a logger without file and console is silent', async () => {
  const logger = createLogger({ console: false });
  logger.info('nobody hears');
  await closeLogger(logger);
});
