import { ShapeError } from '../errors.js';
import { InvariantError, printable } from '../invariants.js';
import { compile, tensorOver, tf, type CompiledFunction } from '../tf.js';
import type { Adam, AdamScalars } from './adam.js';
import { flat } from './ops.js';
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

/** What is optimised, by what, and by which loss. */
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

/** What one gradient step works on. */
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

/** Losses and statistics of some rows. */
type Measured = { loss: tf.Tensor } & Record<'means' | 'maxima', tf.NamedTensorMap>;

/** What one of several passes gives back. */
type PassResult = Measured & { gradient: tf.Tensor1D };

/** The norm of a gradient before clipping, and what the optimiser makes of it. */
type Proposal = { gradNorm: tf.Scalar; proposal: tf.Tensor[] };

/** What a pass over all rows gives back. */
type WholeResult = {
  /** [K] in the order of their names. */
  stats: tf.Tensor1D;
  proposal: tf.Tensor[];
};

/** A whole step as one call. */
interface WholeStep {
  readonly compiled: CompiledFunction<tf.Tensor[], WholeResult>;
  /** Of the statistics; known once the call was traced. */
  readonly names: readonly string[];
}

/** A step that was computed and not yet taken. */
interface Candidate {
  readonly stats: Record<string, number>;
  take(): void;
  dispose(): void;
}

/** What a batch is cut into. */
interface Parts {
  /** Rows, in order; parts that are nothing but padding are left out. */
  readonly ranges: readonly { readonly start: number; readonly end: number }[];
  /** What each part weighs in the means. */
  readonly shares: readonly number[];
}

/**
 * Steps down the gradient of a loss, one whole step a call. On the engine a step that is one pass over the rows is one compiled
 * call, optimiser included; one of several passes is a call each and one for the optimiser. It leaves no tensor behind; `dispose`
 * frees what was compiled.
 */
export class GradientSteps {
  private readonly compiled = new Map<string, CompiledFunction<tf.Tensor[], PassResult | Proposal>>();
  private readonly wholes = new Map<string, WholeStep>();
  private readonly trainable: readonly (readonly [string, tf.Variable])[];

  constructor(private readonly options: GradientStepsOptions) {
    this.trainable = options.parameters.entries().filter(([, variable]) => variable.trainable);
  }

  /**
   * One step.
   *
   * @returns the statistics, `loss` and `gradNorm` (before clipping) among them, and whether the step was taken
   * @throws {InvariantError} when the loss, a statistic or the gradient is not finite; the parameters are untouched then
   * @throws {ShapeError} when the mask leaves nothing
   */
  step(inputs: StepInputs): { stats: Record<string, number>; taken: boolean } {
    const batch = Object.values(inputs.rows)[0].shape[0];
    const parts = this.parts(batch, inputs.mask);
    const candidate = parts.shares.length === 1 ? this.inOne(inputs, parts) : this.inParts(inputs, parts);
    const { stats } = candidate;
    try {
      for (const [key, number] of Object.entries(stats)) {
        if (!Number.isFinite(number)) {
          throw new InvariantError(
            'finite-update',
            `${this.options.name}: ${key} became ${number}. Lower the learning rate or look for extreme rewards; the parameters are those from before this step.`,
            printable(stats),
          );
        }
      }
      if (inputs.accept && !inputs.accept(stats)) return { stats, taken: false };
      candidate.take();
      return { stats, taken: true };
    } finally {
      candidate.dispose();
    }
  }

  /** Frees what was compiled. */
  dispose(): void {
    for (const { compiled } of this.wholes.values()) compiled.dispose();
    for (const compiled of this.compiled.values()) compiled.dispose();
    this.wholes.clear();
    this.compiled.clear();
  }

  private parts(batch: number, mask: Float32Array | undefined): Parts {
    const passes = Math.ceil(batch / (this.options.rowsPerPass ?? batch));
    const rowsPerPass = Math.ceil(batch / passes);
    const width = mask ? mask.length / batch : 1;
    const total = mask ? sum(mask) : batch;
    if (total === 0)
      throw new ShapeError(`${this.options.name}: there is no real step; the mask is 0 everywhere.`);
    const ranges: { start: number; end: number }[] = [];
    const shares: number[] = [];
    for (let start = 0; start < batch; start += rowsPerPass) {
      const end = Math.min(batch, start + rowsPerPass);
      const share = (mask ? sum(mask.subarray(start * width, end * width)) : end - start) / total;
      if (share === 0) continue; // nothing but padding, whose mean is not a number
      ranges.push({ start, end });
      shares.push(share);
    }
    return { ranges, shares };
  }

  /** Loss, gradient and optimiser as one call. */
  private inOne({ rows, scalars = {}, learningRate }: StepInputs, { ranges: [range] }: Parts): Candidate {
    const { optimizer } = this.options;
    const { compiled, names } = this.whole(Object.keys(scalars), Object.keys(rows));
    const numbers = [...optimizer.scalars(learningRate), ...Object.values(scalars)];
    const result = compiled.feed([
      ...numbers.map((number) => ({ data: Float32Array.of(number), shape: [] })),
      ...Object.values(rows).map((array) => rowsOf(array, range.start, range.end)),
    ]);
    const values = result.stats.dataSync();
    const stats: Record<string, number> = {};
    for (let i = 0; i < names.length; i++) stats[names[i]] = values[i];
    return {
      stats,
      take: () => optimizer.take(result.proposal),
      dispose: () => void tf.dispose(result),
    };
  }

  /** The call for inputs of these names. */
  private whole(scalarNames: readonly string[], rowNames: readonly string[]): WholeStep {
    const key = `${scalarNames.join()};${rowNames.join()}`;
    let whole = this.wholes.get(key);
    if (!whole) {
      const names: string[] = [];
      const compiled = compile((...args: tf.Tensor[]): WholeResult => {
        const adamScalars = args.slice(0, 3) as unknown as AdamScalars;
        const { gradient, loss, means, maxima } = this.differentiate(scalarNames, rowNames, args.slice(3));
        const { gradNorm, proposal } = this.propose(gradient, adamScalars);
        const stats = { loss, ...means, ...maxima, gradNorm };
        names.splice(0, names.length, ...Object.keys(stats));
        return { stats: tf.stack(Object.values(stats)) as tf.Tensor1D, proposal };
      });
      this.wholes.set(key, (whole = { compiled, names }));
    }
    return whole;
  }

  /** A call for each part, on several threads; gradients are added up in the order of the parts. */
  private inParts({ rows, scalars = {}, learningRate }: StepInputs, { ranges, shares }: Parts): Candidate {
    const { optimizer } = this.options;
    const rowNames = Object.keys(rows);
    const scalarNames = Object.keys(scalars);
    const pass = this.function(
      `part ${[...scalarNames, '', ...rowNames].join()}`,
      (share, ...args): PassResult => this.differentiate(scalarNames, rowNames, args, share as tf.Scalar),
    );
    const join = this.function('join', (...args): Proposal => {
      const gradients = args.slice(3) as tf.Tensor1D[];
      return this.propose(
        gradients.reduce((sum, part) => tf.add(sum, part)),
        args.slice(0, 3) as unknown as AdamScalars,
      );
    });
    const results = tf.tidy(() =>
      pass.map(
        ranges.map(({ start, end }, i) => [
          tf.scalar(shares[i]),
          ...Object.values(scalars).map((value) => tf.scalar(value)),
          ...Object.values(rows).map((array) => rowTensor(array, start, end)),
        ]),
      ),
    );
    const joined = tf.tidy(() =>
      join(
        ...optimizer.scalars(learningRate).map((number) => tf.scalar(number)),
        ...results.map(({ gradient }) => gradient),
      ),
    );
    const stats: Record<string, number> = { loss: 0 };
    results.forEach((result, i) => {
      stats['loss'] += shares[i] * result.loss.dataSync()[0];
      for (const [key, mean] of Object.entries(result.means))
        stats[key] = (stats[key] ?? 0) + shares[i] * mean.dataSync()[0];
      for (const [key, maximum] of Object.entries(result.maxima))
        stats[key] = Math.max(stats[key] ?? -Infinity, maximum.dataSync()[0]);
    });
    tf.dispose(results);
    stats['gradNorm'] = joined.gradNorm.dataSync()[0];
    return {
      stats,
      take: () => optimizer.take(joined.proposal),
      dispose: () => void tf.dispose(joined),
    };
  }

  /** Clips a gradient by its global norm and lets the optimiser propose a step; nothing is changed. */
  private propose(gradient: tf.Tensor1D, scalars: AdamScalars): Proposal {
    const { optimizer, maxGradNorm } = this.options;
    const gradNorm = tf.sqrt(tf.sum<tf.Scalar>(tf.square(gradient)));
    const scale = tf.minimum<tf.Scalar>(1, tf.div(maxGradNorm, tf.add(gradNorm, 1e-6)));
    return { gradNorm, proposal: optimizer.proposal(gradient, scale, scalars) };
  }

  /** A function that is traced once for inputs of the same names. */
  private function<R extends PassResult | Proposal>(
    key: string,
    fn: (...args: tf.Tensor[]) => R,
  ): CompiledFunction<tf.Tensor[], R> {
    let compiled = this.compiled.get(key);
    if (!compiled) this.compiled.set(key, (compiled = compile(fn)));
    return compiled as CompiledFunction<tf.Tensor[], R>;
  }

  /**
   * Loss, statistics, and the gradient of the loss (or `share` of it) as one vector in the order of the parameters.
   *
   * @param args - the scalars, then the rows
   */
  private differentiate(
    scalarNames: readonly string[],
    rowNames: readonly string[],
    args: readonly tf.Tensor[],
    share?: tf.Scalar,
  ): PassResult {
    const named = (names: readonly string[], from: number): tf.NamedTensorMap =>
      Object.fromEntries(names.map((name, i) => [name, args[from + i]]));
    const scalars = named(scalarNames, 0) as Record<string, tf.Scalar>;
    const rows = named(rowNames, scalarNames.length);
    let parts: LossParts | undefined;
    const { grads } = tf.variableGrads(
      () => {
        parts = this.options.loss(rows, scalars);
        for (const kept of [parts.loss, ...Object.values({ ...parts.means, ...parts.maxima })]) tf.keep(kept);
        return share ? tf.mul<tf.Scalar>(parts.loss, share) : parts.loss;
      },
      this.trainable.map(([, variable]) => variable),
    );
    const { loss, means, maxima } = parts!;
    const gradient = flat(
      this.trainable.map(([, variable]) => grads[variable.name] ?? tf.zeros(variable.shape)),
    );
    // copies, because one tensor may be named twice and what was kept is freed here
    const copies = (of: Readonly<Record<string, tf.Scalar>> = {}): tf.NamedTensorMap =>
      Object.fromEntries(Object.entries(of).map(([name, scalar]) => [name, scalar.clone()]));
    const result = { gradient, loss: loss.clone(), means: copies(means), maxima: copies(maxima) };
    tf.dispose([loss, ...Object.values({ ...means, ...maxima })]);
    return result;
  }
}

/** Some rows of an array; the array itself where that is all of them. */
function rowsOf(array: RowArray, start: number, end: number): RowArray {
  const { data, shape } = array;
  if (end - start === shape[0]) return array;
  const width = data.length / shape[0];
  return { data: data.subarray(start * width, end * width), shape: [end - start, ...shape.slice(1)] };
}

function rowTensor(array: RowArray, start: number, end: number): tf.Tensor {
  const { data, shape } = rowsOf(array, start, end);
  return tensorOver(data, shape.slice());
}

function sum(numbers: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < numbers.length; i++) total += numbers[i];
  return total;
}
