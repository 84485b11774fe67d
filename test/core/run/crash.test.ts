/**
 * Crashes at every step that a write takes in the file system. The file system is the real one behind functions that, from a
 * chosen step on, either fail once as a full disk does, or fail for ever, as for a process that was killed there: then its
 * clean-up does nothing either, and half of a file or of a removal may be done.
 */
import * as realFs from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, jest, test } from '@jest/globals';

import type * as Checkpoints from '../../../packages/core/src/run/checkpoints.js';
import type * as Runs from '../../../packages/core/src/run/run-directory.js';
import { temporaryFolder } from '../../support/temporary.js';

type Kind = 'full disk' | 'killed';
type Call = readonly [name: string, path: string];

/** The step that goes wrong, counted from 1; none at Infinity. */
let failAt = Infinity;
let kind: Kind = 'full disk';
let calls: Call[] = [];
const names = new Map<number, string>();

const CHANGES = [
  'mkdirSync',
  'openSync',
  'writeFileSync',
  'appendFileSync',
  'fsyncSync',
  'renameSync',
  'rmSync',
] as const;

function injected(name: (typeof CHANGES)[number]): (...args: unknown[]) => unknown {
  const real = realFs[name] as (...args: unknown[]) => unknown;
  return (...args) => {
    const [target] = args;
    const path = typeof target === 'number' ? names.get(target)! : String(target);
    calls.push([name, path]);
    const wrong = kind === 'killed' ? calls.length >= failAt : calls.length === failAt;
    if (!wrong) {
      // what is flushed matters to the machine losing power, which is not tried here, and takes its time
      const result = name === 'fsyncSync' ? undefined : real(...args);
      if (name === 'openSync') names.set(result as number, path);
      return result;
    }
    if (calls.length === failAt && name === 'writeFileSync') real(target, String(args[1]).slice(0, 3));
    if (
      calls.length === failAt &&
      name === 'rmSync' &&
      realFs.existsSync(path) &&
      realFs.statSync(path).isDirectory()
    ) {
      const [first] = realFs.readdirSync(path);
      if (first !== undefined) realFs.rmSync(join(path, first), { recursive: true });
    }
    throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
  };
}

let core: typeof Checkpoints;
let runs: typeof Runs;

beforeAll(async () => {
  const replaced = Object.fromEntries(CHANGES.map((name) => [name, injected(name)]));
  jest.unstable_mockModule('node:fs', () => ({ ...realFs, ...replaced }));
  core = await import('../../../packages/core/src/run/checkpoints.js');
  runs = await import('../../../packages/core/src/run/run-directory.js');
});

/** Does the work with the n-th step failing; the steps it made, and what it threw. */
function withFailure(n: number, how: Kind, work: () => void): { steps: number; error?: Error } {
  [failAt, kind, calls] = [n, how, []];
  try {
    work();
    return { steps: calls.length };
  } catch (error) {
    return { steps: calls.length, error: error as Error };
  } finally {
    failAt = Infinity;
  }
}

const files = (update: number): Record<string, string> => ({
  'weights.safetensors': `weights of ${update}`,
  'state.json': `state of ${update}`,
});
const filesOf = (checkpoint: { files: Readonly<Record<string, Buffer>> }): Record<string, string> =>
  Object.fromEntries(Object.entries(checkpoint.files).map(([name, content]) => [name, content.toString()]));

describe.each<Kind>(['full disk', 'killed'])('%s', (how) => {
  test.each([
    ['a new checkpoint', 4, false],
    ['a new best one', 4, true],
    ['one in the place of another', 3, true],
  ])(
    'at every step of saving %s: either it is there in full, or what was there before is',
    (_what, update, best) => {
      let n = 0;
      for (let finished = false; !finished;) {
        n += 1;
        const folder = join(temporaryFolder(), 'checkpoints');
        const store = new core.CheckpointStore(folder, { keepLast: 2 });
        for (const before of [1, 2, 3]) store.save(before, files(before), { best: before === 1 });
        const { error, steps } = withFailure(n, how, () => store.save(update, files(update), { best }));
        finished = steps < n;
        if (error) expect(error.message).toMatch(/^Cannot \w+ .*: the disk is full \(ENOSPC\)\.$/);

        const again = new core.CheckpointStore(folder, { keepLast: 2 });
        const damaged: string[] = [];
        const latest = again.loadLatestGood((message) => damaged.push(message))!;
        expect([3, update]).toContain(latest.update);
        expect(filesOf(latest)).toEqual(files(latest.update));
        if (!error) expect(latest.update).toBe(update);
        // the mark points at a whole checkpoint all the time, and no removal has left half of one under its name
        expect([1, update]).toContain(again.load('best').update);
        expect(damaged).toEqual([]);
        for (const kept of again.list()) expect(filesOf(again.load(kept))).toEqual(files(kept));

        // and saving goes on as if nothing had been
        again.save(update, files(update), { best });
        again.save(5, files(5));
        const expected = best ? [...new Set([update, update === 3 ? 3 : 4, 5])] : [1, 4, 5];
        expect(again.list()).toEqual(expected);
        expect(realFs.readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([]);
      }
      expect(n).toBeGreaterThan(12); // it was interrupted at least that often
    },
  );

  test('at every step of starting, replacing and rewinding a run: the command can be given again', () => {
    for (const mode of ['new', 'force'] as const) {
      let n = 0;
      for (let finished = false; !finished;) {
        n += 1;
        const path = join(temporaryFolder(), 'run');
        const start = (seed: number, how: 'new' | 'force') =>
          runs.RunDirectory.create(path, { kind: 'train', config: { seed }, mode: how });
        if (mode === 'force') {
          const old = start(1, 'new');
          old.appendMetrics({ update: 1, a: 1 });
          new core.CheckpointStore(old.checkpointFolder).save(1, files(1));
          old.close();
        }
        const { error, steps } = withFailure(n, how, () => start(2, mode).close());
        finished = steps < n;
        if (error) expect(error.message).toMatch(/ENOSPC/);
        releaseAsDead(path);
        const begun = realFs.existsSync(join(path, 'config.json'));
        const run = start(2, begun ? 'force' : 'new');
        expect(run.config).toEqual({ seed: 2 });
        expect(run.readMetrics()).toEqual([]);
        run.close();
        expect(realFs.readdirSync(path).sort()).toEqual(['checkpoints', 'config.json', 'plots']);
      }
      expect(n).toBeGreaterThan(8);
    }
  });

  test('at every step of going on: no line of metrics up to the checkpoint is lost', () => {
    let n = 0;
    for (let finished = false; !finished;) {
      n += 1;
      const path = temporaryFolder();
      const run = runs.RunDirectory.create(path, { kind: 'train', config: {}, mode: 'new' });
      for (const update of [1, 2, 3]) run.appendMetrics({ update, a: update });
      realFs.appendFileSync(run.metricsFile, '{"update":4,'); // torn
      const { error, steps } = withFailure(n, how, () => run.rewindMetrics(2));
      finished = steps < n;
      if (error) expect(error.message).toMatch(/Cannot write .*: the disk is full \(ENOSPC\)\.$/);
      run.rewindMetrics(2);
      expect(run.readMetrics().map(({ update }) => update)).toEqual([1, 2]);
      run.close();
    }
    expect(n).toBeGreaterThan(4);
  });
});

/** The lock of a process that was killed is that of this process here; it would be stale. */
function releaseAsDead(path: string): void {
  realFs.rmSync(join(path, '.lock'), { recursive: true, force: true });
}

test('a full disk at an added line of metrics: a clear message, and the lines before are whole', () => {
  const run = runs.RunDirectory.create(temporaryFolder(), { kind: 'train', config: {}, mode: 'new' });
  run.appendMetrics({ update: 1, a: 1 });
  const { error } = withFailure(1, 'full disk', () => run.appendMetrics({ update: 2, a: 2 }));
  expect(error!.message).toBe(`Cannot write ${run.metricsFile}: the disk is full (ENOSPC).`);
  expect(run.readMetrics()).toEqual([{ update: 1, a: 1 }]);
  run.close();
});

test('every file of a checkpoint is flushed before its folder gets its name, and the folders around the renaming', () => {
  const folder = temporaryFolder();
  const store = new core.CheckpointStore(folder);
  withFailure(Infinity, 'killed', () => store.save(1, files(1)));
  const named = calls.findIndex(([name]) => name === 'renameSync');
  const flushed = (from: number, to: number): string[] =>
    calls.slice(from, to).flatMap(([name, path]) => (name === 'fsyncSync' ? [path] : []));
  const [, aside] = calls[named];
  expect(flushed(0, named)).toEqual([
    join(aside, 'weights.safetensors'),
    join(aside, 'state.json'),
    join(aside, 'manifest.json'),
    aside,
  ]);
  expect(flushed(named, calls.length)).toEqual([folder]);
});
