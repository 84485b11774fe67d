/**
 * Every algorithm learns small tasks with a known optimum, on each kind of environment that it runs on: in the end its likeliest
 * actions are the best ones. The tasks at their full size are in test/learning/closed-form.test.ts.
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

const algorithms = builtInAlgorithms();

interface Task {
  make: () => Environment;
  /** N × T steps a rollout. */
  count: number;
  steps: number;
  updates: number;
}

/** The mean return of the last 100 episodes, and what the likeliest actions earn. */
async function learn(
  name: string,
  options: object,
  task: Task,
  greedy: (policy: MlpPolicy) => number,
): Promise<{ sampled: number; greedy: number }> {
  const { count, steps, updates } = task;
  const environment = await vectorise(task.make, { count });
  const policy = new MlpPolicy(environment.observationSize, environment.actionSpace, { hidden: [32] }, 1);
  const algorithm = algorithms
    .get(name)
    .create(policy, { learningRate: 0.01, ...options }, { updates, batchSize: count * steps, seed: 1 });
  const collector = new StepCollector({ environment, policy, stepsPerRollout: steps, seed: 2 });
  await new Trainer({ collector, algorithm, updates }).run();
  const returns = { sampled: collector.recentReturn, greedy: greedy(policy) };
  algorithm.dispose();
  policy.dispose();
  return returns;
}

const onSteps: [string, object][] = [
  ['reinforce', { baseline: 'moving-average' }],
  ['reinforce', { baseline: 'value' }],
  ['a2c', {}],
  ['ppo', { updateEpochs: 4 }],
  ['ppo', { updateEpochs: 4, form: 'kl-penalty' }],
];

describe.each(onSteps)('%s %j', (name, options) => {
  test('learns the best arm of each context of bandit-v1', async () => {
    const task = { make: () => new Bandit(), count: 16, steps: 4, updates: 80 };
    const returns = await learn(name, options, task, (policy) => greedyBanditReturn(policy, 4, 5));
    expect(returns.greedy).toBeAllClose(bestBanditReturn(4, 5), { atol: 1e-12 });
    expect(returns.sampled).toBeGreaterThan(0.9);
  });

  test('learns a shortest way from each of 4 × 4 cells of grid-world-v1', async () => {
    const task = { make: () => new GridWorld({ size: 4 }), count: 16, steps: 16, updates: 60 };
    const discounted = { gamma: 0.95, ...options };
    const returns = await learn(name, discounted, task, (policy) => greedyGridReturn(policy, 4));
    expect(returns.greedy).toBeAllClose(bestGridReturn(4), { atol: 1e-12 });
    expect(returns.sampled).toBeGreaterThan(bestGridReturn(4) - 1);
  });
});

describe('token-copy-v1 of 2 out of 4 tokens', () => {
  const environment = new TokenCopy({ vocabularySize: 4, contextLength: 2, horizon: 2 });
  const batchSize = 64;

  test.each<[string, object, number]>([
    ['reinforce', { baseline: 'moving-average' }, 100],
    ['reinforce', { baseline: 'value' }, 100],
    ['reinforce', { baseline: 'self-critical', normaliseAdvantages: false, learningRate: 0.02 }, 100],
    ['a2c', {}, 100],
    ['ppo', { updateEpochs: 2 }, 60],
    ['rloo', {}, 100],
    ['grpo', { updateEpochs: 2, samplesPerContext: 4, entropyCoef: 0.01 }, 100],
  ])('%s %j copies every context', async (name, options, updates) => {
    const policy = new DegradationTransformer({ vocabularySize: 4, width: 16, layers: 1, heads: 2 }, 1);
    const referencePolicy = policy.clone({ trainable: false });
    const shared = { learningRate: 0.01, klControl: { coefficient: 0.01 } };
    const algorithm = algorithms
      .get(name)
      .create(policy, { ...shared, ...options }, { updates, batchSize, seed: 1 });
    const rewards: number[] = [];
    const trainer = new Trainer({
      ...{ environment, policy, referencePolicy, algorithm, batchSize, updates, seed: 3 },
      callbacks: [{ onUpdateEnd: ({ metrics }) => void rewards.push(metrics['reward/mean']) }],
    });
    await trainer.run();
    algorithm.dispose();
    const last = rewards.slice(-10).reduce((a, b) => a + b, 0) / 10;
    expect(greedyCopyReturn(policy, environment)).toBe(bestCopyReturn(environment));
    expect(last).toBeGreaterThan(0.85 * bestCopyReturn(environment));
  });
});

test('every algorithm says on which kinds of environment it runs', () => {
  const kinds = Object.fromEntries(algorithms.list().map(([name, entry]) => [name, entry.kinds]));
  expect(kinds).toEqual({
    a2c: ['sequence', 'step'],
    grpo: ['sequence'],
    ppo: ['sequence', 'step'],
    reinforce: ['sequence', 'step'],
    rloo: ['sequence'],
    'scheduled-sampling': ['forecast'],
    'soft-unrolling': ['forecast'],
    'teacher-forcing': ['forecast'],
  });
});
