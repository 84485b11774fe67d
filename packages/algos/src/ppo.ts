/**
 * Proximal policy optimisation (Schulman et al. 2017, arXiv:1707.06347) with generalised advantages and a value head.
 *
 * Choices between variants:
 * - advantages are standardised over the rollout, not over each minibatch, so that small minibatches do not rescale them;
 * - `targetKl` compares the k3 estimate of the KL to the *old* policy with 1.5 × the target before each step, per
 *   minibatch, and ends the update there (as Stable-Baselines3 does);
 * - minibatches are whole trajectories, so that each is one pass of the transformer.
 */
import {
  Adam,
  ConfigError,
  RandomStream,
  clippedSurrogateLoss,
  GradientSteps,
  generalisedAdvantages,
  maskedMean,
  maskedMoments,
  normaliseAdvantages,
  resolveOptions,
  rewardsToGo,
  scoredRows,
  tf,
  valueLoss,
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

/** Share of the running spread of the returns that is kept at each update. */
const RETURN_SCALE_DECAY = 0.9;

export const ppoOptions = z.strictObject({
  learningRate: z.number().gt(0).default(5e-5).describe('step size of Adam'),
  ...policyGradientShape,
  gaeLambda: z.number().min(0).max(1).default(0.95).describe('λ of generalised advantage estimation'),
  clipRange: z.number().gt(0).lt(1).default(0.2).describe('ε of the clipped ratio, Schulman et al. 2017'),
  valueClipRange: z.number().gt(0).optional().describe('clips the move of the value too; off when left out'),
  valueCoef: z.number().min(0).default(0.5).describe('weight of the value loss'),
  updateEpochs: z.int().min(1).default(1).describe('passes over each rollout'),
  minibatchSize: z
    .int()
    .min(1)
    .optional()
    .describe(
      'rows a minibatch (trajectories of tokens, or steps of a step environment), a divisor of the batch; half the batch when left out',
    ),
  normaliseReturns: z
    .boolean()
    .default(true)
    .describe(
      'divide rewards by a running spread of the returns, so that the value head sees numbers near 1',
    ),
  targetKl: z
    .number()
    .gt(0)
    .optional()
    .describe('KL to the old policy, in nats a token, beyond which an update ends'),
});
export type PPOOptions = z.input<typeof ppoOptions>;
export type ResolvedPPOOptions = z.output<typeof ppoOptions>;

/** What one update reports; means over the minibatches unless said otherwise. */
export interface PPOUpdateStats extends UpdateStats {
  /** Policy loss + valueCoef · value loss − entropyCoef · entropy + β · KL to the reference. */
  loss: number;
  policyLoss: number;
  valueLoss: number;
  /** Mean entropy of the steps, in nats. */
  entropy: number;
  /** KL to the old policy: mean of (ρ − 1) − log ρ, the k3 estimator. */
  approxKl: number;
  /** Share of steps with |ρ − 1| > ε. */
  clipFraction: number;
  gradNorm: number;
  /** Largest |ρ − 1| of a minibatch. */
  ratioDeviation: number;
  /** Largest |ρ − 1| on the first minibatch of the first epoch; rounding only. */
  firstRatioDeviation: number;
  /** 1 − Var(R − V) / Var(R) at collection. */
  explainedVariance: number;
  /** Steps taken, of epochs × minibatches. */
  gradientSteps: number;
  /** 1 when `targetKl` ended the update. */
  stoppedEarly: number;
  /** β as used in this update. */
  klCoef: number;
  learningRate: number;
}

export class PPO implements Algorithm {
  readonly name = 'ppo';
  readonly options: ResolvedPPOOptions;
  private readonly optimizer: Adam;
  private gradientSteps: GradientSteps | undefined;
  private readonly klControl: KlControl;
  private readonly minibatchSize: number;
  private updatesDone = 0;
  /** Running standard deviation of the returns; undefined before the first rollout. */
  private returnScale: number | undefined;

  /** @throws {ConfigError} listing every option that is wrong */
  constructor(
    private readonly policy: Policy,
    options: PPOOptions,
    private readonly budget: RunBudget,
  ) {
    this.options = resolveOptions(ppoOptions, options, 'ppo');
    const half = budget.batchSize % 2 === 0 ? budget.batchSize / 2 : budget.batchSize;
    const minibatchSize = this.options.minibatchSize ?? half;
    this.minibatchSize = minibatchSize;
    if (budget.batchSize % minibatchSize !== 0) {
      const divisors = Array.from({ length: budget.batchSize }, (_, i) => i + 1).filter(
        (n) => budget.batchSize % n === 0,
      );
      throw new ConfigError(
        `ppo.minibatchSize must divide the batch (${budget.batchSize} rows); got ${minibatchSize}. Try ${divisors.slice(-3).join(', ')}.`,
      );
    }
    this.klControl = new KlControl(this.options.klControl, budget.updates * budget.batchSize);
    this.optimizer = new Adam(policy.parameters, { epsilon: this.options.adamEpsilon });
  }

  /** Several epochs of minibatch steps from one rollout. */
  update(rollout: Rollout): PPOUpdateStats {
    const { gamma, gaeLambda, updateEpochs } = this.options;
    const { minibatchSize } = this;
    const penalised = this.scaled({ ...rollout, rewards: this.klControl.penalisedRewards(rollout) });
    const estimated = generalisedAdvantages(penalised, rollout.values, gamma, gaeLambda);
    const advantages = this.options.normaliseAdvantages
      ? normaliseAdvantages(estimated.advantages, rollout.mask)
      : estimated.advantages;
    const learningRate = scheduledLearningRate(this.options, this.updatesDone / this.budget.updates);
    const klCoef = this.klControl.coefficient;
    const { rows } = scoredRows(rollout);
    const totals = new StatMeans();
    let firstRatioDeviation: number | undefined;
    let stoppedEarly = 0;
    for (let epoch = 0; epoch < updateEpochs && !stoppedEarly; epoch++) {
      const order = new RandomStream(
        this.budget.seed,
        `ppo/minibatches/${this.updatesDone}/${epoch}`,
      ).permutation(rows);
      for (let start = 0; start < rows && !stoppedEarly; start += minibatchSize) {
        const chosen = order.subarray(start, start + minibatchSize);
        const { stats, taken } = this.step(rollout, chosen, advantages, estimated.returns, learningRate);
        firstRatioDeviation ??= stats['ratioDeviation'];
        totals.add(stats, taken);
        if (!taken) stoppedEarly = 1;
      }
    }
    this.klControl.follow(rollout);
    this.updatesDone += 1;
    return {
      ...(totals.means() as unknown as PPOUpdateStats),
      firstRatioDeviation: firstRatioDeviation!,
      explainedVariance: explainedVariance(estimated.returns, rollout.values, rollout.mask),
      gradientSteps: totals.steps,
      stoppedEarly,
      klCoef,
      learningRate,
    };
  }

  state(): AlgorithmState {
    return packState(this.optimizer, {
      algorithm: this.name,
      updatesDone: this.updatesDone,
      klCoef: this.klControl.coefficient,
      returnScale: this.returnScale ?? null,
    });
  }

  restore(state: AlgorithmState): void {
    const values = unpackState(this.optimizer, state, ppoState, 'PPO');
    this.updatesDone = values.updatesDone;
    this.klControl.controller.restore(values.klCoef);
    this.returnScale = values.returnScale ?? undefined;
  }

  dispose(): void {
    this.gradientSteps?.dispose();
    this.optimizer.dispose();
  }

  /** The rollout with its rewards in units of the running spread of the returns; the spread is updated first. */
  private scaled(rollout: Rollout): Rollout {
    if (!this.options.normaliseReturns) return rollout;
    const { std } = maskedMoments(rewardsToGo(rollout, this.options.gamma), rollout.mask);
    if (std > 0) {
      this.returnScale =
        this.returnScale === undefined
          ? std
          : RETURN_SCALE_DECAY * this.returnScale + (1 - RETURN_SCALE_DECAY) * std;
    }
    const scale = this.returnScale ?? 1;
    return {
      ...rollout,
      rewards: rollout.rewards.map((reward) => reward / scale),
    };
  }

  private step(
    rollout: Rollout,
    rowIndices: ArrayLike<number>,
    advantages: Float32Array,
    returns: Float32Array,
    learningRate: number,
  ): { stats: Record<string, number>; taken: boolean } {
    const { targetKl, maxGradNorm } = this.options;
    this.gradientSteps ??= new GradientSteps({
      parameters: this.policy.parameters,
      optimizer: this.optimizer,
      maxGradNorm,
      name: this.name,
      rowsPerPass: rowsPerPass(this.policy, rollout),
      loss: (rows, scalars) => this.loss(rows, scalars),
    });
    return this.gradientSteps.step({
      ...rolloutRows(rollout, { advantages, returns }, rowIndices),
      scalars: { klCoef: this.klControl.coefficient },
      learningRate,
      accept: (stats) => targetKl === undefined || stats['approxKl'] <= 1.5 * targetKl,
    });
  }

  private loss(
    rows: Readonly<Record<string, tf.Tensor>>,
    { klCoef }: Readonly<Record<string, tf.Scalar>>,
  ): LossParts {
    const { clipRange, valueClipRange, valueCoef, entropyCoef } = this.options;
    const { advantages, returns } = rows;
    const batch = rolloutTensors(rows);
    const scores = this.policy.scoreRows(rows);
    const policyLoss = clippedSurrogateLoss(
      scores.logProbs,
      batch.oldLogProbs,
      advantages,
      batch.mask,
      clipRange,
    );
    const clip =
      valueClipRange === undefined ? undefined : { oldValues: batch.oldValues, range: valueClipRange };
    const valuesLoss = valueLoss(scores.values, returns, batch.mask, clip);
    const spread = maskedMean(scores.entropy(), batch.mask);
    let loss: tf.Tensor = tf.add(policyLoss, tf.mul(valuesLoss, valueCoef));
    if (entropyCoef > 0) loss = tf.sub(loss, tf.mul(spread, entropyCoef));
    const kl = this.klControl.lossTerm(scores, batch.reference, batch.mask);
    if (kl) loss = tf.add(loss, tf.mul(kl, klCoef));
    const logRatio = tf.sub(scores.logProbs, batch.oldLogProbs);
    const deviation = tf.abs(tf.sub(tf.exp(logRatio), 1));
    return {
      loss: loss as tf.Scalar,
      means: {
        policyLoss,
        valueLoss: valuesLoss,
        entropy: spread,
        approxKl: maskedMean(tf.sub(tf.sub(tf.exp(logRatio), 1), logRatio), batch.mask),
        clipFraction: maskedMean(tf.step(tf.sub(deviation, clipRange)), batch.mask),
      },
      maxima: { ratioDeviation: tf.max(tf.mul(deviation, batch.mask)) },
    };
  }
}

const ppoState = z.object({
  algorithm: z.literal('ppo'),
  updatesDone: z.int().min(0),
  klCoef: z.number().min(0),
  returnScale: z.number().gt(0).nullable(),
});

/** Means of named numbers over the minibatches that were looked at. */
class StatMeans {
  private readonly sums = new Map<string, number>();
  private count = 0;
  steps = 0;

  add(stats: Readonly<Record<string, number>>, taken: boolean): void {
    for (const [name, value] of Object.entries(stats))
      this.sums.set(name, (this.sums.get(name) ?? 0) + value);
    this.count += 1;
    if (taken) this.steps += 1;
  }

  means(): Record<string, number> {
    return Object.fromEntries([...this.sums].map(([name, sum]) => [name, sum / this.count]));
  }
}

/** 1 − Var(R − V) / Var(R); 0 when the returns do not vary. */
function explainedVariance(returns: Float32Array, values: Float32Array, mask: Float32Array): number {
  const total = maskedMoments(returns, mask).std;
  const rest = maskedMoments(
    returns.map((r, i) => r - values[i]),
    mask,
  ).std;
  return total > 0 ? 1 - (rest / total) ** 2 : 0;
}
