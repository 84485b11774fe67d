/** RLOO and GRPO: advantages by hand, and what they refuse. */
import { beforeAll, describe, expect, test } from '@jest/globals';

import { ConfigError, DegradationTransformer, MlpPolicy, discrete, type Rollout } from '@rollcast/core';
import { GRPO, RLOO, builtInAlgorithms } from '@rollcast/algos';

import { useBackend } from '../support/backends.js';
import { rolloutOf } from '../support/rollouts.js';

beforeAll(() => useBackend('cpu'));

const model = (): DegradationTransformer =>
  new DegradationTransformer({ vocabularySize: 4, width: 8, layers: 1, heads: 2 }, 2);
const budget = { updates: 2, batchSize: 4, seed: 1 };
const bare = { klControl: { coefficient: 0 }, samplesPerContext: 2 };

/** Two contexts with two trajectories each; rewards-to-go (3, 2), (7, 4), (1, 1), (2, 0). */
function groups(policy: DegradationTransformer, changes: Partial<Rollout> = {}): Rollout {
  return rolloutOf(
    policy,
    [[0], [0], [1], [1]],
    [
      [1, 2],
      [3, 0],
      [2, 2],
      [0, 1],
    ],
    [
      [1, 2],
      [3, 4],
      [0, 1],
      [2, 0],
    ],
    { samplesPerContext: 2, ...changes },
  );
}

/** −mean(log π · Â). */
const lossOf = ({ logProbs }: Rollout, advantages: number[]): number =>
  -advantages.reduce((sum, a, i) => sum + a * logProbs[i], 0) / advantages.length;

describe('rloo', () => {
  const loss = (options: object) => {
    const policy = model();
    const rollout = groups(policy);
    const rloo = new RLOO(policy, { ...bare, normaliseAdvantages: false, ...options }, budget);
    return { stats: rloo.update(rollout), rollout };
  };

  test('each step is compared with the same step of the other: by hand', () => {
    const { stats, rollout } = loss({});
    expect(stats.loss).toBeAllClose(lossOf(rollout, [-4, -2, 4, 2, -1, 1, 1, -1]), { atol: 1e-5 });
    expect(stats.returnMean).toBeAllClose((3 + 2 + 7 + 4 + 1 + 1 + 2 + 0) / 8);
  });

  test("with credit 'sequence' the whole returns are, as in the papers", () => {
    const { stats, rollout } = loss({ credit: 'sequence' });
    expect(stats.loss).toBeAllClose(lossOf(rollout, [-4, -4, 4, 4, -1, -1, 1, 1]), { atol: 1e-5 });
  });

  test('a KL charged in the reward is taken off before the baseline is formed', () => {
    const policy = model();
    const plain = groups(policy);
    // k1 = log p − log q = .1, .2, … with β = .5
    const kl = Float32Array.from(plain.logProbs, (_, i) => 0.1 * (i + 1));
    const reference = {
      logProbs: plain.logProbs.map((x, i) => x - kl[i]),
      distribution: new Float32Array(4 * 2 * 4),
      exactKl: kl,
    };
    const rollout = { ...plain, reference };
    const klControl = { coefficient: 0.5, placement: 'reward' as const, estimator: 'k1' as const };
    const stats = new RLOO(policy, { ...bare, normaliseAdvantages: false, klControl }, budget).update(
      rollout,
    );
    // rewards less .05, .1, .15, …: rewards-to-go (2.85, 1.9), (6.65, 3.8), (.45, .7), (1.25, −.4)
    expect(stats.loss).toBeAllClose(lossOf(rollout, [-3.8, -1.9, 3.8, 1.9, -0.8, 1.1, 0.8, -1.1]), {
      atol: 1e-5,
    });
  });
});

describe('grpo', () => {
  const loss = (options: object) => {
    const policy = model();
    const rollout = groups(policy);
    const grpo = new GRPO(policy, { ...bare, minibatchSize: 4, ...options }, budget);
    return grpo.update(rollout).policyLoss;
  };

  test('at ratio 1 the loss is minus the mean advantage, which is 0 in every group', () => {
    expect(loss({})).toBeAllClose(0, { atol: 1e-6 });
    expect(loss({ credit: 'sequence' })).toBeAllClose(0, { atol: 1e-6 });
  });

  test('leaves its options to what it is: advantages are always normalised within the group', () => {
    expect(() => loss({ normaliseAdvantages: false })).toThrow('grpo.normaliseAdvantages: unknown option.');
  });

  test('takes epochs × minibatches steps, and stops at targetKl', () => {
    const run = (options: object) => {
      const policy = model();
      const wild = { ...bare, minibatchSize: 2, updateEpochs: 5, learningRate: 0.05, ...options };
      return new GRPO(policy, wild, budget).update(groups(policy));
    };
    expect(run({})).toMatchObject({ gradientSteps: 10, stoppedEarly: 0 });
    const stopped = run({ targetKl: 1e-4 });
    expect(stopped.stoppedEarly).toBe(1);
    expect(stopped.gradientSteps).toBeLessThan(10);
  });
});

describe.each(['rloo', 'grpo'])('%s', (name) => {
  const create = (policy: DegradationTransformer | MlpPolicy, options: object, batchSize = 4) =>
    builtInAlgorithms()
      .get(name)
      .create(policy, options, { ...budget, batchSize });

  test('asks for groups of its size', () => {
    expect(create(model(), { samplesPerContext: 2 }).samplesPerContext).toBe(2);
  });

  test('refuses a step environment and says what to use there', () => {
    const policy = new MlpPolicy(1, discrete(2), { hidden: [] });
    expect(() => create(policy, { samplesPerContext: 2 })).toThrow(
      `${name} compares 2 trajectories of the same context, so it needs a sequence environment; this policy acts in a step environment, where starts are not repeated. Use ppo, a2c or reinforce there.`,
    );
  });

  test('refuses groups that do not divide the batch, and names those that do', () => {
    const six = () => create(model(), { samplesPerContext: 6 }, 64);
    expect(six).toThrow(
      `${name}.samplesPerContext must divide the batch (64 trajectories); got 6. Try 2, 4, 8.`,
    );
    expect(six).toThrow(ConfigError);
    expect(() => create(model(), { samplesPerContext: 2 }, 1)).toThrow('Try a batch of two or more.');
    expect(() => create(model(), { samplesPerContext: 1 })).toThrow(`${name}.samplesPerContext`);
  });

  test('refuses a rollout without groups', () => {
    const policy = model();
    const algorithm = create(policy, { samplesPerContext: 2 });
    expect(() => algorithm.update(groups(policy, { samplesPerContext: undefined }))).toThrow(
      `${name} needs rollouts with 2 trajectories of each context; got 1. Give the collector samplesPerContext: 2.`,
    );
  });
});

describe.each(['reinforce', 'a2c', 'ppo'])('%s takes groups where they are asked for', (name) => {
  const create = (policy: DegradationTransformer | MlpPolicy, samplesPerContext?: number) =>
    builtInAlgorithms().get(name).create(policy, { samplesPerContext }, budget);

  test('one trajectory of each context unless asked otherwise', () => {
    expect(create(model()).samplesPerContext).toBe(1);
    expect(create(model(), 2).samplesPerContext).toBe(2);
    expect(create(new MlpPolicy(1, discrete(2), { hidden: [] })).samplesPerContext).toBe(1);
  });

  test('groups divide the batch, and are no matter of step environments', () => {
    expect(() => create(model(), 3)).toThrow(
      `${name}.samplesPerContext must divide the batch (4 trajectories); got 3. Try 2, 4.`,
    );
    expect(() => create(new MlpPolicy(1, discrete(2), { hidden: [] }), 2)).toThrow(
      `${name} compares 2 trajectories of the same context, so it needs a sequence environment`,
    );
  });
});
