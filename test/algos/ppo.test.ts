import { beforeAll, describe, expect, test } from '@jest/globals';

import {
  ConfigError,
  DegradationTransformer,
  MlpPolicy,
  ShapeError,
  collectSequences,
  discrete,
  normaliseAdvantages,
  type Rollout,
} from '@rollcast/core';
import { PPO, type PPOOptions } from '@rollcast/algos';

import { useBackend } from '../support/backends.js';
import { RepeatEnvironment } from '../support/repeat-environment.js';
import { rolloutOf, stepRolloutOf } from '../support/rollouts.js';

beforeAll(() => useBackend('wasm'));

const model = (): DegradationTransformer =>
  new DegradationTransformer({ vocabularySize: 6, width: 16, layers: 1, heads: 2 }, 1);
const budget = { updates: 10, batchSize: 8, seed: 1 };
const environment = new RepeatEnvironment();

function collected(policy: DegradationTransformer): Rollout {
  return collectSequences({ environment, policy, batchSize: 8, seed: 2, update: 0 }).rollout;
}

function update(options: PPOOptions) {
  const policy = model();
  const rollout = collected(policy);
  const before = policy.parameters.save();
  const stats = new PPO(policy, { minibatchSize: 4, ...options }, budget).update(rollout);
  return { stats, policy, before, rollout };
}

test('the first minibatch starts at the old policy: no clipping, no KL, −mean advantage', () => {
  const { stats, rollout } = update({
    updateEpochs: 1,
    minibatchSize: 8,
    normaliseAdvantages: false,
    gaeLambda: 1,
    valueCoef: 0,
    entropyCoef: 0,
    normaliseReturns: false,
  });
  expect(stats.clipFraction).toBe(0);
  expect(stats.approxKl).toBeAllClose(0, { atol: 1e-6 });
  expect(stats.firstRatioDeviation).toBeLessThan(1e-5);
  // a fresh value head says 0: the advantage is the reward-to-go
  const toGo = Array.from(rollout.rewards, (_, i) =>
    rollout.rewards.slice(i, 4 * (Math.floor(i / 4) + 1)).reduce((a, b) => a + b, 0),
  );
  const mean = toGo.reduce((a, b) => a + b) / toGo.length;
  expect(stats.policyLoss).toBeAllClose(-mean, { atol: 1e-5 });
  expect(stats.valueLoss).toBeAllClose(
    toGo.reduce((sum, g) => sum + (0.5 * g * g) / toGo.length, 0),
    {
      atol: 1e-5,
    },
  );
  expect(stats.explainedVariance).toBeAllClose(0, { atol: 1e-6 });
});

test('the loss is the sum of its parts with their weights', () => {
  const { stats } = update({ updateEpochs: 1, minibatchSize: 8, valueCoef: 0.3, entropyCoef: 0.2 });
  expect(stats.loss).toBeAllClose(stats.policyLoss + 0.3 * stats.valueLoss - 0.2 * stats.entropy, {
    atol: 1e-5,
  });
});

test('epochs × minibatches steps are taken, over other rows in another order each epoch', () => {
  const { stats } = update({ updateEpochs: 3, learningRate: 1e-4 });
  expect(stats.gradientSteps).toBe(6);
  expect(stats.stoppedEarly).toBe(0);
});

test('targetKl ends an update that strays, and says so', () => {
  const straying = { updateEpochs: 10, learningRate: 0.03 };
  const free = update(straying).stats;
  expect(free).toMatchObject({ gradientSteps: 20, stoppedEarly: 0 });
  const { stats, policy, before } = update({ ...straying, targetKl: 1e-3 });
  expect(stats.stoppedEarly).toBe(1);
  // the first minibatch has ratio 1 and is always taken
  expect(stats.gradientSteps).toBeGreaterThanOrEqual(1);
  expect(stats.gradientSteps).toBeLessThan(20);
  expect(stats.approxKl).toBeLessThan(free.approxKl);
  expect(policy.parameters.save()['embedding']).not.toEqual(before['embedding']);
});

test('a minibatch that does not divide the batch is refused with those that do', () => {
  const create = () => new PPO(model(), { minibatchSize: 48 }, { ...budget, batchSize: 64 });
  expect(create).toThrow('ppo.minibatchSize must divide the batch (64 rows); got 48. Try 16, 32, 64.');
  expect(create).toThrow(ConfigError);
});

test.each([
  { clipRange: 0 },
  { clipRange: 1 },
  { gaeLambda: 1.1 },
  { updateEpochs: 0 },
  { targetKl: 0 },
  { dualClip: 1 },
  { trustRegion: { target: 0 } },
  { form: 'kl-penalty' as const, dualClip: 3 },
  { form: 'kl-penalty' as const, clipRangeDecay: true },
])('refuses %p', (options) => {
  expect(() => update(options)).toThrow(ConfigError);
});

describe('the value head', () => {
  const contexts = [[0], [1]];
  const actions = [
    [1, 2],
    [3, 4],
  ];

  test('learns the return', () => {
    const policy = model();
    const ppo = new PPO(
      policy,
      {
        minibatchSize: 2,
        updateEpochs: 20,
        gaeLambda: 1,
        learningRate: 0.01,
        valueCoef: 1,
        maxGradNorm: 10,
        klControl: { coefficient: 0 },
      },
      { ...budget, batchSize: 2 },
    );
    const losses = [0, 1, 2].map(
      () =>
        ppo.update(
          rolloutOf(policy, contexts, actions, [
            [1, 1],
            [1, 1],
          ]),
        ).valueLoss,
    );
    expect(losses[2]).toBeLessThan(0.2 * losses[0]);
  });

  test('with normalised returns the unit of the rewards does not matter', () => {
    const unit = (scale: number) => {
      const policy = model();
      const rewards = [
        [1 * scale, 2 * scale],
        [3 * scale, 4 * scale],
      ];
      const stats = new PPO(policy, { minibatchSize: 2, gaeLambda: 1 }, { ...budget, batchSize: 2 }).update(
        rolloutOf(policy, contexts, actions, rewards),
      );
      return { valueLoss: stats.valueLoss, weights: Array.from(policy.parameters.save()['embedding'].data) };
    };
    const [small, large] = [unit(1), unit(1024)];
    expect(large.valueLoss).toBeAllClose(small.valueLoss, { rtol: 1e-6 });
    expect(large.weights).toBeAllClose(small.weights, { atol: 1e-7 });
    // returns 3, 2, 7, 4 have variance 3.5; ½ mean of (return / √3.5)²
    expect(small.valueLoss).toBeAllClose((9 + 4 + 49 + 16) / 8 / 3.5, { rtol: 1e-5 });
  });

  test('normalised advantages go into the policy loss, returns stay as they are', () => {
    const policy = model();
    const rewards = [
      [10, 20],
      [30, 40],
    ];
    const rollout = rolloutOf(policy, contexts, actions, rewards);
    const stats = new PPO(
      policy,
      { minibatchSize: 2, gaeLambda: 1, klControl: { coefficient: 0 }, normaliseReturns: false },
      { ...budget, batchSize: 2 },
    ).update(rollout);
    // returns 30, 20, 70, 40 against values 0: ½ mean of squares; normalised advantages have mean 0
    expect(stats.valueLoss).toBeAllClose((900 + 400 + 4900 + 1600) / 8, { rtol: 1e-5 });
    const mean = normaliseAdvantages([30, 20, 70, 40], [1, 1, 1, 1]).reduce((a, b) => a + b) / 4;
    expect(stats.policyLoss).toBeAllClose(-mean, { atol: 1e-5 });
  });
});

test('without a minibatch size, an even batch is halved and an odd one taken whole', () => {
  for (const [batchSize, steps] of [
    [8, 2],
    [5, 1],
  ]) {
    const policy = model();
    const { rollout } = collectSequences({ environment, policy, batchSize, seed: 2, update: 0 });
    const stats = new PPO(policy, {}, { ...budget, batchSize }).update(rollout);
    expect(stats.gradientSteps).toBe(steps);
  }
});

test('a KL target ≤ 0 is refused with what was expected, what came and the way out', () => {
  expect(() => update({ targetKl: -1 })).toThrow(
    'ppo.targetKl: expected a KL > 0 in nats a token, such as 0.02, or leave it out; got -1.',
  );
  expect(() => update({ klControl: { kind: 'adaptive', target: 0 } })).toThrow(
    'ppo.klControl.target: expected a KL > 0 in nats a token, such as 0.05, or leave it out; got 0.',
  );
  expect(() => update({ trustRegion: { target: 0 } })).toThrow(
    'ppo.trustRegion.target: expected a KL > 0 in nats a token, such as 0.01; got 0.',
  );
});

describe('the clip', () => {
  /** Weights after an update that strays far. */
  const strayed = (options: PPOOptions) =>
    update({ updateEpochs: 4, learningRate: 0.05, ...options }).policy.parameters.save()['embedding'];

  test('falls linearly to 0 over the run when asked to, in one trace', () => {
    const policy = model();
    const rollout = collected(policy);
    const ppo = new PPO(policy, { clipRange: 0.2, clipRangeDecay: true }, { ...budget, updates: 4 });
    const seen = [0, 1, 2, 3].map(() => {
      const { clipRange, clipFraction } = ppo.update(rollout);
      return { clipRange, clipFraction };
    });
    expect(seen.map(({ clipRange }) => clipRange)).toBeAllClose([0.2, 0.15, 0.1, 0.05]);
    expect(update({}).stats.clipRange).toBe(0.2);
  });

  test('as a scheduled number at its start is the clip as a constant', () => {
    expect(strayed({ clipRangeDecay: true }).data).toBeAllClose(strayed({}).data, { atol: 1e-6 });
    expect(strayed({ clipRange: 0.01 })).not.toEqual(strayed({}));
  });

  test('with a second bound changes what negative advantages pull, and only where ratios are large', () => {
    const far = { learningRate: 0.2, maxGradNorm: 10 };
    expect(strayed({ ...far, dualClip: 1.01 })).not.toEqual(strayed(far));
    expect(strayed({ ...far, dualClip: 1e6 }).data).toBeAllClose(strayed(far).data, { atol: 1e-5 });
  });
});

describe('the penalty form', () => {
  const penalty: PPOOptions = { form: 'kl-penalty', updateEpochs: 4, minibatchSize: 4 };

  test('doubles its weight after an update that went too far, and halves it after one that did not', () => {
    const policy = model();
    const rollout = collected(policy);
    const wild = new PPO(policy, { ...penalty, learningRate: 0.05, trustRegion: { target: 1e-4 } }, budget);
    const first = wild.update(rollout);
    expect(first.trustRegionCoef).toBe(1);
    expect(first.trustRegionKl).toBeGreaterThan(1.5e-4);
    expect(wild.state().values['trustRegionCoef']).toBe(2);
    const tame = new PPO(
      model(),
      { ...penalty, learningRate: 1e-6, trustRegion: { coefficient: 3 } },
      budget,
    );
    expect(tame.update(collected(model())).trustRegionKl).toBeLessThan(1e-4);
    expect(tame.state().values['trustRegionCoef']).toBe(1.5);
  });

  test('stays nearer to the old policy the more the KL weighs', () => {
    const kl = (coefficient: number) =>
      update({ ...penalty, learningRate: 0.02, trustRegion: { coefficient } }).stats.trustRegionKl;
    expect(kl(100)).toBeLessThan(0.5 * kl(0.01));
  });

  test('measuring takes no step', () => {
    expect(update(penalty).stats.gradientSteps).toBe(8);
  });

  test('its weight is restored', () => {
    const ppo = new PPO(model(), penalty, budget);
    const { arrays, values } = ppo.state();
    ppo.restore({ arrays, values: { ...values, trustRegionCoef: 8 } });
    expect(ppo.state().values['trustRegionCoef']).toBe(8);
    // a state of the clipped form has none
    const clipped = new PPO(model(), {}, budget).state();
    expect(clipped.values).not.toHaveProperty('trustRegionCoef');
  });
});

describe('advantages are normalised', () => {
  test('over the rollout by true and by name, not at all by false and by name', () => {
    const weights = (normaliseAdvantages: PPOOptions['normaliseAdvantages']) =>
      update({ normaliseAdvantages, learningRate: 0.01 }).policy.parameters.save();
    expect(weights('rollout')).toEqual(weights(true));
    expect(weights('off')).toEqual(weights(false));
    expect(weights('off')).not.toEqual(weights(true));
    expect(weights('minibatch')).not.toEqual(weights('rollout'));
  });

  test('over each minibatch: whatever it holds, its mean is 0 at ratio 1', () => {
    // the first minibatch is at ratio 1; without a learning rate to speak of all are
    const options: PPOOptions = { updateEpochs: 1, learningRate: 1e-12, minibatchSize: 2 };
    expect(update({ ...options, normaliseAdvantages: 'minibatch' }).stats.policyLoss).toBeAllClose(0, {
      atol: 1e-5,
    });
  });

  test('a minibatch of a single step cannot be normalised by itself', () => {
    const policy = new MlpPolicy(1, discrete(2), { hidden: [] }, 3);
    const rollout = stepRolloutOf(policy, [[1], [1]], [0, 1], [1, 2]);
    const ppo = new PPO(
      policy,
      { minibatchSize: 1, normaliseAdvantages: 'minibatch' },
      { ...budget, batchSize: 2 },
    );
    expect(() => ppo.update(rollout)).toThrow(ShapeError);
  });
});

test('the spread of the returns counts the value after a cut in the unit of the rewards', () => {
  const policy = new MlpPolicy(1, discrete(2), { hidden: [] }, 3);
  const ppo = new PPO(policy, { minibatchSize: 2 }, { ...budget, batchSize: 2 });
  ppo.update(stepRolloutOf(policy, [[1], [1]], [0, 1], [10, 30])); // deviation 10: a value of 1 is worth 10
  const cut = {
    terminated: new Uint8Array(2),
    truncated: Uint8Array.of(1, 1),
    bootstrapValues: Float32Array.of(1, 5),
  };
  ppo.update(stepRolloutOf(policy, [[1], [1]], [0, 1], [0, 0], cut));
  // returns 10 and 50 have deviation 20: .9 · 10 + .1 · 20
  expect(ppo.state().values['returnScale']).toBeAllClose(11, { atol: 1e-5 });
});
