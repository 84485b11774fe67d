/**
 * REINFORCE (Williams 1992, "Simple statistical gradient-following algorithms for connectionist reinforcement learning",
 * Machine Learning 8) with reward-to-go and a moving-average baseline.
 *
 * Choices between variants:
 * - the baseline is kept per step, because with credit per step the reward still to come shrinks along the sequence;
 * - the baseline that is subtracted was formed before this rollout, so that it does not depend on the actions judged;
 *   on the very first rollout, where there is none, it is that rollout's mean;
 * - the loss is a mean over steps, so that the learning rate does not depend on the batch.
 */
import {
  maskedMoments,
  normaliseAdvantages,
  resolveOptions,
  rewardsToGo,
  scoreFunctionLoss,
  type LossParts,
  type Policy,
  type Rollout,
} from '@rollcast/core';
import { z } from 'zod';

import {
  PolicyGradient,
  policyGradientShape,
  type RunBudget,
  type ScoredRows,
  type SingleStepStats,
} from './policy-gradient.js';

export const reinforceOptions = z.strictObject({
  learningRate: z.number().gt(0).default(1e-4).describe('step size of Adam'),
  ...policyGradientShape,
  baseline: z
    .enum(['moving-average', 'none'])
    .default('moving-average')
    .describe('what is subtracted from the returns'),
  baselineDecay: z
    .number()
    .min(0)
    .lt(1)
    .default(0.9)
    .describe('share of the old moving average that is kept'),
});
export type ReinforceOptions = z.input<typeof reinforceOptions>;
export type ResolvedReinforceOptions = z.output<typeof reinforceOptions>;

/** What one update reports, beside the parts that all algorithms of one step share. */
export interface ReinforceUpdateStats extends SingleStepStats {
  /** Mean reward-to-go, KL penalty included where it is charged in the reward. */
  returnMean: number;
  /** Share of the variance of the returns that the baseline explains. */
  explainedVariance: number;
}

const reinforceState = z.object({ baseline: z.array(z.number()).nullable() });

export class Reinforce extends PolicyGradient<ResolvedReinforceOptions, z.output<typeof reinforceState>> {
  protected readonly ownStateSchema = reinforceState;
  /** [T], the moving average of the reward-to-go at each step; undefined before the first rollout. */
  private baseline: Float32Array | undefined;

  /** @throws {ConfigError} listing every option that is wrong */
  constructor(policy: Policy, options: ReinforceOptions, budget: RunBudget) {
    super('reinforce', policy, resolveOptions(reinforceOptions, options, 'reinforce'), budget);
  }

  /** One gradient step from one rollout. */
  update(rollout: Rollout): ReinforceUpdateStats {
    const returns = rewardsToGo(this.penalised(rollout), this.options.gamma);
    const averages = meanPerStep(returns, rollout);
    const baseline =
      this.options.baseline === 'none' ? new Float32Array(rollout.steps) : (this.baseline ?? averages);
    const raw = returns.map((value, i) => value - baseline[i % rollout.steps]);
    const advantages = this.options.normaliseAdvantages ? normaliseAdvantages(raw, rollout.mask) : raw;
    const stats = this.singleStep(rollout, { advantages });
    this.followBaseline(averages);
    const spread = maskedMoments(returns, rollout.mask);
    return {
      ...stats,
      returnMean: spread.mean,
      explainedVariance: spread.std > 0 ? 1 - (maskedMoments(raw, rollout.mask).std / spread.std) ** 2 : 0,
    };
  }

  protected surrogate({ scores, rows, mask }: ScoredRows): LossParts {
    return { loss: scoreFunctionLoss(scores.logProbs, rows['advantages'], mask) };
  }

  protected ownState(): z.output<typeof reinforceState> {
    return { baseline: this.baseline ? Array.from(this.baseline) : null };
  }

  protected restoreOwn({ baseline }: z.output<typeof reinforceState>): void {
    this.baseline = baseline ? Float32Array.from(baseline) : undefined;
  }

  private followBaseline(averages: Float32Array): void {
    const { baselineDecay } = this.options;
    const old = this.baseline ?? averages;
    this.baseline = old.map((value, t) => baselineDecay * value + (1 - baselineDecay) * averages[t]);
  }
}

/** Mean over the trajectories of each step: [B, T] → [T]. */
export function meanPerStep(values: Float32Array, { batchSize, steps, mask }: Rollout): Float32Array {
  const means = new Float32Array(steps);
  for (let t = 0; t < steps; t++) {
    let sum = 0;
    let count = 0;
    for (let b = 0; b < batchSize; b++) {
      sum += values[b * steps + t] * mask[b * steps + t];
      count += mask[b * steps + t];
    }
    means[t] = count > 0 ? sum / count : 0;
  }
  return means;
}
