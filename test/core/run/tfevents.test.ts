import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from '@jest/globals';

import { EventFileWriter, crc32c, fileVersionRecord, scalarRecord } from '@rollcast/core';

import { temporaryFolder } from '../../support/temporary.js';

// Recorded with the real package by test/golden/record-tfevents.py (tensorboard 2.21.0), whose EventAccumulator also
// read a file written here.
const golden = readFileSync(new URL('../../golden/tfevents.hex', import.meta.url), 'utf8').trim();

test('CRC-32C gives the known answers of RFC 3720', () => {
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
});

test('the bytes equal those of TensorBoard', () => {
  const ours = Buffer.concat([
    fileVersionRecord(1700000000.25),
    scalarRecord(1700000001.5, 1, { 'reward/mse': -0.125 }),
    scalarRecord(1700000002.75, 300, { 'kl/exactPerToken': 0.03 }),
    scalarRecord(1700000003, 5_000_000_000, { größe: 0 }),
  ]);
  expect(ours.toString('hex')).toBe(golden);
});

test('a file begins with its version, once', () => {
  const writer = new EventFileWriter(join(temporaryFolder(), 'events.out.tfevents.1.rollcast'));
  writer.addScalars(1, { a: 1 }, 10);
  writer.addScalars(2, { a: 2 }, 11);
  const expected = [fileVersionRecord(10), scalarRecord(10, 1, { a: 1 }), scalarRecord(11, 2, { a: 2 })];
  expect(readFileSync(writer.path).equals(Buffer.concat(expected))).toBe(true);
});

test('rewinding removes later records and a torn end, and keeps the rest byte for byte', () => {
  const writer = new EventFileWriter(join(temporaryFolder(), 'events.out.tfevents.1.rollcast'));
  writer.addScalars(0, { a: 0 }, 9);
  writer.addScalars(299, { a: 1 }, 10);
  const before = readFileSync(writer.path);
  writer.addScalars(300, { a: 2 }, 11);
  appendFileSync(writer.path, scalarRecord(12, 1, { a: 3 }).subarray(0, 20));
  writer.rewind(299);
  expect(readFileSync(writer.path).equals(before)).toBe(true);
});
