import type { SequenceBatch } from '../environment.js';
import type { Rollout } from '../rollout/rollout.js';
import type { UpdateStats } from '../algorithm.js';
import type { FinishedEpisode } from '../vector/vector-environment.js';

/** Metrics by name, all finite; `reward/mse`, `kl/exactPerToken`, `time/updateSeconds`. */
export type Metrics = Readonly<Record<string, number>>;

/** What has happened so far, given with every event. */
export interface Progress {
  /** Updates finished, counted from the very first start of the run. */
  readonly update: number;
  /** Updates asked for. */
  readonly totalUpdates: number;
}

/**
 * Listens to a training run. The list of events is closed: a typo is a compile error. A callback that returns a promise
 * is awaited; callbacks run in the order in which they were given.
 */
export interface Callback {
  /** Before the first rollout of this start of the run. */
  onTrainingStart?(progress: Progress): void | Promise<void>;
  /**
   * After collection, before the update. `batch` is what a sequence environment had sampled, `episodes` are those of a step
   * environment that are over.
   */
  onRolloutEnd?(
    event: Progress & {
      rollout: Rollout;
      batch?: SequenceBatch;
      episodes?: readonly FinishedEpisode[];
    },
  ): void | Promise<void>;
  /** After the update; `metrics` joins rollout and update statistics. Returning `'stop'` ends the run cleanly. */
  onUpdateEnd?(
    event: Progress & { metrics: Metrics; stats: UpdateStats },
  ): void | 'stop' | Promise<void | 'stop'>;
  /**
   * An invariant broke, or the environment its contract, in the update that was to follow; the run ends with `error`. Policy,
   * algorithm and collector are again what they were before that update. The rollout is absent when collection failed.
   */
  onViolation?(event: Progress & { error: Error; rollout?: Rollout }): void | Promise<void>;
  /** After the last update: all are done, or the run was stopped. */
  onTrainingEnd?(event: Progress & { reason: 'finished' | 'stopped' }): void | Promise<void>;
}
