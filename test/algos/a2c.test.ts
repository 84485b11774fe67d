import { beforeAll, describe, expect, test } from '@jest/globals';

import { ConfigError, MlpPolicy, discrete, type Rollout } from '@rollcast/core';
import { A2C, type A2COptions } from '@rollcast/algos';

import { useBackend } from '../support/backends.js';
import { stepRolloutOf } from '../support/rollouts.js';

beforeAll(() => useBackend('cpu'));

/** One instance, two steps in a row; the second ends the episode. */
function twoSteps(policy: MlpPolicy, changes: Partial<Rollout> = {}): Rollout {
  const rollout = stepRolloutOf(policy, [[1], [2]], [0, 1], [1, 4]);
  return { ...rollout, batchSize: 1, steps: 2, terminated: Uint8Array.of(0, 1), ...changes };
}

const raw: A2COptions = {
  normaliseAdvantages: false,
  normaliseReturns: false,
  gamma: 0.5,
  klControl: { coefficient: 0 },
};

function update(options: A2COptions, changes: Partial<Rollout> = {}) {
  const policy = new MlpPolicy(1, discrete(2), { hidden: [] }, 3);
  const rollout = twoSteps(policy, changes);
  const stats = new A2C(policy, { ...raw, ...options }, { updates: 2, batchSize: 2, seed: 1 }).update(
    rollout,
  );
  return { stats, rollout };
}

/** Policy and value loss from advantages and targets. */
function losses(
  { logProbs, values }: Rollout,
  targets: number[],
  advantages = targets.map((r, i) => r - values[i]),
) {
  return {
    policyLoss: -(advantages[0] * logProbs[0] + advantages[1] * logProbs[1]) / 2,
    valueLoss: ((values[0] - targets[0]) ** 2 + (values[1] - targets[1]) ** 2) / 4,
  };
}

describe('by hand, rewards 1 and 4, γ = .5', () => {
  test('the default goes to the end of the rollout: returns 1 + .5 · 4 and 4', () => {
    const { stats, rollout } = update({});
    const expected = losses(rollout, [3, 4]);
    expect([stats.policyLoss, stats.valueLoss]).toBeAllClose([expected.policyLoss, expected.valueLoss], {
      atol: 1e-5,
    });
  });

  test('n = 1 goes on from the value after one reward: 1 + .5 · V(s₁) and 4', () => {
    const { stats, rollout } = update({ nSteps: 1 });
    const expected = losses(rollout, [1 + 0.5 * rollout.values[1], 4]);
    expect([stats.policyLoss, stats.valueLoss]).toBeAllClose([expected.policyLoss, expected.valueLoss], {
      atol: 1e-5,
    });
  });

  test('λ = .5 mixes the two', () => {
    const { stats, rollout } = update({ gaeLambda: 0.5 });
    const [v0, v1] = rollout.values;
    const last = 4 - v1;
    const first = 1 + 0.5 * v1 - v0 + 0.5 * 0.5 * last;
    expect(stats.policyLoss).toBeAllClose(losses(rollout, [first + v0, 4]).policyLoss, { atol: 1e-5 });
  });

  test('a cut goes on from the value that followed: 4 + .5 · 10', () => {
    const cut = {
      terminated: Uint8Array.of(0, 0),
      truncated: Uint8Array.of(0, 1),
      bootstrapValues: Float32Array.of(0, 10),
    };
    const { stats, rollout } = update({}, cut);
    expect(stats.valueLoss).toBeAllClose(losses(rollout, [1 + 0.5 * 9, 9]).valueLoss, { atol: 1e-4 });
  });

  test('the loss is the sum of its parts with their weights', () => {
    const { stats } = update({ valueCoef: 0.3, entropyCoef: 0.2 });
    expect(stats.loss).toBeAllClose(stats.policyLoss + 0.3 * stats.valueLoss - 0.2 * stats.entropy, {
      atol: 1e-5,
    });
  });
});

test('with normalised returns the unit of the rewards does not matter', () => {
  const scaled = (scale: number) =>
    update({ normaliseReturns: true }, { rewards: Float32Array.of(scale, 4 * scale) }).stats.valueLoss;
  expect(scaled(1024)).toBeAllClose(scaled(1), { rtol: 1e-5 });
});

test.each([{ nSteps: 0 }, { nSteps: 1.5 }, { gaeLambda: 2 }, { valueCoef: -1 }])('refuses %p', (options) => {
  expect(() => update(options)).toThrow(ConfigError);
});
