import {
  SequenceCollector,
  Trainer,
  type Algorithm,
  type Callback,
  type DegradationTransformer,
  type Registry,
  type Rollout,
  type SequenceEnvironment,
  type TrainResult,
} from '@rollcast/core';

import { builtInAlgorithms, type AlgorithmEntry } from './register.js';

/** Who is fine-tuned, where, by which algorithm and for how long. */
export interface RLHFLearnerOptions {
  /** The pre-trained model; it is changed in place. */
  policy: DegradationTransformer;
  environment: SequenceEnvironment;
  /** See `CollectorOptions.environmentAt`. */
  environmentAt?: (update: number) => SequenceEnvironment;
  /** By name: `reinforce`, `a2c`, `ppo`, `rloo`, `grpo`, or one that `algorithms` adds. @defaultValue 'reinforce' */
  algorithm?: string;
  /** Where the name is looked up. @defaultValue builtInAlgorithms() */
  algorithms?: Registry<AlgorithmEntry>;
  /** Options of the algorithm, as its schema declares them. */
  algorithmOptions?: object;
  /** Trajectories an update. @defaultValue 64 */
  batchSize?: number;
  /** Updates in all. @defaultValue 200 */
  updates?: number;
  /** @defaultValue 0 */
  seed?: number;
  callbacks?: readonly Callback[];
  /** Updates finished before, when a run goes on. @defaultValue 0 */
  startUpdate?: number;
  /** Used for the first update instead of collecting one, to repeat an update. */
  rollout?: Rollout;
  /** The frozen reference; a copy of the policy as it is now when left out. The learner disposes only its own copy. */
  referencePolicy?: DegradationTransformer;
}

/**
 * Fine-tunes a pre-trained model on whole generated trajectories (the plan's learner): it freezes a reference, makes the
 * algorithm and wires a `Trainer`, which does the work. `dispose` frees the reference and the optimiser, not the policy.
 */
export class RLHFLearner {
  readonly algorithm: Algorithm;
  readonly referencePolicy: DegradationTransformer;
  readonly collector: SequenceCollector;
  private readonly trainer: Trainer;
  private readonly ownsReference: boolean;

  /** @throws {RegistryError | ConfigError} when the algorithm is unknown or its options are wrong */
  constructor(options: RLHFLearnerOptions) {
    const { policy, environment, updates = 200, batchSize = 64, seed = 0, callbacks, startUpdate } = options;
    const { rollout } = options;
    const entry = (options.algorithms ?? builtInAlgorithms()).get(options.algorithm ?? 'reinforce');
    this.algorithm = entry.create(policy, options.algorithmOptions ?? {}, { updates, batchSize, seed });
    this.ownsReference = options.referencePolicy === undefined;
    this.referencePolicy = options.referencePolicy ?? policy.clone({ trainable: false });
    try {
      this.collector = new SequenceCollector({
        environment,
        environmentAt: options.environmentAt,
        policy,
        referencePolicy: this.referencePolicy,
        batchSize,
        seed,
        samplesPerContext: this.algorithm.samplesPerContext,
        greedyBaseline: this.algorithm.needsGreedyRollout,
      });
    } catch (error) {
      this.disposeOwn();
      throw error;
    }
    const { collector, algorithm } = this;
    this.trainer = new Trainer({ collector, algorithm, updates, callbacks, startUpdate, rollout });
  }

  /** Rollout, evaluation, backpropagation, `updates` times. */
  fitRl(): Promise<TrainResult> {
    return this.trainer.run();
  }

  /** Ends the run after the update in progress. */
  stop(): void {
    this.trainer.stop();
  }

  /** Frees what the learner made: algorithm, collector and its own copy of the reference. */
  dispose(): void {
    this.collector.dispose();
    this.disposeOwn();
  }

  private disposeOwn(): void {
    this.algorithm.dispose();
    if (this.ownsReference) this.referencePolicy.dispose();
  }
}
