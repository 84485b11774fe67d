/** What the algorithms with a value head share. */
import { maskedMoments, rewardsToGo, type Rollout } from '@rollcast/core';
import { z } from 'zod';

/** The options that such algorithms share, spread into each one's schema. */
export const valueShape = {
  valueCoef: z.number().min(0).default(0.5).describe('weight of the value loss'),
  normaliseReturns: z
    .boolean()
    .default(true)
    .describe(
      'divide rewards by a running spread of the returns, so that the value head sees numbers near 1',
    ),
};

/** Share of the running spread of the returns that is kept at each update. */
const DECAY = 0.9;

/** What is saved of a `ReturnScale`. */
export const returnScaleState = z.object({ returnScale: z.number().gt(0).nullable() });

/**
 * Rewards in units of a running spread of the returns, so that a value head sees numbers near 1 and the unit of the rewards
 * does not matter. Values are in these units too.
 */
export class ReturnScale {
  /** Running standard deviation of the returns; undefined before the first rollout. */
  private spread: number | undefined;

  /** What one unit of a value is worth in rewards. */
  get unit(): number {
    return this.spread ?? 1;
  }

  /** The rollout with its rewards divided by the spread, which follows this rollout first. */
  apply(rollout: Rollout, gamma: number): Rollout {
    // the value after a cut is in units; the returns are not
    const bootstrapValues = rollout.bootstrapValues.map((value) => value * this.unit);
    const { std } = maskedMoments(rewardsToGo({ ...rollout, bootstrapValues }, gamma), rollout.mask);
    if (std > 0) this.spread = this.spread === undefined ? std : DECAY * this.spread + (1 - DECAY) * std;
    return { ...rollout, rewards: rollout.rewards.map((reward) => reward / this.unit) };
  }

  state(): z.output<typeof returnScaleState> {
    return { returnScale: this.spread ?? null };
  }

  restore({ returnScale }: z.output<typeof returnScaleState>): void {
    this.spread = returnScale ?? undefined;
  }
}

/** 1 − Var(R − b) / Var(R), the share of the variance of the returns that a baseline explains; 0 when they do not vary. */
export function explainedVariance(
  returns: Float32Array,
  baseline: ArrayLike<number>,
  mask: Float32Array,
): number {
  return varianceExplained(
    returns,
    returns.map((r, i) => r - baseline[i]),
    mask,
  );
}

/** The same from what the baseline left over, R − b. */
export function varianceExplained(returns: Float32Array, rest: Float32Array, mask: Float32Array): number {
  const { std } = maskedMoments(returns, mask);
  return std > 0 ? 1 - (maskedMoments(rest, mask).std / std) ** 2 : 0;
}
