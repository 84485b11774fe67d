import { NumericalError, ShapeError } from '../errors.js';
import { compile, tf, type CompiledFunction } from '../tf.js';
import type { Adam } from './adam.js';
import type { ParameterStore } from './parameters.js';

/** An array on the host whose first dimension is the rows of a batch. */
export interface RowArray {
  readonly data: Float32Array | Int32Array;
  /** [B, …] */
  readonly shape: readonly number[];
}

/** A loss and what else is worth reading from the same pass; all scalars. */
export interface LossParts {
  /** A mean over the rows (where the step is given a mask: over the real steps of the rows). */
  readonly loss: tf.Scalar;
  /** Means of the same kind. */
  readonly means?: Readonly<Record<string, tf.Scalar>>;
  /** Largest values. */
  readonly maxima?: Readonly<Record<string, tf.Scalar>>;
}

export interface GradientStepsOptions {
  parameters: ParameterStore;
  optimizer: Adam;
  /** Gradients are scaled down to this global norm (Pascanu et al. 2013, arXiv:1211.5063). */
  maxGradNorm: number;
  /** What the loss is called in an error message. */
  name: string;
  /**
   * Rows of one pass. Larger batches go in parts, on several threads at once where there are several cores, and the
   * gradients of the parts are added up in their order: the number of threads changes nothing.
   *
   * @defaultValue all
   */
  rowsPerPass?: number;
  /**
   * Builds the loss of some rows from tensors named as in `step`. It is traced once per shape (see `compile`): what changes
   * from step to step must come as an argument. Runs inside `tf.tidy`.
   */
  loss: (
    rows: Readonly<Record<string, tf.Tensor>>,
    scalars: Readonly<Record<string, tf.Scalar>>,
  ) => LossParts;
}

export interface StepInputs {
  /** [B, …] each, with one B. */
  readonly rows: Readonly<Record<string, RowArray>>;
  /** Numbers that the loss needs and that may change from step to step. */
  readonly scalars?: Readonly<Record<string, number>>;
  /** [B, T] 1 for real steps: what the means of the loss are over. Every row counts the same without it. */
  readonly mask?: Float32Array;
  /** Step size of the optimiser. */
  readonly learningRate: number;
  /**
   * Told the statistics before the step is taken; returning false leaves the parameters as they are (an update that
   * strayed too far stops here).
   */
  readonly accept?: (stats: Readonly<Record<string, number>>) => boolean;
}

/** What a pass gives back. */
type PassResult = { gradient: tf.Tensor1D; loss: tf.Tensor } & Record<'means' | 'maxima', tf.NamedTensorMap>;

/**
 * Steps down the gradient of a loss, one whole step a call. On the engine forward pass, backward pass and optimiser are
 * compiled. It leaves no tensor behind; `dispose` frees what was compiled.
 */
export class GradientSteps {
  private readonly passes = new Map<string, CompiledFunction<tf.Tensor[], PassResult>>();
  private readonly trainable: readonly (readonly [string, tf.Variable])[];

  constructor(private readonly options: GradientStepsOptions) {
    this.trainable = options.parameters.entries().filter(([, variable]) => variable.trainable);
  }

  /**
   * One step.
   *
   * @returns the statistics, `loss` and `gradNorm` (before clipping) among them, and whether the step was taken
   * @throws {NumericalError} when the loss, a statistic or the gradient is not finite; the parameters are untouched then
   * @throws {ShapeError} when the mask leaves nothing
   */
  step(inputs: StepInputs): { stats: Record<string, number>; taken: boolean } {
    const { optimizer, maxGradNorm, name } = this.options;
    const { stats, gradient } = this.gradient(inputs);
    try {
      for (const [key, number] of Object.entries(stats)) {
        if (!Number.isFinite(number)) {
          throw new NumericalError(
            `${name}: ${key} became ${number}. Lower the learning rate or look for extreme rewards; the parameters are those from before this step.`,
          );
        }
      }
      if (inputs.accept && !inputs.accept(stats)) return { stats, taken: false };
      const scale = Math.min(1, maxGradNorm / (stats['gradNorm'] + 1e-6));
      optimizer.step(gradient, inputs.learningRate, scale);
      return { stats, taken: true };
    } finally {
      gradient.dispose();
    }
  }

  dispose(): void {
    for (const pass of this.passes.values()) pass.dispose();
    this.passes.clear();
  }

  /** Statistics, and the gradient of the mean loss as one vector in the order of the parameters, which the caller disposes. */
  private gradient({ rows, scalars = {}, mask }: StepInputs): {
    stats: Record<string, number>;
    gradient: tf.Tensor1D;
  } {
    const batch = Object.values(rows)[0].shape[0];
    const passes = Math.ceil(batch / (this.options.rowsPerPass ?? batch));
    const rowsPerPass = Math.ceil(batch / passes);
    const pass = this.pass(Object.keys(rows), Object.keys(scalars));
    const total = mask ? sum(mask) : batch;
    if (total === 0)
      throw new ShapeError(`${this.options.name}: there is no real step; the mask is 0 everywhere.`);
    const shares: number[] = [];
    const results = tf.tidy(() => {
      const calls: tf.Tensor[][] = [];
      for (let start = 0; start < batch; start += rowsPerPass) {
        const end = Math.min(batch, start + rowsPerPass);
        const width = mask ? mask.length / batch : 1;
        const share = (mask ? sum(mask.subarray(start * width, end * width)) : end - start) / total;
        if (share === 0) continue; // nothing but padding, whose mean is not a number
        shares.push(share);
        calls.push([
          tf.scalar(share),
          ...Object.values(scalars).map((value) => tf.scalar(value)),
          ...Object.values(rows).map((array) => rowTensor(array, start, end)),
        ]);
      }
      return calls.length === 1 ? [pass(...calls[0])] : pass.map(calls);
    });
    const stats: Record<string, number> = { loss: 0 };
    const gradient = (results[0].gradient.dataSync() as Float32Array).slice();
    results.forEach((result, i) => {
      stats['loss'] += shares[i] * result.loss.dataSync()[0];
      for (const [key, mean] of Object.entries(result.means))
        stats[key] = (stats[key] ?? 0) + shares[i] * mean.dataSync()[0];
      for (const [key, maximum] of Object.entries(result.maxima))
        stats[key] = Math.max(stats[key] ?? -Infinity, maximum.dataSync()[0]);
      if (i > 0) addTo(gradient, result.gradient.dataSync() as Float32Array);
      tf.dispose(result);
    });
    stats['gradNorm'] = Math.sqrt(sumOfSquares(gradient));
    return { stats, gradient: tf.tensor1d(gradient) };
  }

  /** The gradient of `share` times the loss of some rows. */
  private pass(
    rowNames: readonly string[],
    scalarNames: readonly string[],
  ): CompiledFunction<tf.Tensor[], PassResult> {
    const key = [...scalarNames, '', ...rowNames].join();
    let pass = this.passes.get(key);
    if (!pass) {
      pass = compile((...args: tf.Tensor[]): PassResult => {
        const [share, ...rest] = args;
        const named = (names: readonly string[], from: number): tf.NamedTensorMap =>
          Object.fromEntries(names.map((name, i) => [name, rest[from + i]]));
        const scalars = named(scalarNames, 0) as Record<string, tf.Scalar>;
        let parts: LossParts | undefined;
        const { grads } = tf.variableGrads(
          () => {
            parts = this.options.loss(named(rowNames, scalarNames.length), scalars);
            for (const kept of [parts.loss, ...Object.values({ ...parts.means, ...parts.maxima })])
              tf.keep(kept);
            return tf.mul<tf.Scalar>(parts.loss, share);
          },
          this.trainable.map(([, variable]) => variable),
        );
        const { loss, means, maxima } = parts!;
        const gradient = flat(
          this.trainable.map(([, variable]) => grads[variable.name] ?? tf.zeros(variable.shape)),
        );
        // copies, because one tensor may be named twice and what was kept is freed here
        const copies = (named: Readonly<Record<string, tf.Scalar>> = {}): tf.NamedTensorMap =>
          Object.fromEntries(Object.entries(named).map(([name, scalar]) => [name, scalar.clone()]));
        const result = {
          gradient,
          loss: loss.clone(),
          means: copies(means),
          maxima: copies(maxima),
        };
        tf.dispose([loss, ...Object.values({ ...means, ...maxima })]);
        return result;
      });
      this.passes.set(key, pass);
    }
    return pass;
  }
}

/** Tensors one after the other as one vector. */
export function flat(tensors: readonly tf.Tensor[]): tf.Tensor1D {
  return tf.tidy(() => tf.concat1d(tensors.map((tensor) => tf.reshape(tensor, [-1]))));
}

function rowTensor({ data, shape }: RowArray, start: number, end: number): tf.Tensor {
  const width = data.length / shape[0];
  const part = data.subarray(start * width, end * width);
  return tf.tensor(part, [end - start, ...shape.slice(1)], data instanceof Int32Array ? 'int32' : 'float32');
}

function addTo(total: Float32Array, part: Float32Array): void {
  for (let i = 0; i < total.length; i++) total[i] += part[i];
}

function sumOfSquares(numbers: Float32Array): number {
  let squares = 0;
  for (let i = 0; i < numbers.length; i++) squares += numbers[i] * numbers[i];
  return squares;
}

function sum(numbers: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < numbers.length; i++) total += numbers[i];
  return total;
}
