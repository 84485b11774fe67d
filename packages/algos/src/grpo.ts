/**
 * GRPO, group relative policy optimisation (Shao et al. 2024, arXiv:2402.03300): k trajectories of each context, returns
 * standardised within the group as advantages, PPO's clipped ratio, and the KL to the reference in the loss.
 *
 * Choices between variants:
 * - where the environment rewards every step, rewards-to-go are centred step by step and divided by the spread of the whole
 *   returns; with one reward at the end, or with `credit: 'sequence'`, this is the paper's outcome supervision;
 * - the KL is exact over the vocabulary by default; the paper's k3 is `klControl: { estimator: 'k3' }`;
 * - all trajectories have the same length, so the mean over steps is the paper's mean over trajectories.
 */
import {
  clippedSurrogateLoss,
  groupNormalisedAdvantages,
  maskedMoments,
  resolveOptions,
  type LossParts,
  type Policy,
  type Rollout,
  type UpdateStats,
} from '@rollcast/core';
import { z } from 'zod';

import { groupShape, groupedReturns } from './groups.js';
import {
  distanceFromOld,
  minibatchEpochs,
  minibatchShape,
  rowsPerMinibatch,
  withinTarget,
  type MinibatchStats,
} from './minibatches.js';
import { PolicyGradient, policyGradientShape, type RunBudget, type ScoredRows } from './policy-gradient.js';

/** Schema of the options of `GRPO`: ranges, defaults, and what each one is. */
export const grpoOptions = z
  .strictObject({
    learningRate: z.number().gt(0).default(5e-5).describe('step size of Adam'),
    ...policyGradientShape,
    ...groupShape,
    samplesPerContext: groupShape.samplesPerContext.default(8),
    clipRange: z.number().gt(0).lt(1).default(0.2).describe('ε of the clipped ratio'),
    ...minibatchShape,
  })
  .omit({ normaliseAdvantages: true }); // it is what the algorithm does
/** Options of `GRPO` as a user writes them. */
export type GRPOOptions = z.input<typeof grpoOptions>;
/** Options of `GRPO` with everything filled in. */
export type ResolvedGRPOOptions = z.output<typeof grpoOptions>;

/** What one update reports; means over the minibatches unless said otherwise. */
export interface GRPOUpdateStats extends UpdateStats, MinibatchStats {
  /** Policy loss − entropyCoef · entropy + β · KL to the reference. */
  loss: number;
  policyLoss: number;
  /** Mean entropy of the steps, in nats. */
  entropy: number;
  /** Mean return of what is compared, KL penalty included where it is charged in the reward. */
  returnMean: number;
  /** β as used in this update. */
  klCoef: number;
  learningRate: number;
}

/** Group-relative policy optimisation; the head of this file has the paper and the choices. */
export class GRPO extends PolicyGradient<ResolvedGRPOOptions> {
  private readonly minibatchSize: number;

  /** @throws {ConfigError} listing every option that is wrong, or when there can be no groups */
  constructor(policy: Policy, options: GRPOOptions, budget: RunBudget) {
    const resolved = resolveOptions(grpoOptions, options, 'grpo');
    const minibatchSize = rowsPerMinibatch('grpo', resolved.minibatchSize, budget);
    super('grpo', policy, resolved, budget);
    this.minibatchSize = minibatchSize;
  }

  /** Several epochs of minibatch steps from one rollout; a minibatch may cut through groups. */
  update(rollout: Rollout): GRPOUpdateStats {
    const { updateEpochs, targetKl } = this.options;
    const grouped = groupedReturns(this.name, this.penalised(rollout), this.options);
    const advantages = groupNormalisedAdvantages(grouped);
    const { klCoefficient: klCoef, learningRate, minibatchSize } = this;
    const stream = { seed: this.budget.seed, name: `grpo/minibatches/${this.updatesDone}` };
    const stats = minibatchEpochs(rollout, { updateEpochs, minibatchSize }, stream, (rowIndices) =>
      this.step(rollout, { advantages }, { rowIndices, accept: withinTarget(targetKl) }),
    );
    this.finish(rollout);
    return {
      ...(stats as MinibatchStats & Record<'loss' | 'policyLoss' | 'entropy', number>),
      returnMean: maskedMoments(grouped.returns, rollout.mask).mean,
      klCoef,
      learningRate,
    };
  }

  protected surrogate(batch: ScoredRows): LossParts {
    const { scores, rows, mask, oldLogProbs } = batch;
    const { clipRange } = this.options;
    const policyLoss = clippedSurrogateLoss(
      scores.logProbs,
      oldLogProbs,
      rows['advantages'],
      mask,
      clipRange,
    );
    return { loss: policyLoss, means: { policyLoss, ...distanceFromOld(batch, clipRange) } };
  }
}
