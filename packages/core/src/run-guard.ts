import type { Algorithm, AlgorithmState, UpdateStats } from './algorithm.js';
import {
  ReferenceGuard,
  SamplerProbe,
  TensorGrowth,
  checkFiniteParameters,
  checkFiniteRollout,
  checkFiniteUpdate,
  checkFirstRatio,
  checkReferenceAtStart,
} from './invariants.js';
import type { NamedArray } from './nn/parameters.js';
import type { RolloutCollector } from './rollout/collector.js';
import type { Rollout } from './rollout/rollout.js';
import { tf } from './tf.js';

/** Everything that an update changes, as it was before: copies on the host. */
interface Snapshot {
  readonly parameters: Readonly<Record<string, NamedArray>>;
  readonly algorithm: AlgorithmState['arrays'];
  /** State of algorithm and collector as JSON, so that nothing in it can change. */
  readonly values: string;
  readonly collector: string;
}

/**
 * Watches the invariants of one run (see `invariants.ts`) and can undo the update that broke one. Beside an update its work is
 * small: a copy of weights and moments, some rows scored again, a look at every number of the rollout.
 */
export class RunGuard {
  private readonly reference: ReferenceGuard | undefined;
  private readonly probe: SamplerProbe;
  private readonly growth = new TensorGrowth();
  private snapshot: Snapshot | undefined;
  private tensors = 0;

  /** It owns neither. */
  constructor(
    private readonly collector: RolloutCollector,
    private readonly algorithm: Algorithm,
  ) {
    const { policy, referencePolicy } = collector;
    this.probe = new SamplerProbe(policy);
    if (referencePolicy) this.reference = new ReferenceGuard(referencePolicy.parameters);
  }

  /** Before collection. */
  begin(): void {
    const { arrays, values } = this.algorithm.state();
    this.snapshot = {
      parameters: this.collector.policy.parameters.save(),
      algorithm: arrays,
      values: JSON.stringify(values),
      collector: JSON.stringify(this.collector.state()),
    };
    this.tensors = tf.memory().numTensors;
  }

  /** After collection. @throws {InvariantError} */
  checkRollout(rollout: Rollout, update: number): void {
    checkFiniteRollout(rollout, update);
    if (update === 0) checkReferenceAtStart(rollout);
    this.probe.check(rollout, update);
  }

  /** After the update. @throws {InvariantError} */
  checkUpdate(stats: UpdateStats, update: number): void {
    const after = tf.memory().numTensors;
    checkFirstRatio(stats, update);
    checkFiniteUpdate(stats, update);
    checkFiniteParameters(this.collector.policy.parameters.save(), update);
    this.reference?.check(update);
    this.growth.check(this.tensors, after, update);
  }

  /** Brings policy, reference, algorithm and collector back to what they were before the update in progress. */
  undo(): void {
    if (!this.snapshot) return;
    const { parameters, algorithm, values, collector } = this.snapshot;
    this.collector.policy.parameters.load(parameters);
    if (this.reference) this.collector.referencePolicy!.parameters.load(this.reference.original);
    this.algorithm.restore({ arrays: algorithm, values: JSON.parse(values) as Record<string, unknown> });
    this.collector.restore(JSON.parse(collector));
  }

  dispose(): void {
    this.probe.dispose();
  }
}
