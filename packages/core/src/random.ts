/**
 * Counter-based random streams, named by purpose.
 *
 * A stream is a pure function from a counter to numbers: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers:
 * as easy as 1, 2, 3", SC11) under a key made of the seed and the stream's name. Results therefore do not depend on who
 * else draws, on batch order or on the number of workers, and the whole state of a stream is its counter.
 */

const MULTIPLIER_A = 0xd2511f53;
const MULTIPLIER_B = 0xcd9e8d57;
const WEYL_A = 0x9e3779b9;
const WEYL_B = 0xbb67ae85;
const ROUNDS = 10;
const LANES = 4;

/** The high 32 bits of the product of two unsigned 32-bit integers. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const low = aLow * bLow;
  const middle = aHigh * bLow + (low >>> 16);
  const middleLow = (middle & 0xffff) + aLow * bHigh;
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(middleLow / 0x10000)) >>> 0;
}

/**
 * One block of Philox4x32-10.
 *
 * @param counter - four unsigned 32-bit integers
 * @param key - two unsigned 32-bit integers
 * @param out - receives four unsigned 32-bit integers
 */
export function philox4x32(counter: ArrayLike<number>, key: ArrayLike<number>, out: Uint32Array): void {
  let c0 = counter[0] >>> 0;
  let c1 = counter[1] >>> 0;
  let c2 = counter[2] >>> 0;
  let c3 = counter[3] >>> 0;
  let k0 = key[0] >>> 0;
  let k1 = key[1] >>> 0;
  for (let round = 0; round < ROUNDS; round++) {
    const highA = multiplyHigh(MULTIPLIER_A, c0);
    const lowA = Math.imul(MULTIPLIER_A, c0) >>> 0;
    const highB = multiplyHigh(MULTIPLIER_B, c2);
    const lowB = Math.imul(MULTIPLIER_B, c2) >>> 0;
    c0 = (highB ^ c1 ^ k0) >>> 0;
    c1 = lowB;
    c2 = (highA ^ c3 ^ k1) >>> 0;
    c3 = lowA;
    k0 = (k0 + WEYL_A) >>> 0;
    k1 = (k1 + WEYL_B) >>> 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/** 64 bits of a name (two rounds of FNV-1a over its UTF-16 units, finished by Murmur3's mixer). */
function hashName(name: string): [number, number] {
  const mix = (start: number): number => {
    let hash = start;
    for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return (hash ^ (hash >>> 16)) >>> 0;
  };
  return [mix(0x811c9dc5), mix(0x9747b28c)];
}

/** What has to be saved to continue a stream exactly. */
export interface RandomState {
  seed: number;
  name: string;
  counter: number;
}

/** A stream of random numbers; see the head of this file. */
export class RandomStream {
  private readonly key: [number, number];
  private readonly nameBits: [number, number];
  private readonly block = new Uint32Array(LANES);
  private blockIndex = -1;
  private position: number;

  /**
   * @param seed - any safe integer ≥ 0; equal seeds give equal streams
   * @param name - the purpose, for example `rollout/actions`
   * @param counter - where to continue, in drawn 32-bit words
   */
  constructor(
    readonly seed: number,
    readonly name: string,
    counter = 0,
  ) {
    if (!Number.isSafeInteger(seed) || seed < 0)
      throw new RangeError(`A seed is an integer ≥ 0; got ${seed}.`);
    this.key = [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0];
    this.nameBits = hashName(name);
    this.position = counter;
  }

  /** An independent stream of the same seed: `stream.fork('update-7')` is named `<name>/update-7`. */
  fork(name: string | number): RandomStream {
    return new RandomStream(this.seed, `${this.name}/${name}`);
  }

  /** The next unsigned 32-bit integer. */
  uint32(): number {
    const index = Math.floor(this.position / LANES);
    if (index !== this.blockIndex) {
      philox4x32([index >>> 0, Math.floor(index / 2 ** 32) >>> 0, ...this.nameBits], this.key, this.block);
      this.blockIndex = index;
    }
    return this.block[this.position++ % LANES];
  }

  /** Uniform in [0, 1), a multiple of 2⁻²⁴, so that it survives float32 unchanged. */
  uniform(): number {
    return (this.uint32() >>> 8) / 2 ** 24;
  }

  /** Standard normal by Box and Muller (1958); two words a number. */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log((this.uint32() + 0.5) / 2 ** 32));
    return radius * Math.cos((2 * Math.PI * (this.uint32() + 0.5)) / 2 ** 32);
  }

  /** Uniform integer in [0, n), without modulo bias (rejection of the last incomplete range). */
  integer(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > 2 ** 32)
      throw new RangeError(`integer(n) needs 1 ≤ n ≤ 2³²; got ${n}.`);
    const limit = 2 ** 32 - (2 ** 32 % n);
    for (;;) {
      const word = this.uint32();
      if (word < limit) return word % n;
    }
  }

  /** Gamma variate of the given shape and scale 1 (Marsaglia and Tsang 2000, ACM TOMS 26(3)). */
  gamma(shape: number): number {
    if (!(shape > 0)) throw new RangeError(`gamma(shape) needs a shape > 0; got ${shape}.`);
    if (shape < 1) return this.gamma(shape + 1) * Math.pow(1 - this.uniform(), 1 / shape);
    const d = shape - 1 / 3;
    const c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const x = this.normal();
      const v = (1 + c * x) ** 3;
      if (v <= 0) continue;
      if (Math.log(1 - this.uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
    }
  }

  /** `n` uniform numbers as float32. */
  uniforms(n: number): Float32Array {
    const numbers = new Float32Array(n);
    for (let i = 0; i < n; i++) numbers[i] = this.uniform();
    return numbers;
  }

  /** `n` standard normal numbers as float32. */
  normals(n: number): Float32Array {
    const numbers = new Float32Array(n);
    for (let i = 0; i < n; i++) numbers[i] = this.normal();
    return numbers;
  }

  /** The numbers 0 … n−1 in random order (Fisher and Yates). */
  permutation(n: number): Int32Array {
    const order = Int32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      const held = order[i];
      order[i] = order[j]!;
      order[j] = held;
    }
    return order;
  }

  /** Seed, name and counter, as plain JSON. */
  state(): RandomState {
    return { seed: this.seed, name: this.name, counter: this.position };
  }

  /** The stream that goes on where the saved one was. */
  static fromState(state: RandomState): RandomStream {
    return new RandomStream(state.seed, state.name, state.counter);
  }
}
