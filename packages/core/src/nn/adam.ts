import { CheckpointError } from '../errors.js';
import { tf } from '../tf.js';
import type { NamedArray, ParameterStore } from './parameters.js';

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

/**
 * Adam (Kingma and Ba 2015, algorithm 1, arXiv:1412.6980) with moments kept by parameter name.
 *
 *   m ← β₁m + (1−β₁)g,  v ← β₂v + (1−β₂)g²,  θ ← θ − lr · (m/(1−β₁ᵗ)) / (√(v/(1−β₂ᵗ)) + ε)
 *
 * tfjs's own optimiser keeps moments by position and recomputes βᵗ when restored, so that a resumed run differs.
 * It owns the moments: `dispose` frees them.
 */
export class Adam {
  private readonly first = new Map<string, tf.Variable>();
  private readonly second = new Map<string, tf.Variable>();
  private powers = { beta1: 1, beta2: 1 };
  private readonly options: Required<AdamOptions>;

  constructor(
    private readonly parameters: ParameterStore,
    options: AdamOptions = {},
  ) {
    this.options = { beta1: 0.9, beta2: 0.999, epsilon: 1e-5, weightDecay: 0, ...options };
    for (const [name, variable] of parameters.entries()) {
      if (!variable.trainable) continue;
      for (const slots of [this.first, this.second]) {
        const zeros = tf.zeros(variable.shape);
        slots.set(name, tf.variable(zeros, false));
        zeros.dispose();
      }
    }
  }

  /**
   * One step.
   *
   * @param gradients - by parameter name; the caller keeps owning them
   * @param learningRate - step size, ≥ 0
   * @param scale - multiplies every gradient, for clipping by the global norm
   */
  step(gradients: Readonly<Record<string, tf.Tensor>>, learningRate: number, scale = 1): void {
    const { beta1, beta2, epsilon, weightDecay } = this.options;
    this.powers = { beta1: this.powers.beta1 * beta1, beta2: this.powers.beta2 * beta2 };
    const correction1 = 1 - this.powers.beta1;
    const correction2 = 1 - this.powers.beta2;
    for (const [name, m] of this.first) {
      const gradient = gradients[name];
      if (!gradient) continue;
      const v = this.second.get(name)!;
      const parameter = this.parameters.variable(name);
      tf.tidy(() => {
        m.assign(tf.add(tf.mul(m, beta1), tf.mul(gradient, (1 - beta1) * scale)));
        v.assign(tf.add(tf.mul(v, beta2), tf.mul(tf.square(gradient), (1 - beta2) * scale * scale)));
        const step = tf.div(
          tf.mul(m, learningRate / correction1),
          tf.add(tf.sqrt(tf.div(v, correction2)), epsilon),
        );
        const decayed =
          weightDecay > 0 && parameter.rank > 1
            ? tf.mul(parameter, 1 - learningRate * weightDecay)
            : parameter;
        parameter.assign(tf.sub(decayed, step));
      });
    }
  }

  state(): AdamState {
    const moments: Record<string, NamedArray> = {};
    for (const [label, slots] of this.slots()) {
      for (const [name, slot] of slots) {
        moments[`${label}.${name}`] = { shape: slot.shape, data: (slot.dataSync() as Float32Array).slice() };
      }
    }
    return { moments, powers: { ...this.powers } };
  }

  /** @throws {CheckpointError} when a moment is missing or of another shape; nothing is changed then */
  restore(state: AdamState): void {
    const found: [tf.Variable, NamedArray][] = [];
    for (const [label, slots] of this.slots()) {
      for (const [name, slot] of slots) {
        const array = state.moments[`${label}.${name}`];
        if (!array || array.shape.join() !== slot.shape.join()) {
          throw new CheckpointError(
            `The checkpoint's optimiser state lacks "${label}.${name}" of shape [${slot.shape.join(', ')}].`,
          );
        }
        found.push([slot, array]);
      }
    }
    for (const [slot, array] of found) {
      const value = tf.tensor(array.data, slot.shape);
      slot.assign(value);
      value.dispose();
    }
    this.powers = { ...state.powers };
  }

  dispose(): void {
    for (const [, slots] of this.slots()) for (const slot of slots.values()) slot.dispose();
  }

  private slots(): [label: string, slots: Map<string, tf.Variable>][] {
    return [
      ['first', this.first],
      ['second', this.second],
    ];
  }
}
