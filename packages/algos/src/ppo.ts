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
  clippedSurrogateLoss,
  generalisedAdvantages,
  normaliseAdvantages,
  resolveOptions,
  tf,
  valueLoss,
  type LossParts,
  type Policy,
  type Rollout,
  type UpdateStats,
} from '@rollcast/core';
import { z } from 'zod';

import {
  distanceFromOld,
  minibatchEpochs,
  minibatchShape,
  rowsPerMinibatch,
  type MinibatchStats,
} from './minibatches.js';
import { PolicyGradient, policyGradientShape, type RunBudget, type ScoredRows } from './policy-gradient.js';
import { ReturnScale, explainedVariance, valueShape } from './values.js';

export const ppoOptions = z.strictObject({
  learningRate: z.number().gt(0).default(5e-5).describe('step size of Adam'),
  ...policyGradientShape,
  gaeLambda: z.number().min(0).max(1).default(0.95).describe('λ of generalised advantage estimation'),
  clipRange: z.number().gt(0).lt(1).default(0.2).describe('ε of the clipped ratio, Schulman et al. 2017'),
  valueClipRange: z.number().gt(0).optional().describe('clips the move of the value too; off when left out'),
  ...valueShape,
  ...minibatchShape,
});
export type PPOOptions = z.input<typeof ppoOptions>;
export type ResolvedPPOOptions = z.output<typeof ppoOptions>;

/** What one update reports; means over the minibatches unless said otherwise. */
export interface PPOUpdateStats extends UpdateStats, MinibatchStats {
  /** Policy loss + valueCoef · value loss − entropyCoef · entropy + β · KL to the reference. */
  loss: number;
  policyLoss: number;
  valueLoss: number;
  /** Mean entropy of the steps, in nats. */
  entropy: number;
  /** 1 − Var(R − V) / Var(R) at collection. */
  explainedVariance: number;
  /** β as used in this update. */
  klCoef: number;
  learningRate: number;
}

const ppoState = z.object({ returnScale: z.number().gt(0).nullable() });

export class PPO extends PolicyGradient<ResolvedPPOOptions, z.output<typeof ppoState>> {
  protected readonly ownStateSchema = ppoState;
  private readonly minibatchSize: number;
  private readonly returnScale = new ReturnScale();

  /** @throws {ConfigError} listing every option that is wrong */
  constructor(policy: Policy, options: PPOOptions, budget: RunBudget) {
    const resolved = resolveOptions(ppoOptions, options, 'ppo');
    const minibatchSize = rowsPerMinibatch('ppo', resolved.minibatchSize, budget);
    super('ppo', policy, resolved, budget);
    this.minibatchSize = minibatchSize;
  }

  /** Several epochs of minibatch steps from one rollout. */
  update(rollout: Rollout): PPOUpdateStats {
    const { gamma, gaeLambda, updateEpochs, targetKl } = this.options;
    const penalised = this.penalised(rollout);
    const scaled = this.options.normaliseReturns ? this.returnScale.apply(penalised, gamma) : penalised;
    const estimated = generalisedAdvantages(scaled, rollout.values, gamma, gaeLambda);
    const advantages = this.options.normaliseAdvantages
      ? normaliseAdvantages(estimated.advantages, rollout.mask)
      : estimated.advantages;
    const { klCoefficient: klCoef, learningRate, minibatchSize } = this;
    const stream = { seed: this.budget.seed, name: `ppo/minibatches/${this.updatesDone}` };
    const stats = minibatchEpochs(rollout, { updateEpochs, minibatchSize }, stream, (rowIndices) =>
      this.step(
        rollout,
        { advantages, returns: estimated.returns },
        { rowIndices, accept: ({ approxKl }) => targetKl === undefined || approxKl <= 1.5 * targetKl },
      ),
    );
    this.finish(rollout);
    return {
      ...(stats as MinibatchStats & Record<'loss' | 'policyLoss' | 'valueLoss' | 'entropy', number>),
      explainedVariance: explainedVariance(estimated.returns, rollout.values, rollout.mask),
      klCoef,
      learningRate,
    };
  }

  protected surrogate(batch: ScoredRows): LossParts {
    const { clipRange, valueClipRange, valueCoef } = this.options;
    const { scores, rows, mask, oldLogProbs, oldValues } = batch;
    const policyLoss = clippedSurrogateLoss(
      scores.logProbs,
      oldLogProbs,
      rows['advantages'],
      mask,
      clipRange,
    );
    const clip = valueClipRange === undefined ? undefined : { oldValues, range: valueClipRange };
    const valuesLoss = valueLoss(scores.values, rows['returns'], mask, clip);
    return {
      loss: tf.add(policyLoss, tf.mul(valuesLoss, valueCoef)),
      means: { policyLoss, valueLoss: valuesLoss, ...distanceFromOld(batch, clipRange) },
    };
  }

  protected ownState(): z.output<typeof ppoState> {
    return { returnScale: this.returnScale.spread ?? null };
  }

  protected restoreOwn({ returnScale }: z.output<typeof ppoState>): void {
    this.returnScale.spread = returnScale ?? undefined;
  }
}
