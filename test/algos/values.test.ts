/** What value heads learn, on chains whose values are known whatever the policy does. */
import { beforeAll, describe, expect, test } from '@jest/globals';

import { MlpPolicy, StepCollector, Trainer, vectorise } from '@rollcast/core';
import { builtInAlgorithms } from '@rollcast/algos';

import { useBackend } from '../support/backends.js';
import { ChainEnvironment, chainValues, type ChainOptions } from '../support/chain-environment.js';

beforeAll(() => useBackend('cpu'));

const gamma = 0.8;
const critics: [string, object][] = [
  ['reinforce', { baseline: 'value' }],
  ['a2c', {}],
  ['a2c', { gaeLambda: 0.5 }],
  ['a2c', { nSteps: 2 }],
  ['ppo', { updateEpochs: 2, minibatchSize: 24 }],
];

/** The value of each state after training; a network without hidden layer over one-hot states is a table. */
async function learnt(
  name: string,
  options: object,
  chain: ChainOptions,
  updates: number,
): Promise<number[]> {
  const environment = await vectorise(() => new ChainEnvironment(chain), { count: 8 });
  const policy = new MlpPolicy(environment.observationSize, environment.actionSpace, { hidden: [] }, 1);
  const steps = 6;
  const algorithm = builtInAlgorithms()
    .get(name)
    .create(
      policy,
      { learningRate: 0.1, gamma, normaliseReturns: false, valueCoef: 1, maxGradNorm: 100, ...options },
      { updates, batchSize: 8 * steps, seed: 1 },
    );
  const collector = new StepCollector({ environment, policy, stepsPerRollout: steps, seed: 4 });
  await new Trainer({ collector, algorithm, updates }).run();
  const states = chain.rewards.length;
  const oneHot = Float32Array.from({ length: states * states }, (_, i) => (i % (states + 1) === 0 ? 1 : 0));
  const values = Array.from(policy.valuesOf(oneHot));
  algorithm.dispose();
  policy.dispose();
  return values;
}

describe.each(critics)('%s %j', (name, options) => {
  const onwards = [
    [0, 1, 0],
    [0, 0, 1],
    [1, 0, 0],
  ];

  test('an end is worth what was paid until then: 1 + .8 + .64, 1 + .8, 1', async () => {
    const chain = { transitions: onwards, rewards: [1, 1, 1], ends: [2] };
    expect(chainValues(chain, gamma)).toBeAllClose([2.44, 1.8, 1]);
    expect(await learnt(name, options, chain, 120)).toBeAllClose([2.44, 1.8, 1], { atol: 0.05 });
  });

  test('a cut at the same step goes on: 1/(1 − .8) in every state', async () => {
    const chain = { transitions: onwards, rewards: [1, 1, 1], cutAfter: 3 };
    expect(await learnt(name, options, chain, 200)).toBeAllClose([5, 5, 5], { atol: 0.1 });
  });

  test('a random chain has the values of its linear equations', async () => {
    const chain = {
      transitions: [
        [0.2, 0.5, 0.3],
        [0.6, 0.1, 0.3],
        [0.25, 0.25, 0.5],
      ],
      rewards: [2, -1, 0.5],
      cutAfter: 10,
    };
    const expected = chainValues(chain, gamma);
    expect(await learnt(name, options, chain, 250)).toBeAllClose(expected, { atol: 0.25 });
  });
});

test('without a value head a cut counts as an end: nothing is made up', async () => {
  const chain = { transitions: [[1]], rewards: [1], cutAfter: 3 };
  const environment = await vectorise(() => new ChainEnvironment(chain), { count: 2 });
  const policy = new MlpPolicy(1, environment.actionSpace, {}, 1);
  const collector = new StepCollector({ environment, policy, stepsPerRollout: 3, seed: 4 });
  const { rollout } = collector.collect(0);
  // the untrained value head says something that must not be used
  expect(Math.abs(rollout.bootstrapValues[2])).toBeGreaterThan(0.01);
  const algorithm = builtInAlgorithms()
    .get('reinforce')
    .create(policy, { gamma: 0.5 }, { updates: 1, batchSize: 6, seed: 1 });
  // 1 + .5 + .25, 1 + .5, 1
  expect(algorithm.update(rollout)['returnMean']).toBeAllClose((1.75 + 1.5 + 1) / 3);
});
