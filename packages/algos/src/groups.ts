/** What the algorithms share that compare several trajectories of one context: RLOO and GRPO. */
import { ConfigError, rewardsToGo, wholeReturns, type GroupedReturns, type Rollout } from '@rollcast/core';
import { z } from 'zod';

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
