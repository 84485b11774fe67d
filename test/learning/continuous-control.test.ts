/** Continuous control with the settings of rl-baselines3-zoo, state-dependent exploration included, within its budgets. */
import { beforeAll, expect, test } from '@jest/globals';

import { useBackend } from '../support/backends.js';
import { mean, trainPreset } from '../support/preset-training.js';

beforeAll(() => useBackend('onnx'));

test.each([1, 2, 3])(
  'Pendulum, seed %i: the most likely actions earn −200 or more after 100 000 steps',
  async (seed) => {
    const { greedy } = await trainPreset({
      env: 'pendulum-v1',
      preset: 'zoo',
      seed,
      steps: 100_000,
      greedyEpisodes: 100,
    });
    expect(greedy).toBeGreaterThanOrEqual(-200);
  },
  900_000,
);

// Runs with these settings fall apart: the learning rate stays constant and an update sees eight steps, so that the last bit of
// a weight decides how a seed ends (docs/results.md). Two of three learn the task, after which training ends here.
test('MountainCarContinuous: of ten seeds four or more see 20 episodes of 85 or more on average within 20 000 steps', async () => {
  const learnt = (returns: readonly number[]): boolean =>
    returns.length >= 20 && mean(returns.slice(-20)) >= 85;
  let able = 0;
  for (let seed = 1; seed <= 10; seed++) {
    const { returns } = await trainPreset({
      env: 'mountain-car-continuous-v0',
      preset: 'zoo',
      seed,
      steps: 20_000,
      enough: learnt,
    });
    if (learnt(returns)) able += 1;
  }
  expect(able).toBeGreaterThanOrEqual(4);
}, 3_600_000);
