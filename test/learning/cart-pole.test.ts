/** CartPole is solved: a mean return of 475 or more over the last 100 training episodes. */
import { beforeAll, expect, test } from '@jest/globals';

import { MlpPolicy, StepCollector, Trainer, vectorise } from '@rollcast/core';
import { builtInAlgorithms } from '@rollcast/algos';
import { CartPole } from '@rollcast/envs';

import { useBackend } from '../support/backends.js';

beforeAll(() => useBackend('onnx'));

interface Settings {
  options: object;
  /** Instances × steps a rollout. */
  count: number;
  stepsPerRollout: number;
  /** Environment steps in all; the run ends when the task is solved. */
  budget: number;
}

const settings: Record<string, Settings> = {
  // those of rl-baselines3-zoo, whose value loss has no factor ½ and whose returns are raw
  ppo: {
    options: {
      ...{ learningRate: 1e-3, clipRange: 0.2, clipRangeDecay: true },
      ...{ gamma: 0.98, gaeLambda: 0.8, updateEpochs: 20, minibatchSize: 256 },
      ...{ valueCoef: 1, normaliseReturns: false },
    },
    ...{ count: 8, stepsPerRollout: 32, budget: 100_000 },
  },
  // one step a rollout: long rollouts keep them steady
  a2c: {
    options: { learningRate: 2e-3, gamma: 0.99, entropyCoef: 0.01 },
    ...{ count: 4, stepsPerRollout: 256, budget: 500_000 },
  },
  reinforce: {
    options: { learningRate: 3e-3, gamma: 0.99, baseline: 'value', entropyCoef: 0.01 },
    ...{ count: 4, stepsPerRollout: 512, budget: 500_000 },
  },
};

const seeds = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

test.each(Object.keys(settings).flatMap((name) => seeds.map((seed): [string, number] => [name, seed])))(
  '%s, seed %i',
  async (name, seed) => {
    const { options, count, stepsPerRollout, budget } = settings[name];
    const environment = await vectorise(() => new CartPole(), { count });
    const policy = new MlpPolicy(environment.observationSize, environment.actionSpace, {}, seed);
    const batchSize = count * stepsPerRollout;
    const updates = Math.floor(budget / batchSize);
    const algorithm = builtInAlgorithms().get(name).create(policy, options, { updates, batchSize, seed });
    const collector = new StepCollector({ environment, policy, stepsPerRollout, seed });
    const trainer = new Trainer({
      ...{ collector, algorithm, updates },
      callbacks: [{ onUpdateEnd: () => (collector.recentReturn >= 475 ? 'stop' : undefined) }],
    });
    await trainer.run();
    console.log(`${name}, seed ${seed}: ${collector.recentReturn} after ${collector.stepsDone} steps`);
    algorithm.dispose();
    policy.dispose();
    expect(collector.recentReturn).toBeGreaterThanOrEqual(475);
  },
  900_000,
);
