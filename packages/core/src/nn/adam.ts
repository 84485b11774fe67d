import { CheckpointError } from '../errors.js';
import { compile, tf, type CompiledFunction } from '../tf.js';
import type { NamedArray, ParameterStore } from './parameters.js';

/** Options of `Adam`, other than the learning rate, which each step is given. */
export interface AdamOptions {
  /** Decay of the first moment, in [0, 1). @defaultValue 0.9 */
  beta1?: number;
  /** Decay of the second moment, in [0, 1). @defaultValue 0.999 */
  beta2?: number;
  /** Added to the root of the second moment. @defaultValue 1e-5, as in the PPO implementations of record */
  epsilon?: number;
  /** Decoupled weight decay a step (Loshchilov and Hutter 2019), applied to matrices only. @defaultValue 0 */
  weightDecay?: number;
}

/** What is saved to continue exactly. The powers of β are kept as they were multiplied up, never recomputed. */
export interface AdamState {
  readonly moments: Readonly<Record<string, NamedArray>>;
  readonly powers: { readonly beta1: number; readonly beta2: number };
}

/** What changes from step to step, in the order in which `Adam.proposal` takes it. */
export type AdamScalars = readonly [rate: tf.Scalar, floor: tf.Scalar, decay: tf.Scalar];

/** Of one trainable parameter: where it lies in the vector of all. */
interface Segment {
  readonly name: string;
  readonly variable: tf.Variable;
  readonly shape: readonly number[];
  readonly start: number;
  readonly size: number;
}

/**
 * Adam (Kingma and Ba 2015, algorithm 1, arXiv:1412.6980), over all trainable parameters as one vector.
 *
 *   m ← β₁m + (1−β₁)g,  v ← β₂v + (1−β₂)g²,  θ ← θ − lr · (m/(1−β₁ᵗ)) / (√(v/(1−β₂ᵗ)) + ε)
 *
 * The corrections are moved out of the vectors, as at the end of their section 2: θ ← θ − a m / (√v + ε√(1−β₂ᵗ)) with
 * a = lr √(1−β₂ᵗ) / (1−β₁ᵗ).
 *
 * Its state is saved by parameter name. tfjs's own optimiser keeps moments by position and recomputes βᵗ when restored, so
 * that a resumed run differs. It owns the moments: `dispose` frees them.
 */
export class Adam {
  private readonly segments: readonly Segment[];
  /** m and v, [P]; undefined where nothing is trainable. */
  private readonly moments: { readonly first: tf.Variable; readonly second: tf.Variable } | undefined;
  /** [P] 1 for the entries of matrices, which weight decay is for. */
  private readonly decays: tf.Tensor1D | undefined;
  private powers: AdamState['powers'] = { beta1: 1, beta2: 1 };
  private readonly options: Required<AdamOptions>;
  private readonly compiled: CompiledFunction<tf.Tensor[], tf.Tensor[]>;

  constructor(parameters: ParameterStore, options: AdamOptions = {}) {
    this.options = { beta1: 0.9, beta2: 0.999, epsilon: 1e-5, weightDecay: 0, ...options };
    let size = 0;
    this.segments = parameters
      .entries()
      .filter(([, variable]) => variable.trainable)
      .map(([name, variable]) => {
        const segment = { name, variable, shape: variable.shape, start: size, size: variable.size };
        size += variable.size;
        return segment;
      });
    const zeros = (): tf.Variable => {
      const initial = tf.zeros([size]);
      const variable = tf.variable(initial, false);
      initial.dispose();
      return variable;
    };
    if (size > 0) this.moments = { first: zeros(), second: zeros() };
    if (this.options.weightDecay > 0 && size > 0) {
      const decays = new Float32Array(size);
      for (const { shape, start, size } of this.segments)
        if (shape.length > 1) decays.fill(1, start, start + size);
      this.decays = tf.tensor1d(decays);
    }
    this.compiled = compile((gradient, scale, ...scalars) =>
      this.proposal(gradient as tf.Tensor1D, scale as tf.Scalar, scalars as unknown as AdamScalars),
    );
  }

  /**
   * One step.
   *
   * @param gradient - [P], in the order of the trainable parameters; the caller keeps owning it
   * @param learningRate - step size, ≥ 0
   * @param scale - multiplies the gradient, for clipping by the global norm
   */
  step(gradient: tf.Tensor1D, learningRate: number, scale = 1): void {
    tf.tidy(() => {
      const scalars = [scale, ...this.scalars(learningRate)].map((number) => tf.scalar(number));
      this.take(this.compiled(gradient, ...scalars));
    });
  }

  /** What the next step needs of the host, in the order of `AdamScalars`. */
  scalars(learningRate: number): [rate: number, floor: number, decay: number] {
    const { beta1, beta2 } = this.nextPowers();
    const correction = Math.sqrt(1 - beta2);
    return [
      (learningRate * correction) / (1 - beta1),
      this.options.epsilon * correction,
      learningRate * this.options.weightDecay,
    ];
  }

  /**
   * The arithmetic of a step, for use inside a larger compiled function: nothing is changed until `take`.
   *
   * @param gradient - [P], in the order of the trainable parameters
   * @param scale - multiplies the gradient, for clipping by the global norm
   * @param scalars - of this step
   * @returns both moments and the parameters after the step, which the caller disposes; nothing where nothing is trainable
   */
  proposal(gradient: tf.Tensor1D, scale: tf.Scalar, [rate, floor, decay]: AdamScalars): tf.Tensor[] {
    if (!this.moments) return [];
    const { beta1, beta2 } = this.options;
    const { first, second } = this.moments;
    return tf.tidy(() => {
      // the scale goes into the weights, and not over the whole vector
      const m = tf.add(tf.mul(first, beta1), tf.mul(gradient, tf.mul(scale, 1 - beta1)));
      const v = tf.add(
        tf.mul(second, beta2),
        tf.mul(tf.square(gradient), tf.mul(tf.square(scale), 1 - beta2)),
      );
      const step = tf.div(tf.mul(m, rate), tf.add(tf.sqrt(v), floor));
      const before = tf.concat1d(this.segments.map(({ variable }) => tf.reshape(variable, [-1])));
      const decayed = this.decays ? tf.mul(before, tf.sub(1, tf.mul(this.decays, decay))) : before;
      const parts = tf.split(
        tf.sub(decayed, step),
        this.segments.map(({ size }) => size),
      );
      return [m, v, ...this.segments.map(({ shape }, i) => tf.reshape(parts[i], [...shape]))];
    });
  }

  /**
   * Takes a step that was proposed with the current state.
   *
   * @param proposal - as `proposal` gave it; the caller keeps owning it
   */
  take(proposal: readonly tf.Tensor[]): void {
    this.powers = this.nextPowers();
    if (!this.moments) return;
    const [m, v, ...parameters] = proposal;
    this.moments.first.assign(m);
    this.moments.second.assign(v);
    this.segments.forEach(({ variable }, i) => variable.assign(parameters[i]));
  }

  /** Moments and powers, copied to the host. */
  state(): AdamState {
    const moments: Record<string, NamedArray> = {};
    for (const [label, slot] of Object.entries(this.moments ?? {})) {
      const values = slot.dataSync() as Float32Array;
      for (const { name, shape, start, size } of this.segments)
        moments[`${label}.${name}`] = { shape, data: values.slice(start, start + size) };
    }
    return { moments, powers: { ...this.powers } };
  }

  /** @throws {CheckpointError} when a moment is missing or of another shape; nothing is changed then */
  restore(state: AdamState): void {
    const slots = Object.entries(this.moments ?? {});
    const restored = slots.map(([label, slot]) => {
      const values = new Float32Array(slot.size);
      for (const { name, shape, start } of this.segments) {
        const array = state.moments[`${label}.${name}`];
        if (!array || array.shape.join() !== shape.join()) {
          throw new CheckpointError(
            `The checkpoint's optimiser state lacks "${label}.${name}" of shape [${shape.join(', ')}].`,
          );
        }
        values.set(array.data, start);
      }
      return values;
    });
    slots.forEach(([, slot], i) => {
      const value = tf.tensor1d(restored[i]);
      slot.assign(value);
      value.dispose();
    });
    this.powers = { ...state.powers };
  }

  /** Frees the moments. */
  dispose(): void {
    this.compiled.dispose();
    tf.dispose([this.moments?.first, this.moments?.second, this.decays]);
  }

  /** The powers of β that the next step corrects with. */
  private nextPowers(): AdamState['powers'] {
    const { beta1, beta2 } = this.options;
    return { beta1: this.powers.beta1 * beta1, beta2: this.powers.beta2 * beta2 };
  }
}
