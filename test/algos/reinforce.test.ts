import { beforeAll, describe, expect, test } from '@jest/globals';

import {
  ConfigError,
  DegradationTransformer,
  MlpPolicy,
  ShapeError,
  discrete,
  tf,
  type Rollout,
} from '@rollcast/core';
import { Reinforce, meanPerStep, type ReinforceOptions } from '@rollcast/algos';

import { useBackend } from '../support/backends.js';
import { rolloutOf, stepRolloutOf } from '../support/rollouts.js';

beforeAll(() => useBackend('cpu'));

const V = 4;
const model = (): DegradationTransformer =>
  new DegradationTransformer({ vocabularySize: V, width: 8, layers: 1, heads: 2 }, 2);
/** A policy that sees one number and has two arms. */
const twoArms = (): MlpPolicy => new MlpPolicy(1, discrete(2), { hidden: [] }, 3);

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

  test('starts anew where the horizon has grown', () => {
    const policy = model();
    const algorithm = new Reinforce(policy, bare, budget);
    algorithm.update(rolloutOf(policy, contexts, actions, actions));
    const longer = rolloutOf(
      policy,
      contexts,
      [
        [1, 2, 0],
        [3, 0, 1],
      ],
      [
        [0, 0, 1],
        [0, 0, 3],
      ],
    );
    // rewards-to-go 1 and 3 at every step, their own mean is 2
    expect(algorithm.update(longer).loss).toBeAllClose(lossOf(longer, [-1, -1, -1, 1, 1, 1]), { atol: 1e-5 });
    expect(algorithm.state().values['baseline']).toBeAllClose([2, 2, 2]);
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

describe('on step environments', () => {
  test('the moving average is one number: rows of a rollout are not aligned in time', () => {
    const policy = twoArms();
    const algorithm = new Reinforce(policy, { ...bare, baselineDecay: 0.75 }, budget);
    algorithm.update(stepRolloutOf(policy, [[1], [1]], [0, 1], [1, 5]));
    expect(algorithm.state().values['baseline']).toBeAllClose([3]);
    algorithm.update(stepRolloutOf(policy, [[1], [1]], [0, 1], [9, 5]));
    // .75 · 3 + .25 · 7
    expect(algorithm.state().values['baseline']).toBeAllClose([4]);
  });

  test('there is no greedy rollout from the same start: the error says what it needs and what to use', () => {
    const create = () => new Reinforce(twoArms(), { baseline: 'self-critical' }, budget);
    expect(create).toThrow(
      'reinforce.baseline "self-critical" needs the greedy rollout from the same start, so it needs a sequence environment; this policy acts in a step environment, where starts are not repeated. Use "value" or "moving-average" there.',
    );
    expect(create).toThrow(ConfigError);
  });
});

describe('the value baseline', () => {
  const observed = [[1], [1]];

  test('is trained on the returns with its weight, by hand', () => {
    const policy = twoArms();
    const rollout = stepRolloutOf(policy, observed, [0, 1], [2, 4]);
    const [v] = rollout.values;
    const options: ReinforceOptions = { ...bare, baseline: 'value', normaliseReturns: false, valueCoef: 0.3 };
    const stats = new Reinforce(policy, options, budget).update(rollout);
    const valueLoss = ((v - 2) ** 2 + (v - 4) ** 2) / 4;
    const policyLoss = -((2 - v) * rollout.logProbs[0] + (4 - v) * rollout.logProbs[1]) / 2;
    expect(stats.valueLoss).toBeAllClose(valueLoss, { atol: 1e-5 });
    expect(stats.loss).toBeAllClose(policyLoss + 0.3 * valueLoss, { atol: 1e-5 });
  });

  test('goes on from the value where an episode is cut: 2 + .5 · 10', () => {
    const policy = twoArms();
    const cut = {
      terminated: new Uint8Array(2),
      truncated: Uint8Array.of(1, 1),
      bootstrapValues: Float32Array.of(10, 10),
    };
    const rollout = stepRolloutOf(policy, observed, [0, 1], [2, 2], cut);
    const options: ReinforceOptions = { ...bare, gamma: 0.5, normaliseReturns: false };
    const { returnMean } = new Reinforce(policy, { ...options, baseline: 'value' }, budget).update(rollout);
    expect(returnMean).toBeAllClose(7);
  });

  test('the mean return is reported in the unit of the rewards', () => {
    const policy = twoArms();
    const rollout = stepRolloutOf(policy, observed, [0, 1], [100, 300]);
    expect(
      new Reinforce(policy, { ...bare, baseline: 'value' }, budget).update(rollout).returnMean,
    ).toBeAllClose(200, {
      rtol: 1e-5,
    });
  });
});

describe('the self-critical baseline', () => {
  const contexts = [[0], [1]];
  const actions = [
    [1, 2],
    [3, 0],
  ];

  test('is the reward-to-go of the greedy rollout at the same step, by hand', () => {
    const policy = model();
    const greedyRewards = Float32Array.of(1, 1, 0, 2);
    const rollout = rolloutOf(
      policy,
      contexts,
      actions,
      [
        [1, 2],
        [3, 4],
      ],
      { greedyRewards },
    );
    const stats = new Reinforce(policy, { ...bare, baseline: 'self-critical' }, budget).update(rollout);
    // (3, 2) − (2, 1) and (7, 4) − (2, 2)
    const advantages = [1, 1, 5, 2];
    const loss = -advantages.reduce((sum, a, i) => sum + a * rollout.logProbs[i], 0) / 4;
    expect(stats.loss).toBeAllClose(loss, { atol: 1e-5 });
  });

  test('asks for the greedy rollout, and says so where there is none', () => {
    const policy = model();
    const algorithm = new Reinforce(policy, { ...bare, baseline: 'self-critical' }, budget);
    expect(algorithm.needsGreedyRollout).toBe(true);
    expect(new Reinforce(policy, bare, budget).needsGreedyRollout).toBe(false);
    const rollout = rolloutOf(policy, contexts, actions, actions);
    expect(() => algorithm.update(rollout)).toThrow(
      'needs rollouts with greedyRewards; this one has none. Give the collector greedyBaseline: true.',
    );
  });
});

test('a state from before there was a value baseline is read', () => {
  const policy = model();
  const algorithm = new Reinforce(policy, bare, budget);
  const { arrays, values } = algorithm.state();
  const { returnScale, ...rest } = values;
  expect(returnScale).toBeNull();
  const older = { ...rest, updatesDone: 4, baseline: [1, 2] };
  algorithm.restore({ arrays, values: older });
  expect(algorithm.state().values).toEqual({ ...older, returnScale: null });
});
