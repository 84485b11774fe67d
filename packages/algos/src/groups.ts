/** What the algorithms share that compare several trajectories of one context: RLOO and GRPO. */
import {
  ConfigError,
  rewardsToGo,
  wholeReturns,
  type GroupedReturns,
  type Policy,
  type Rollout,
} from '@rollcast/core';
import { z } from 'zod';

import { divisors } from './minibatches.js';
import { requireSequences, type RunBudget } from './policy-gradient.js';

/** The options that such algorithms share, spread into each one's schema. */
export const groupShape = {
  samplesPerContext: z
    .int()
    .min(2)
    .default(4)
    .describe('k, trajectories of each context in a batch; a divisor of the batch'),
  credit: z
    .enum(['step', 'sequence'])
    .default('step')
    .describe('compare the rewards-to-go of every step, or the whole returns as in the papers'),
};

interface GroupOptions {
  readonly samplesPerContext: number;
  readonly credit: 'step' | 'sequence';
  readonly gamma: number;
}

/** @throws {ConfigError} when the policy acts step by step, or the batch cannot be cut into groups */
export function checkGroups(
  name: string,
  policy: Policy,
  { samplesPerContext: k }: GroupOptions,
  { batchSize }: RunBudget,
): void {
  requireSequences(
    policy,
    `${name} compares ${k} trajectories of the same context, so it needs a sequence environment; this policy acts in a step environment, where starts are not repeated. Use ppo, a2c or reinforce there.`,
  );
  if (batchSize % k === 0) return;
  const possible = divisors(batchSize).filter((d) => d > 1);
  throw new ConfigError(
    `${name}.samplesPerContext must divide the batch (${batchSize} trajectories); got ${k}. Try ${possible.slice(0, 3).join(', ') || 'a batch of two or more'}.`,
  );
}

/**
 * The returns to compare.
 *
 * @param rollout - with the rewards that are to be optimised
 * @throws {ConfigError} when the rollout does not come in groups of k
 */
export function groupedReturns(
  name: string,
  rollout: Rollout,
  { samplesPerContext, credit, gamma }: GroupOptions,
): GroupedReturns & { readonly returns: Float32Array } {
  const { batchSize, steps, samplesPerContext: given = 1 } = rollout;
  if (given !== samplesPerContext) {
    throw new ConfigError(
      `${name} needs rollouts with ${samplesPerContext} trajectories of each context; got ${given}. Give the collector samplesPerContext: ${samplesPerContext}.`,
    );
  }
  const toGo = rewardsToGo(rollout, gamma);
  const returns = credit === 'step' ? toGo : wholeReturns(toGo, rollout);
  return { returns, batchSize, steps, samplesPerContext };
}
