import { cpSync, existsSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from '@jest/globals';

import { RunDirectory } from '@rollcast/core';

/** The files below a folder, by their paths in it. */
function filesBelow(folder: string): Record<string, Buffer> {
  return Object.fromEntries(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => [path.slice(folder.length + 1), readFileSync(path)]),
  );
}

/** Everything of a run that must not depend on how often it was cut: times are left out. */
function contentOf(run: string): Record<string, unknown> {
  const timeless = (record: Record<string, unknown>): Record<string, unknown> =>
    Object.fromEntries(Object.entries(record).filter(([name]) => !/seconds?$/i.test(name)));
  const checkpoints = Object.entries(filesBelow(join(run, 'checkpoints'))).map(
    ([name, bytes]): [string, string] => [name, bytes.toString('base64')],
  );
  const result = join(run, 'result.json'); // a pre-training run has none
  return {
    metrics: RunDirectory.open(run).readMetrics().map(timeless),
    ...Object.fromEntries(checkpoints),
    result:
      existsSync(result) && timeless(JSON.parse(readFileSync(result, 'utf8')) as Record<string, unknown>),
  };
}

/** Metrics (times aside), checkpoints - weights, optimiser, state - and result equal, byte for byte. */
export function expectSameRun(run: string, whole: string): void {
  expect(contentOf(run)).toEqual(contentOf(whole));
}

/** A copy of a finished run as it was when one of its checkpoints had just been written. */
export function cutAfter(update: number, whole: string, copy: string): void {
  cpSync(whole, copy, { recursive: true });
  rmSync(join(copy, 'result.json'), { force: true });
  const names = readdirSync(join(copy, 'checkpoints')).filter((name) => name.startsWith('update-'));
  const later = names.filter((name) => Number(name.slice('update-'.length)) > update);
  expect(later.length).toBeGreaterThan(0); // or nothing would be cut
  expect(later.length).toBeLessThan(names.length);
  for (const name of later) rmSync(join(copy, 'checkpoints', name), { recursive: true });
}
