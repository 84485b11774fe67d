/**
 * REINFORCE (Williams 1992, "Simple statistical gradient-following algorithms for connectionist reinforcement learning",
 * Machine Learning 8) with reward-to-go and a choice of baselines.
 *
 * Choices between variants:
 * - the moving average is kept per step of a sequence, because with credit per step the reward still to come shrinks along
 *   it, and is one number for step environments, where the rows of a rollout are not aligned in time;
 * - the moving average that is subtracted was formed before this rollout, so that it does not depend on the actions judged;
 *   on the very first rollout, where there is none, it is that rollout's mean;
 * - an episode that is cut, by its time limit or by the end of the rollout, goes on from the value where the baseline is the
 *   value head. Otherwise there is nothing to bootstrap from: the rewards that were seen are the return, as if the cut were
 *   an end;
 * - the loss is a mean over steps, so that the learning rate does not depend on the batch.
 */
import {
  ConfigError,
  maskedMoments,
  normaliseAdvantages,
  resolveOptions,
  rewardsToGo,
  scoreFunctionLoss,
  tf,
  valueLoss,
  type LossParts,
  type Policy,
  type Rollout,
} from '@rollcast/core';
import { z } from 'zod';

import {
  PolicyGradient,
  policyGradientShape,
  requireSequences,
  type RunBudget,
  type ScoredRows,
  type SingleStepStats,
} from './policy-gradient.js';
import { ReturnScale, returnScaleState, valueShape, varianceExplained } from './values.js';

/** Schema of the options of `Reinforce`: ranges, defaults, and what each one is. */
export const reinforceOptions = z.strictObject({
  learningRate: z.number().gt(0).default(1e-4).describe('step size of Adam'),
  ...policyGradientShape,
  baseline: z
    .enum(['moving-average', 'none', 'self-critical', 'value'])
    .default('moving-average')
    .describe(
      'what is subtracted from the returns; self-critical: the return of the greedy rollout, sequences only; value: the value head',
    ),
  baselineDecay: z
    .number()
    .min(0)
    .lt(1)
    .default(0.9)
    .describe('moving-average: share of the old average that is kept'),
  valueCoef: valueShape.valueCoef.describe('value: weight of the value loss'),
  normaliseReturns: valueShape.normaliseReturns.describe(
    'value: divide rewards by a running spread of the returns, so that the value head sees numbers near 1',
  ),
});
/** Options of `Reinforce` as a user writes them. */
export type ReinforceOptions = z.input<typeof reinforceOptions>;
/** Options of `Reinforce` with everything filled in. */
export type ResolvedReinforceOptions = z.output<typeof reinforceOptions>;

/** What one update reports, beside the parts that all algorithms of one step share. */
export interface ReinforceUpdateStats extends SingleStepStats {
  /** Mean reward-to-go, KL penalty included where it is charged in the reward. */
  returnMean: number;
  /** Share of the variance of the returns that the baseline explains. */
  explainedVariance: number;
  /** ½ mean (V − G)², before its weight; 0 unless the baseline is the value head. */
  valueLoss: number;
}

const reinforceState = z.object({
  baseline: z.array(z.number()).nullable(),
  // absent in states of before there was a value baseline
  returnScale: returnScaleState.shape.returnScale.default(null),
});

/** REINFORCE; the head of this file has the paper and the choices. */
export class Reinforce extends PolicyGradient<ResolvedReinforceOptions, z.output<typeof reinforceState>> {
  readonly needsGreedyRollout: boolean;
  protected override readonly ownStateSchema = reinforceState;
  /** The moving average of the reward-to-go, [T] or one number; undefined before the first rollout, anew where T changes. */
  private average: Float32Array | undefined;
  private readonly returnScale = new ReturnScale();

  /** @throws {ConfigError} listing every option that is wrong, or when the baseline cannot be had */
  constructor(policy: Policy, options: ReinforceOptions, budget: RunBudget) {
    const resolved = resolveOptions(reinforceOptions, options, 'reinforce');
    const selfCritical = resolved.baseline === 'self-critical';
    if (selfCritical) {
      requireSequences(
        policy,
        'reinforce.baseline "self-critical" needs the greedy rollout from the same start, so it needs a sequence environment; this policy acts in a step environment, where starts are not repeated. Use "value" or "moving-average" there.',
      );
    }
    super('reinforce', policy, resolved, budget);
    this.needsGreedyRollout = selfCritical;
  }

  /** One gradient step from one rollout. */
  update(rollout: Rollout): ReinforceUpdateStats {
    const returns = rewardsToGo(this.rewarded(rollout), this.options.gamma);
    const expected = this.expected(rollout, returns);
    const raw = returns.map((value, i) => value - expected[i]);
    const advantages = this.options.normaliseAdvantages ? normaliseAdvantages(raw, rollout.mask) : raw;
    const stats = this.singleStep(rollout, { advantages, returns });
    return {
      valueLoss: 0,
      ...stats,
      returnMean: maskedMoments(returns, rollout.mask).mean * this.returnScale.unit,
      explainedVariance: varianceExplained(returns, raw, rollout.mask),
    };
  }

  protected surrogate({ scores, rows, mask }: ScoredRows): LossParts {
    const policyLoss = scoreFunctionLoss(scores.logProbs, rows['advantages'], mask);
    if (this.options.baseline !== 'value') return { loss: policyLoss };
    const valuesLoss = valueLoss(scores.values, rows['returns'], mask);
    return {
      loss: tf.add(policyLoss, tf.mul(valuesLoss, this.options.valueCoef)),
      means: { valueLoss: valuesLoss },
    };
  }

  protected override ownState(): z.output<typeof reinforceState> {
    return { baseline: this.average ? Array.from(this.average) : null, ...this.returnScale.state() };
  }

  protected override restoreOwn(own: z.output<typeof reinforceState>): void {
    this.average = own.baseline ? Float32Array.from(own.baseline) : undefined;
    this.returnScale.restore(own);
  }

  /** The rollout with the rewards that count, and with values after cuts only where values are learnt. */
  private rewarded(rollout: Rollout): Rollout {
    const penalised = this.penalised(rollout);
    const { baseline, normaliseReturns, gamma } = this.options;
    if (baseline !== 'value')
      return { ...penalised, bootstrapValues: new Float32Array(rollout.bootstrapValues.length) };
    return normaliseReturns ? this.returnScale.apply(penalised, gamma) : penalised;
  }

  /** [B, T] what the baseline expects of each step. */
  private expected(rollout: Rollout, returns: Float32Array): Float32Array {
    switch (this.options.baseline) {
      case 'none':
        return new Float32Array(returns.length);
      case 'moving-average':
        return this.followAverage(rollout, returns);
      case 'self-critical':
        return this.greedyReturns(rollout);
      case 'value':
        return rollout.values;
    }
  }

  /** The moving average as it was, which then follows this rollout. */
  private followAverage(rollout: Rollout, returns: Float32Array): Float32Array {
    const { baselineDecay } = this.options;
    const aligned = 'contextTokens' in rollout.inputs;
    const now = aligned
      ? meanPerStep(returns, rollout)
      : Float32Array.of(maskedMoments(returns, rollout.mask).mean);
    // where the horizon has grown, the average of the shorter one says nothing of the longer
    const old = this.average?.length === now.length ? this.average : now;
    this.average = old.map((value, t) => baselineDecay * value + (1 - baselineDecay) * now[t]);
    return returns.map((_, i) => old[i % old.length]);
  }

  /**
   * Reward-to-go of the greedy rollout from the same context at the same step (Rennie et al. 2017, arXiv:1612.00563, who
   * have one reward a sequence). A KL that is charged in the reward is not charged to it.
   */
  private greedyReturns(rollout: Rollout): Float32Array {
    const { greedyRewards } = rollout;
    if (!greedyRewards) {
      throw new ConfigError(
        'reinforce.baseline "self-critical" needs rollouts with greedyRewards; this one has none. Give the collector greedyBaseline: true.',
      );
    }
    return rewardsToGo({ ...rollout, rewards: greedyRewards }, this.options.gamma);
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
