import { join } from 'node:path';

import { beforeAll, expect, test } from '@jest/globals';

import { succeed } from '../support/child.js';
import { expectUndisturbedByKills, type KillCounts } from '../support/killed-training.js';
import { smallCartPole, smallForecast, smallPretraining } from '../support/small-runs.js';
import { temporaryFolder } from '../support/temporary.js';
import { counted, say, setting } from './settings.js';

// 200 kills in all
const kills = setting('ROLLCAST_KILLS', 50);
const seed = setting('ROLLCAST_KILLS_SEED', 7);
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
    const told = ({ killed, withCheckpoint, whileWriting, runs }: KillCounts): string =>
      `${name}: killed ${killed} times (seed ${seed}), ${withCheckpoint} with a checkpoint, ${whileWriting} while something was being written; ${runs} runs finished, all as the undisturbed one`;
    const counts = await expectUndisturbedByKills(temporaryFolder(), command, {
      kills,
      seed,
      onFinished: (soFar) => say(told(soFar)),
    });
    counted(told(counts));
    expect(counts.withCheckpoint).toBeGreaterThan(kills / 4);
  },
  3_600_000,
);
