import { join } from 'node:path';

import { beforeAll, expect, test } from '@jest/globals';

import { succeed } from '../support/child.js';
import { expectUndisturbedByKills } from '../support/killed-training.js';
import { smallCartPole, smallForecast, smallPretraining } from '../support/small-runs.js';
import { temporaryFolder } from '../support/temporary.js';

// 200 kills in all; ROLLCAST_KILLS sets the number of each
const kills = Number(process.env['ROLLCAST_KILLS'] ?? 50);
const init = join(temporaryFolder(), 'pre');

beforeAll(() => succeed(...smallPretraining, '--out', init), 120_000);

test.each([
  ['PPO on CartPole', smallCartPole('ppo', 60)],
  ['REINFORCE on CartPole', smallCartPole('reinforce', 60)],
  ['PPO on the degradation job', smallForecast('ppo', 30, init)],
  ['pre-training', smallPretraining],
])(
  '%s: killed again and again at random moments and resumed, it ends as the one that nobody disturbed',
  async (name, command) => {
    const { withCheckpoint, runs } = await expectUndisturbedByKills(temporaryFolder(), command, kills, 7);
    console.log(`${name}: killed ${kills} times, ${withCheckpoint} with a checkpoint; ${runs} runs finished`);
    expect(withCheckpoint).toBeGreaterThan(kills / 4);
  },
  3_600_000,
);
