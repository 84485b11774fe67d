import { z } from 'zod';

import { checkedState } from '../saved-state.js';

/** What has to be saved to go on with the same statistics. */
export interface MomentsState {
  mean: number[];
  variance: number[];
  count: number;
}

/** Observations that the start counts for: it keeps the first division away from zero (Gymnasium's epsilon). */
const START_COUNT = 1e-4;

/**
 * Mean and variance of a stream of rows, one of each a column, in float64.
 *
 * Batches are merged by the parallel formula of Chan, Golub and LeVeque (1979), as in Gymnasium's RunningMeanStd:
 *
 *   δ = m_b − m,   m ← m + δ n_b/(n + n_b),   v ← (v n + v_b n_b + δ² n n_b/(n + n_b)) / (n + n_b)
 *
 * from m = 0, v = 1, n = 10⁻⁴; v is the population variance.
 */
export class RunningMoments {
  readonly mean: Float64Array;
  readonly variance: Float64Array;
  count = START_COUNT;

  /** @param size - columns */
  constructor(readonly size: number) {
    this.mean = new Float64Array(size);
    this.variance = new Float64Array(size).fill(1);
  }

  /**
   * Takes in rows of numbers.
   *
   * @param values - [rows, size]
   */
  update(values: ArrayLike<number>): void {
    const { size, mean, variance, count } = this;
    const rows = values.length / size;
    const total = count + rows;
    for (let column = 0; column < size; column++) {
      let sum = 0;
      for (let i = column; i < values.length; i += size) sum += values[i];
      const batchMean = sum / rows;
      let squares = 0;
      for (let i = column; i < values.length; i += size) squares += (values[i] - batchMean) ** 2;
      const delta = batchMean - mean[column];
      mean[column] += (delta * rows) / total;
      variance[column] = (variance[column] * count + squares + (delta ** 2 * count * rows) / total) / total;
    }
    this.count = total;
  }

  /** As plain JSON. */
  state(): MomentsState {
    return { mean: [...this.mean], variance: [...this.variance], count: this.count };
  }

  /** Goes on from what `state` gave. @throws {CheckpointError} for anything else; nothing is changed then */
  restore(state: MomentsState): void {
    const columns = (value: z.ZodNumber) => z.array(value).length(this.size);
    const schema = z.object({
      mean: columns(z.number()),
      variance: columns(z.number().min(0)),
      count: z.number().positive(),
    });
    const { mean, variance, count } = checkedState(schema, state, 'statistics of a normaliser');
    this.mean.set(mean);
    this.variance.set(variance);
    this.count = count;
  }
}
