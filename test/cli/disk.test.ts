import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { beforeAll, describe, expect, test } from '@jest/globals';

import { CheckpointStore, RunDirectory } from '@rollcast/core';

import { startRollcast, succeed, until, type Ended } from '../support/child.js';
import { expectSameRun } from '../support/same-run.js';
import { smallCartPole, smallForecast, smallPretraining } from '../support/small-runs.js';
import { temporaryFolder } from '../support/temporary.js';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const preload = pathToFileURL(fileURLToPath(new URL('../support/disk-fault.mjs', import.meta.url))).href;
const command = smallCartPole('ppo', 8);

/** Runs a command on a file system that fails; see `disk-fault.mjs`. */
const onBadDisk = (fault: string, out: string, args: readonly string[]): Promise<Ended> =>
  startRollcast([...args, '--out', out], {
    nodeArgs: ['--import', preload],
    env: { ROLLCAST_FAULT: fault, ROLLCAST_FAULT_FOLDER: out },
  }).ended;

/** One line that says what is wrong, exit code 1, no stack trace. */
function expectClear({ code, err }: Ended, message: RegExp): void {
  const said = err.split('\n').filter((line) => line.startsWith('error: '));
  expect({ code, err }).toEqual({ code: 1, err: expect.stringMatching(message) });
  expect(said).toHaveLength(1);
  expect(err).not.toMatch(/\n\s+at |This should not have happened/);
}

beforeAll(async () => {
  await succeed(...command, '--out', at('whole'));
}, 120_000);

describe('the disk is full', () => {
  test.each([
    ['at a line of metrics', 'ENOSPC:metrics.jsonl:10'],
    ['at a checkpoint', 'ENOSPC:optimizer.safetensors:9'],
    ['at the renaming of a checkpoint', 'ENOSPC:update-000005:4'],
    ['at the TensorBoard file', 'ENOSPC:tfevents:10'],
  ])('%s: said at once; what was before is whole, and with room the run goes on', async (name, fault) => {
    const out = at(`full ${name}`);
    expectClear(await onBadDisk(fault, out, command), /error: Cannot \w+ .*: the disk is full \(ENOSPC\)\./);
    const { update } = new CheckpointStore(join(out, 'checkpoints')).load('latest');
    expect(update).toBeGreaterThanOrEqual(1);
    const updates = RunDirectory.open(out)
      .readMetrics()
      .map((record) => record.update);
    expect(updates.slice(0, update)).toEqual(Array.from({ length: update }, (_, i) => i + 1));
    await succeed('train', '--resume', '--out', out);
    expectSameRun(out, at('whole'));
  });

  test('at the start of a run: said at once, and the same command starts it when there is room', async () => {
    const out = at('no room');
    mkdirSync(out);
    expectClear(await onBadDisk('ENOSPC:no room:1', out, command), /the disk is full \(ENOSPC\)/);
    await succeed(...command, '--out', out);
    expectSameRun(out, at('whole'));
  });

  test('while pre-training', async () => {
    const ended = await onBadDisk('ENOSPC:update-:3', at('full pre'), smallPretraining);
    expectClear(ended, /Cannot write .*update-000\d+: the disk is full \(ENOSPC\)\./);
  });
});

test('a folder that cannot be written is said at once, before any work', async () => {
  expectClear(
    await onBadDisk('EROFS:read-only:1', at('read-only'), command),
    /the file system is read-only \(EROFS\)/,
  );
  expect(existsSync(at('read-only'))).toBe(false);
});

(process.getuid?.() === 0 ? test.skip : test)('the same for a folder without permission', async () => {
  mkdirSync(at('locked up'));
  chmodSync(at('locked up'), 0o500);
  expectClear(
    await startRollcast([...command, '--out', at('locked up')]).ended,
    /permission denied \(EACCES\)/,
  );
  chmodSync(at('locked up'), 0o700);
});

test('a run folder that vanishes is said at once, and nothing is made in its place', async () => {
  const ended = await onBadDisk('gone:metrics.jsonl:4', at('vanishing'), command);
  expectClear(ended, /error: Cannot \w+ .*vanishing.*: no such file or folder \(ENOENT\)\./);
  expect(existsSync(at('vanishing'))).toBe(false);
});

test('a second process on a run folder is refused at once and names the first, which goes on undisturbed', async () => {
  const out = at('shared');
  const long = smallCartPole('ppo', 200);
  const first = startRollcast([...long, '--out', out]);
  await until(first, () => existsSync(join(out, 'metrics.jsonl')));
  first.child.kill('SIGSTOP'); // so that it is there for as long as this takes
  for (const args of [
    ['train', '--resume'],
    [...long, '--force'],
    [...smallPretraining, '--force'],
  ]) {
    const message = new RegExp(
      `is being written by process ${first.child.pid}, since .*Wait until it has ended`,
    );
    expectClear(await startRollcast([...args, '--out', out]).ended, message);
  }
  first.child.kill('SIGCONT');
  first.child.kill('SIGKILL');
  await first.ended;
  expect(existsSync(join(out, '.lock'))).toBe(true); // stale now
  await succeed(...command, '--out', out, '--force');
  expectSameRun(out, at('whole'));
});

describe('a damaged run', () => {
  const damage = (run: string, file: string, change: (bytes: Buffer) => Buffer): void => {
    const path = join(run, 'checkpoints', file);
    writeFileSync(path, change(readFileSync(path)));
  };

  test('a damaged last checkpoint is named, and --resume goes on from the one before', async () => {
    const out = at('damaged');
    cpSync(at('whole'), out, { recursive: true });
    damage(out, 'update-000008/optimizer.safetensors', (bytes) => bytes.subarray(0, 100));
    const { err } = await succeed('train', '--resume', '--out', out);
    expect(err).toMatch(
      /warning: .*update-000008.optimizer\.safetensors is damaged: 100 bytes instead of \d+\. Going on from the last good checkpoint, update-000007\./,
    );
    // the same but for the checkpoint that was pruned meanwhile
    for (const file of readdirSync(join(out, 'checkpoints', 'update-000008')))
      expect(readFileSync(join(out, 'checkpoints', 'update-000008', file))).toEqual(
        readFileSync(join(at('whole'), 'checkpoints', 'update-000008', file)),
      );
  });

  test('one that is named - the run to start from - is refused, and so is a format of another version', async () => {
    const out = at('pre');
    await succeed(...smallPretraining, '--steps', '2', '--out', out);
    damage(out, 'update-000002/weights.safetensors', (bytes) => Buffer.concat([bytes, Buffer.from('x')]));
    const started = await startRollcast([...smallForecast('ppo', 2, out), '--out', at('never')]).ended;
    expect(started).toMatchObject({
      code: 2,
      err: expect.stringMatching(/update-000002.weights\.safetensors is damaged/),
    });
    expect(existsSync(at('never'))).toBe(false);

    const newer = at('newer');
    cpSync(at('whole'), newer, { recursive: true });
    damage(newer, 'update-000008/manifest.json', (bytes) =>
      Buffer.from(bytes.toString().replace('"formatVersion": 1', '"formatVersion": 2')),
    );
    const resumed = await startRollcast(['train', '--resume', '--out', newer]).ended;
    expect(resumed.code).toBe(2);
    expect(resumed.err).toMatch(
      /is of checkpoint format 2; this version of Rollcast reads format 1\. Use the version that config\.json names/,
    );
    expect(existsSync(join(newer, 'checkpoints', 'update-000008'))).toBe(true);
  });
});
