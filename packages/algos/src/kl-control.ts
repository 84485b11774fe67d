import {
  AdaptiveKlController,
  FixedKlController,
  klEstimators,
  maskedMean,
  maskedMoments,
  sampledKl,
  sampledKlTensor,
  scoredRows,
  tf,
  ConfigError,
  type KlController,
  type PolicyScores,
  type Rollout,
} from '@rollcast/core';
import { z } from 'zod';

/** Schema of the options of the KL control: ranges, defaults, and what each one is. */
export const klControlOptions = z.strictObject({
  kind: z
    .enum(['fixed', 'adaptive'])
    .default('fixed')
    .describe('whether the coefficient stays or follows the target'),
  coefficient: z.number().min(0).default(0.3).describe('β, or its start when adaptive'),
  target: z
    .number()
    .gt(0, 'expected a KL > 0 in nats a token, such as 0.05, or leave it out')
    .optional()
    .describe('adaptive: KL to hold, in nats a token or step'),
  horizonEpisodes: z
    .number()
    .gt(0)
    .optional()
    .describe(
      'adaptive: trajectories of tokens (steps, in step environments) over which β can change by e^0.2; 1 % of those of the run when left out',
    ),
  estimator: z
    .enum(klEstimators)
    .default('exact')
    .describe('exact over all actions, or from the sampled one'),
  placement: z
    .enum(['loss', 'reward'])
    .default('loss')
    .describe('where β·KL is charged; k1 belongs in the reward, exact and k2 in the loss'),
});
/** Options of the KL control as a user writes them. */
export type KlControlOptions = z.input<typeof klControlOptions>;
/** Options of the KL control with everything filled in. */
export type ResolvedKlControlOptions = z.output<typeof klControlOptions>;

/** What the KL term needs of a minibatch as tensors. */
export interface ReferenceTensors {
  /** [B, T] */
  readonly logProbs: tf.Tensor2D;
  /** [B, T, P] */
  readonly distribution: tf.Tensor3D;
}

/**
 * The KL to the frozen reference under control: charged in the reward or in the loss, with a fixed or adaptive
 * coefficient. Not to be confused with the KL to the old policy, by which PPO stops early.
 *
 * With the exact KL in the *reward*, an action is charged for the states it leads to but not for its own step, whose KL
 * does not depend on the action drawn; k1 in the reward charges both, and the exact KL in the *loss* charges each step
 * itself without sampling noise.
 */
export class KlControl {
  readonly controller: KlController;

  /**
   * @param totalEpisodes - trajectories (steps, in step environments) of the whole run, from which the adaptive horizon is derived
   * @throws {ConfigError} when k1 is asked for in the loss (its expected gradient is zero), or `adaptive` has no target
   *   or starts at 0
   */
  constructor(
    readonly options: ResolvedKlControlOptions,
    totalEpisodes: number,
  ) {
    const { kind, coefficient, target, estimator, placement } = options;
    if (estimator === 'k1' && placement === 'loss') {
      throw new ConfigError(
        'klControl: k1 in the loss has zero expected gradient; use placement "reward", or estimator "exact" or "k2".',
      );
    }
    if (kind === 'adaptive' && target === undefined) {
      throw new ConfigError(
        'klControl.target must be given in nats a token when kind is "adaptive"; try 0.05.',
      );
    }
    if (kind === 'adaptive' && coefficient === 0) {
      throw new ConfigError(
        'klControl.coefficient must be > 0 when kind is "adaptive": the controller multiplies it, and 0 stays 0.',
      );
    }
    this.controller =
      kind === 'adaptive'
        ? new AdaptiveKlController({
            target: target!,
            initial: coefficient,
            horizonEpisodes: options.horizonEpisodes ?? Math.max(1, 0.01 * totalEpisodes),
          })
        : new FixedKlController(coefficient);
  }

  /** β for the update in progress. */
  get coefficient(): number {
    return this.controller.coefficient;
  }

  /** The rewards [B, T], less β · KLₜ where the KL is charged in the reward. */
  penalisedRewards(rollout: Rollout): Float32Array {
    const { rewards, reference } = rollout;
    if (!reference || this.options.placement !== 'reward') return rewards;
    const kl = this.perStep(rollout);
    return rewards.map((reward, i) => reward - this.coefficient * kl[i]);
  }

  /**
   * The KL term of the loss, without its coefficient.
   *
   * @returns scalar in nats a token or step, or undefined when the KL is not charged in the loss; the caller disposes it
   */
  lossTerm(
    scores: PolicyScores,
    reference: ReferenceTensors | undefined,
    mask: tf.Tensor2D,
  ): tf.Scalar | undefined {
    if (!reference || this.options.placement !== 'loss') return undefined;
    const { estimator } = this.options;
    return tf.tidy(() => {
      if (estimator === 'exact' && !scores.klTo) {
        throw new ConfigError(
          'klControl: the exact KL needs a policy whose scores have klTo; use estimator "k2" or "k3".',
        );
      }
      const kl =
        estimator === 'exact'
          ? scores.klTo!(reference.distribution)
          : sampledKlTensor(estimator, scores.logProbs, reference.logProbs);
      return maskedMean(kl, mask);
    });
  }

  /** Lets the controller follow the exact KL of this rollout; called once the rollout has been used. */
  follow(rollout: Rollout): void {
    if (!rollout.reference) return;
    // counted as the run's budget is: a rollout of steps is part of episodes, and ends none of them for certain
    const { rows } = scoredRows(rollout);
    this.controller.update(maskedMoments(rollout.reference.exactKl, rollout.mask).mean, rows);
  }

  /** [B, T] the chosen estimate, in nats. */
  private perStep({ reference, logProbs }: Rollout): Float32Array {
    const { estimator } = this.options;
    if (estimator === 'exact') return reference!.exactKl;
    return logProbs.map((logProb, i) => sampledKl(estimator, logProb, reference!.logProbs[i]));
  }
}
