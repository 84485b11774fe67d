/** CartPole is solved: a mean return of 475 or more over 100 training episodes, within the budget. */
import { beforeAll, describe, expect, test } from '@jest/globals';

import { useBackend } from '../support/backends.js';
import { mean, trainPreset, type PresetTraining } from '../support/preset-training.js';

beforeAll(() => useBackend('onnx'));

const tasks: Omit<PresetTraining, 'env' | 'seed'>[] = [
  { algo: 'ppo', preset: 'zoo', steps: 100_000 },
  { algo: 'a2c', preset: 'cleanrl', steps: 500_000 },
  { algo: 'reinforce', preset: 'cleanrl', steps: 500_000 },
];
const seeds = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

const solved = (returns: readonly number[]): boolean =>
  returns.length >= 100 && mean(returns.slice(-100)) >= 475;

describe.each(tasks)('$algo with the preset $preset, $steps steps', (task) => {
  test.each(seeds)(
    'seed %i',
    async (seed) => {
      const { returns } = await trainPreset({ ...task, env: 'cart-pole-v1', seed, enough: solved });
      expect(mean(returns.slice(-100))).toBeGreaterThanOrEqual(475);
    },
    900_000,
  );
});
