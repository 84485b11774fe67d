/**
 * What must hold in every run. Each invariant is one function or class here, which throws an `InvariantError` that says what
 * broke, where, and the numbers around it; `RunGuard` asks all of them around every update.
 */
import { NumericalError } from './errors.js';
import type { NamedArray, ParameterStore } from './nn/parameters.js';
import type { Policy } from './policy.js';
import { scoredRows, type Rollout } from './rollout/rollout.js';
import { compile, tf, type CompiledFunction } from './tf.js';

/** What must hold in every run, by name. */
export type Invariant =
  | 'finite-rollout'
  | 'sampler-is-scorer'
  | 'reference-kl-at-start'
  | 'ratio-at-first-minibatch'
  | 'finite-update'
  | 'finite-parameters'
  | 'reference-unchanged'
  | 'no-tensor-growth';

/** An invariant of training is broken. */
export class InvariantError extends NumericalError {
  override name = 'InvariantError';

  /** @param values - what was seen, as JSON (numbers that are not finite as text) */
  constructor(
    readonly invariant: Invariant,
    message: string,
    readonly values: Readonly<Record<string, unknown>>,
  ) {
    super(message);
  }
}

/** Largest KL to the reference, in nats a token or step, that rounding may show before the first update. */
export const KL_AT_START = 1e-5;
/** Largest |ρ − 1| that rounding may show between sampler and scorer. */
export const RATIO_TOLERANCE = 1e-3;
/** A count that grows in this many of the last `GROWTH_WINDOW` updates is a leak; new shapes may add constants now and then. */
const GROWTHS_ALLOWED = 4;
const GROWTH_WINDOW = 10;
/** Steps of an environment that are scored again each update; of trajectories it is one. */
const PROBED_STEPS = 16;
/** Neighbours on each side that a message shows. */
const NEIGHBOURS = 2;

/** Rewards, log-probabilities, values and observations are finite. */
export function checkFiniteRollout(rollout: Rollout, update: number): void {
  const { inputs, reference } = rollout;
  const arrays: Record<string, Float32Array | undefined> = {
    rewards: rollout.rewards,
    logProbs: rollout.logProbs,
    values: rollout.values,
    bootstrapValues: rollout.bootstrapValues,
    greedyRewards: rollout.greedyRewards,
    ...Object.fromEntries(Object.entries(rollout.components).map(([k, v]) => [`components.${k}`, v])),
    ...('observations' in inputs && { observations: inputs.observations }),
    ...(rollout.actions instanceof Float32Array && { actions: rollout.actions }),
    ...(reference && { 'reference.logProbs': reference.logProbs, 'reference.exactKl': reference.exactKl }),
  };
  for (const [name, array] of Object.entries(arrays)) {
    const at = array ? firstNotFinite(array) : -1;
    if (at < 0) continue;
    const place = placeIn(rollout, array!.length, at);
    throw new InvariantError(
      'finite-rollout',
      `Update ${update + 1}: ${name}${place} of the rollout is ${array![at]} (around it: ${around(array!, at)}); it must be finite. Look at the environment, the reward, or the step before for extreme values.`,
      { array: name, place, ...seen(array!, at) },
    );
  }
}

/** Where the first number is that is not finite; −1 where there is none. Every number of a run passes here. */
function firstNotFinite(numbers: Float32Array): number {
  for (let i = 0; i < numbers.length; i++) if (numbers[i] - numbers[i] !== 0) return i;
  return -1;
}

/** Before the first update the policy is its reference: the exact KL is 0 at every step. */
export function checkReferenceAtStart(rollout: Rollout): void {
  const { exactKl, logProbs } = rollout.reference ?? {};
  if (!exactKl || !logProbs) return;
  let at = 0;
  for (let i = 1; i < exactKl.length; i++) if (!(Math.abs(exactKl[i]) <= Math.abs(exactKl[at]))) at = i;
  if (Math.abs(exactKl[at]) <= KL_AT_START) return;
  const place = placeIn(rollout, exactKl.length, at);
  throw new InvariantError(
    'reference-kl-at-start',
    `Before the first update the KL to the reference must be 0; it is ${exactKl[at]} nats at step ${place} (log-probability of the action: policy ${rollout.logProbs[at]}, reference ${logProbs[at]}). The reference is not a copy of the policy, or the two do not see the same: temperature, mask, positions and window of tokens, statistics of observations.`,
    { place, exactKl: seen(exactKl, at), policy: seen(rollout.logProbs, at), reference: seen(logProbs, at) },
  );
}

/** The ratio on the first minibatch is 1, by what the algorithm reports. */
export function checkFirstRatio(stats: Readonly<Record<string, number>>, update: number): void {
  const deviation = stats['firstRatioDeviation'];
  if (deviation === undefined || deviation <= RATIO_TOLERANCE) return;
  throw new InvariantError(
    'ratio-at-first-minibatch',
    `Update ${update + 1}: the ratio on the first minibatch must be 1; it is off by ${deviation}. Sampler and scorer are different functions: compare their temperature, dropout, mask, positions and context.`,
    printable(stats),
  );
}

/** Losses, gradients and everything else that an update reports are finite. */
export function checkFiniteUpdate(stats: Readonly<Record<string, number>>, update: number): void {
  const wrong = Object.entries(stats).find(([, value]) => !Number.isFinite(value));
  if (!wrong) return;
  throw new InvariantError(
    'finite-update',
    `Update ${update + 1}: ${wrong[0]} is ${wrong[1]}; it must be finite. Lower the learning rate or look for extreme rewards.`,
    printable(stats),
  );
}

/** Every parameter is finite after the update. */
export function checkFiniteParameters(
  parameters: Readonly<Record<string, NamedArray>>,
  update: number,
): void {
  for (const [name, { data }] of Object.entries(parameters)) {
    const at = firstNotFinite(data);
    if (at < 0) continue;
    throw new InvariantError(
      'finite-parameters',
      `Update ${update + 1}: the parameter "${name}" has become ${data[at]} at position ${at} (around it: ${around(data, at)}). Lower the learning rate or look for extreme rewards.`,
      { parameter: name, ...seen(data, at) },
    );
  }
}

/** The weights of the reference are what they were when the run began, bit for bit. */
export class ReferenceGuard {
  readonly original: Readonly<Record<string, NamedArray>>;

  constructor(private readonly parameters: ParameterStore) {
    this.original = parameters.save();
  }

  check(update: number): void {
    for (const [name, variable] of this.parameters.entries()) {
      const now = variable.dataSync() as Float32Array;
      const before = this.original[name].data;
      if (bytes(now).equals(bytes(before))) continue;
      const at = now.findIndex((x, i) => !Object.is(x, before[i]));
      throw new InvariantError(
        'reference-unchanged',
        `Update ${update + 1}: the reference must stay as it is; its parameter "${name}" went from ${before[at]} to ${now[at]} at position ${at}. Something trains it, or loads weights into it: freeze a copy (clone({ trainable: false })).`,
        { parameter: name, before: seen(before, at), now: seen(now, at) },
      );
    }
  }
}

/**
 * What the sampler says about its actions is what the scorer says: some rows of every rollout are scored again, other ones each
 * update. `dispose` frees what was compiled.
 */
export class SamplerProbe {
  private pass: CompiledFunction<tf.Tensor[], tf.Tensor> | undefined;

  constructor(private readonly policy: Policy) {}

  check(rollout: Rollout, update: number): void {
    const { inputs, actions, logProbs, mask } = rollout;
    const { rows, stepsPerRow } = scoredRows(rollout);
    const isTokens = 'contextTokens' in inputs;
    const count = isTokens ? 1 : Math.min(PROBED_STEPS, rows);
    const first = (update * count) % (rows - count + 1);
    const part = <A extends Float32Array | Int32Array>(all: A): A => {
      const width = all.length / rows;
      return all.subarray(first * width, (first + count) * width) as A;
    };
    const actionSize = actions.length / (rows * stepsPerRow);
    const name = isTokens ? 'contextTokens' : 'observations'; // the same in every rollout of a run
    this.pass ??= compile((inputs, actions) => this.policy.scoreRows({ [name]: inputs, actions }).logProbs);
    const tensor = (data: Float32Array | Int32Array, shape: number[]): tf.Tensor =>
      tf.tensor(data, [count, ...shape], data instanceof Int32Array ? 'int32' : 'float32');
    const scored = tf.tidy(() => {
      const seen = isTokens ? inputs.contextTokens : inputs.observations;
      return this.pass!(
        tensor(part(seen), [seen.length / rows]),
        tensor(part(actions), [stepsPerRow, ...(actionSize > 1 ? [actionSize] : [])]),
      );
    });
    const scorer = scored.dataSync();
    scored.dispose();
    for (let i = 0; i < scorer.length; i++) {
      const at = first * stepsPerRow + i;
      if (mask[at] === 0 || Math.abs(Math.exp(scorer[i] - logProbs[at]) - 1) <= RATIO_TOLERANCE) continue;
      const place = placeIn(rollout, logProbs.length, at);
      throw new InvariantError(
        'sampler-is-scorer',
        `Update ${update + 1}: at step ${place} the sampler gave its action the log-probability ${logProbs[at]}, the scorer gives ${scorer[i]} (sampler around it: ${around(logProbs, at)}). Sampler and scorer are different functions: compare their temperature, dropout, mask, positions and context.`,
        { place, sampler: seen(logProbs, at), scorer: seen(scorer as Float32Array, i) },
      );
    }
  }

  dispose(): void {
    this.pass?.dispose();
  }
}

/** An update leaves no tensor behind. Counts may grow while functions are traced, and now and then when a new shape comes. */
export class TensorGrowth {
  private readonly growths: number[] = [];

  /**
   * @param before - tensors before collection and update
   * @param after - tensors after them
   */
  check(before: number, after: number, update: number): void {
    this.growths.push(after - before);
    if (this.growths.length > GROWTH_WINDOW) this.growths.shift();
    const grown = this.growths.filter((growth) => growth > 0).length;
    if (grown <= GROWTHS_ALLOWED) return;
    throw new InvariantError(
      'no-tensor-growth',
      `Update ${update + 1}: collection and update must leave no tensor behind; ${grown} of the last ${this.growths.length} updates did (growth of each: ${this.growths.join(', ')}; ${after} tensors now). Wrap the arithmetic in tf.tidy and dispose what was kept.`,
      { tensors: after, growths: [...this.growths] },
    );
  }
}

/** Numbers as JSON can hold them. */
export function printable(numbers: Readonly<Record<string, number>>): Record<string, number | string> {
  return Object.fromEntries(Object.entries(numbers).map(([name, x]) => [name, jsonNumber(x)]));
}

const jsonNumber = (x: number): number | string => (Number.isFinite(x) ? x : String(x));

/** A number and its neighbours, for the record. */
function seen(array: Float32Array, at: number): Record<string, unknown> {
  const start = Math.max(0, at - 8);
  return { at, value: jsonNumber(array[at]), from: start, around: Array.from(array.slice(start, at + 9), jsonNumber) }; // prettier-ignore
}

/** A number and its neighbours, for a message. */
function around(array: Float32Array, at: number): string {
  const shown = array.slice(Math.max(0, at - NEIGHBOURS), at + NEIGHBOURS + 1);
  return Array.from(shown, (x) => (Number.isFinite(x) ? Number(x.toPrecision(4)) : x)).join(', ');
}

/** `[row, step]`, or `[row]` of an array with one number a trajectory. */
function placeIn({ batchSize, steps }: Rollout, length: number, at: number): string {
  const width = length / batchSize;
  const row = Math.floor(at / width);
  return width === 1 ? `[${row}]` : `[${row}, ${Math.floor(((at - row * width) * steps) / width)}]`;
}

function bytes({ buffer, byteOffset, byteLength }: Float32Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
