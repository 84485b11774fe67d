import { beforeAll, describe, expect, test } from '@jest/globals';

import {
  ConfigError,
  DegradationTransformer,
  MlpPolicy,
  box,
  exactKlOnHost,
  resolveOptions,
  tf,
  type Rollout,
} from '@rollcast/core';
import { KlControl, Reinforce, klControlOptions, type KlControlOptions } from '@rollcast/algos';

import { useBackend } from '../support/backends.js';
import { rolloutOf, stepRolloutOf } from '../support/rollouts.js';
import { take } from '../support/tensors.js';

beforeAll(() => useBackend('cpu'));

const V = 4;
const model = (seed: number): DegradationTransformer =>
  new DegradationTransformer({ vocabularySize: V, width: 8, layers: 1, heads: 2 }, seed);

const control = (options: KlControlOptions, totalEpisodes = 1000): KlControl =>
  new KlControl(resolveOptions(klControlOptions, options, 'klControl'), totalEpisodes);

/** One trajectory of two steps: log p − log q is 0.5 and −1, the exact KL 0.3 and 0.1. */
function measured(policy = model(1)): Rollout {
  const rollout = rolloutOf(policy, [[0]], [[1, 2]], [[10, 20]]);
  return {
    ...rollout,
    reference: {
      logProbs: Float32Array.of(rollout.logProbs[0] - 0.5, rollout.logProbs[1] + 1),
      distribution: new Float32Array(2 * V).fill(-Math.log(V)),
      exactKl: Float32Array.of(0.3, 0.1),
    },
  };
}

describe('in the reward', () => {
  test.each<[NonNullable<KlControlOptions['estimator']>, number[]]>([
    // 10 − 2 · KL₀, 20 − 2 · KL₁
    ['exact', [9.4, 19.8]],
    ['k1', [9, 22]],
    ['k2', [9.75, 19]],
    ['k3', [10 - 2 * (Math.exp(-0.5) - 1 + 0.5), 20 - 2 * (Math.E - 1 - 1)]],
  ])('%s is charged step by step with its coefficient', (estimator, expected) => {
    const rewards = control({ coefficient: 2, placement: 'reward', estimator }).penalisedRewards(measured());
    expect(rewards).toBeAllClose(expected, { atol: 1e-5 });
  });

  test('there is no term in the loss, and the penalty reaches the return', () => {
    const policy = model(1);
    const rollout = measured(policy);
    const klControl: KlControlOptions = { coefficient: 2, placement: 'reward' };
    const { returnMean } = new Reinforce(policy, { klControl }, { updates: 1, batchSize: 1, seed: 0 }).update(
      rollout,
    );
    // returns 29.2 and 19.8
    expect(returnMean).toBeAllClose(24.5, { atol: 1e-4 });
    expect(control(klControl).lossTerm(...scored(policy, rollout))).toBeUndefined();
  });
});

function scored(policy: DegradationTransformer, rollout: Rollout): Parameters<KlControl['lossTerm']> {
  const { reference, steps } = rollout;
  return [
    policy.score(tf.tensor2d([[0]], [1, 1], 'int32'), tf.tensor2d(rollout.actions, [1, steps], 'int32')),
    {
      logProbs: tf.tensor2d(reference!.logProbs, [1, steps]),
      distribution: tf.tensor3d(reference!.distribution, [1, steps, V]),
    },
    tf.tensor2d(rollout.mask, [1, steps]),
  ];
}

describe('in the loss', () => {
  test('the rewards stay as they are', () => {
    const rollout = measured();
    expect(control({ coefficient: 2 }).penalisedRewards(rollout)).toBe(rollout.rewards);
  });

  test('the exact KL is that of the whole distributions', () => {
    const policy = model(1);
    const inputs = scored(policy, measured(policy));
    const [p, q] = [inputs[0].logDistribution!, inputs[1]!.distribution];
    const [first, second] = exactKlOnHost(p.dataSync(), q.dataSync(), V);
    expect(take(control({}).lossTerm(...inputs)!)).toBeAllClose([(first + second) / 2], { atol: 1e-6 });
  });

  test('k2 and k3 are those of the actions', () => {
    const policy = model(1);
    const term = (estimator: 'k2' | 'k3'): number[] =>
      take(control({ estimator }).lossTerm(...scored(policy, measured(policy)))!);
    expect(term('k2')).toBeAllClose([(0.125 + 0.5) / 2], { atol: 1e-5 });
    expect(term('k3')).toBeAllClose([(Math.exp(-0.5) - 0.5 + Math.E - 2) / 2], { atol: 1e-5 });
  });

  test('of a Gaussian policy the exact KL has a closed form, and gradients flow through it', () => {
    const policy = new MlpPolicy(1, box(-Infinity, Infinity, [1]), { hidden: [] });
    const rollout = stepRolloutOf(policy, [[0], [0]], [0, 0], [0, 0]);
    const [mean] = policy.act(Float32Array.of(0)).actions;
    // the reference is 1 to the right, and as wide: a KL of ½ at each step
    const reference = {
      logProbs: rollout.logProbs,
      distribution: Float32Array.of(mean + 1, 0, mean + 1, 0),
      exactKl: Float32Array.of(0.5, 0.5),
    };
    const { loss, gradNorm } = new Reinforce(
      policy,
      { baseline: 'none', normaliseAdvantages: false, klControl: { coefficient: 3 } },
      { updates: 1, batchSize: 2, seed: 0 },
    ).update({ ...rollout, reference });
    expect(loss).toBeAllClose(3 * 0.5, { atol: 1e-5 });
    // d KL / d bias = (μ − μ_ref)/σ² = −1, d KL / d log σ = σ² − 1 = 0, d KL / d weight = −1 · observation = 0
    expect(gradNorm).toBeAllClose(3, { atol: 1e-5 });
  });

  test('its weight is β: with no reward, the loss is β · KL', () => {
    const policy = model(1);
    const rollout = { ...measured(policy), rewards: new Float32Array(2) };
    const kl = take(control({}).lossTerm(...scored(policy, rollout))!)[0];
    const { loss, klCoef } = new Reinforce(
      policy,
      { normaliseAdvantages: false, klControl: { coefficient: 3 } },
      { updates: 1, batchSize: 1, seed: 0 },
    ).update(rollout);
    expect(klCoef).toBe(3);
    expect(loss).toBeAllClose(3 * kl, { atol: 1e-5 });
  });

  test('k1 is refused, because its expected gradient is zero', () => {
    expect(() => control({ estimator: 'k1' })).toThrow('k1 in the loss has zero expected gradient');
    expect(() => control({ estimator: 'k1', placement: 'reward' })).not.toThrow();
  });
});

describe('the adaptive coefficient', () => {
  const adaptive: KlControlOptions = { kind: 'adaptive', target: 0.1, coefficient: 0.5 };

  test('follows the exact KL of the rollout over a horizon of 1 % of all episodes', () => {
    // KL .2 is clipped to +.2; one episode of a horizon of 10
    const klControl = control(adaptive, 1000);
    klControl.follow(measured());
    expect(klControl.coefficient).toBeAllClose(0.5 * (1 + 0.2 / 10), { atol: 1e-7 });
  });

  test('or over the horizon given', () => {
    const klControl = control({ ...adaptive, horizonEpisodes: 100 });
    klControl.follow(measured());
    expect(klControl.coefficient).toBeAllClose(0.5 * (1 + 0.2 / 100), { atol: 1e-7 });
  });

  test('on step environments both it and the rollout are counted in steps', () => {
    const policy = new MlpPolicy(1, box(-1, 1, [1]), { hidden: [] });
    const steps = stepRolloutOf(policy, [[1], [2], [3], [4]], [0, 0, 0, 0], [0, 0, 0, 0]);
    // two instances of two steps: four steps of a horizon of 10, KL .2 clipped to +.2
    const reference = {
      logProbs: steps.logProbs,
      distribution: new Float32Array(8),
      exactKl: Float32Array.of(0.2, 0.2, 0.2, 0.2),
    };
    const klControl = control(adaptive, 1000);
    klControl.follow({ ...steps, batchSize: 2, steps: 2, reference });
    expect(klControl.coefficient).toBeAllClose(0.5 * (1 + (0.2 * 4) / 10), { atol: 1e-7 });
  });

  test('the update that it follows has used the old one', () => {
    const policy = model(1);
    const algorithm = new Reinforce(
      policy,
      { klControl: adaptive },
      { updates: 10, batchSize: 100, seed: 0 },
    );
    expect(algorithm.update(measured(policy)).klCoef).toBe(0.5);
    expect(algorithm.state().values['klCoef']).toBeGreaterThan(0.5);
  });

  test('without a reference it stays', () => {
    const klControl = control(adaptive);
    klControl.follow({ ...measured(), reference: undefined });
    expect(klControl.coefficient).toBe(0.5);
  });

  test.each<[KlControlOptions, string]>([
    [{ kind: 'adaptive' }, 'klControl.target must be given in nats a token'],
    [{ ...adaptive, coefficient: 0 }, 'klControl.coefficient must be > 0 when kind is "adaptive"'],
    [{ ...adaptive, target: 0 }, 'klControl.target'],
    [{ ...adaptive, horizonEpisodes: 0 }, 'klControl.horizonEpisodes'],
    [{ coefficient: -1 }, 'klControl.coefficient'],
  ])('refuses %p', (options, message) => {
    expect(() => control(options)).toThrow(ConfigError);
    expect(() => control(options)).toThrow(message);
  });
});
