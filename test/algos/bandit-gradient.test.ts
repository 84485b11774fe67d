/**
 * The expected first step of every algorithm on a one-step bandit, against the gradient of the expected reward.
 *
 * The expectation is exact: every action (for groups: every pair of actions) is in the rollout once, and the mask, which
 * weighs a step in every mean, holds its probability. Adam with a huge ε and as huge a learning rate is plain gradient descent.
 */
import { beforeAll, describe, expect, test } from '@jest/globals';

import { DegradationTransformer, MlpPolicy, discrete, type Policy, type Rollout } from '@rollcast/core';
import { builtInAlgorithms } from '@rollcast/algos';

import { useBackend } from '../support/backends.js';
import { rolloutOf, stepRolloutOf } from '../support/rollouts.js';

beforeAll(() => useBackend('cpu'));

const rewards = [1, -2, 0.5, 3];
const arms = [0, 1, 2, 3];
const plainGradient = {
  learningRate: 1e6,
  adamEpsilon: 1e6,
  maxGradNorm: 1e9,
  learningRateDecay: false,
  klControl: { coefficient: 0 },
};
const raw = { ...plainGradient, normaliseAdvantages: false };
const noValueLoss = { normaliseReturns: false, valueCoef: 0 };

/** How far each logit's bias moves in one update. */
function moved(
  name: string,
  options: object,
  policy: Policy,
  rollout: Rollout,
  bias: string,
): ArrayLike<number> {
  const before = policy.parameters.save()[bias].data;
  const budget = { updates: 2, batchSize: rollout.batchSize, seed: 1 };
  builtInAlgorithms().get(name).create(policy, options, budget).update(rollout);
  return policy.parameters.save()[bias].data.map((x, i) => x - before[i]);
}

const probabilities = (rollout: Rollout): number[] => Array.from(rollout.logProbs, Math.exp);

/** ∂ E r / ∂ logit of each arm: π(a) (r(a) − E r). */
function analytic(p: readonly number[]): number[] {
  const mean = rewards.reduce((sum, r, a) => sum + p[a] * r, 0);
  return rewards.map((r, a) => p[a] * (r - mean));
}

describe('on a step environment', () => {
  test.each<[string, object]>([
    ['reinforce', { baseline: 'none' }],
    ['reinforce', { baseline: 'moving-average' }],
    ['reinforce', { baseline: 'value', ...noValueLoss }],
    ['a2c', noValueLoss],
    ['a2c', { nSteps: 1, ...noValueLoss }],
    ['ppo', { minibatchSize: 4, ...noValueLoss }],
    ['ppo', { minibatchSize: 4, dualClip: 3, clipRangeDecay: true, ...noValueLoss }],
    ['ppo', { minibatchSize: 4, form: 'kl-penalty', ...noValueLoss }],
  ])('%s %j climbs the expected reward', (name, options) => {
    const policy = new MlpPolicy(1, discrete(4), { hidden: [] }, 3);
    const weights = policy.parameters.save();
    weights['policy.0.bias'].data.set([0.4, 0, -0.3, 0.2]);
    policy.parameters.load(weights);
    const observed = arms.map(() => [1]);
    const rollout = stepRolloutOf(policy, observed, arms, rewards);
    // the value head says something: as a baseline it must not change the expectation
    expect(Math.abs(rollout.values[0])).toBeGreaterThan(0.1);
    const p = probabilities(rollout);
    const weighted = { ...rollout, mask: Float32Array.from(p) };
    expect(moved(name, { ...raw, ...options }, policy, weighted, 'policy.0.bias')).toBeAllClose(analytic(p), {
      atol: 1e-5,
    });
  });
});

describe('on token sequences', () => {
  const model = (): DegradationTransformer =>
    new DegradationTransformer({ vocabularySize: 4, width: 8, layers: 1, heads: 2 }, 2);

  const singles = (policy: DegradationTransformer): Rollout =>
    rolloutOf(
      policy,
      arms.map(() => [2]),
      arms.map((a) => [a]),
      rewards.map((r) => [r]),
    );

  /** All ordered pairs of arms as groups of two, each weighted by the probability of the pair. */
  function pairs(policy: DegradationTransformer): { rollout: Rollout; p: number[] } {
    const p = probabilities(singles(policy));
    const groups = arms.flatMap((a) => arms.map((b) => [a, b]));
    const rows = groups.flat();
    const rollout = rolloutOf(
      policy,
      rows.map(() => [2]),
      rows.map((a) => [a]),
      rows.map((a) => [rewards[a]]),
      {
        samplesPerContext: 2,
        mask: Float32Array.from(groups.flatMap(([a, b]) => [p[a] * p[b], p[a] * p[b]])),
      },
    );
    return { rollout, p };
  }

  test.each<[string, object]>([
    ['reinforce', { baseline: 'self-critical' }],
    ['a2c', noValueLoss],
    ['ppo', { minibatchSize: 4, ...noValueLoss }],
  ])('%s %j climbs the expected reward', (name, options) => {
    const policy = model();
    const rollout = singles(policy);
    const p = probabilities(rollout);
    // the greedy rollout got 3, whatever was sampled
    const weighted = { ...rollout, mask: Float32Array.from(p), greedyRewards: new Float32Array(4).fill(3) };
    expect(moved(name, { ...raw, ...options }, policy, weighted, 'head.bias')).toBeAllClose(analytic(p), {
      atol: 1e-5,
    });
  });

  test('rloo climbs the expected reward: leaving one out does not bias it', () => {
    const policy = model();
    const { rollout, p } = pairs(policy);
    const found = moved('rloo', { ...raw, samplesPerContext: 2 }, policy, rollout, 'head.bias');
    expect(found).toBeAllClose(analytic(p), { atol: 1e-5 });
  });

  test('grpo climbs the standardised reward: of two, the better by 1/√2 and the worse by −1/√2', () => {
    const policy = model();
    const { rollout, p } = pairs(policy);
    const options = { ...plainGradient, samplesPerContext: 2, minibatchSize: 32 };
    const expected = arms.map(() => 0);
    for (const a of arms)
      for (const b of arms) {
        const difference = rewards[a] - rewards[b];
        const advantage = difference / 2 / (Math.abs(difference) / Math.SQRT2 + 1e-4);
        // mean over the two rows of Â · ∂ log π(a)/∂ logits, for a with Â and b with −Â
        for (const v of arms)
          expected[v] += (p[a] * p[b] * advantage * (Number(v === a) - Number(v === b))) / 2;
      }
    expect(moved('grpo', options, policy, rollout, 'head.bias')).toBeAllClose(expected, { atol: 1e-5 });
  });
});
