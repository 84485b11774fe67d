import type { Algorithm, UpdateStats } from './algorithm.js';
import type { Callback, Metrics, Progress } from './callbacks/callback.js';
import type { SequenceEnvironment } from './environment.js';
import { NumericalError } from './errors.js';
import type { SequencePolicy } from './policy.js';
import { SequenceCollector } from './rollout/collect-sequences.js';
import type { RolloutCollector } from './rollout/collector.js';
import type { Rollout } from './rollout/rollout.js';
import { refuseSharedWeights } from './rollout/shared-weights.js';

/** What every run needs. */
interface LoopOptions {
  algorithm: Algorithm;
  /** Updates in all, those before a resume included. */
  updates: number;
  callbacks?: readonly Callback[];
  /** Updates finished before: where a resumed run goes on. @defaultValue 0 */
  startUpdate?: number;
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

export type TrainerOptions = SequenceTrainerOptions | CollectorTrainerOptions;

export interface TrainResult {
  readonly updates: number;
  readonly reason: 'finished' | 'stopped';
  readonly lastMetrics: Metrics;
}

/** Largest KL to the reference, in nats a token, that rounding may show before the first update. */
const KL_AT_START = 1e-5;
/** Largest |ρ − 1| that rounding may show on the first minibatch. */
const RATIO_TOLERANCE = 1e-3;

/**
 * Turns the loop: collect, update, tell the callbacks. It owns nothing that it is given.
 *
 * At every run it checks what must hold if sampling and scoring are one function: the ratio on the first minibatch is 1,
 * and the KL to the reference before the first update is 0.
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
    while (update < updates && !this.stopRequested) {
      const started = performance.now();
      const { rollout, metrics: collectedMetrics, batch, episodes } = collector.collect(update);
      if (update === 0) checkReference(rollout);
      for (const callback of callbacks)
        await callback.onRolloutEnd?.({ ...progress(), rollout, batch, episodes });
      const collected = performance.now();
      const stats = algorithm.update(rollout);
      checkRatio(stats, update);
      update += 1;
      metrics = {
        ...collectedMetrics,
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
    const reason = update < updates ? 'stopped' : 'finished';
    for (const callback of callbacks) await callback.onTrainingEnd?.({ ...progress(), reason });
    return { updates: update, reason, lastMetrics: metrics };
  }
}

function checkReference({ reference }: Rollout): void {
  if (!reference) return;
  const largest = reference.exactKl.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  if (!(largest <= KL_AT_START)) {
    throw new NumericalError(
      `Before the first update the KL to the reference must be 0; it is ${largest} nats at some token. The reference is not a copy of the policy, or the two do not share temperature, mask, positions and window.`,
    );
  }
}

function checkRatio(stats: UpdateStats, update: number): void {
  const deviation = stats['firstRatioDeviation'];
  if (deviation !== undefined && !(deviation <= RATIO_TOLERANCE)) {
    throw new NumericalError(
      `Update ${update + 1}: the ratio on the first minibatch must be 1; it is off by ${deviation}. Sampler and scorer are different functions: compare their temperature, dropout, mask, positions and context.`,
    );
  }
}
