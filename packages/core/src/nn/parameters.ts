import { CheckpointError, ShapeError } from '../errors.js';
import { tf } from '../tf.js';

/** A named array as it is saved: shape and float32 values. */
export interface NamedArray {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/**
 * The parameters of a model, by name (`layers.0.attention.qkv`). It owns the variables: `dispose` frees them.
 * Names are ours; tfjs gives its variables names of its own, so that two models may live side by side.
 */
export class ParameterStore {
  private readonly variables = new Map<string, tf.Variable>();

  /** @throws {ShapeError} when the name is taken */
  add(name: string, shape: number[], data: Float32Array, trainable = true): void {
    if (this.variables.has(name)) throw new ShapeError(`The parameter "${name}" exists already.`);
    const initial = tf.tensor(data, shape, 'float32');
    this.variables.set(name, tf.variable(initial, trainable));
    initial.dispose();
  }

  /** The current value, which the store goes on owning. @throws {ShapeError} when there is none of that name */
  get<R extends tf.Rank = tf.Rank>(name: string): tf.Tensor<R> {
    const variable = this.variables.get(name);
    if (!variable) throw new ShapeError(`There is no parameter "${name}".`);
    return variable as unknown as tf.Tensor<R>;
  }

  /** The variable itself, to assign to. @throws {ShapeError} when there is none of that name */
  variable(name: string): tf.Variable {
    return this.get(name) as unknown as tf.Variable;
  }

  /** Names in the order in which they were added. */
  names(): string[] {
    return [...this.variables.keys()];
  }

  /** Names and variables in the order in which they were added. */
  entries(): [name: string, variable: tf.Variable][] {
    return [...this.variables.entries()];
  }

  /** The number of scalars in all parameters. */
  get size(): number {
    return this.entries().reduce((sum, [, variable]) => sum + variable.size, 0);
  }

  /** A copy of every value, on the host. */
  save(): Record<string, NamedArray> {
    return Object.fromEntries(
      this.entries().map(([name, v]) => [
        name,
        { shape: v.shape, data: (v.dataSync() as Float32Array).slice() },
      ]),
    );
  }

  /**
   * Replaces every value; the variables stay the same objects.
   *
   * @throws {CheckpointError} when a name is missing, unknown or of another shape; nothing is changed then
   */
  load(arrays: Readonly<Record<string, NamedArray>>): void {
    for (const name of Object.keys(arrays)) {
      if (!this.variables.has(name))
        throw new CheckpointError(`The checkpoint has an unknown parameter "${name}".`);
    }
    for (const [name, variable] of this.variables) {
      const array = arrays[name];
      if (!array) throw new CheckpointError(`The checkpoint lacks the parameter "${name}".`);
      if (array.shape.join() !== variable.shape.join()) {
        throw new CheckpointError(
          `The parameter "${name}" has shape [${variable.shape.join(', ')}] here and [${array.shape.join(', ')}] in the checkpoint.`,
        );
      }
    }
    for (const [name, variable] of this.variables) {
      const value = tf.tensor(arrays[name].data, variable.shape, 'float32');
      variable.assign(value);
      value.dispose();
    }
  }

  /** Frees the variables. */
  dispose(): void {
    for (const variable of this.variables.values()) variable.dispose();
    this.variables.clear();
  }
}
