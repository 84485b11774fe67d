/** Settings of step environments that are published with results, as starting points by flag. */
import { ConfigError, suggestion } from '@rollcast/core';

/** How rollouts are made. */
interface RolloutShape {
  readonly instances: number;
  readonly stepsPerRollout: number;
}

/** How rollouts are made, and options by group. */
export interface StepPreset extends RolloutShape {
  /** Of algorithms that want other rollouts, by their names. */
  readonly rollouts?: Readonly<Record<string, Partial<RolloutShape>>>;
  readonly normaliseObservations?: boolean;
  readonly normaliseRewards?: boolean;
  readonly policy?: Readonly<Record<string, unknown>>;
  /** Options of the algorithms that it is for, by their names. */
  readonly algorithms: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** Shared by every policy-gradient method on steps, where rewards are discounted. */
const common = { gamma: 0.99 };

/**
 * CleanRL's ppo.py (github.com/vwxyzjn/cleanrl), the same for every environment, and settings of our own for the algorithms that
 * it does not have: those take one gradient step a rollout, and are only steady with long ones.
 */
const cleanrl: StepPreset = {
  instances: 4,
  stepsPerRollout: 128,
  rollouts: { a2c: { stepsPerRollout: 256 }, reinforce: { stepsPerRollout: 512 } },
  algorithms: {
    ppo: {
      ...common,
      learningRate: 2.5e-4,
      gaeLambda: 0.95,
      updateEpochs: 4,
      minibatchSize: 128,
      clipRange: 0.2,
      valueClipRange: 0.2,
      valueCoef: 0.5,
      entropyCoef: 0.01,
      maxGradNorm: 0.5,
      normaliseReturns: false,
    },
    a2c: { ...common, learningRate: 2e-3, entropyCoef: 0.01 },
    reinforce: { ...common, learningRate: 3e-3, baseline: 'value', entropyCoef: 0.01 },
  },
};

/**
 * What all settings of the zoo share: the defaults of Stable-Baselines3, which are what an entry of ppo.yml leaves unsaid.
 * Its value loss has no ½, so that a `vf_coef` there is half of a `valueCoef` here.
 */
const zooPpo = {
  ...common,
  learningRate: 3e-4,
  learningRateDecay: false,
  gaeLambda: 0.95,
  updateEpochs: 10,
  minibatchSize: 64,
  clipRange: 0.2,
  valueCoef: 1,
  entropyCoef: 0,
  maxGradNorm: 0.5,
  normaliseAdvantages: 'minibatch',
  normaliseReturns: false,
};

/** The tuned settings of rl-baselines3-zoo (github.com/DLR-RM/rl-baselines3-zoo, hyperparams/ppo.yml), by environment. */
const zoo: Readonly<Record<string, StepPreset>> = {
  'cart-pole-v1': {
    instances: 8,
    stepsPerRollout: 32,
    algorithms: {
      ppo: {
        ...zooPpo,
        learningRate: 1e-3,
        learningRateDecay: true,
        clipRangeDecay: true,
        gamma: 0.98,
        gaeLambda: 0.8,
        updateEpochs: 20,
        minibatchSize: 256,
      },
    },
  },
  'acrobot-v1': {
    instances: 16,
    stepsPerRollout: 256,
    normaliseObservations: true,
    normaliseRewards: true,
    algorithms: { ppo: { ...zooPpo, gaeLambda: 0.94, updateEpochs: 4 } },
  },
  'mountain-car-v0': {
    instances: 16,
    stepsPerRollout: 16,
    normaliseObservations: true,
    normaliseRewards: true,
    algorithms: { ppo: { ...zooPpo, gaeLambda: 0.98, updateEpochs: 4 } },
  },
  'mountain-car-continuous-v0': {
    instances: 1,
    stepsPerRollout: 8,
    normaliseObservations: true,
    normaliseRewards: true,
    policy: { gsde: true, logStdInit: -3.29, orthoInit: false },
    algorithms: {
      ppo: {
        ...zooPpo,
        learningRate: 7.77e-5,
        gamma: 0.9999,
        gaeLambda: 0.9,
        minibatchSize: 8, // 256 there, which is cut to the rollout
        clipRange: 0.1,
        valueCoef: 0.38,
        entropyCoef: 0.00429,
        maxGradNorm: 5,
      },
    },
  },
  'pendulum-v1': {
    instances: 4,
    stepsPerRollout: 1024,
    policy: { gsde: true, sdeSampleFreq: 4 },
    algorithms: { ppo: { ...zooPpo, learningRate: 1e-3, gamma: 0.9 } },
  },
};

export const presetNames = ['cleanrl', 'zoo'] as const;
export type PresetName = (typeof presetNames)[number];

/** @throws {ConfigError} when the preset has nothing for the environment or the algorithm */
export function stepPreset(name: PresetName, environment: string, algorithm: string): StepPreset {
  if (name === 'cleanrl') return cleanrl;
  const found = zoo[environment];
  if (found && algorithm in found.algorithms) return found;
  if (found) {
    const able = Object.keys(found.algorithms);
    throw new ConfigError(
      `--preset zoo has settings for ${able.join(', ')} and none for "${algorithm}", whose defaults are made for token sequences. Use --preset cleanrl.`,
    );
  }
  const known = Object.keys(zoo);
  throw new ConfigError(
    `--preset zoo has no settings for "${environment}"; it has them for ${known.join(', ')}.${suggestion(environment, known)} Use --preset cleanrl.`,
  );
}
