/** Continuous control with the settings of rl-baselines3-zoo, state-dependent exploration included, within its budgets. */
import { beforeAll, expect, test } from '@jest/globals';

import { Trainer, playEpisodes } from '@rollcast/core';
import type { StepEnvironmentEntry } from '@rollcast/envs';

import { knownEnvironments } from '../../packages/cli/src/environments.js';
import { makeParts } from '../../packages/cli/src/step-parts.js';
import { resolveStepRun } from '../../packages/cli/src/step-training.js';
import { useBackend } from '../support/backends.js';

beforeAll(() => useBackend('onnx'));

const mean = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0) / numbers.length;

/** @param enough - ends the training early, given the returns of all its episodes so far */
async function train(env: string, seed: number, steps: number, enough: (returns: number[]) => boolean) {
  const preset = 'zoo' as const;
  const flags = { env, seed, steps, preset, algo: 'ppo', workers: 0, checkpointEvery: 1, set: [] };
  const entry = knownEnvironments().get(env) as StepEnvironmentEntry;
  const parts = await makeParts(await resolveStepRun(flags, entry), entry);
  const { environment, normaliser, policy, algorithm, collector, updates } = parts;
  const returns: number[] = [];
  await new Trainer({
    ...{ collector, algorithm, updates },
    callbacks: [
      {
        onRolloutEnd: ({ episodes }) => void returns.push(...episodes!.map((episode) => episode.return)),
        onUpdateEnd: () => (enough(returns) ? 'stop' : undefined),
      },
    ],
  }).run();
  if (normaliser) normaliser.frozen = true;
  const played = playEpisodes({ environment, policy, episodes: 100, seed, greedy: true });
  const greedy = mean(played.map((episode) => episode.return));
  console.log(
    `${env}, seed ${seed}: training ${mean(returns.slice(-100))} (${returns.length} episodes, ${collector.stepsDone} steps), greedy ${greedy}`,
  );
  await parts.dispose();
  return { returns, greedy };
}

test.each([1, 2, 3])(
  'Pendulum, seed %i: the most likely actions earn −200 or more after 100 000 steps',
  async (seed) => {
    const { greedy } = await train('pendulum-v1', seed, 100_000, () => false);
    expect(greedy).toBeGreaterThanOrEqual(-200);
  },
  900_000,
);

// Runs with these settings fall apart: the learning rate stays constant and an update sees eight steps, so that the last bit of
// a weight decides how a seed ends (docs/results.md). Two of three learn the task, after which training ends here.
test('MountainCarContinuous: of ten seeds four or more see 20 episodes of 85 or more on average within 20 000 steps', async () => {
  const learnt = (returns: number[]): boolean => returns.length >= 20 && mean(returns.slice(-20)) >= 85;
  let able = 0;
  for (let seed = 1; seed <= 10; seed++) {
    const { returns } = await train('mountain-car-continuous-v0', seed, 20_000, learnt);
    if (learnt(returns)) able += 1;
  }
  expect(able).toBeGreaterThanOrEqual(4);
}, 3_600_000);
