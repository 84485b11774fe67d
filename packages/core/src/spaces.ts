/**
 * The sets that observations and actions come from. A value of a discrete space is one integer; a value of the other
 * spaces is a row of numbers in row-major order.
 *
 * Numbers are float32 where they are batched, as in Gymnasium, and so are the bounds of a box: a bound of 0.07 holds
 * for the float32 nearest to 0.07.
 */
import { ConfigError } from './errors.js';
import type { RandomStream } from './random.js';

/** One value of a space. */
export type SpaceValue = number | ArrayLike<number>;

/** Batched actions, [N, A] row by row: Int32Array for discrete spaces, Float32Array for boxes. */
export type ActionArray = Int32Array | Float32Array;

/** A space as plain data, to be saved or sent to a thread. */
export type SpaceSpec =
  | { readonly kind: 'discrete'; readonly n: number }
  | { readonly kind: 'multiDiscrete'; readonly sizes: readonly number[] }
  | {
      readonly kind: 'box';
      readonly low: readonly number[];
      readonly high: readonly number[];
      readonly shape: readonly number[];
    };

interface SpaceMethods<Value extends SpaceValue> {
  /** Numbers of one value: 1 for a discrete space. */
  readonly size: number;
  /** Numbers of one value as a network sees it: integers are one-hot. */
  readonly flatSize: number;
  /** Whether a value lies in the space. */
  contains(value: SpaceValue): boolean;
  /** The first number of the row that starts at `offset` and is outside, or −1. */
  outside(values: ArrayLike<number>, offset: number): number;
  /** A value drawn uniformly; where a box has no bound, as Gymnasium draws it: normal or exponential. */
  sample(random: RandomStream): Value;
  /** Writes the `flatSize` numbers of a value; the value must have `size` numbers, and integers must be inside. */
  flatten(value: SpaceValue, out: Float32Array, offset: number): void;
  /** What a value is, in words. */
  describe(): string;
  /** The space as plain JSON, for `spaceFromSpec`. */
  spec(): SpaceSpec;
}

const isIndex = (value: number, n: number): boolean => Number.isInteger(value) && value >= 0 && value < n;

/** One of the integers 0 … n−1. */
export class DiscreteSpace implements SpaceMethods<number> {
  readonly kind = 'discrete';
  readonly size = 1;
  readonly flatSize: number;

  constructor(readonly n: number) {
    if (!Number.isInteger(n) || n < 1) throw new ConfigError(`discrete(n) needs an integer n ≥ 1; got ${n}.`);
    this.flatSize = n;
  }

  /** Whether a value lies in the space. */
  contains(value: SpaceValue): boolean {
    return typeof value === 'number' && isIndex(value, this.n);
  }

  outside(values: ArrayLike<number>, offset: number): number {
    return isIndex(values[offset], this.n) ? -1 : 0;
  }

  sample(random: RandomStream): number {
    return random.integer(this.n);
  }

  flatten(value: SpaceValue, out: Float32Array, offset: number): void {
    out.fill(0, offset, offset + this.n);
    out[offset + (value as number)] = 1;
  }

  describe(): string {
    return `an integer from 0 to ${this.n - 1}`;
  }

  /** The space as plain JSON, for `spaceFromSpec`. */
  spec(): SpaceSpec {
    return { kind: this.kind, n: this.n };
  }
}

/** A row of integers, the i-th of them one of 0 … sizes[i]−1. */
export class MultiDiscreteSpace implements SpaceMethods<Int32Array> {
  readonly kind = 'multiDiscrete';
  readonly size: number;
  readonly flatSize: number;

  constructor(readonly sizes: readonly number[]) {
    if (sizes.length === 0 || sizes.some((n) => !Number.isInteger(n) || n < 1))
      throw new ConfigError(`multiDiscrete(sizes) needs integers ≥ 1; got [${sizes.join(', ')}].`);
    this.size = sizes.length;
    this.flatSize = sizes.reduce((sum, n) => sum + n, 0);
  }

  /** Whether a value lies in the space. */
  contains(value: SpaceValue): boolean {
    return typeof value === 'object' && value?.length === this.size && this.outside(value, 0) < 0;
  }

  outside(values: ArrayLike<number>, offset: number): number {
    return this.sizes.findIndex((n, i) => !isIndex(values[offset + i], n));
  }

  sample(random: RandomStream): Int32Array {
    return Int32Array.from(this.sizes, (n) => random.integer(n));
  }

  flatten(value: SpaceValue, out: Float32Array, offset: number): void {
    out.fill(0, offset, offset + this.flatSize);
    let at = offset;
    this.sizes.forEach((n, i) => {
      out[at + (value as ArrayLike<number>)[i]] = 1;
      at += n;
    });
  }

  describe(): string {
    const sizes = [...new Set(this.sizes)];
    return sizes.length === 1
      ? `${this.size} integers from 0 to ${sizes[0] - 1}`
      : `${this.size} integers ≥ 0 below [${this.sizes.join(', ')}]`;
  }

  /** The space as plain JSON, for `spaceFromSpec`. */
  spec(): SpaceSpec {
    return { kind: this.kind, sizes: [...this.sizes] };
  }
}

/** An array of float32 numbers between bounds, both included; a bound may be infinite. */
export class BoxSpace implements SpaceMethods<Float32Array> {
  readonly kind = 'box';
  readonly size: number;
  readonly flatSize: number;

  constructor(
    readonly low: Float32Array,
    readonly high: Float32Array,
    readonly shape: readonly number[],
  ) {
    this.size = shape.reduce((product, n) => product * n, 1);
    this.flatSize = this.size;
    if (shape.some((n) => !Number.isInteger(n) || n < 1))
      throw new ConfigError(`The shape of a box is made of integers ≥ 1; got [${shape.join(', ')}].`);
    if (low.length !== this.size || high.length !== this.size) {
      throw new ConfigError(
        `A box of the shape [${shape.join(', ')}] needs ${this.size} bounds on each side, or one number for all; got ${low.length} and ${high.length}.`,
      );
    }
    const wrong = low.findIndex((bound, i) => !(bound <= high[i]));
    if (wrong >= 0) {
      throw new ConfigError(
        `Each low bound of a box must be ≤ its high bound; got ${low[wrong]} and ${high[wrong]} at ${wrong}.`,
      );
    }
  }

  /** Whether a value lies in the space. */
  contains(value: SpaceValue): boolean {
    return typeof value === 'object' && value?.length === this.size && this.outside(value, 0) < 0;
  }

  outside(values: ArrayLike<number>, offset: number): number {
    for (let i = 0; i < this.size; i++) {
      const value = Math.fround(values[offset + i]);
      if (!(value >= this.low[i] && value <= this.high[i])) return i;
    }
    return -1;
  }

  sample(random: RandomStream): Float32Array {
    const exponential = () => -Math.log(1 - random.uniform());
    return this.low.map((low, i) => {
      const high = this.high[i];
      if (low > -Infinity && high < Infinity) return low + (high - low) * random.uniform();
      if (low > -Infinity) return low + exponential();
      return high < Infinity ? high - exponential() : random.normal();
    });
  }

  flatten(value: SpaceValue, out: Float32Array, offset: number): void {
    for (let i = 0; i < this.size; i++) out[offset + i] = (value as ArrayLike<number>)[i];
  }

  describe(): string {
    const bounds = (values: Float32Array): string => {
      const texts = Array.from(values, (value) => `${Number(value.toPrecision(7))}`);
      return new Set(texts).size === 1 ? texts[0] : `[${texts.join(', ')}]`;
    };
    return `numbers of the shape [${this.shape.join(', ')}] from ${bounds(this.low)} to ${bounds(this.high)}`;
  }

  /** The space as plain JSON, for `spaceFromSpec`. */
  spec(): SpaceSpec {
    return { kind: this.kind, low: [...this.low], high: [...this.high], shape: [...this.shape] };
  }
}

/** What observations and actions may be. */
export type Space = DiscreteSpace | MultiDiscreteSpace | BoxSpace;

/** One of the integers 0 … n−1. */
export const discrete = (n: number): DiscreteSpace => new DiscreteSpace(n);

/** A row of integers, the i-th of them one of 0 … sizes[i]−1. */
export const multiDiscrete = (sizes: readonly number[]): MultiDiscreteSpace => new MultiDiscreteSpace(sizes);

/**
 * Numbers between bounds.
 *
 * @param low - one bound for all numbers, or one each
 * @param high - likewise
 * @param shape - taken from the bounds when one of them is an array
 */
export function box(
  low: number | readonly number[],
  high: number | readonly number[],
  shape?: readonly number[],
): BoxSpace {
  const given = typeof low === 'number' ? high : low;
  const resolved = shape ?? [typeof given === 'number' ? 1 : given.length];
  const size = resolved.reduce((product, n) => product * n, 1);
  const bounds = (bound: number | readonly number[]): Float32Array =>
    typeof bound === 'number' ? new Float32Array(size).fill(bound) : Float32Array.from(bound);
  return new BoxSpace(bounds(low), bounds(high), resolved);
}

/** The space that `spec()` described. */
export function spaceFromSpec(spec: SpaceSpec): Space {
  if (spec.kind === 'discrete') return discrete(spec.n);
  return spec.kind === 'box' ? box(spec.low, spec.high, spec.shape) : multiDiscrete(spec.sizes);
}

/** Room for the actions of N instances, [N, A]. */
export function actionArray(space: Space, count: number): ActionArray {
  return space.kind === 'box' ? new Float32Array(count * space.size) : new Int32Array(count * space.size);
}
