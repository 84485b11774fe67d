/** Recipes of fine-tuning: each goes on exactly where it was cut, and what cannot be is refused before there is a folder. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from '@jest/globals';

import { RunDirectory } from '@rollcast/core';

import { expectExactResume } from '../support/exact-resume.js';
import { smallForecast, smallPretraining } from '../support/small-runs.js';
import { temporaryFolder } from '../support/temporary.js';
import { rollcast } from './support.js';

const backend = ['--backend', 'wasm'];
const init = join(temporaryFolder(), 'pre');
beforeAll(() => rollcast(...smallPretraining, '--steps', '2', ...backend, '--out', init));

const recipes: [what: string, algo: string, flags: string[]][] = [
  ['CRPS of groups', 'rloo', ['--reward=-mae + spread', '--set', 'rloo.samplesPerContext=4']],
  ['groups of PPO', 'ppo', ['--reward=-energyScore', '--set', 'ppo.samplesPerContext=4']],
  ['a growing horizon', 'reinforce', ['--horizon-schedule', '2,4,6,8']],
  ['a growing horizon and minibatches', 'ppo', ['--horizon-schedule', '3,8']],
  ['windows by difficulty', 'reinforce', ['--windows', 'difficulty']],
  ['the greedy path as baseline', 'reinforce', ['--set', 'reinforce.baseline=self-critical']],
  ['teacher forcing', 'teacher-forcing', []],
  ['scheduled sampling', 'scheduled-sampling', ['--set', 'scheduled-sampling.shareAtStart=0.3']],
  ['soft unrolling', 'soft-unrolling', ['--set', 'soft-unrolling.passes=2', '--horizon-schedule', '4,8']],
];

describe('cut, resumed and not cut are the same byte for byte', () => {
  test.each(recipes)('%s', (_what, algo, flags) =>
    expectExactResume(temporaryFolder(), [...smallForecast(algo, 4, init), ...flags], 2, { always: backend }),
  );
});

test('a growing horizon has equal shares of the updates, and the metrics count its tokens', async () => {
  const out = join(temporaryFolder(), 'run');
  const command = [...smallForecast('reinforce', 4, init), '--horizon-schedule', '2,8', ...backend];
  expect((await rollcast(...command, '--out', out)).code).toBe(0);
  const steps = RunDirectory.open(out)
    .readMetrics()
    .map((record) => record['time/steps']);
  expect(steps).toEqual([4 * 2, 4 * 4, 4 * 4 + 4 * 8, 4 * 4 + 8 * 8]);
});

test.each([
  ['-crps', 'rloo', ['--set', 'rloo.samplesPerContext=2'], 'got 2. Ask for more, for example --algo rloo'],
  ['-mae + spread', 'reinforce', [], '3 or more of them; got 1.'],
  ['-mse', 'ppo', ['--horizon-schedule', '4,9'], 'must rise and stay within the 8 points of the windows'],
  ['-mse', 'ppo', ['--horizon-schedule', '4,4'], '--horizon-schedule 4,4: horizons must rise'],
  ['-mse', 'ppo', ['--horizon-schedule', '1,2,3,4,5'], '5 horizons need as many updates or more; got 4.'],
  ['-mse', 'teacher-forcing', ['--set', 'teacher-forcing.gamma=1'], 'teacher-forcing.gamma: unknown option'],
])('%s by %s %j is refused, and there is no folder', async (reward, algo, flags, message) => {
  const out = join(temporaryFolder(), 'run');
  const { code, err } = await rollcast(
    ...smallForecast(algo, 4, init),
    `--reward=${reward}`,
    ...flags,
    '--out',
    out,
  );
  expect(err).toContain(message);
  expect(code).not.toBe(0);
  expect(existsSync(out)).toBe(false);
});

test('the controls act on forecasts alone', async () => {
  const out = join(temporaryFolder(), 'run');
  const { err } = await rollcast('train', '--env', 'token-copy-v1', '--algo', 'soft-unrolling', '--out', out);
  expect(err).toContain('--algo soft-unrolling cannot act on --env token-copy-v1, a sequence environment.');
});
