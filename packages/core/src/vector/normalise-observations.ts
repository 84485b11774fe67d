import { z } from 'zod';

import { resolveOptions } from '../options.js';
import { box, type ActionArray, type BoxSpace } from '../spaces.js';
import { RunningMoments, type MomentsState } from './running-moments.js';
import type { VectorEnvironment, VectorStep } from './vector-environment.js';
import { VectorWrapper } from './vector-wrapper.js';

/** Schema of the options of `NormaliseObservations`: ranges, defaults, and what each one is. */
export const normaliseObservationsOptions = z.strictObject({
  clip: z.number().gt(0).default(10).describe('largest absolute value that is handed on'),
  epsilon: z.number().gt(0).default(1e-8).describe('added to the variance, as in Gymnasium'),
});
/** Options of `NormaliseObservations` as a user writes them. */
export type NormaliseObservationsOptions = z.input<typeof normaliseObservationsOptions>;

/**
 * Observations with mean 0 and variance 1 by running statistics over all instances (Gymnasium's NormalizeObservation):
 *
 *   ô = clip((o − m)/√(v + ε), ±clip)
 *
 * The statistics see each observation that will be acted on, once, before it is normalised. Last observations of an
 * episode are normalised by the same statistics and not counted.
 */
export class NormaliseObservations extends VectorWrapper {
  /** Statistics of the raw observations. */
  readonly moments: RunningMoments;
  /** Keeps the statistics as they are, for evaluation. @defaultValue false */
  frozen = false;
  override readonly observationSpace: BoxSpace;
  private readonly options: z.output<typeof normaliseObservationsOptions>;
  private readonly observations: Float32Array;
  private readonly finalObservations: Float32Array;

  constructor(inner: VectorEnvironment, options: NormaliseObservationsOptions = {}) {
    super(inner);
    this.options = resolveOptions(normaliseObservationsOptions, options, 'normaliseObservations');
    this.moments = new RunningMoments(this.observationSize);
    this.observationSpace = box(-this.options.clip, this.options.clip, [this.observationSize]);
    this.observations = new Float32Array(this.count * this.observationSize);
    this.finalObservations = new Float32Array(this.count * this.observationSize);
  }

  override reset(seed: number): Float32Array {
    return this.take(this.inner.reset(seed));
  }

  override step(actions: ActionArray): VectorStep {
    const step = this.inner.step(actions);
    this.take(step.observations);
    for (const { instance } of step.episodes) {
      const from = instance * this.observationSize;
      this.normalise(step.finalObservations, this.finalObservations, from, from + this.observationSize);
    }
    return { ...step, observations: this.observations, finalObservations: this.finalObservations };
  }

  override restore(state: unknown): Float32Array {
    const raw = super.restore(state);
    this.normalise(raw, this.observations, 0, raw.length);
    return this.observations;
  }

  protected override ownState(): MomentsState {
    return this.moments.state();
  }

  protected override restoreOwn(own: unknown): void {
    this.moments.restore(own as MomentsState);
  }

  private take(raw: Float32Array): Float32Array {
    if (!this.frozen) this.moments.update(raw);
    this.normalise(raw, this.observations, 0, raw.length);
    return this.observations;
  }

  private normalise(raw: Float32Array, out: Float32Array, from: number, to: number): void {
    const { mean, variance } = this.moments;
    const { clip, epsilon } = this.options;
    for (let i = from; i < to; i++) {
      const column = i % this.observationSize;
      const scaled = (raw[i] - mean[column]) / Math.sqrt(variance[column] + epsilon);
      out[i] = Math.max(-clip, Math.min(clip, scaled));
    }
  }
}
