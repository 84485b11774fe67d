/**
 * Soft unrolling: the path is unrolled without drawing tokens, so that the error of a late step has a gradient through all steps
 * before it. After each step the expected embedding under softmax(logits/τ) is read in place of a token (as in Bengio et al. 2015's
 * "always sampling" without the sampling; Goyal et al. 2017, arXiv:1704.06970), and the loss is the squared error of the expected
 * value at each step.
 *
 * The unrolling is truncated and parallel, as Duckworth et al. 2019 (arXiv:1906.04331) do scheduled sampling: the first pass reads
 * the truth, every further one reads the predictions of the pass before at all steps at once. After n passes the first n steps are
 * exactly those of a path unrolled from the context, and every later one has read predictions that are n − 1 deep. n = L passes
 * are the whole path. Each costs one pass of teacher forcing, where a step-by-step unrolling costs L of them or a cache.
 */
import {
  ConfigError,
  maskedMean,
  resolveOptions,
  tf,
  type LossParts,
  type Policy,
  type Rollout,
  type SoftSequencePolicy,
} from '@rollcast/core';
import { z } from 'zod';

import { Imitation, type ImitationStats } from './imitation.js';
import { policyGradientShape, type RunBudget, type ScoredRows } from './policy-gradient.js';

/** Schema of the options of `SoftUnrolling`: ranges, defaults, and what each one is. */
export const softUnrollingOptions = z
  .strictObject({
    learningRate: z.number().gt(0).default(1e-4).describe('step size of Adam'),
    ...policyGradientShape,
    passes: z
      .int()
      .min(1)
      .max(1000)
      .default(4)
      .describe('depth of the unrolling; 1 reads the truth alone, as many as the horizon the whole path'),
    feedbackTemperature: z
      .number()
      .gt(0)
      .default(1)
      .describe('τ, divides the logits of what is read back; small values come near to the likeliest token'),
  })
  .omit({ gamma: true, normaliseAdvantages: true }); // there are no rewards
/** Options of `SoftUnrolling` as a user writes them. */
export type SoftUnrollingOptions = z.input<typeof softUnrollingOptions>;
/** Options of `SoftUnrolling` with everything filled in. */
export type ResolvedSoftUnrollingOptions = z.output<typeof softUnrollingOptions>;

/** What one update reports. */
export interface SoftUnrollingStats extends ImitationStats {
  /** mean (Σ_v π(v) c_v − c_y)², with c what tokens stand for before the scaling of the row. */
  squaredError: number;
}

/** Soft unrolling; the head of this file says how. */
export class SoftUnrolling extends Imitation<ResolvedSoftUnrollingOptions> {
  /** [V] what tokens stand for; known from the first rollout on, the same in all. */
  private tokenValues: Float32Array = new Float32Array();

  /** @throws {ConfigError} listing every option that is wrong, or when the policy cannot read mixtures of tokens */
  constructor(policy: Policy, options: SoftUnrollingOptions, budget: RunBudget) {
    const name = 'soft-unrolling';
    super(name, policy, resolveOptions(softUnrollingOptions, options, name), budget);
    if (!('predictAfterMixtures' in policy)) {
      throw new ConfigError(
        `${name} needs a policy that reads mixtures of tokens (predictAfterMixtures); this one reads tokens only.`,
      );
    }
  }

  /** One gradient step through `passes` passes. */
  update(rollout: Rollout): SoftUnrollingStats {
    const { tokenValues } = rollout;
    if (!tokenValues) {
      throw new ConfigError(
        `${this.name} compares values, and these rollouts do not say what tokens stand for; give the environment tokenValues, [V] numbers.`,
      );
    }
    this.tokenValues = tokenValues;
    const targets = this.truth(rollout);
    const targetValues = Float32Array.from(targets, (token) => tokenValues[token]);
    return this.imitate<'squaredError'>(rollout, { targets, targetValues }, this.options.passes);
  }

  protected surrogate({ rows, mask }: ScoredRows): LossParts {
    const { contextTokens, targets, targetValues } = rows;
    const { passes, feedbackTemperature } = this.options;
    const vocabulary = this.tokenValues.length;
    const policy = this.policy as SoftSequencePolicy;
    let mixtures = tf.oneHot(targets, vocabulary).toFloat() as tf.Tensor3D;
    let logDistribution = policy.predictAfterMixtures(contextTokens as tf.Tensor2D, mixtures);
    for (let pass = 1; pass < passes; pass++) {
      mixtures = tf.softmax(tf.div<tf.Tensor3D>(logDistribution, feedbackTemperature));
      logDistribution = policy.predictAfterMixtures(contextTokens as tf.Tensor2D, mixtures);
    }
    const worth = tf.tensor2d(this.tokenValues, [vocabulary, 1]);
    const expected = tf.matMul(tf.reshape(tf.exp(logDistribution), [-1, vocabulary]), worth);
    const errors = tf.sub(tf.reshape(expected, mask.shape), targetValues);
    const squaredError = maskedMean(tf.square(errors), mask);
    return { loss: squaredError, means: { squaredError } };
  }
}
