import { existsSync, mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, jest, test } from '@jest/globals';

import { runBench } from '../../../packages/cli/src/commands/bench.js';
import { temporaryFolder } from '../../support/temporary.js';
import { rollcast } from '../support.js';
import { fakeTraining } from './fake-training.js';

const folder = temporaryFolder();

/** What is typed after `rollcast bench`, and what the one message must say. */
const wrong: [what: string, args: string[], message: RegExp][] = [
  ['nothing to run', [], /bench needs --algos and --envs, for example: rollcast bench .*--speed/],
  [
    'an unknown algorithm',
    ['--algos', 'reinforce,pqo', '--envs', 'cart-pole-v1'],
    /Unknown algorithm "pqo".*Did you mean "ppo"/,
  ],
  [
    'an unknown environment',
    ['--algos', 'ppo', '--envs', 'cartpole-v1'],
    /Unknown environment "cartpole-v1".*acrobot-v1.*Did you mean "cart-pole-v1"/,
  ],
  [
    'an environment that needs data',
    ['--algos', 'ppo', '--envs', 'degradation'],
    /"degradation" needs data and a pre-trained model; .*rollcast evaluate\. Known here: .*token-copy-v1/,
  ],
  [
    'an algorithm that can act on none of the environments',
    ['--algos', 'ppo,rloo', '--envs', 'cart-pole-v1,bandit-v1'],
    /--algos: rloo can act on none of cart-pole-v1, bandit-v1\. .*--envs: token-copy-v1\./,
  ],
  [
    'an environment that none of the algorithms can act on',
    ['--algos', 'grpo,rloo', '--envs', 'token-copy-v1,bandit-v1'],
    /--envs: none of grpo, rloo can act on bandit-v1, a step environment\. .*--algos: a2c, ppo, reinforce\./,
  ],
  [
    'an option of a model where there is none',
    ['--algos', 'ppo', '--envs', 'cart-pole-v1', '--set', 'model.width=8'],
    /there is no group "model" here\. Groups: ppo, env, policy, collect/,
  ],
  [
    'an unknown option of the model',
    ['--algos', 'ppo', '--envs', 'token-copy-v1', '--set', 'model.widht=8'],
    /model\.widht: unknown option\. Did you mean "width"/,
  ],
  [
    'an option that one of the environments has not',
    ['--algos', 'ppo', '--envs', 'grid-world-v1,acrobot-v1', '--set', 'env.size=4'],
    /env\.size: unknown option/,
  ],
  [
    'an unknown option of the policy',
    ['--algos', 'ppo', '--envs', 'cart-pole-v1', '--set', 'policy.hiden=4'],
    /policy\.hiden: unknown option/,
  ],
  [
    'a preset that has nothing for an environment',
    ['--algos', 'ppo', '--envs', 'bandit-v1', '--preset', 'zoo'],
    /--preset zoo has no settings for "bandit-v1"/,
  ],
  ['a name given twice', ['--algos', 'ppo,ppo', '--envs', 'cart-pole-v1'], /--algos names "ppo" twice/],
  ['an empty name', ['--algos', 'ppo,', '--envs', 'cart-pole-v1'], /separated by commas, without gaps/],
  ['no seeds', ['--algos', 'ppo', '--envs', 'cart-pole-v1', '--seeds', '0'], /--seeds.*whole number from 1/],
  [
    'half a step',
    ['--algos', 'ppo', '--envs', 'cart-pole-v1', '--steps', '0.5'],
    /--steps.*whole number ≥ 1/,
  ],
  ['no jobs', ['--algos', 'ppo', '--envs', 'cart-pole-v1', '--jobs', '0'], /--jobs.*whole number from 1/],
  [
    'seeds that no number holds',
    ['--algos', 'ppo', '--envs', 'cart-pole-v1', '--seed', '9007199254740990'],
    /--seed 9007199254740990 is too large for 10 seeds/,
  ],
  [
    'an unknown option',
    ['--algos', 'ppo', '--envs', 'cart-pole-v1', '--set', 'ppo.clipRnge=1'],
    /ppo\.clipRnge: unknown option\. Did you mean "clipRange"/,
  ],
  [
    'a setting of an algorithm that is not run',
    ['--algos', 'ppo', '--envs', 'cart-pole-v1', '--set', 'reinforce.gamma=1'],
    /there is no group "reinforce" here\. Groups: ppo, env, policy, collect\./,
  ],
  [
    'a folder where a file is to be written',
    ['--algos', 'ppo', '--envs', 'cart-pole-v1', '--report', folder],
    /--report names a file; .* is a folder/,
  ],
  ['speed of a training', ['--speed', '--algos', 'ppo'], /--speed measures parts.*leave out --algos/],
  ['seconds without speed', ['--speed-seconds', '1'], /--speed-seconds needs --speed/],
];

describe('one clear message, exit code 2, nothing written', () => {
  test.each(wrong)('%s', async (_, args, message) => {
    const out = join(folder, 'never');
    const result = await rollcast(
      'bench',
      ...args,
      ...(args[0]?.startsWith('--speed') ? [] : ['--out', out]),
    );
    expect(result.err).toMatch(message);
    expect(result.err).not.toMatch(/\n\s+at /); // no stack trace
    expect(result.code).toBe(2);
    expect(existsSync(out)).toBe(false);
  });

  test('a file where the folder is to be', async () => {
    const file = new URL(import.meta.url).pathname;
    const result = await rollcast('bench', '--algos', 'ppo', '--envs', 'cart-pole-v1', '--out', file);
    expect(result.err).toMatch(/--out names a folder; .* is a file/);
    expect(result.code).toBe(2);
  });
});

test('--help gives every flag with unit and default', async () => {
  const { out } = await rollcast('bench', '--help');
  for (const text of [
    /--seeds <count>.*\(default: 10\)/s,
    /--steps <count>\s+environment steps a run, or generated tokens\s+\(default: 500000\)/,
    /--jobs <count>.*\(default: 1\)/s,
    /--out <folder>.*\(default: "runs\/bench"\)/s,
    /--speed-seconds <seconds>.*\(default: 1\)/s,
  ])
    expect(out).toMatch(text);
});

/** Runs a benchmark of fake trainings as the command does, and returns what it printed. */
async function bench(
  out: string,
  {
    command,
    signal,
    ...flags
  }: { command: ReturnType<typeof fakeTraining>; signal?: AbortSignal; json?: string },
): Promise<{ out: string; err: string; exitCode: typeof process.exitCode }> {
  const printed = { out: '', err: '' };
  const spies = [
    jest
      .spyOn(console, 'log')
      .mockImplementation((text: unknown) => void (printed.out += `${String(text)}\n`)),
    jest
      .spyOn(console, 'error')
      .mockImplementation((text: unknown) => void (printed.err += `${String(text)}\n`)),
  ];
  const before = process.exitCode;
  process.exitCode = undefined;
  try {
    await runBench(
      {
        algos: ['reinforce', 'ppo'],
        envs: ['cart-pole-v1'],
        seeds: 3,
        seed: 1,
        steps: 100,
        jobs: 2,
        out,
        preset: 'cleanrl',
        set: [],
        backend: 'auto',
        speedSeconds: 1,
        ...flags,
      },
      { command, ...(signal && { signal }) },
    );
    return { ...printed, exitCode: process.exitCode };
  } finally {
    process.exitCode = before;
    for (const spy of spies) spy.mockRestore();
  }
}

describe('a benchmark', () => {
  test('writes JSON, Markdown and a page, prints the tables, and a failed run is a row', async () => {
    const out = join(temporaryFolder(), 'bench');
    mkdirSync(out);
    const json = join(out, 'elsewhere', 'numbers.json');
    const command = fakeTraining(out, ({ algorithm, seed }) =>
      algorithm === 'ppo' && seed === 2 ? 'fails' : 'well',
    );
    const { out: text, exitCode } = await bench(out, { command, json });
    const rows = JSON.parse(readFileSync(json, 'utf8')) as Record<string, unknown>[];
    expect(rows).toHaveLength(6);
    expect(rows[0]).toEqual({
      algorithm: 'reinforce',
      environment: 'cart-pole-v1',
      seed: 1,
      steps: 100,
      finalReturn: 100,
      stepsPerSecond: 1000,
      status: 'finished',
    });
    expect(rows[3]).toEqual({
      algorithm: 'ppo',
      environment: 'cart-pole-v1',
      seed: 2,
      steps: 50,
      finalReturn: null,
      stepsPerSecond: null,
      status: 'failed: The loss "policy" is NaN after update 3.',
    });
    expect(text).toMatch(/cart-pole-v1 +ppo +2 +1/);
    expect(text).toMatch(/Failed runs[\s\S]*NaN after update 3/);
    expect(text).toMatch(/Note: 3 seeds allow only 10 distinct resamples/);
    expect(readFileSync(join(out, 'report.html'), 'utf8')).toContain('rollcast bench --algos reinforce,ppo');
    expect(readFileSync(join(out, 'report.md'), 'utf8')).toMatch(/^# Benchmark: reinforce, ppo/);
    expect(exitCode).toBeUndefined();
  });

  test('goes on where it was: the second call runs nothing and reports the same', async () => {
    const out = temporaryFolder();
    const first = await bench(out, { command: fakeTraining(out) });
    const second = await bench(out, { command: fakeTraining(out, () => 'fails') });
    expect(second.out).toBe(first.out);
    expect(second.err).toMatch(/6 of 6 runs in .* have finished before and are kept/);
  });

  test('when it is stopped it says how to go on, and writes no report', async () => {
    const out = temporaryFolder();
    const { err } = await bench(out, { command: fakeTraining(out), signal: AbortSignal.abort() });
    expect(err).toMatch(/Stopped: 0 of 6 runs are there\. The same command goes on/);
    expect(readdirSync(out)).toEqual(['training.mjs']);
  });

  test('when every run fails, the exit code says so', async () => {
    const out = temporaryFolder();
    const { exitCode } = await bench(out, { command: fakeTraining(out, () => 'throws') });
    expect(exitCode).toBe(1);
  });
});

// the trainings are the built program, which `npm test` brings up to date
test('real trainings finish, and a setting that cannot work is a row', async () => {
  const out = join(temporaryFolder(), 'bench');
  const flags = ['--algos', 'ppo', '--envs', 'bandit-v1,cart-pole-v1', '--seeds', '1', '--out', out];
  const { code, out: text } = await rollcast('bench', ...flags, '--steps', '1024', '--backend', 'cpu');
  expect(code).toBe(0);
  expect(text).toMatch(/bandit-v1 +ppo +1 +0/);
  const rows = JSON.parse(readFileSync(join(out, 'results.json'), 'utf8')) as Record<string, unknown>[];
  expect(rows.map(({ environment, steps, status }) => [environment, steps, status])).toEqual([
    ['bandit-v1', 1024, 'finished'],
    ['cart-pole-v1', 1024, 'finished'],
  ]);
  expect(readFileSync(join(out, 'report.html'), 'utf8')).toContain('Sample efficiency');

  const short = await rollcast('bench', ...flags, '--steps', '1', '--set', 'ppo.minibatchSize=7');
  expect(short.code).toBe(1);
  expect(short.out).toMatch(/failed: .*minibatchSize/);
});

test('step and sequence environments in one benchmark; what cannot be is a row', async () => {
  const out = join(temporaryFolder(), 'bench');
  const { code, out: text } = await rollcast(
    ...[
      'bench',
      '--algos',
      'ppo,rloo',
      '--envs',
      'bandit-v1,token-copy-v1',
      '--seeds',
      '1',
      '--steps',
      '768',
    ],
    ...['--set', 'model.width=8', '--set', 'model.heads=2', '--set', 'policy.hidden=[8]', '--out', out],
  );
  expect(code).toBe(0);
  expect(text).toMatch(/bandit-v1 +rloo +skipped +–/);
  expect(text).toMatch(/token-copy-v1 +rloo +1 +0/);
  expect(text).toMatch(/Note: Skipped on bandit-v1, .*: rloo\./);
  const rows = JSON.parse(readFileSync(join(out, 'results.json'), 'utf8')) as Record<string, unknown>[];
  expect(
    rows.map(({ algorithm, environment, steps, status }) => [algorithm, environment, steps, status]),
  ).toEqual([
    ['ppo', 'bandit-v1', 512, 'finished'],
    [
      'rloo',
      'bandit-v1',
      0,
      'skipped: rloo acts on sequence environments, and bandit-v1 is a step environment',
    ],
    ['ppo', 'token-copy-v1', 768, 'finished'],
    ['rloo', 'token-copy-v1', 768, 'finished'],
  ]);
  expect(rows[1]).toMatchObject({ finalReturn: null, stepsPerSecond: null, seed: 1 });
  const markdown = readFileSync(join(out, 'report.md'), 'utf8');
  const pictures = [...markdown.matchAll(/!\[.*\]\((.*)\)/g)].map(([, path]) => path);
  expect(pictures).toContain('report-pictures/learning-token-copy-v1.svg');
  for (const path of pictures) expect(readFileSync(join(out, path), 'utf8')).toMatch(/^<svg /);
});
