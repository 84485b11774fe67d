import type { NamedArray } from './nn/parameters.js';
import type { Rollout } from './rollout/rollout.js';

/** Everything an update reports, by name; all finite. */
export type UpdateStats = Readonly<Record<string, number>>;

/** What an algorithm needs saved to continue exactly. */
export interface AlgorithmState {
  /** Named arrays (optimiser slots, baselines). */
  readonly arrays: Readonly<Record<string, NamedArray>>;
  /** Everything else, as JSON (step counters, powers, the KL coefficient). */
  readonly values: Readonly<Record<string, unknown>>;
}

/** Changes the parameters of a policy. It sees rollouts and has never heard of an environment. */
export interface Algorithm {
  readonly name: string;
  /** It compares with what the policy does greedily in the same contexts: rollouts must have `greedyRewards`. */
  readonly needsGreedyRollout?: boolean;
  /** It compares k trajectories of each context: rollouts must have groups of this size. */
  readonly samplesPerContext?: number;
  /** One update from one rollout; leaves no tensor behind. */
  update(rollout: Rollout): UpdateStats;
  /** What the next update depends on besides the policy. */
  state(): AlgorithmState;
  /** @throws {CheckpointError} when the state is of another algorithm or shape */
  restore(state: AlgorithmState): void;
  /** Frees the optimiser and what was compiled; the policy stays. */
  dispose(): void;
}
