import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';

import { expect, test } from '@jest/globals';

import { RunDirectory, StorageError } from '@rollcast/core';

import { temporaryFolder } from '../../support/temporary.js';

const open = (path: string, mode: 'new' | 'force' | 'resume' = 'new'): RunDirectory =>
  RunDirectory.create(path, { kind: 'train', config: {}, mode });

/** Leaves a lock as a process of another time or machine would have. */
function lockedBy(holder: unknown): string {
  const path = temporaryFolder();
  mkdirSync(join(path, '.lock'));
  writeFileSync(
    join(path, '.lock', 'holder.json'),
    typeof holder === 'string' ? holder : JSON.stringify(holder),
  );
  return path;
}
const here = { host: hostname(), since: '2026-01-02T03:04:05.678Z' };
/** The number of a process that has just ended. */
const endedPid = (): number => spawnSync(process.execPath, ['-e', '']).pid;

test('a run that is being written is refused at once by every mode, and free again when it is closed', () => {
  const run = open(temporaryFolder());
  for (const mode of ['force', 'resume'] as const) {
    expect(() => open(run.path, mode)).toThrow(StorageError);
    expect(() => open(run.path, mode)).toThrow(`${run.path} is being written by this process already`);
  }
  run.close();
  run.close();
  expect(readdirSync(run.path)).not.toContain('.lock');
  open(run.path, 'resume').close();
});

test('the lock says who has it: process, machine and since when', () => {
  const run = open(temporaryFolder());
  const holder = JSON.parse(readFileSync(join(run.path, '.lock', 'holder.json'), 'utf8')) as object;
  expect(holder).toMatchObject({ pid: process.pid, host: hostname() });
  run.close();
});

test('another living process is named, and nothing is touched', () => {
  const path = lockedBy({ ...here, pid: process.ppid });
  expect(() => open(path)).toThrow(
    `${path} is being written by process ${process.ppid}, since 2026-01-02T03:04:05.678Z. Wait until it has ended, or choose another folder.`,
  );
  expect(readdirSync(path)).toEqual(['.lock']);
});

test.each([
  ['whose process is gone', () => ({ ...here, pid: endedPid() })],
  ['whose number another process has got since', () => ({ ...here, pid: process.ppid, processStart: '1' })],
  ['that a power cut has emptied', () => ''],
])('a lock %s is taken over', (what, holder) => {
  if (what.includes('number') && process.platform !== 'linux') return; // only there is the start of a process known
  const run = open(lockedBy(holder()));
  expect(readdirSync(run.path).sort()).toEqual(['.lock', 'checkpoints', 'config.json', 'plots']);
  run.close();
});

test('a process of another machine cannot be looked at: the lock to delete is named', () => {
  const path = lockedBy({ ...here, host: 'elsewhere', pid: endedPid() });
  expect(() => open(path)).toThrow(
    `on the machine "elsewhere", since 2026-01-02T03:04:05.678Z. When that process is gone, delete ${join(path, '.lock')} and try again.`,
  );
});

test('a lock that another process holds by now is not given back in its place', () => {
  const run = open(temporaryFolder());
  const file = join(run.path, '.lock', 'holder.json');
  writeFileSync(file, 'of another');
  run.close();
  expect(readFileSync(file, 'utf8')).toBe('of another');
});
