/**
 * Mistakes that other implementations have made, each as a statement about ours. Those about formulas alone are in
 * `test/core/math`; those of the optimiser in `test/core/nn/adam.test.ts`.
 */
import { beforeAll, describe, expect, test } from '@jest/globals';

import { MlpPolicy, StepCollector, discrete, tf, vectorise, type Rollout } from '@rollcast/core';
import { A2C, PPO, builtInAlgorithms } from '@rollcast/algos';

import { useBackend } from '../support/backends.js';
import { ChainEnvironment } from '../support/chain-environment.js';
import { stepRolloutOf } from '../support/rollouts.js';

beforeAll(() => useBackend('cpu'));

const policyOf = (): MlpPolicy => new MlpPolicy(1, discrete(2), { hidden: [] }, 3);
const budget = { updates: 10, batchSize: 4, seed: 1 };
const raw = { normaliseAdvantages: false, normaliseReturns: false, klControl: { coefficient: 0 } };

/** One instance, four steps. */
function fourSteps(policy: MlpPolicy, rewards: number[], changes: Partial<Rollout> = {}): Rollout {
  const rollout = stepRolloutOf(policy, [[1], [2], [3], [4]], [0, 1, 0, 1], rewards);
  return { ...rollout, batchSize: 1, steps: 4, terminated: Uint8Array.of(0, 0, 0, 1), ...changes };
}

const halfSquares = (values: ArrayLike<number>, targets: number[]): number =>
  targets.reduce((sum, target, i) => sum + (values[i] - target) ** 2 / 2, 0) / targets.length;

test('values [N, 1] are never taken from returns [N], which would train the critic to the mean', () => {
  const policy = policyOf();
  const rollout = fourSteps(policy, [0, 0, 0, 8]);
  const { valueLoss } = new A2C(policy, { ...raw, gamma: 0.5 }, budget).update(rollout);
  // to the mean it would be the mean over all 16 pairs
  const targets = [1, 2, 4, 8];
  expect(valueLoss).toBeAllClose(halfSquares(rollout.values, targets), { rtol: 1e-5 });
  const pairs = targets.map((target) => halfSquares(rollout.values, [target, target, target, target]));
  expect(Math.abs(valueLoss - pairs.reduce((a, b) => a + b) / 4)).toBeGreaterThan(0.1);
});

test('advantages do not leak over the end of an episode', () => {
  const policy = policyOf();
  const ends = { terminated: Uint8Array.of(0, 1, 0, 1) };
  const loss = (rewards: number[]) =>
    new PPO(policyOf(), { ...raw, minibatchSize: 4, learningRate: 1e-12 }, budget).update(
      fourSteps(policy, rewards, ends),
    ).policyLoss;
  // what the second episode pays changes only its own two steps
  const [without, withMore] = [loss([1, 1, 0, 0]), loss([1, 1, 0, 100])];
  const own = (100 * 0.95 + 100) / 4; // λ = .95, γ = 1
  expect(without - withMore).toBeAllClose(own, { rtol: 1e-4 });
});

test('the value after a cut is discounted once: r = 1, γ = .9, V = 10 gives 10, not 9.1', () => {
  const policy = policyOf();
  const cut = {
    terminated: new Uint8Array(4),
    truncated: Uint8Array.of(1, 1, 1, 1),
    bootstrapValues: new Float32Array(4).fill(10),
  };
  for (const name of ['a2c', 'ppo', 'reinforce']) {
    const rollout = fourSteps(policy, [1, 1, 1, 1], cut);
    const options = {
      ...raw,
      gamma: 0.9,
      ...(name === 'ppo' && { minibatchSize: 4 }),
      ...(name === 'reinforce' && { baseline: 'value' }),
    };
    const { valueLoss } = builtInAlgorithms().get(name).create(policyOf(), options, budget).update(rollout);
    expect(valueLoss).toBeAllClose(halfSquares(rollout.values, [10, 10, 10, 10]), { rtol: 1e-5 });
  }
});

test('the observation after a cut is that of the old episode, not of the one that follows', async () => {
  const chain = {
    transitions: [
      [0, 1, 0],
      [0, 0, 1],
      [1, 0, 0],
    ],
    rewards: [0, 0, 0],
    cutAfter: 2,
  };
  const environment = await vectorise(() => new ChainEnvironment(chain), { count: 1 });
  const policy = new MlpPolicy(3, environment.actionSpace, { hidden: [] }, 1);
  const { rollout } = new StepCollector({ environment, policy, stepsPerRollout: 4, seed: 1 }).collect(0);
  const [start, , last] = [0, 1, 2].map(
    (s) => policy.valuesOf(Float32Array.from([0, 1, 2], (i) => +(i === s)))[0],
  );
  expect(rollout.truncated).toEqual(Uint8Array.of(0, 1, 0, 1));
  expect(rollout.bootstrapValues).toBeAllClose([0, last, 0, last]);
  expect(Math.abs(start - last)).toBeGreaterThan(0.01);
});

test('the old log-probabilities are those of collection: later minibatches see how far the policy has moved', () => {
  const policy = policyOf();
  const options = { ...raw, minibatchSize: 4, updateEpochs: 8, learningRate: 0.3 };
  const stats = new PPO(policy, options, budget).update(fourSteps(policy, [3, -1, 2, -2]));
  expect(stats.firstRatioDeviation).toBeLessThan(1e-5);
  expect(stats.ratioDeviation).toBeGreaterThan(0.01);
  expect(stats.approxKl).toBeGreaterThan(0);
});

test('value targets come from advantages before they are normalised', () => {
  const policy = policyOf();
  const rollout = fourSteps(policy, [0, 0, 0, 8]);
  const loss = (normaliseAdvantages: boolean) =>
    new PPO(policyOf(), { ...raw, minibatchSize: 4, normaliseAdvantages }, budget).update(rollout).valueLoss;
  expect(loss(true)).toBeAllClose(loss(false), { atol: 0 });
});

test('an exploding ratio is bounded on the side where the clip does not bound it', () => {
  const policy = policyOf();
  const rollout = fourSteps(policy, [-1, -1, -1, -1]);
  // the old policy found these actions far less likely: ratios of e⁶
  const unlikely = { ...rollout, logProbs: rollout.logProbs.map((x) => x - 6) };
  const norm = (options: object) =>
    new PPO(policyOf(), { ...raw, minibatchSize: 4, valueCoef: 0, ...options }, budget).update(unlikely)
      .gradNorm;
  expect(norm({})).toBeGreaterThan(10);
  expect(norm({ dualClip: 3 })).toBeAllClose(0);
});

describe('memory', () => {
  test.each(['reinforce', 'a2c', 'ppo'])('%s: a hundred updates hold no more tensors than one', (name) => {
    const policy = policyOf();
    const algorithm = builtInAlgorithms()
      .get(name)
      .create(policy, {}, { ...budget, updates: 101 });
    const rollout = fourSteps(policy, [1, 0, 2, 1]);
    algorithm.update(rollout);
    const { numTensors } = tf.memory();
    for (let i = 0; i < 100; i++) algorithm.update(rollout);
    expect(tf.memory().numTensors).toBe(numTensors);
  });
});
