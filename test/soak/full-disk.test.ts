import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, expect, test } from '@jest/globals';

import { CheckpointStore } from '@rollcast/core';

import { startRollcast, succeed } from '../support/child.js';
import { expectSameRun } from '../support/same-run.js';
import { smallCartPole } from '../support/small-runs.js';
import { temporaryFolder } from '../support/temporary.js';
import { counted } from './settings.js';

const folder = temporaryFolder();
/** Not in `folder`, which is removed before this is unmounted. */
const disk = mkdtempSync(join(tmpdir(), 'rollcast-disk-'));
/** A real file system of a megabyte: root on Linux can have one. Elsewhere test/cli/disk.test.ts stands alone. */
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', disk]).status === 0;
const onSmallDisk = mounted ? test : test.skip;

afterAll(() => {
  if (mounted) spawnSync('umount', [disk]);
  rmSync(disk, { recursive: true, force: true });
});

onSmallDisk(
  'a disk that is full after any number of kilobytes: said at once, and with room the run goes on to the same end',
  async () => {
    const command = smallCartPole('ppo', 30);
    const whole = join(folder, 'whole');
    await succeed(...command, '--out', whole);
    let [tried, stopped] = [0, 0];
    for (let kilobytes = 20; kilobytes <= 200; kilobytes += 12) {
      const run = join(disk, 'run');
      const filler = join(disk, 'filler');
      writeFileSync(filler, Buffer.alloc(1024 * (1024 - kilobytes)));
      const { code, err } = await startRollcast([...command, '--out', run]).ended;
      tried += 1;
      if (code !== 0) {
        stopped += 1;
        expect({ code, err }).toEqual({
          code: 1,
          err: expect.stringMatching(/(^|\n)error: Cannot .*: the disk is full \(ENOSPC\)\.\n$/),
        });
        rmSync(filler);
        const copy = join(folder, `copy-${kilobytes}`);
        cpSync(run, copy, { recursive: true });
        const damaged: string[] = [];
        new CheckpointStore(join(copy, 'checkpoints')).loadLatestGood((message) => damaged.push(message));
        expect(damaged).toEqual([]);
        await succeed('train', '--resume', '--out', copy);
        expectSameRun(copy, whole);
      }
      rmSync(run, { recursive: true, force: true });
      rmSync(filler, { force: true });
    }
    counted(
      `full disk: ${tried} sizes, ${stopped} runs stopped by it in one line, all resumed to the same end`,
    );
    expect(stopped).toBeGreaterThan(tried / 2);
  },
  1_200_000,
);

onSmallDisk(
  'a file system that is read-only: said at once',
  async () => {
    spawnSync('mount', ['-o', 'remount,ro', disk]);
    const { code, err } = await startRollcast([...smallCartPole('ppo', 4), '--out', join(disk, 'x')]).ended;
    spawnSync('mount', ['-o', 'remount,rw', disk]);
    expect(code).toBe(1);
    expect(err).toMatch(/error: Cannot make the run folder .*: the file system is read-only \(EROFS\)\./);
    counted('read-only file system: refused in one line');
  },
  120_000,
);
