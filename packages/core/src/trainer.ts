import type { Algorithm } from './algorithm.js';
import type { Callback, Metrics, Progress } from './callbacks/callback.js';
import type { SequenceEnvironment } from './environment.js';
import { EnvironmentError, NumericalError } from './errors.js';
import type { SequencePolicy } from './policy.js';
import { SequenceCollector } from './rollout/collect-sequences.js';
import type { Collected, RolloutCollector } from './rollout/collector.js';
import type { Rollout } from './rollout/rollout.js';
import { RunGuard } from './run-guard.js';
import { refuseSharedWeights } from './rollout/shared-weights.js';

/** What every run needs. */
interface LoopOptions {
  algorithm: Algorithm;
  /** Updates in all, those before a resume included. */
  updates: number;
  callbacks?: readonly Callback[];
  /** Updates finished before: where a resumed run goes on. @defaultValue 0 */
  startUpdate?: number;
  /** Watch the invariants of training and stop at the first that breaks; see `invariants.ts`. @defaultValue true */
  invariants?: boolean;
  /** Used for the first update instead of collecting one, to repeat an update. */
  rollout?: Rollout;
}

/** A run on a sequence environment, for which the trainer makes the collector. */
export interface SequenceTrainerOptions extends LoopOptions {
  environment: SequenceEnvironment;
  policy: SequencePolicy;
  /** Frozen copy of the policy that the KL is measured against. */
  referencePolicy?: SequencePolicy;
  /** Trajectories an update. */
  batchSize: number;
  seed: number;
}

/** A run with a collector of one's own, such as a `StepCollector`, which the caller disposes. */
export interface CollectorTrainerOptions extends LoopOptions {
  collector: RolloutCollector;
}

/** A run on a sequence environment, or with a collector of one's own. */
export type TrainerOptions = SequenceTrainerOptions | CollectorTrainerOptions;

/** How a training ended. */
export interface TrainResult {
  readonly updates: number;
  readonly reason: 'finished' | 'stopped';
  readonly lastMetrics: Metrics;
}

/**
 * Turns the loop: collect, update, tell the callbacks. It owns nothing that it is given.
 *
 * In every run it watches what must hold (see `invariants.ts`): sampler and scorer are one function, the reference is a copy that
 * stays as it is, numbers are finite, no tensor is left behind. When something breaks, the update is undone, callbacks hear of it
 * and the run ends.
 */
export class Trainer {
  private stopRequested = false;

  constructor(private readonly options: TrainerOptions) {
    if (!('collector' in options)) refuseSharedWeights(options.policy, options.referencePolicy);
  }

  /** Ends the run after the update in progress. */
  stop(): void {
    this.stopRequested = true;
  }

  /** @throws {NumericalError} when an invariant breaks or a number is not finite */
  async run(): Promise<TrainResult> {
    if ('collector' in this.options) return this.loop(this.options.collector);
    const { algorithm } = this.options;
    const collector = new SequenceCollector({
      ...this.options,
      samplesPerContext: algorithm.samplesPerContext,
      greedyBaseline: algorithm.needsGreedyRollout,
    });
    try {
      return await this.loop(collector);
    } finally {
      collector.dispose();
    }
  }

  private async loop(collector: RolloutCollector): Promise<TrainResult> {
    const { algorithm, updates, callbacks = [] } = this.options;
    let update = this.options.startUpdate ?? 0;
    let metrics: Metrics = {};
    const progress = (): Progress => ({ update, totalUpdates: updates });
    for (const callback of callbacks) await callback.onTrainingStart?.(progress());
    const guard = (this.options.invariants ?? true) ? new RunGuard(collector, algorithm) : undefined;
    try {
      let given = this.options.rollout;
      while (update < updates && !this.stopRequested) {
        const started = performance.now();
        const watched = <R>(work: () => R, rollout?: Rollout): Promise<R> =>
          this.watched(work, guard, { ...progress(), rollout });
        const { rollout, ...collection } = await watched((): Collected => {
          guard?.begin();
          return given ? { rollout: given, metrics: {} } : collector.collect(update);
        });
        given = undefined;
        await watched(() => guard?.checkRollout(rollout, update), rollout);
        const { batch, episodes } = collection;
        for (const callback of callbacks)
          await callback.onRolloutEnd?.({ ...progress(), rollout, batch, episodes });
        const collected = performance.now();
        const stats = await watched(() => {
          const reported = algorithm.update(rollout);
          guard?.checkUpdate(reported, update);
          return reported;
        }, rollout);
        update += 1;
        metrics = {
          ...collection.metrics,
          ...Object.fromEntries(
            Object.entries(stats).map(([name, value]) => [`${algorithm.name}/${name}`, value]),
          ),
          'time/rolloutSeconds': (collected - started) / 1000,
          'time/updateSeconds': (performance.now() - collected) / 1000,
        };
        for (const callback of callbacks) {
          if ((await callback.onUpdateEnd?.({ ...progress(), metrics, stats })) === 'stop')
            this.stopRequested = true;
        }
        // lets signals and timers in: an update is one long synchronous piece of work
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      guard?.dispose();
    }
    const reason = update < updates ? 'stopped' : 'finished';
    for (const callback of callbacks) await callback.onTrainingEnd?.({ ...progress(), reason });
    return { updates: update, reason, lastMetrics: metrics };
  }

  /** Does a part of an update; when something breaks there, the update is undone before callbacks are told. */
  private async watched<R>(
    work: () => R,
    guard: RunGuard | undefined,
    event: Progress & { rollout?: Rollout },
  ): Promise<R> {
    try {
      return work();
    } catch (error) {
      if (guard && (error instanceof NumericalError || error instanceof EnvironmentError)) {
        try {
          guard.undo();
        } catch {
          throw error; // what cannot be undone, because a worker is gone for example, is not handed on either
        }
        for (const callback of this.options.callbacks ?? [])
          await callback.onViolation?.({ ...event, error });
      }
      throw error;
    }
  }
}
