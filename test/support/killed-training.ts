import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from '@jest/globals';

import { CheckpointStore, RandomStream } from '@rollcast/core';

import { startRollcast, succeed, until } from './child.js';
import { expectSameRun } from './same-run.js';

/** What came of the kills. */
export interface KillCounts {
  killed: number;
  /** How often a checkpoint was there. */
  withCheckpoint: number;
  /** How often something was half written: a folder or file aside, or one being removed. */
  whileWriting: number;
  /** Runs that came to their end, each the same as the undisturbed one. */
  runs: number;
}

/**
 * Kills a training (SIGKILL) at seeded-random moments, goes on each time until it is finished, and compares it with one that
 * nobody has disturbed; then begins again, until it was killed so many times.
 *
 * The moments lie between the taking of the run folder and the end of the command, so that they fall on checkpoints being
 * written, as these take most of a small training.
 *
 * @param command - without `--out`
 * @param onFinished - called after each run that came to its end
 */
export async function expectUndisturbedByKills(
  folder: string,
  command: readonly string[],
  {
    kills,
    seed,
    onFinished = () => undefined,
  }: { kills: number; seed: number; onFinished?: (counts: KillCounts) => void },
): Promise<KillCounts> {
  const whole = join(folder, 'whole');
  const first = startRollcast([...command, '--out', whole]);
  await until(first, () => existsSync(join(whole, '.lock')));
  const begun = performance.now();
  expect(await first.ended).toMatchObject({ code: 0 });
  const duration = performance.now() - begun;

  const random = new RandomStream(seed, 'kills');
  const counts: KillCounts = { killed: 0, withCheckpoint: 0, whileWriting: 0, runs: 0 };
  while (counts.killed < kills) {
    const run = join(folder, `run-${counts.runs}`);
    const next = (): string[] =>
      existsSync(join(run, 'config.json'))
        ? [command[0], '--resume', '--out', run]
        : [...command, '--out', run]; // killed before it was one
    let finished = false;
    while (!finished && counts.killed < kills) {
      const running = startRollcast(next());
      await until(running, () => existsSync(join(run, '.lock')) && running.said().includes('backend:'));
      await new Promise((resolve) => setTimeout(resolve, random.uniform() * duration));
      running.child.kill('SIGKILL');
      const { code, signal, err } = await running.ended;
      finished = code === 0;
      if (finished) break;
      expect({ code, signal, err: signal ? '' : err }).toEqual({ code: null, signal: 'SIGKILL', err: '' });
      counts.killed += 1;
      if (halfWritten(run)) counts.whileWriting += 1;
      const store = new CheckpointStore(join(run, 'checkpoints'));
      const damaged: string[] = [];
      if (store.loadLatestGood((message) => damaged.push(message))) counts.withCheckpoint += 1;
      expect(damaged).toEqual([]); // what a killed process leaves is whole
    }
    if (!finished) await succeed(...next());
    expectSameRun(run, whole);
    rmSync(run, { recursive: true });
    counts.runs += 1;
    onFinished(counts);
  }
  return counts;
}

/** Whether a killed process has left something that is neither there in full nor not at all. */
function halfWritten(run: string): boolean {
  return readdirSync(run, { recursive: true, encoding: 'utf8' }).some((path) =>
    /\.(aside|removed)-\d+-\d+$/.test(path),
  );
}
