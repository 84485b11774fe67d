import { readFileSync, readdirSync, rmSync, cpSync } from 'node:fs';
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
  let result: Record<string, unknown> | undefined;
  try {
    const { stepsPerSecond: _, ...rest } = JSON.parse(
      readFileSync(join(run, 'result.json'), 'utf8'),
    ) as Record<string, unknown>;
    result = rest;
  } catch {
    result = undefined; // a pre-training run has none
  }
  return {
    metrics: RunDirectory.open(run).readMetrics().map(timeless),
    ...Object.fromEntries(checkpoints),
    result,
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
  for (const name of readdirSync(join(copy, 'checkpoints'))) {
    const match = /^update-(\d+)$/.exec(name);
    if (match && Number(match[1]) > update) rmSync(join(copy, 'checkpoints', name), { recursive: true });
  }
}
