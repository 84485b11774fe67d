/**
 * What the algorithms share that learn from what really followed, not from a reward: teacher forcing, scheduled sampling and soft
 * unrolling. They are the sceptic's controls of fine-tuning by reinforcement learning: the same rollouts, batch, optimiser and
 * KL to the reference, so that a difference is one of the objective.
 */
import { ConfigError, type Policy, type Rollout } from '@rollcast/core';

import {
  PolicyGradient,
  requireSequences,
  type PolicyGradientOptions,
  type RunBudget,
  type SingleStepStats,
} from './policy-gradient.js';

/** What one update reports, beside the parts that all algorithms of one step share. */
export interface ImitationStats extends SingleStepStats {
  /** Token positions that this update has put through the policy: rows × (W + L − 1) × passes. */
  tokensRead: number;
}

/** Base of the algorithms that imitate the truth; a subclass says what is read and what is compared. */
export abstract class Imitation<Options extends PolicyGradientOptions> extends PolicyGradient<Options> {
  /** @throws {ConfigError} when the policy acts step by step, or the KL is to be charged in a reward */
  constructor(name: string, policy: Policy, options: Options, budget: RunBudget) {
    requireSequences(
      policy,
      `${name} imitates token sequences; this policy acts in a step environment. Use ppo, a2c or reinforce there.`,
    );
    if (options.klControl.placement === 'reward') {
      throw new ConfigError(
        `${name} has no reward that the KL could be charged in; set ${name}.klControl.placement=loss.`,
      );
    }
    super(name, policy, options, budget);
  }

  /**
   * One gradient step.
   *
   * @param passes - how often the tokens are put through the policy, beside the scoring of the rollout that the KL needs
   */
  protected imitate<Means extends string>(
    rollout: Rollout,
    arrays: Readonly<Record<string, Float32Array | Int32Array>>,
    passes: number,
  ): ImitationStats & Record<Means, number> {
    const { batchSize, steps, inputs } = rollout;
    const length = steps - 1 + ('contextLength' in inputs ? inputs.contextLength : 0);
    const stats = this.singleStep<Means>(rollout, arrays);
    return { ...stats, tokensRead: batchSize * length * (passes + 1) };
  }

  /** [B, L] the tokens that really followed. @throws {ConfigError} when the rollout does not know them */
  protected truth({ targets }: Rollout): Int32Array {
    if (targets) return targets;
    throw new ConfigError(
      `${this.name} learns from what really followed, and these rollouts do not know it; give the batches of the environment targets, [B, L] tokens.`,
    );
  }
}
