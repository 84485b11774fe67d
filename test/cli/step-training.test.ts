import { cpSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from '@jest/globals';

import { RunDirectory } from '@rollcast/core';

import { temporaryFolder } from '../support/temporary.js';
import { lastCheckpoint, metrics, rollcast, timeless } from './support.js';

const folder = temporaryFolder();
const small = ['--steps', '2048', '--instances', '2', '--steps-per-rollout', '64', '--checkpoint-every', '8'];

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
  [
    'mountain-car-continuous-v0',
    'a2c',
    [
      '--set',
      'policy.gsde=true',
      '--set',
      'policy.orthoInit=false',
      '--set',
      'collect.normaliseRewards=true',
    ],
  ],
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

test('rollouts are those of the preset, longer where an update is one step, and flags go first', async () => {
  const shape = async (name: string, ...args: string[]): Promise<unknown> => {
    const out = join(folder, name);
    await rollcast('train', '--env', 'bandit-v1', '--steps', '64', ...args, '--out', out);
    const { config } = RunDirectory.open(out);
    return [config['instances'], config['stepsPerRollout']];
  };
  expect(await shape('shape-ppo')).toEqual([4, 128]);
  expect(await shape('shape-a2c', '--algo', 'a2c')).toEqual([4, 256]);
  expect(await shape('shape-reinforce', '--algo', 'reinforce')).toEqual([4, 512]);
  expect(
    await shape('shape-flags', '--algo', 'reinforce', '--instances', '2', '--steps-per-rollout', '16'),
  ).toEqual([2, 16]);
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
  [
    'a preset without settings for the algorithm',
    ['--env', 'cart-pole-v1', '--preset', 'zoo', '--algo', 'a2c'],
    '--preset zoo has settings for ppo and none for "a2c"',
  ],
  [
    'an algorithm for sequences',
    ['--env', 'cart-pole-v1', '--algo', 'grpo'],
    '--algo grpo cannot act on --env cart-pole-v1, a step environment. Algorithms that can: a2c, ppo, reinforce.',
  ],
])('%s is one message and no folder', async (_what, args, message) => {
  const out = join(folder, 'refused');
  const { code, err } = await rollcast('train', ...args, '--out', out);
  expect({ code, folder: existsSync(out) }).toEqual({ code: 2, folder: false });
  expect(err).toContain(message);
  expect(err).not.toContain('    at ');
});

describe('with --init', () => {
  const at = (name: string): string => join(folder, name);
  const train = async (name: string, ...args: string[]): Promise<void> => {
    const { code, err } = await rollcast('train', '--out', at(name), ...small, ...args);
    expect({ code, err: code === 0 ? '' : err }).toEqual({ code: 0, err: '' });
  };
  const normalised = [
    '--set',
    'collect.normaliseObservations=true',
    '--set',
    'collect.normaliseRewards=true',
  ];
  const statistics = (name: string): unknown => {
    const { environment } = JSON.parse(lastCheckpoint(at(name))['collector.json'].toString()) as {
      environment: { inner: { own: unknown } };
    };
    return environment.inner.own;
  };

  beforeAll(async () => {
    await train('walker', '--env', 'cart-pole-v1', '--seed', '1');
    await train('swinger', '--env', 'pendulum-v1', '--seed', '1', ...normalised);
    const copying = [
      '--env',
      'token-copy-v1',
      '--batch-size',
      '8',
      '--steps',
      '48',
      '--set',
      'model.width=8',
    ];
    expect((await rollcast('train', '--out', at('copier'), ...copying)).code).toBe(0);
  }, 60_000);

  test.each([
    ['one of two', 'cart-pole-v1', 'walker', ['--algo', 'reinforce']],
    ['numbers', 'pendulum-v1', 'swinger', ['--set', 'collect.normaliseRewards=true']],
    ['numbers, charged in the reward', 'pendulum-v1', 'swinger', ['--set', 'ppo.klControl.placement=reward']],
    ['numbers, by an estimate', 'pendulum-v1', 'swinger', ['--set', 'ppo.klControl.estimator=k3']],
  ])('the KL to that run starts at 0 and is held: %s', async (what, env, init, extra) => {
    const name = `tuned-${what}`;
    await train(name, '--env', env, '--init', at(init), '--kl-target', '0.01', '--seed', '2', ...extra);
    const records = metrics(at(name));
    expect(records[0]['kl/exactPerStep']).toBeAllClose(0, { atol: 1e-6 });
    const last = records.at(-1)!;
    expect(last['kl/exactPerStep']).toBeGreaterThan(1e-6);
    const algo = extra.includes('reinforce') ? 'reinforce' : 'ppo';
    // the controller follows: 128 steps of 1 % of 2048, a KL that is clipped to 20 % below the target
    expect(records[0][`${algo}/klCoef`]).toBe(0.3);
    expect(records[1][`${algo}/klCoef`]).toBeAllClose(0.3 * Math.max(0.1, 1 - (0.2 * 128) / 20.48), {
      atol: 1e-6,
    });
    const [start, tuned] = [lastCheckpoint(at(init)), lastCheckpoint(at(name))];
    expect(tuned['reference.safetensors']).toEqual(start['weights.safetensors']);
    expect(tuned['weights.safetensors']).not.toEqual(start['weights.safetensors']);
  });

  test('observations are normalised as in that run, and no other way later', async () => {
    await train(
      'same-eyes',
      '--env',
      'pendulum-v1',
      '--init',
      at('swinger'),
      '--set',
      'collect.normaliseRewards=true',
    );
    expect(statistics('same-eyes')).toEqual(statistics('swinger'));
  });

  test('a resumed run has its reference, even when the run that it came from is gone', async () => {
    cpSync(at('swinger'), at('gone'), { recursive: true });
    await train('whole', '--env', 'pendulum-v1', '--init', at('gone'), '--kl-target', '0.01');
    cpSync(at('whole'), at('cut'), { recursive: true });
    rmSync(join(at('cut'), 'checkpoints', 'update-000016'), { recursive: true });
    rmSync(at('gone'), { recursive: true });
    expect((await rollcast('train', '--resume', '--out', at('cut'))).code).toBe(0);
    expect(lastCheckpoint(at('cut'))).toEqual(lastCheckpoint(at('whole')));
    expect(timeless(metrics(at('cut')))).toEqual(timeless(metrics(at('whole'))));
  });

  test('without it there is no reference: no KL is charged or measured', () => {
    expect(metrics(at('walker'))[0]).toMatchObject({ 'ppo/klCoef': 0 });
    expect(metrics(at('walker'))[0]).not.toHaveProperty(['kl/exactPerStep']);
    expect(lastCheckpoint(at('walker'))).not.toHaveProperty(['reference.safetensors']);
  });

  test.each([
    ['other spaces', 'cart-pole-v1', 'swinger', [], /its policy acts in "pendulum-v1" \(observations of 3 numbers; .*\), which does not fit "cart-pole-v1" \(observations of 4 numbers/],
    ['other actions', 'mountain-car-continuous-v0', 'swinger', [], /its policy acts in "pendulum-v1"/],
    ['another architecture', 'pendulum-v1', 'swinger', ['--set', 'policy.hidden=[8]'], /policy\.hidden is \[64,64\] in the run of --init .*; got \[8\]\. Leave it out\./],
    ['other observations', 'pendulum-v1', 'swinger', ['--set', 'collect.normaliseObservations=false'], /collect\.normaliseObservations is true in the run of --init/],
    ['an option that no policy has', 'pendulum-v1', 'swinger', ['--set', 'policy.hiden=[8]'], /policy\.hiden: unknown option\. Did you mean "hidden"/],
    ['a run of another kind', 'cart-pole-v1', 'copier', [], /is a run on a sequence environment; training on a step environment starts from a run on a step environment\./],
    ['a run that is not there', 'cart-pole-v1', 'nowhere', [], /There is no run at/],
    ['k1 in the loss', 'cart-pole-v1', 'walker', ['--set', 'ppo.klControl.estimator=k1'], /k1 in the loss has zero expected gradient/],
  ])('%s: one message and no folder', async (_what, env, init, args, message) => {
    const out = at('refused');
    const { code, err } = await rollcast('train', '--env', env, '--init', at(init), ...args, '--out', out);
    expect({ code, folder: existsSync(out) }).toEqual({ code: 2, folder: false });
    expect(err).toMatch(message);
    expect(err.trim().split('\n')).toHaveLength(1);
  }); // prettier-ignore
});
