/**
 * Teacher forcing (Williams and Zipser 1989, Neural Computation 1): more of the pre-training's own objective, the cross-entropy
 * of each true token after the true ones before it, in the loop of fine-tuning. What fine-tuning by rewards must beat first.
 */
import { maskedMean, resolveOptions, tf, type LossParts, type Policy, type Rollout } from '@rollcast/core';
import { z } from 'zod';

import { Imitation, type ImitationStats } from './imitation.js';
import { policyGradientShape, type RunBudget, type ScoredRows } from './policy-gradient.js';

/** Schema of the options of `TeacherForcing`: ranges, defaults, and what each one is. */
export const teacherForcingOptions = z
  .strictObject({
    learningRate: z.number().gt(0).default(1e-4).describe('step size of Adam'),
    ...policyGradientShape,
  })
  .omit({ gamma: true, normaliseAdvantages: true }); // there are no rewards
/** Options of `TeacherForcing` as a user writes them. */
export type TeacherForcingOptions = z.input<typeof teacherForcingOptions>;
/** Options of `TeacherForcing` with everything filled in. */
export type ResolvedTeacherForcingOptions = z.output<typeof teacherForcingOptions>;

/** What one update reports. */
export interface TeacherForcingStats extends ImitationStats {
  /** −mean log π(yₜ | context, y before t), in nats a token. */
  crossEntropy: number;
}

/** Teacher forcing; the head of this file says what it is. */
export class TeacherForcing extends Imitation<ResolvedTeacherForcingOptions> {
  /** @throws {ConfigError} listing every option that is wrong */
  constructor(policy: Policy, options: TeacherForcingOptions, budget: RunBudget) {
    const name = 'teacher-forcing';
    super(name, policy, resolveOptions(teacherForcingOptions, options, name), budget);
  }

  /** One gradient step; of the rollout only the contexts, what followed, and the states of the KL are used. */
  update(rollout: Rollout): TeacherForcingStats {
    return this.imitate<'crossEntropy'>(rollout, { targets: this.truth(rollout) }, 1);
  }

  protected surrogate({ rows, mask }: ScoredRows): LossParts {
    const { contextTokens, targets } = rows;
    const { logProbs } = this.policy.scoreRows({ contextTokens, actions: targets });
    const crossEntropy = tf.neg<tf.Scalar>(maskedMean(logProbs, mask));
    return { loss: crossEntropy, means: { crossEntropy } };
  }
}
