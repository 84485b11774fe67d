import { cpSync, existsSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from '@jest/globals';

import { RunDirectory } from '@rollcast/core';

import { temporaryFolder } from '../support/temporary.js';
import { rollcast } from './support.js';

const folder = temporaryFolder();
const small = ['--steps', '2048', '--instances', '2', '--steps-per-rollout', '64', '--checkpoint-every', '8'];

/** The files of the last checkpoint, by name. */
function lastCheckpoint(run: string): Record<string, Buffer> {
  const checkpoints = join(run, 'checkpoints');
  const last = readdirSync(checkpoints)
    .filter((name) => name.startsWith('update-'))
    .sort()
    .at(-1)!;
  return Object.fromEntries(
    readdirSync(join(checkpoints, last)).map((name) => [name, readFileSync(join(checkpoints, last, name))]),
  );
}

const metrics = (run: string): Record<string, number>[] =>
  readFileSync(join(run, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, number>);

const timeless = (records: Record<string, number>[]): Record<string, number>[] =>
  records.map((record) =>
    Object.fromEntries(Object.entries(record).filter(([name]) => !name.endsWith('Seconds'))),
  );

test.each([
  ['cart-pole-v1', 'ppo', []],
  [
    'pendulum-v1',
    'ppo',
    ['--set', 'collect.normaliseObservations=true', '--set', 'collect.normaliseRewards=true'],
  ],
  ['pendulum-v1', 'ppo', ['--set', 'policy.squash=true']],
  ['grid-world-v1', 'reinforce', ['--set', 'reinforce.baseline="moving-average"']],
  // 5 does not divide the rollout
  ['pendulum-v1', 'ppo', ['--set', 'policy.gsde=true', '--set', 'policy.sdeSampleFreq=5']],
  ['mountain-car-continuous-v0', 'a2c', ['--preset', 'zoo']],
  ['pendulum-v1', 'reinforce', ['--set', 'policy.gsde=true', '--set', 'policy.squash=true']],
])('%s by %s: trained, cut and resumed is the same as not cut, byte for byte', async (env, algo, extra) => {
  const whole = join(folder, [env, algo, ...extra].join(' '));
  const cut = `${whole}-cut`;
  const args = ['train', '--env', env, '--algo', algo, '--seed', '3', ...small, ...extra];
  const first = await rollcast(...args, '--out', whole);
  expect({ code: first.code, err: first.err.replace(/training: .*\n/g, '') }).toEqual({
    code: 0,
    err: expect.any(String),
  });
  expect(metrics(whole)).toHaveLength(16);
  expect(existsSync(join(whole, 'plots', 'return.png'))).toBe(env !== 'nowhere');
  const result = JSON.parse(readFileSync(join(whole, 'result.json'), 'utf8')) as Record<string, unknown>;
  expect(result).toMatchObject({ steps: 2048, stepsPerSecond: expect.any(Number) });

  cpSync(whole, cut, { recursive: true });
  rmSync(join(cut, 'checkpoints', 'update-000016'), { recursive: true });
  const resumed = await rollcast('train', '--resume', '--out', cut, '--workers', '1');
  expect(resumed.code).toBe(0);
  expect(lastCheckpoint(cut)).toEqual(lastCheckpoint(whole));
  expect(timeless(metrics(cut))).toEqual(timeless(metrics(whole)));
});

test('a run that is replaced leaves no result behind', async () => {
  const out = join(folder, 'replaced');
  const args = ['train', '--env', 'cart-pole-v1', ...small, '--out', out];
  expect((await rollcast(...args)).code).toBe(0);
  RunDirectory.create(out, { kind: 'train', config: {}, mode: 'force' });
  expect(existsSync(join(out, 'result.json'))).toBe(false);
});

test.each([
  [
    'a flag of forecasts',
    ['--env', 'cart-pole-v1', '--reward', '-mse'],
    '--reward means nothing with --env cart-pole-v1: it is for forecasts.',
  ],
  [
    'a flag of step environments',
    ['--env', 'degradation', '--instances', '3'],
    '--instances means nothing with --env degradation: it is for step environments.',
  ],
  [
    'squashed integers',
    ['--env', 'cart-pole-v1', '--set', 'policy.squash=true'],
    'policy.squash needs actions that are numbers',
  ],
  [
    'a minibatch that does not divide',
    ['--env', 'cart-pole-v1', '--set', 'ppo.minibatchSize=100'],
    'ppo.minibatchSize must divide the batch (512 rows); got 100. Try 128, 256, 512.',
  ],
  [
    'a preset without settings',
    ['--env', 'bandit-v1', '--preset', 'zoo'],
    '--preset zoo has no settings for "bandit-v1"',
  ],
  ['a token task', ['--env', 'token-copy-v1'], 'use it as a library'],
])('%s is one message and no folder', async (_what, args, message) => {
  const out = join(folder, 'refused');
  const { code, err } = await rollcast('train', ...args, '--out', out);
  expect({ code, folder: existsSync(out) }).toEqual({ code: 2, folder: false });
  expect(err).toContain(message);
  expect(err).not.toContain('    at ');
});
