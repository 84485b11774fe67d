/**
 * Proximal policy optimisation (Schulman et al. 2017, arXiv:1707.06347) with generalised advantages and a value head.
 *
 * Choices between variants:
 * - advantages are standardised over the rollout, not over each minibatch, so that small minibatches do not rescale them
 *   (`normaliseAdvantages: 'minibatch'` does that);
 * - `targetKl` compares the k3 estimate of the KL to the *old* policy with 1.5 × the target before each step, per
 *   minibatch, and ends the update there (as Stable-Baselines3 does);
 * - `form: 'kl-penalty'` is the paper's section 4: no clip, but a KL to the old policy in the loss whose coefficient is halved
 *   or doubled after each update. The KL that decides is measured over the whole rollout once the epochs are over;
 * - minibatches are whole trajectories, so that each is one pass of the transformer.
 */
import {
  ConfigError,
  DoublingKlController,
  clippedSurrogateLoss,
  dualClippedSurrogateLoss,
  generalisedAdvantages,
  klPenalisedSurrogateLoss,
  linearSchedule,
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
  withinTarget,
  type MinibatchStats,
} from './minibatches.js';
import {
  PolicyGradient,
  policyGradientShape,
  type RunBudget,
  type ScoredRows,
  type StepChoices,
} from './policy-gradient.js';
import { ReturnScale, explainedVariance, returnScaleState, valueShape } from './values.js';

/** Schema of the options of `PPO`: ranges, defaults, and what each one is. */
export const ppoOptions = z.strictObject({
  learningRate: z.number().gt(0).default(5e-5).describe('step size of Adam'),
  ...policyGradientShape,
  normaliseAdvantages: z
    .union([z.boolean(), z.enum(['rollout', 'minibatch', 'off'])])
    .default(true)
    .describe('standardise the advantages: of each rollout (true), of each minibatch, or not at all'),
  gaeLambda: z.number().min(0).max(1).default(0.95).describe('λ of generalised advantage estimation'),
  clipRange: z.number().gt(0).lt(1).default(0.2).describe('ε of the clipped ratio, Schulman et al. 2017'),
  clipRangeDecay: z.boolean().default(false).describe('let ε fall linearly to 0 over the run'),
  dualClip: z
    .number()
    .gt(1, 'expected a bound > 1, such as 3, or leave it out')
    .optional()
    .describe(
      'bounds the loss at this × the advantage where that is negative, Ye et al. 2020; off when left out',
    ),
  form: z
    .enum(['clip', 'kl-penalty'])
    .default('clip')
    .describe(
      'what keeps the policy near the old one: a clipped ratio, or a KL to the old policy in the loss',
    ),
  trustRegion: z
    .strictObject({
      target: z
        .number()
        .gt(0, 'expected a KL > 0 in nats a token, such as 0.01')
        .default(0.01)
        .describe('KL to the old policy to hold, in nats a token'),
      coefficient: z.number().gt(0).default(1).describe('its weight at the start'),
    })
    .prefault({})
    .describe('of the form kl-penalty'),
  valueClipRange: z.number().gt(0).optional().describe('clips the move of the value too; off when left out'),
  ...valueShape,
  ...minibatchShape,
});
/** Options of `PPO` as a user writes them. */
export type PPOOptions = z.input<typeof ppoOptions>;
/** Options of `PPO` with everything filled in. */
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
  /** ε as used in this update. */
  clipRange: number;
  /** Weight of the KL to the old policy as used in this update; 0 in the clipped form. */
  trustRegionCoef: number;
  /** KL to the old policy once the update is over, over the whole rollout; 0 in the clipped form, which does not measure it. */
  trustRegionKl: number;
  learningRate: number;
}

const ppoState = returnScaleState.extend({
  // absent in states of before there was a penalty form
  trustRegionCoef: z.number().gt(0).optional(),
});

/** Proximal policy optimisation; the head of this file has the paper and the choices. */
export class PPO extends PolicyGradient<ResolvedPPOOptions, z.output<typeof ppoState>> {
  protected override readonly ownStateSchema = ppoState;
  private readonly minibatchSize: number;
  private readonly returnScale = new ReturnScale();
  /** Of the penalty form. */
  private readonly trustRegion: DoublingKlController | undefined;

  /** @throws {ConfigError} listing every option that is wrong */
  constructor(policy: Policy, options: PPOOptions, budget: RunBudget) {
    const resolved = resolveOptions(ppoOptions, options, 'ppo');
    const { form, dualClip, clipRangeDecay, trustRegion } = resolved;
    if (form === 'kl-penalty' && (dualClip !== undefined || clipRangeDecay)) {
      throw new ConfigError(
        `ppo.form "kl-penalty" has no clip, so ${clipRangeDecay ? 'clipRangeDecay' : 'dualClip'} means nothing in it; leave that out, or use form "clip".`,
      );
    }
    const minibatchSize = rowsPerMinibatch('ppo', resolved.minibatchSize, budget);
    super('ppo', policy, resolved, budget);
    this.minibatchSize = minibatchSize;
    if (form === 'kl-penalty')
      this.trustRegion = new DoublingKlController({
        target: trustRegion.target,
        initial: trustRegion.coefficient,
      });
  }

  /** Several epochs of minibatch steps from one rollout. */
  update(rollout: Rollout): PPOUpdateStats {
    const { gamma, gaeLambda, updateEpochs, targetKl, normaliseReturns } = this.options;
    const penalised = this.penalised(rollout);
    const scaled = normaliseReturns ? this.returnScale.apply(penalised, gamma) : penalised;
    const estimated = generalisedAdvantages(scaled, rollout.values, gamma, gaeLambda);
    const { returns } = estimated;
    const over = this.options.normaliseAdvantages;
    const advantages =
      over === true || over === 'rollout'
        ? normaliseAdvantages(estimated.advantages, rollout.mask)
        : estimated.advantages;
    const { klCoefficient: klCoef, clipRange, learningRate, minibatchSize } = this;
    const scalars = {
      ...(this.options.clipRangeDecay && { clipRange }),
      ...(this.trustRegion && { trustRegionCoef: this.trustRegion.coefficient }),
    };
    const stream = { seed: this.budget.seed, name: `ppo/minibatches/${this.updatesDone}` };
    const step = (rowIndices: Int32Array, accept: NonNullable<StepChoices['accept']>) =>
      this.step(
        rollout,
        { advantages, returns },
        { rowIndices, scalars, normaliseAdvantages: over === 'minibatch', accept },
      );
    const stats = minibatchEpochs(rollout, { updateEpochs, minibatchSize }, stream, (rowIndices) =>
      step(rowIndices, withinTarget(targetKl)),
    );
    const trustRegionCoef = this.trustRegion?.coefficient ?? 0;
    const trustRegionKl = this.trustRegion
      ? minibatchEpochs(rollout, { updateEpochs: 1, minibatchSize }, stream, (rowIndices) => ({
          ...step(rowIndices, () => false), // looks, takes no step
          taken: true,
        })).approxKl
      : 0;
    this.trustRegion?.update(trustRegionKl);
    this.finish(rollout);
    return {
      ...(stats as MinibatchStats & Record<'loss' | 'policyLoss' | 'valueLoss' | 'entropy', number>),
      explainedVariance: explainedVariance(returns, rollout.values, rollout.mask),
      klCoef,
      clipRange,
      trustRegionCoef,
      trustRegionKl,
      learningRate,
    };
  }

  protected surrogate(batch: ScoredRows): LossParts {
    const { valueClipRange, valueCoef } = this.options;
    const { scores, rows, scalars, mask, oldValues } = batch;
    const policyLoss = this.policyLoss(batch);
    const clip = valueClipRange === undefined ? undefined : { oldValues, range: valueClipRange };
    const valuesLoss = valueLoss(scores.values, rows['returns'], mask, clip);
    return {
      loss: tf.add(policyLoss, tf.mul(valuesLoss, valueCoef)),
      means: {
        policyLoss,
        valueLoss: valuesLoss,
        ...distanceFromOld(batch, scalars['clipRange'] ?? this.options.clipRange),
      },
    };
  }

  protected override ownState(): z.output<typeof ppoState> {
    return {
      ...this.returnScale.state(),
      ...(this.trustRegion && { trustRegionCoef: this.trustRegion.coefficient }),
    };
  }

  protected override restoreOwn(own: z.output<typeof ppoState>): void {
    this.returnScale.restore(own);
    if (own.trustRegionCoef !== undefined) this.trustRegion?.restore(own.trustRegionCoef);
  }

  /** ε for the update in progress. */
  private get clipRange(): number {
    const { clipRange, clipRangeDecay } = this.options;
    return clipRangeDecay ? linearSchedule(clipRange, 0, this.progress) : clipRange;
  }

  private policyLoss({ scores, oldLogProbs, rows, scalars, mask }: ScoredRows): tf.Scalar {
    const { form, dualClip } = this.options;
    const { advantages } = rows;
    const { logProbs } = scores;
    if (form === 'kl-penalty') {
      const coefficient = scalars['trustRegionCoef'];
      return klPenalisedSurrogateLoss(logProbs, oldLogProbs, advantages, mask, coefficient);
    }
    const clipRange = scalars['clipRange'] ?? this.options.clipRange;
    return dualClip === undefined
      ? clippedSurrogateLoss(logProbs, oldLogProbs, advantages, mask, clipRange)
      : dualClippedSurrogateLoss(logProbs, oldLogProbs, advantages, mask, clipRange, dualClip);
  }
}
