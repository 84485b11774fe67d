import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from '@jest/globals';

import { RandomStream } from '@rollcast/core';

import { spreadOf, type EpisodeEvaluation } from '../../packages/cli/src/episode-evaluation.js';
import { temporaryFolder } from '../support/temporary.js';
import { printed, rollcast, succeed } from './support.js';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);

async function evaluate(run: string, ...args: string[]): Promise<EpisodeEvaluation & { out: string }> {
  const json = at('evaluation.json');
  const out = await printed('evaluate', '--run', at(run), '--json', json, ...args);
  return { ...(JSON.parse(readFileSync(json, 'utf8')) as EpisodeEvaluation), out };
}

const train = (name: string, ...args: string[]): Promise<string> =>
  printed('train', '--out', at(name), '--seed', '1', ...args);
const small = ['--instances', '4', '--steps-per-rollout', '64'];

beforeAll(async () => {
  // 5 × 5 cells, at most 100 steps of −1: every return is the negative length
  await train('walker', '--env', 'grid-world-v1', '--steps', '2048', ...small);
  await train(
    'swinger',
    ...['--env', 'pendulum-v1', '--steps', '512', ...small],
    ...['--set', 'collect.normaliseObservations=true', '--set', 'collect.normaliseRewards=true'],
  );
  await train(
    'copier',
    '--env',
    'token-copy-v1',
    '--updates',
    '2',
    '--batch-size',
    '8',
    '--set',
    'model.width=8',
  );
  await succeed(
    'pretrain',
    ...[
      '--simulator',
      'knee',
      '--units',
      '2',
      '--steps',
      '1',
      '--batch-size',
      '2',
      '--out',
      at('forecaster'),
    ],
    ...['--set', 'model.width=8', '--set', 'model.heads=2', '--set', 'model.layers=1'],
    ...['--set', 'tokeniser.vocabularySize=32'],
  );
}, 120_000);

test('a policy of steps: greedy and sampled returns with spread, interval and lengths', async () => {
  const { out, methods, ...rest } = await evaluate('walker', '--episodes', '20');
  expect(rest).toEqual({ environment: 'grid-world-v1', algorithm: 'ppo', updates: 8, episodes: 20, seed: 0 });
  expect(methods.map(({ name }) => name)).toEqual(['greedy', 'sampled']);
  for (const { returns, lengths, return: spread, length, components } of methods) {
    expect(returns).toHaveLength(20);
    expect(returns).toEqual(lengths.map((steps) => -steps));
    expect(components).toEqual({});
    const mean = returns.reduce((a, b) => a + b) / 20;
    const std = Math.sqrt(returns.reduce((a, b) => a + (b - mean) ** 2, 0) / 19);
    expect([spread.mean, spread.std]).toBeAllClose([mean, std], { atol: 1e-9 });
    expect([spread.min, spread.max]).toEqual([Math.min(...returns), Math.max(...returns)]);
    expect(spread.low!).toBeLessThanOrEqual(spread.mean);
    expect(spread.high!).toBeGreaterThanOrEqual(spread.mean);
    expect(length.mean).toBeAllClose(-mean, { atol: 1e-9 });
  }
  expect(out).toMatch(
    /grid-world-v1, ppo after 8 updates: 20 episodes[\s\S]*mean return[\s\S]*greedy[\s\S]*sampled/,
  );
  const page = readFileSync(join(at('walker'), 'report.html'), 'utf8');
  expect(page).toMatch(/sampled[\s\S]*<svg/);
  expect(page).toContain(`evaluate --run ${at('walker')} --json ${at('evaluation.json')} --episodes 20<`);
});

test('the same seed judges the same, another plays other episodes', async () => {
  const sampled = async (seed: string) =>
    (await evaluate('walker', '--episodes', '8', '--seed', seed)).methods[1].returns;
  expect(await sampled('5')).toEqual(await sampled('5'));
  expect(await sampled('6')).not.toEqual(await sampled('5'));
});

test.each(['greedy', 'sampled'])('--%s judges that alone', async (mode) => {
  const { methods } = await evaluate('walker', `--${mode}`, '--episodes', '4');
  expect(methods.map(({ name }) => name)).toEqual([mode]);
  const { methods: both } = await evaluate('walker', '--episodes', '4');
  expect(both.find(({ name }) => name === mode)).toEqual(methods[0]);
});

test('observations are normalised by the statistics of the run, which stay: episodes do not depend on those before', async () => {
  const many = await evaluate('swinger', '--greedy', '--episodes', '2');
  const few = await evaluate('swinger', '--greedy', '--episodes', '1');
  // the returns are raw: −16.3 to 0 a step
  expect(many.methods[0].return.mean).toBeLessThan(-200);
  expect(many.methods[0].returns[0]).toBeAllClose(few.methods[0].returns[0], { rtol: 1e-4 });
});

test('a policy of tokens: returns of whole sequences and the components', async () => {
  const { methods, ...rest } = await evaluate('copier', '--episodes', '10');
  expect(rest).toMatchObject({ environment: 'token-copy-v1', algorithm: 'ppo', updates: 2, episodes: 10 });
  for (const { returns, return: spread, length, components } of methods) {
    expect(returns).toHaveLength(10);
    expect(spread.mean).toBeAllClose(6 * components['right'], { atol: 1e-6 });
    expect([length.min, length.max]).toEqual([6, 6]);
  }
});

test('another checkpoint can be judged, and one that is not there says which is', async () => {
  expect(await evaluate('walker', '--checkpoint', '8', '--episodes', '3')).toMatchObject({ updates: 8 });
  const { code, err } = await rollcast('evaluate', '--run', at('walker'), '--checkpoint', '7');
  expect(code).toBe(2);
  expect(err).toMatch(/update-000007 is missing\. The last good checkpoint is update-000008/);
});

describe('a run of the wrong kind is one message', () => {
  test.each([
    ['walker', ['--samples', '4'], /--samples means nothing for .*walker, a run on a step environment: it is for forecasts\./],
    ['copier', ['--data', 'x.csv'], /--data means nothing for .*copier, a run on a sequence environment: it is for forecasts\./],
    ['forecaster', ['--episodes', '4'], /--episodes means nothing for .*forecaster, a pre-training run: it is for runs on step and sequence environments\./],
    ['forecaster', ['--greedy'], /--greedy means nothing for .*forecaster/],
    ['walker', ['--greedy', '--sampled'], /'--greedy' cannot be used with option '--sampled'/],
    ['walker', ['--episodes', '0'], /--episodes.*whole number ≥ 1/],
    ['nowhere', [], /There is no run at/],
  ])('%s %p', async (run, args, message) => {
    const json = at('never.json');
    const { code, err } = await rollcast('evaluate', '--run', at(run), '--json', json, ...args);
    expect(code).toBe(2);
    expect(err).toMatch(message);
    expect(err).not.toMatch(/\n\s+at /);
    expect(existsSync(json)).toBe(false);
  }); // prettier-ignore
});

describe('the spread of some numbers', () => {
  const spread = (...numbers: number[]) => spreadOf(numbers, new RandomStream(1, 'spread'));

  test('by hand', () => {
    // deviations −3, −1, 4 of the mean 4: (9 + 1 + 16)/2
    expect(spread(1, 3, 8)).toMatchObject({ mean: 4, std: Math.sqrt(13), min: 1, max: 8 });
  });

  test('the interval of three numbers lies among the means of three draws from them', () => {
    const { low, high } = spread(1, 3, 8);
    // 27 equally likely draws: (1, 1, 1) and (8, 8, 8) have a chance of 3.7 % each, more than 2.5 %
    expect([low, high]).toEqual([1, 8]);
  });

  test('too few numbers have no interval, one has no spread', () => {
    expect(spread(2, 4)).toMatchObject({ mean: 3, low: null, high: null });
    expect(spread(2)).toMatchObject({ mean: 2, std: null, low: null, min: 2, max: 2 });
  });
});
