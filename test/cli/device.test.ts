import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from '@jest/globals';

import { deviceReports } from '@rollcast/core';
import { onnxBackend } from '@rollcast/tfjs-onnxruntime';

import { temporaryFolder } from '../support/temporary.js';
import { rollcast } from './support.js';

const folder = temporaryFolder();
const tiny = [
  ...['--simulator', 'knee', '--units', '4', '--steps', '1', '--batch-size', '2'],
  ...['model.width=8', 'model.heads=2', 'model.layers=1', 'tokeniser.vocabularySize=16'].flatMap((set) => [
    '--set',
    set,
  ]),
];

test('a device that does not work here ends the command before anything is written', async () => {
  const missing = (await deviceReports()).filter(({ usable }) => !usable);
  if (missing.length === 0) console.warn('every device works here: nothing was refused');
  for (const { device, detail } of missing) {
    const out = join(folder, device);
    const { code, err } = await rollcast('pretrain', ...tiny, '--device', device, '--out', out);
    expect(err).toContain(`The backend "onnx" cannot be used: ${detail}`);
    expect(code).toBe(2);
    expect(existsSync(out)).toBe(false);
  }
});

test('--device and --threads reach the backend, and the log of the run says so', async () => {
  const out = join(folder, 'run');
  const { code, err } = await rollcast(
    ...['pretrain', ...tiny, '--device', 'cpu', '--threads', '1', '--out', out],
  );
  expect(err).toContain('done: held-out cross-entropy');
  expect(code).toBe(0);
  expect(onnxBackend().sessionOptions).toMatchObject({ device: 'cpu', threads: 1 });
  expect(readFileSync(join(out, 'log.jsonl'), 'utf8')).toContain(
    'backend: onnx (device cpu, threads 1, chosen by auto; rollcast doctor shows all)',
  );
  // a run is continued on whichever device is there
  const resumed = await rollcast('pretrain', '--out', out, '--resume', '--threads', '1');
  expect(resumed.code).toBe(0);
});
