import type { SequenceBatch } from '../environment.js';
import type { Policy } from '../policy.js';
import type { FinishedEpisode } from '../vector/vector-environment.js';
import type { Rollout } from './rollout.js';

/** A rollout and what else is worth knowing about it. */
export interface Collected {
  readonly rollout: Rollout;
  /** What is to be logged of it, by name; all finite. */
  readonly metrics: Readonly<Record<string, number>>;
  /** What a sequence environment had sampled. */
  readonly batch?: SequenceBatch;
  /** Episodes of a step environment that are over, in their order. */
  readonly episodes?: readonly FinishedEpisode[];
}

/** Makes rollouts, one an update. */
export interface RolloutCollector {
  /** Who acts. */
  readonly policy: Policy;
  /** Frozen copy that the KL is measured against, if there is one. */
  readonly referencePolicy?: Policy;
  /**
   * One rollout.
   *
   * @param update - which update this is for
   */
  collect(update: number): Collected;
  /** Everything that the next rollout depends on besides the policy, as plain JSON. */
  state(): unknown;
  /** Goes on from what `state` gave. */
  restore(state: unknown): void;
  /** Frees what it has compiled, and nothing that it was given. */
  dispose(): void;
}
