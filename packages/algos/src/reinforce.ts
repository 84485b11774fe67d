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
  Adam,
  GradientSteps,
  maskedMean,
  maskedMoments,
  normaliseAdvantages,
  resolveOptions,
  rewardsToGo,
  scoreFunctionLoss,
  tf,
  type Algorithm,
  type AlgorithmState,
  type LossParts,
  type Policy,
  type Rollout,
  type UpdateStats,
} from '@rollcast/core';
import { z } from 'zod';

import { KlControl } from './kl-control.js';
import {
  packState,
  policyGradientShape,
  scheduledLearningRate,
  unpackState,
  type RunBudget,
} from './policy-gradient.js';
import { rolloutRows, rolloutTensors, rowsPerPass } from './rollout-rows.js';

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

/** What one update reports. */
export interface ReinforceUpdateStats extends UpdateStats {
  /** −mean(log π · Â) + β · KL − c · entropy. */
  loss: number;
  /** Mean entropy of the steps, in nats. */
  entropy: number;
  /** Global norm of the gradient before clipping. */
  gradNorm: number;
  /** Largest |ρ − 1| between sampler and scorer; rounding only. */
  firstRatioDeviation: number;
  /** Mean reward-to-go, KL penalty included where it is charged in the reward. */
  returnMean: number;
  /** Share of the variance of the returns that the baseline explains. */
  explainedVariance: number;
  /** β as used in this update. */
  klCoef: number;
  learningRate: number;
}

export class Reinforce implements Algorithm {
  readonly name = 'reinforce';
  readonly options: ResolvedReinforceOptions;
  private readonly optimizer: Adam;
  private gradientSteps: GradientSteps | undefined;
  private readonly klControl: KlControl;
  /** [T], the moving average of the reward-to-go at each step; undefined before the first rollout. */
  private baseline: Float32Array | undefined;
  private updatesDone = 0;

  /** @throws {ConfigError} listing every option that is wrong */
  constructor(
    private readonly policy: Policy,
    options: ReinforceOptions,
    private readonly budget: RunBudget,
  ) {
    this.options = resolveOptions(reinforceOptions, options, 'reinforce');
    this.klControl = new KlControl(this.options.klControl, budget.updates * budget.batchSize);
    this.optimizer = new Adam(policy.parameters, { epsilon: this.options.adamEpsilon });
  }

  /** One gradient step from one rollout. */
  update(rollout: Rollout): ReinforceUpdateStats {
    const returns = rewardsToGo(
      { ...rollout, rewards: this.klControl.penalisedRewards(rollout) },
      this.options.gamma,
    );
    const averages = meanPerStep(returns, rollout);
    const baseline =
      this.options.baseline === 'none' ? new Float32Array(rollout.steps) : (this.baseline ?? averages);
    const raw = returns.map((value, i) => value - baseline[i % rollout.steps]);
    const advantages = this.options.normaliseAdvantages ? normaliseAdvantages(raw, rollout.mask) : raw;
    const learningRate = scheduledLearningRate(this.options, this.updatesDone / this.budget.updates);
    const klCoef = this.klControl.coefficient;
    const stats = this.step(rollout, advantages, learningRate);
    this.klControl.follow(rollout);
    this.followBaseline(averages);
    this.updatesDone += 1;
    const spread = maskedMoments(returns, rollout.mask);
    return {
      ...stats,
      returnMean: spread.mean,
      explainedVariance: spread.std > 0 ? 1 - (maskedMoments(raw, rollout.mask).std / spread.std) ** 2 : 0,
      klCoef,
      learningRate,
    };
  }

  state(): AlgorithmState {
    return packState(this.optimizer, {
      algorithm: this.name,
      updatesDone: this.updatesDone,
      klCoef: this.klControl.coefficient,
      baseline: this.baseline ? Array.from(this.baseline) : null,
    });
  }

  restore(state: AlgorithmState): void {
    const values = unpackState(this.optimizer, state, reinforceState, 'REINFORCE');
    this.updatesDone = values.updatesDone;
    this.klControl.controller.restore(values.klCoef);
    this.baseline = values.baseline ? Float32Array.from(values.baseline) : undefined;
  }

  dispose(): void {
    this.gradientSteps?.dispose();
    this.optimizer.dispose();
  }

  private step(
    rollout: Rollout,
    advantages: Float32Array,
    learningRate: number,
  ): { loss: number; entropy: number; gradNorm: number; firstRatioDeviation: number } {
    this.gradientSteps ??= new GradientSteps({
      parameters: this.policy.parameters,
      optimizer: this.optimizer,
      maxGradNorm: this.options.maxGradNorm,
      name: this.name,
      rowsPerPass: rowsPerPass(this.policy, rollout),
      loss: (rows, scalars) => this.loss(rows, scalars),
    });
    const { stats } = this.gradientSteps.step({
      ...rolloutRows(rollout, { advantages }),
      scalars: { klCoef: this.klControl.coefficient },
      learningRate,
    });
    return stats as { loss: number; entropy: number; gradNorm: number; firstRatioDeviation: number };
  }

  private loss(
    rows: Readonly<Record<string, tf.Tensor>>,
    { klCoef }: Readonly<Record<string, tf.Scalar>>,
  ): LossParts {
    const batch = rolloutTensors(rows);
    const scores = this.policy.scoreRows(rows);
    const spread = maskedMean(scores.entropy(), batch.mask);
    const { entropyCoef } = this.options;
    let loss: tf.Tensor = scoreFunctionLoss(scores.logProbs, rows['advantages'], batch.mask);
    if (entropyCoef > 0) loss = tf.sub(loss, tf.mul(spread, entropyCoef));
    const kl = this.klControl.lossTerm(scores, batch.reference, batch.mask);
    if (kl) loss = tf.add(loss, tf.mul(kl, klCoef));
    const ratio = tf.exp(tf.sub(scores.logProbs, batch.oldLogProbs));
    const firstRatioDeviation = tf.max<tf.Scalar>(tf.mul(tf.abs(tf.sub(ratio, 1)), batch.mask));
    return { loss: loss as tf.Scalar, means: { entropy: spread }, maxima: { firstRatioDeviation } };
  }

  private followBaseline(averages: Float32Array): void {
    const { baselineDecay } = this.options;
    const old = this.baseline ?? averages;
    this.baseline = old.map((value, t) => baselineDecay * value + (1 - baselineDecay) * averages[t]);
  }
}

const reinforceState = z.object({
  algorithm: z.literal('reinforce'),
  updatesDone: z.int().min(0),
  klCoef: z.number().min(0),
  baseline: z.array(z.number()).nullable(),
});

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
