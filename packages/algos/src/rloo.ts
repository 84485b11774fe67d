/**
 * RLOO, REINFORCE leave-one-out (Kool et al. 2019, "Buy 4 REINFORCE samples, get a baseline for free!"; Ahmadian et al.
 * 2024, arXiv:2402.14740): k trajectories of each context, and for each the mean of the others as baseline.
 *
 * Choices between variants:
 * - where the environment rewards every step, rewards-to-go are compared step by step; with one reward at the end, or with
 *   `credit: 'sequence'`, this is the form of the papers;
 * - a KL that is charged in the reward is taken off before the baseline is formed, as in the implementation of record;
 * - advantages are standardised over the rollout, which the papers do not do, so that learning rate, entropy and KL
 *   coefficients mean the same from task to task; `normaliseAdvantages: false` is the papers' form.
 */
import {
  leaveOneOutAdvantages,
  maskedMoments,
  normaliseAdvantages,
  resolveOptions,
  scoreFunctionLoss,
  type LossParts,
  type Policy,
  type Rollout,
} from '@rollcast/core';
import { z } from 'zod';

import { groupShape, groupedReturns } from './groups.js';
import {
  PolicyGradient,
  policyGradientShape,
  type RunBudget,
  type ScoredRows,
  type SingleStepStats,
} from './policy-gradient.js';
import { varianceExplained } from './values.js';

/** Schema of the options of `RLOO`: ranges, defaults, and what each one is. */
export const rlooOptions = z.strictObject({
  learningRate: z.number().gt(0).default(1e-4).describe('step size of Adam'),
  ...policyGradientShape,
  ...groupShape,
});
/** Options of `RLOO` as a user writes them. */
export type RLOOOptions = z.input<typeof rlooOptions>;
/** Options of `RLOO` with everything filled in. */
export type ResolvedRLOOOptions = z.output<typeof rlooOptions>;

/** What one update reports, beside the parts that all algorithms of one step share. */
export interface RLOOUpdateStats extends SingleStepStats {
  /** Mean return of what is compared, KL penalty included where it is charged in the reward. */
  returnMean: number;
  /** Share of the variance of the returns that the others of the group explain. */
  explainedVariance: number;
}

/** REINFORCE leave-one-out; the head of this file has the paper and the choices. */
export class RLOO extends PolicyGradient<ResolvedRLOOOptions> {
  /** @throws {ConfigError} listing every option that is wrong, or when there can be no groups */
  constructor(policy: Policy, options: RLOOOptions, budget: RunBudget) {
    super('rloo', policy, resolveOptions(rlooOptions, options, 'rloo'), budget);
  }

  /** One gradient step from one rollout. */
  update(rollout: Rollout): RLOOUpdateStats {
    const grouped = groupedReturns(this.name, this.penalised(rollout), this.options);
    const raw = leaveOneOutAdvantages(grouped);
    const advantages = this.options.normaliseAdvantages ? normaliseAdvantages(raw, rollout.mask) : raw;
    const stats = this.singleStep(rollout, { advantages });
    return {
      ...stats,
      returnMean: maskedMoments(grouped.returns, rollout.mask).mean,
      explainedVariance: varianceExplained(grouped.returns, raw, rollout.mask),
    };
  }

  protected surrogate({ scores, rows, mask }: ScoredRows): LossParts {
    return { loss: scoreFunctionLoss(scores.logProbs, rows['advantages'], mask) };
  }
}
