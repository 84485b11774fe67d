import { CheckpointError, linearSchedule, type Adam, type AlgorithmState } from '@rollcast/core';
import { z } from 'zod';

import { klControlOptions } from './kl-control.js';

/** The options that REINFORCE and PPO share, spread into each one's schema. */
export const policyGradientShape = {
  learningRateDecay: z.boolean().default(true).describe('fall linearly to 0 over the run'),
  gamma: z.number().min(0).max(1).default(1).describe('discount factor γ; 1 for sequences'),
  normaliseAdvantages: z.boolean().default(true).describe('standardise the advantages of each rollout'),
  entropyCoef: z.number().min(0).default(0).describe('weight of the entropy bonus'),
  maxGradNorm: z.number().gt(0).default(0.5).describe('gradients are scaled down to this global norm'),
  adamEpsilon: z.number().gt(0).default(1e-5).describe('ε of Adam'),
  klControl: klControlOptions.prefault({}),
};

/** What every algorithm is told about the run that it is part of. */
export interface RunBudget {
  readonly updates: number;
  /** Rows an update: trajectories of tokens, or steps of a step environment. */
  readonly batchSize: number;
  readonly seed: number;
}

/** The learning rate after a share of the run, in [0, 1]. */
export function scheduledLearningRate(
  { learningRate, learningRateDecay }: { learningRate: number; learningRateDecay: boolean },
  progress: number,
): number {
  return learningRateDecay ? linearSchedule(learningRate, 0, progress) : learningRate;
}

/** The state of an optimiser and some numbers, as an algorithm saves it. */
export function packState(optimizer: Adam, values: Record<string, unknown>): AlgorithmState {
  const { moments, powers } = optimizer.state();
  return { arrays: moments, values: { ...values, powers } };
}

const adamPowers = z.object({ beta1: z.number(), beta2: z.number() });

/**
 * The reverse of `packState`.
 *
 * @param schema - the numbers that the algorithm saved, its name among them
 * @param writer - what wrote such a state, for the message
 * @throws {CheckpointError} when another algorithm wrote the state or the moments do not fit; nothing is changed then
 */
export function unpackState<S extends z.ZodType>(
  optimizer: Adam,
  state: AlgorithmState,
  schema: S,
  writer: string,
): z.output<S> {
  const values = schema.safeParse(state.values);
  if (!values.success) {
    throw new CheckpointError(
      `The checkpoint was not written by ${writer}; continue it with the algorithm that wrote it.`,
    );
  }
  const powers = adamPowers.safeParse(state.values['powers']);
  if (!powers.success) throw new CheckpointError("The checkpoint's algorithm state has no powers of Adam.");
  optimizer.restore({ moments: state.arrays, powers: powers.data });
  return values.data;
}
