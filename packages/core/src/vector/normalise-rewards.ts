import { z } from 'zod';

import { resolveOptions } from '../options.js';
import { checkedState } from '../saved-state.js';
import type { ActionArray } from '../spaces.js';
import { RunningMoments, type MomentsState } from './running-moments.js';
import type { VectorEnvironment, VectorStep } from './vector-environment.js';
import { VectorWrapper } from './vector-wrapper.js';

/** Schema of the options of `NormaliseRewards`: ranges, defaults, and what each one is. */
export const normaliseRewardsOptions = z.strictObject({
  gamma: z
    .number()
    .min(0)
    .max(1)
    .default(0.99)
    .describe('discount factor γ of the returns that are measured'),
  clip: z.number().gt(0).default(10).describe('largest absolute value that is handed on'),
  epsilon: z.number().gt(0).default(1e-8).describe('added to the variance, as in Gymnasium'),
});
/** Options of `NormaliseRewards` as a user writes them. */
export type NormaliseRewardsOptions = z.input<typeof normaliseRewardsOptions>;

interface OwnState {
  moments: MomentsState;
  returns: number[];
}

/**
 * Rewards divided by the standard deviation of the discounted return so far (Gymnasium's NormalizeReward, SAME_STEP):
 *
 *   G ← γ G (1 − terminated) + r,   r̂ = clip(r/√(var G + ε), ±clip),   G ← 0 where the episode is over
 *
 * The mean is kept: subtracting it would change which policy is best. Episode returns stay raw.
 */
export class NormaliseRewards extends VectorWrapper {
  /** Statistics of the discounted returns. */
  readonly moments = new RunningMoments(1);
  /** Keeps the statistics as they are, for evaluation. @defaultValue false */
  frozen = false;
  private readonly options: z.output<typeof normaliseRewardsOptions>;
  private readonly returns: Float64Array;
  private readonly rewards: Float64Array;

  constructor(inner: VectorEnvironment, options: NormaliseRewardsOptions = {}) {
    super(inner);
    this.options = resolveOptions(normaliseRewardsOptions, options, 'normaliseRewards');
    this.returns = new Float64Array(this.count);
    this.rewards = new Float64Array(this.count);
  }

  override reset(seed: number): Float32Array {
    this.returns.fill(0);
    return this.inner.reset(seed);
  }

  override step(actions: ActionArray): VectorStep {
    const step = this.inner.step(actions);
    const { gamma, clip, epsilon } = this.options;
    for (let i = 0; i < this.count; i++)
      this.returns[i] = this.returns[i] * gamma * (1 - step.terminated[i]) + step.rewards[i];
    if (!this.frozen) this.moments.update(this.returns);
    const deviation = Math.sqrt(this.moments.variance[0] + epsilon);
    for (let i = 0; i < this.count; i++)
      this.rewards[i] = Math.max(-clip, Math.min(clip, step.rewards[i] / deviation));
    for (const { instance } of step.episodes) this.returns[instance] = 0;
    return { ...step, rewards: this.rewards };
  }

  protected override ownState(): OwnState {
    return { moments: this.moments.state(), returns: [...this.returns] };
  }

  protected override restoreOwn(own: unknown): void {
    const schema = z.object({ returns: z.array(z.number()).length(this.count) });
    const { returns } = checkedState(schema, own, 'returns of a normaliser');
    this.moments.restore((own as OwnState).moments);
    this.returns.set(returns);
  }
}
