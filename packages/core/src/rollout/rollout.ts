/**
 * One rollout, the same type for every kind of environment: B trajectories of T steps, on the host, row by row.
 * Algorithms turn into tensors what they need, when they need it.
 */
export interface Rollout {
  /** B, trajectories. */
  readonly batchSize: number;
  /** T, steps of each trajectory, padding included. */
  readonly steps: number;
  /** [B, T] token ids, or [B, T, A] actions of a step environment. */
  readonly actions: Int32Array | Float32Array;
  /** [B, T] log π_old(aₜ|sₜ) at collection, in nats. */
  readonly logProbs: Float32Array;
  /** [B, T] V(sₜ) at collection. */
  readonly values: Float32Array;
  /** [B, T] reward as optimised, before any KL penalty. */
  readonly rewards: Float32Array;
  /** Named quantities of the environment, each [B] or [B, T]; for the logs. */
  readonly components: Readonly<Record<string, Float32Array>>;
  /** [B, T] 1 where the episode ended in this step. */
  readonly terminated: Uint8Array;
  /** [B, T] 1 where the episode was cut after this step. */
  readonly truncated: Uint8Array;
  /** [B, T] V(s_{t+1}) where the episode was cut, otherwise 0: what truncation bootstraps from. */
  readonly bootstrapValues: Float32Array;
  /** [B, T] 1 for real steps, 0 for padding. */
  readonly mask: Float32Array;
  /** What the policy needs to score the actions again. */
  readonly inputs: SequenceInputs | ObservationInputs;
  /** k, where rows come in groups of k trajectories of the same context, one after the other. */
  readonly samplesPerContext?: number;
  /** [B, T] the tokens that really followed; absent where they are not known. */
  readonly targets?: Int32Array;
  /** [V] what tokens stand for (`SequenceEnvironment.tokenValues`); absent where they are no values. */
  readonly tokenValues?: Float32Array;
  /** [B, T] rewards of the most likely trajectory of each row's context; absent unless asked for. */
  readonly greedyRewards?: Float32Array;
  /** What the frozen reference policy says about the same actions; absent without a reference. */
  readonly reference?: ReferenceScores;
}

/** [B, W] context tokens, row by row. */
export interface SequenceInputs {
  readonly contextTokens: Int32Array;
  readonly contextLength: number;
}

/** [B, T, O] observations that the actions answered, row by row. */
export interface ObservationInputs {
  readonly observations: Float32Array;
  readonly observationSize: number;
}

/**
 * How the steps of a rollout are scored: a trajectory of tokens is one row of T steps, because its tokens are scored
 * together; steps of an environment are rows by themselves.
 */
export function scoredRows({ batchSize, steps, inputs }: Rollout): { rows: number; stepsPerRow: number } {
  return 'observations' in inputs
    ? { rows: batchSize * steps, stepsPerRow: 1 }
    : { rows: batchSize, stepsPerRow: steps };
}

/** What the frozen reference says about the actions of a rollout. */
export interface ReferenceScores {
  /** [B, T] log π_ref(aₜ|sₜ), in nats. */
  readonly logProbs: Float32Array;
  /** [B, T, P] what π_ref(·|sₜ) is made of (see `PolicyScores.distribution`): log π_ref(·|sₜ) in nats, of tokens. */
  readonly distribution: Float32Array;
  /** [B, T] exact KL(π_old ‖ π_ref) at sₜ, in nats. */
  readonly exactKl: Float32Array;
}
