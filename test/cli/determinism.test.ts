import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { beforeAll, expect, test } from '@jest/globals';

import { decodeSafetensors } from '@rollcast/core';

import { temporaryFolder } from '../support/temporary.js';
import { lastCheckpoint, metrics, timeless } from './support.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = temporaryFolder();
const TRAINING = [
  ...[
    'train',
    '--env',
    'token-copy-v1',
    '--algo',
    'ppo',
    '--updates',
    '4',
    '--batch-size',
    '16',
    '--seed',
    '5',
  ],
  ...['--set', 'model.width=16', '--set', 'model.layers=1', '--set', 'model.heads=2'],
];

/** A training in a process of its own, as built. */
function train(name: string, ...flags: string[]): string {
  const out = join(folder, name);
  const program = join(root, 'packages/cli/bin/rollcast.js');
  const { status, stderr } = spawnSync(process.execPath, [program, ...TRAINING, ...flags, '--out', out], { encoding: 'utf8' }); // prettier-ignore
  expect({ name, status, stderr: status === 0 ? '' : stderr }).toEqual({ name, status: 0, stderr: '' });
  return out;
}

let one: string;
beforeAll(() => {
  one = train('onnx-1', '--backend', 'onnx', '--threads', '1');
});

test('processes of their own with 1 and with 2 threads leave the same checkpoint and metrics, byte for byte', () => {
  const two = train('onnx-2', '--backend', 'onnx', '--threads', '2');
  expect(lastCheckpoint(two)).toEqual(lastCheckpoint(one));
  expect(timeless(metrics(two))).toEqual(timeless(metrics(one)));
});

test('the backends wasm and onnx agree to rounding over four updates', () => {
  const other = train('wasm', '--backend', 'wasm');
  const weights = (run: string) => decodeSafetensors(lastCheckpoint(run)['weights.safetensors'], run).arrays;
  const [a, b] = [weights(one), weights(other)];
  expect(Object.keys(b)).toEqual(Object.keys(a));
  for (const name of Object.keys(a))
    // Adam divides by the root of a small second moment: rounding of 1e-7 in a gradient is more in a step
    expect(Array.from(b[name].data)).toBeAllClose(Array.from(a[name].data), { atol: 1e-4 });
  const rewards = (run: string) => metrics(run).map((record) => record['reward/mean']);
  expect(rewards(other)).toEqual(rewards(one)); // the same tokens were drawn
});

test('every claim of docs/determinism.md names a test that is there', () => {
  const page = readFileSync(join(root, 'docs/determinism.md'), 'utf8');
  const claims = [...page.matchAll(/`(test\/[\w./-]+\.test\.ts)`: "([^"]+)"/g)];
  const rows = page.split('\n').filter((line) => /^\| (?!what |-)/.test(line));
  expect(rows.length).toBeGreaterThan(8);
  for (const row of rows) expect(row).toMatch(/`test\/[\w./-]+\.test\.ts`: "/);
  for (const [, file, name] of claims)
    expect({ file, name, there: readFileSync(join(root, file), 'utf8').includes(name) }).toEqual({
      file,
      name,
      there: true,
    });
});
