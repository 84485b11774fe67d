import type { RandomStream } from './random.js';

/** Where a policy takes the uniform numbers of its samples from: a `RandomStream`, or numbers that are spread evenly. */
export type Uniforms = Pick<RandomStream, 'uniforms'>;

/** The largest float32 below 1. */
const BELOW_ONE = 1 - 2 ** -24;

/**
 * Uniform numbers for several groups of rows, spread evenly over each group: Latin hypercube sampling (McKay, Beckman and Conover
 * 1979, Technometrics 21(2)). At each step the M numbers of a group lie one in each of [0, 1/M), [1/M, 2/M), …, in random order,
 *
 *   u_m = (π(m) + v_m) / M,   π a random permutation, v_m uniform in [0, 1).
 *
 * Every row by itself is as random as a stream's, so that each sample has the right distribution; means and quantiles over a group
 * vary less than those of independent rows. Samples of a group are not independent: a baseline made of the others would be biased.
 */
export class StratifiedUniforms implements Uniforms {
  /**
   * @param streams - one of each group
   * @param rows - M, of each group
   */
  constructor(
    private readonly streams: readonly RandomStream[],
    private readonly rows: number,
  ) {}

  /**
   * The next numbers of every row, as float32 in [0, 1).
   *
   * @param n - groups · M · steps; row by row, the groups one after the other
   * @throws {RangeError} when n does not divide among the rows
   */
  uniforms(n: number): Float32Array {
    const { streams, rows } = this;
    const steps = n / (streams.length * rows);
    if (!Number.isInteger(steps)) {
      throw new RangeError(
        `uniforms(n) needs a multiple of ${streams.length} groups of ${rows} rows; got ${n}.`,
      );
    }
    const numbers = new Float32Array(n);
    streams.forEach((stream, group) => {
      for (let t = 0; t < steps; t++) {
        const order = stream.permutation(rows);
        for (let m = 0; m < rows; m++) {
          numbers[(group * rows + m) * steps + t] = Math.min((order[m] + stream.uniform()) / rows, BELOW_ONE);
        }
      }
    });
    return numbers;
  }
}
