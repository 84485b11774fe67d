/**
 * Tasks with an optimum in closed form, at their default sizes, three seeds an algorithm: once training is over, the likeliest
 * actions earn the optimum. The short version is in test/algos/learning.test.ts.
 */
import { beforeAll, describe, expect, test } from '@jest/globals';

import {
  DegradationTransformer,
  MlpPolicy,
  StepCollector,
  Trainer,
  vectorise,
  type Environment,
} from '@rollcast/core';
import { builtInAlgorithms } from '@rollcast/algos';
import { Bandit, GridWorld, TokenCopy } from '@rollcast/envs';

import { useBackend } from '../support/backends.js';
import {
  bestBanditReturn,
  bestCopyReturn,
  bestGridReturn,
  greedyBanditReturn,
  greedyCopyReturn,
  greedyGridReturn,
} from '../support/closed-form.js';

beforeAll(() => useBackend('onnx'));

const SEEDS = [1, 2, 3];
const algorithms = builtInAlgorithms();

/** Trains on 16 instances × 16 steps a rollout and hands over the policy and the mean return of the last 100 episodes. */
async function trained(
  name: string,
  options: object,
  make: () => Environment,
  updates: number,
  seed: number,
): Promise<{ policy: MlpPolicy; recentReturn: number }> {
  const environment = await vectorise(make, { count: 16 });
  const policy = new MlpPolicy(environment.observationSize, environment.actionSpace, {}, seed);
  const given = { learningRate: 3e-3, gamma: 0.99, klControl: { coefficient: 0 }, ...options };
  const algorithm = algorithms.get(name).create(policy, given, { updates, batchSize: 256, seed });
  const collector = new StepCollector({ environment, policy, stepsPerRollout: 16, seed });
  await new Trainer({ collector, algorithm, updates }).run();
  algorithm.dispose();
  return { policy, recentReturn: collector.recentReturn };
}

const onSteps: [string, object][] = [
  ['reinforce', { baseline: 'value' }],
  ['a2c', {}],
  ['ppo', { updateEpochs: 4 }],
];

describe.each(onSteps)('%s %j', (name, options) => {
  test.each(SEEDS)('bandit-v1, 4 contexts and 5 arms: the best arm of each, seed %i', async (seed) => {
    const { policy, recentReturn } = await trained(name, options, () => new Bandit(), 150, seed);
    expect(greedyBanditReturn(policy, 4, 5)).toBeAllClose(bestBanditReturn(4, 5), { atol: 1e-12 });
    expect(recentReturn).toBeGreaterThan(0.95);
    policy.dispose();
  });

  test.each(SEEDS)('grid-world-v1, 5 × 5 cells: a shortest way from every cell, seed %i', async (seed) => {
    const { policy, recentReturn } = await trained(name, options, () => new GridWorld(), 400, seed);
    expect(greedyGridReturn(policy, 5)).toBeAllClose(bestGridReturn(5), { atol: 1e-12 });
    expect(recentReturn).toBeGreaterThan(bestGridReturn(5) - 0.5);
    policy.dispose();
  });
});

const onTokens: [string, object, number][] = [
  ['reinforce', { learningRate: 1e-3, baseline: 'moving-average' }, 900],
  ['a2c', { learningRate: 1e-3 }, 900],
  ['ppo', { learningRate: 1e-3, updateEpochs: 4, entropyCoef: 0.02 }, 600],
  ['rloo', { learningRate: 1e-3 }, 1500],
  ['grpo', { learningRate: 1e-3, updateEpochs: 4, entropyCoef: 0.02 }, 900],
];

describe.each(onTokens)('%s %j, %i updates', (name, options, updates) => {
  test.each(SEEDS)(
    'token-copy-v1, 6 tokens of 8: every context is copied, seed %i',
    async (seed) => {
      const environment = new TokenCopy();
      const batchSize = 64;
      const policy = new DegradationTransformer({ vocabularySize: 8, attentionWindow: 12 }, seed);
      const given = { entropyCoef: 0.01, klControl: { coefficient: 0 }, ...options };
      const algorithm = algorithms.get(name).create(policy, given, { updates, batchSize, seed });
      const rewards: number[] = [];
      await new Trainer({
        ...{ environment, policy, algorithm, batchSize, updates, seed },
        callbacks: [{ onUpdateEnd: ({ metrics }) => void rewards.push(metrics['reward/mean']) }],
      }).run();
      algorithm.dispose();
      const greedy = greedyCopyReturn(policy, environment);
      policy.dispose();
      const last = rewards.slice(-10).reduce((sum, x) => sum + x, 0) / 10;
      console.log(`${name}, seed ${seed}: ${greedy} of 6 with the likeliest tokens, ${last} sampled`);
      expect(greedy).toBe(bestCopyReturn(environment));
      expect(last).toBeGreaterThan(0.9 * bestCopyReturn(environment));
    },
    900_000,
  );
});
