import { beforeAll, describe, expect, test } from '@jest/globals';

import { DegradationTransformer, ShapeError, tf, type Rollout } from '@rollcast/core';
import { Reinforce, meanPerStep, type ReinforceOptions } from '@rollcast/algos';

import { useBackend } from '../support/backends.js';
import { rolloutOf } from '../support/rollouts.js';

beforeAll(() => useBackend('cpu'));

const V = 4;
const model = (): DegradationTransformer =>
  new DegradationTransformer({ vocabularySize: V, width: 8, layers: 1, heads: 2 }, 2);

const budget = { updates: 10, batchSize: 2, seed: 1 };
/** The raw estimator: nothing normalised, nothing added. */
const bare: ReinforceOptions = {
  normaliseAdvantages: false,
  klControl: { coefficient: 0 },
  maxGradNorm: 1e9,
};
/** ε so large that Adam's first step is the plain gradient: lr · g / (|g| + ε) ≈ g. */
const plainGradient: ReinforceOptions = { ...bare, learningRate: 1e6, adamEpsilon: 1e6 };

describe('the gradient on a one-step bandit, every action enumerated', () => {
  const rewards = [1, -2, 0.5, 3];

  /** One rollout of all V actions; the mean over them, weighted by V · π(a), is the expectation over π. */
  function expectedStep(baseline: number): {
    moved: Record<string, number[]>;
    p: number[];
    policy: DegradationTransformer;
  } {
    const policy = model();
    const before = policy.parameters.save();
    const all = [0, 1, 2, 3].map((a) => [a]);
    const contexts = all.map(() => [2]);
    const p = Array.from(rolloutOf(policy, contexts, all, all).logProbs, Math.exp);
    const weighted = rewards.map((r, a) => [V * p[a] * (r - baseline)]);
    new Reinforce(policy, { ...plainGradient, baseline: 'none' }, budget).update(
      rolloutOf(policy, contexts, all, weighted),
    );
    const moved = Object.fromEntries(
      Object.entries(policy.parameters.save()).map(([name, { data }]) => [
        name,
        Array.from(data, (x, i) => x - before[name].data[i]),
      ]),
    );
    policy.parameters.load(before);
    return { moved, p, policy };
  }

  test('moves each logit by π(a) · (r(a) − E r)', () => {
    const { moved, p } = expectedStep(0);
    const mean = rewards.reduce((sum, r, a) => sum + p[a] * r, 0);
    expect(moved['head.bias']).toBeAllClose(
      rewards.map((r, a) => p[a] * (r - mean)),
      { atol: 1e-5 },
    );
  });

  test('moves every parameter up the gradient of the expected reward', () => {
    const { moved, policy } = expectedStep(0);
    const contexts = tf.tensor2d([[2]], [1, 1], 'int32');
    const { grads } = tf.variableGrads(
      () => {
        const { logDistribution } = policy.score(contexts, contexts);
        return tf.sum(tf.mul(tf.exp(logDistribution), tf.tensor1d(rewards)));
      },
      policy.parameters.entries().map(([, variable]) => variable),
    );
    for (const [name, variable] of policy.parameters.entries()) {
      const gradient = grads[variable.name]?.dataSync() ?? new Float32Array(variable.size);
      expect(moved[name]).toBeAllClose(gradient, { atol: 1e-5 });
    }
  });

  test('a constant baseline does not change the expectation', () => {
    const [without, withOne] = [expectedStep(0).moved, expectedStep(5).moved];
    for (const name of Object.keys(without))
      expect(withOne[name]).toBeAllClose(without[name], { atol: 1e-5 });
  });
});

describe('the moving-average baseline', () => {
  const contexts = [[0], [1]];
  const actions = [
    [1, 2],
    [3, 0],
  ];

  /** −mean(log π · Â), from the rollout's own log-probabilities. */
  const lossOf = (rollout: Rollout, advantages: number[]): number =>
    -advantages.reduce((sum, a, i) => sum + a * rollout.logProbs[i], 0) / advantages.length;

  test('is kept per step, subtracted as it was before the rollout, by hand', () => {
    const policy = model();
    const algorithm = new Reinforce(policy, { ...bare, baselineDecay: 0.75 }, budget);
    // rewards-to-go (3, 2) and (7, 4): means per step 5 and 3; the first rollout is its own baseline
    const first = rolloutOf(policy, contexts, actions, [
      [1, 2],
      [3, 4],
    ]);
    const stats = algorithm.update(first);
    expect(stats.loss).toBeAllClose(lossOf(first, [-2, -1, 2, 1]), { atol: 1e-5 });
    expect(stats.returnMean).toBeAllClose(4);
    // Var(3, 2, 7, 4) = 3.5, Var(∓2, ∓1) = 2.5
    expect(stats.explainedVariance).toBeAllClose(1 - 2.5 / 3.5, { atol: 1e-6 });
    expect(algorithm.state().values['baseline']).toBeAllClose([5, 3]);
    // rewards-to-go (1, 1) and (1, 1), baseline still (5, 3)
    const second = rolloutOf(policy, contexts, actions, [
      [0, 1],
      [0, 1],
    ]);
    expect(algorithm.update(second).loss).toBeAllClose(lossOf(second, [-4, -2, -4, -2]), { atol: 1e-5 });
    // .75 · (5, 3) + .25 · (1, 1)
    expect(algorithm.state().values['baseline']).toBeAllClose([4, 2.5]);
  });

  test("'none' subtracts nothing", () => {
    const policy = model();
    const rollout = rolloutOf(policy, contexts, actions, [
      [1, 2],
      [3, 4],
    ]);
    const { loss, explainedVariance } = new Reinforce(policy, { ...bare, baseline: 'none' }, budget).update(
      rollout,
    );
    expect(loss).toBeAllClose(lossOf(rollout, [3, 2, 7, 4]), { atol: 1e-5 });
    expect(explainedVariance).toBe(0);
  });

  test('padding counts neither in the averages nor in the loss', () => {
    const policy = model();
    const mask = Float32Array.of(1, 1, 1, 0);
    const rollout = rolloutOf(
      policy,
      contexts,
      actions,
      [
        [1, 2],
        [3, 99],
      ],
      {
        mask,
        terminated: Uint8Array.of(0, 1, 1, 0),
      },
    );
    expect(meanPerStep(Float32Array.of(3, 2, 3, 0), rollout)).toBeAllClose([3, 2]);
    // returns 3, 2, 3; baseline (3, 2): nothing is left to learn
    const stats = new Reinforce(policy, bare, budget).update(rollout);
    expect(stats.loss).toBeAllClose(0, { atol: 1e-6 });
    expect(stats.returnMean).toBeAllClose(8 / 3, { atol: 1e-6 });
  });
});

test('a single step cannot have normalised advantages', () => {
  const policy = model();
  const algorithm = new Reinforce(policy, {}, { ...budget, batchSize: 1 });
  expect(() => algorithm.update(rolloutOf(policy, [[0]], [[1]], [[1]]))).toThrow(ShapeError);
});

test('the entropy bonus is in the loss: −c · entropy with no reward', () => {
  const policy = model();
  const rollout = rolloutOf(policy, [[0]], [[1, 2]], [[0, 0]]);
  const stats = new Reinforce(policy, { ...bare, entropyCoef: 0.5 }, budget).update(rollout);
  expect(stats.entropy).toBeGreaterThan(0);
  expect(stats.loss).toBeAllClose(-0.5 * stats.entropy, { atol: 1e-6 });
});
