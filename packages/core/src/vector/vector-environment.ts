import type { Info } from '../environment.js';
import type { ActionArray, Space } from '../spaces.js';

/** An episode that ended or was cut. */
export interface FinishedEpisode {
  /** Which of the N instances. */
  readonly instance: number;
  /** Sum of the raw rewards, undiscounted, whatever wrappers make of them. */
  readonly return: number;
  /** Steps. */
  readonly length: number;
  readonly terminated: boolean;
}

/**
 * What one step of N instances gives, row by row. The arrays are the same at every step: copy what has to outlive the next.
 *
 * An instance whose episode is over starts the next one within the same step (Gymnasium's SAME_STEP): its row of
 * `observations` is the first of the new episode, and its row of `finalObservations` the last of the old one, which is
 * what a truncated episode bootstraps from. A step that ends and cuts an episode at once counts as terminated.
 */
export interface VectorStep {
  /** [N, O] what to act on next. */
  readonly observations: Float32Array;
  /** [N, O] last observations, in the rows where an episode is over; the other rows are stale. */
  readonly finalObservations: Float32Array;
  /** [N] */
  readonly rewards: Float64Array;
  /** [N] 1 where the episode ended in this step. */
  readonly terminated: Uint8Array;
  /** [N] 1 where the episode was cut after this step, and not terminated. */
  readonly truncated: Uint8Array;
  /** The episodes that are over with this step, by instance. */
  readonly episodes: readonly FinishedEpisode[];
  /** By instance, where the environment gave any. */
  readonly infos: ReadonlyMap<number, Info>;
}

/** N instances of one environment, stepped together. */
export interface VectorEnvironment {
  readonly name: string;
  /** N, instances. */
  readonly count: number;
  /** Of one instance. */
  readonly observationSpace: Space;
  /** Of one instance. */
  readonly actionSpace: Space;
  /** O, numbers of one observation: `observationSpace.flatSize`, integers one-hot. */
  readonly observationSize: number;
  /**
   * Starts an episode in each instance. Each episode has a seed of its own, made of `seed`, instance and episode, so that
   * results do not depend on the number of workers.
   *
   * @returns [N, O] observations; the array is the one that `step` writes
   */
  reset(seed: number): Float32Array;
  /**
   * @param actions - [N, A], A = `actionSpace.size`
   * @throws {EnvironmentError} before a reset, for an action outside its space, and for a number that is not finite
   */
  step(actions: ActionArray): VectorStep;
  /** Everything that the next step depends on, as plain JSON; it does not depend on the number of workers. */
  state(): unknown;
  /** Continues from a saved state; returns the observations to act on. */
  restore(state: unknown): Float32Array;
  /** Ends the worker threads. */
  close(): Promise<void>;
}
