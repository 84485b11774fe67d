/**
 * Scheduled sampling (Bengio et al. 2015, arXiv:1506.03099) in two passes, as transformers allow it (Mihaylova and Martins 2019,
 * arXiv:1906.07651): the first pass reads the truth and a token is drawn from every prediction; the second reads a mixture, in
 * which each true token is replaced by the drawn one with a probability that rises over the run; the loss is the cross-entropy
 * of the true tokens. No gradient flows through the draws.
 *
 * Choices between variants: the share of drawn tokens rises linearly, and tokens are replaced one by one, not whole sequences.
 */
import {
  RandomStream,
  compile,
  linearSchedule,
  maskedMean,
  resolveOptions,
  sampleTokens,
  takeColumns,
  tf,
  type CompiledFunction,
  type LossParts,
  type Policy,
  type Rollout,
  type SequencePolicy,
  type SequenceScores,
} from '@rollcast/core';
import { z } from 'zod';

import { Imitation, type ImitationStats } from './imitation.js';
import { policyGradientShape, type RunBudget, type ScoredRows } from './policy-gradient.js';
import { rowsPerPass } from './rollout-rows.js';

/** Schema of the options of `ScheduledSampling`: ranges, defaults, and what each one is. */
export const scheduledSamplingOptions = z
  .strictObject({
    learningRate: z.number().gt(0).default(1e-4).describe('step size of Adam'),
    ...policyGradientShape,
    shareAtStart: z.number().min(0).max(1).default(0).describe('share of drawn tokens in the first update'),
    shareAtEnd: z.number().min(0).max(1).default(0.5).describe('share of drawn tokens that it rises to'),
  })
  .omit({ gamma: true, normaliseAdvantages: true }); // there are no rewards
/** Options of `ScheduledSampling` as a user writes them. */
export type ScheduledSamplingOptions = z.input<typeof scheduledSamplingOptions>;
/** Options of `ScheduledSampling` with everything filled in. */
export type ResolvedScheduledSamplingOptions = z.output<typeof scheduledSamplingOptions>;

/** What one update reports. */
export interface ScheduledSamplingStats extends ImitationStats {
  /** −mean log π(yₜ | context, what was read before t), in nats a token. */
  crossEntropy: number;
  /** Probability that a token read was drawn, not true. */
  drawnShare: number;
}

/** Scheduled sampling; the head of this file has the papers and the choices. */
export class ScheduledSampling extends Imitation<ResolvedScheduledSamplingOptions> {
  private readonly draw: CompiledFunction<tf.Tensor[], { tokens: tf.Tensor }>;

  /** @throws {ConfigError} listing every option that is wrong */
  constructor(policy: Policy, options: ScheduledSamplingOptions, budget: RunBudget) {
    const name = 'scheduled-sampling';
    super(name, policy, resolveOptions(scheduledSamplingOptions, options, name), budget);
    this.draw = compile((contexts: tf.Tensor, targets: tf.Tensor, uniforms: tf.Tensor) => {
      const reader = policy as SequencePolicy;
      const { logDistribution } = reader.score(contexts as tf.Tensor2D, targets as tf.Tensor2D);
      const rows = tf.reshape<tf.Rank.R2>(logDistribution, [-1, reader.vocabularySize]);
      return { tokens: sampleTokens(rows, tf.reshape(uniforms, [-1])) };
    });
  }

  /** One gradient step on contexts followed by a mixture of what followed and what the policy would have said. */
  update(rollout: Rollout): ScheduledSamplingStats {
    const { shareAtStart, shareAtEnd } = this.options;
    const drawnShare = linearSchedule(shareAtStart, shareAtEnd, this.progress);
    const targets = this.truth(rollout);
    const read = drawnShare > 0 ? this.mixture(rollout, targets, drawnShare) : targets;
    const passes = drawnShare > 0 ? 2 : 1;
    return { ...this.imitate<'crossEntropy'>(rollout, { targets, read }, passes), drawnShare };
  }

  protected surrogate({ rows, mask }: ScoredRows): LossParts {
    const { contextTokens, targets, read } = rows;
    const { logDistribution } = this.policy.scoreRows({ contextTokens, actions: read }) as SequenceScores;
    const flat = tf.reshape<tf.Rank.R2>(logDistribution, [-1, logDistribution.shape[2]]);
    const logProbs = tf.reshape(takeColumns(flat, tf.reshape(targets, [-1])), mask.shape);
    const crossEntropy = tf.neg<tf.Scalar>(maskedMean(logProbs, mask));
    return { loss: crossEntropy, means: { crossEntropy } };
  }

  override dispose(): void {
    this.draw.dispose();
    super.dispose();
  }

  /** [B, L] the true tokens, each replaced with probability `share` by one drawn from the prediction after the true ones. */
  private mixture(rollout: Rollout, targets: Int32Array, share: number): Int32Array {
    const { seed } = this.budget;
    const stream = (what: string) => new RandomStream(seed, `${this.name}/${what}/${this.updatesDone}`);
    const coins = stream('coins').uniforms(targets.length);
    const drawn = this.drawn(rollout, targets, stream('tokens').uniforms(targets.length));
    return targets.map((token, i) => (coins[i] < share ? drawn[i] : token));
  }

  /** [B, L] tokens drawn from the predictions after the true ones; parts of the rows go on several threads at once. */
  private drawn(rollout: Rollout, targets: Int32Array, uniforms: Float32Array): Int32Array {
    const { batchSize, steps } = rollout;
    const { contextTokens, contextLength } = rollout.inputs as Extract<
      Rollout['inputs'],
      { contextLength: number }
    >;
    const rows = rowsPerPass(this.policy, rollout) ?? batchSize;
    const starts = Array.from({ length: Math.ceil(batchSize / rows) }, (_, i) => i * rows);
    const results = tf.tidy(() =>
      this.draw.map(
        starts.map((start) => {
          const end = Math.min(batchSize, start + rows);
          const part = (array: Float32Array | Int32Array, width: number): tf.Tensor =>
            tf.tensor2d(
              array.subarray(start * width, end * width),
              [end - start, width],
              array instanceof Int32Array ? 'int32' : 'float32',
            );
          return [part(contextTokens, contextLength), part(targets, steps), part(uniforms, steps)];
        }),
      ),
    );
    const tokens = new Int32Array(targets.length);
    results.forEach((result, i) => {
      tokens.set(result.tokens.dataSync(), starts[i] * steps);
      tf.dispose(result);
    });
    return tokens;
  }
}
