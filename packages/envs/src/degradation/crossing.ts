/**
 * When paths reach a threshold for the first time: the distribution of the remaining useful life. A path that ends before
 * it gets there is censored: all that is known of its crossing is that it comes after the horizon.
 *
 * Values are oriented so that wear rises, so that crossing is always from below; times are in steps after the last observed
 * point, which is step 0.
 */
import { ShapeError } from '@rollcast/core';

import { quantileOfSorted, sampleRank } from './path-statistics.js';

/**
 * The first passage of a path through a threshold, on straight lines between its steps:
 *
 *   τ = h − 1 + (c − y(h − 1)) / (y(h) − y(h − 1)),   h = min { t ≥ 1 : y(t) ≥ c },   y(0) = last
 *
 * @param path - [L] y(1) … y(L)
 * @param last - y(0), the last observed value
 * @param threshold - c
 * @returns in (0, L]; 0 when the last observed value is there already; Infinity when the path does not get there
 */
export function firstPassage(path: ArrayLike<number>, last: number, threshold: number): number {
  if (last >= threshold) return 0;
  let before = last;
  for (let t = 0; t < path.length; t++) {
    if (path[t] >= threshold) return t + (threshold - before) / (path[t] - before);
    before = path[t];
  }
  return Infinity;
}

/** The distribution of M first passages within a horizon; null where a quantile lies beyond the horizon. */
export interface CrossingSummary {
  /** Half of the paths have crossed by then. */
  readonly median: number | null;
  /** A tenth of the paths have crossed by then. */
  readonly low: number | null;
  /** Nine tenths of the paths have crossed by then. */
  readonly high: number | null;
  /** Share of the paths that do not cross within the horizon. */
  readonly censoredShare: number;
  /** [L] share of the paths that have crossed by each step: the distribution function of τ. */
  readonly crossedBy: Float64Array;
}

/**
 * Median and 10–90 % of first passages. Censored ones count as later than all others, so that a quantile is known as long as
 * its rank p (M + 1) (`sampleQuantile`) is among the paths that cross, whatever becomes of the rest.
 *
 * @param passages - [M] of `firstPassage`, in any order
 * @param horizon - L
 * @throws {ShapeError} without passages
 */
export function crossingSummary(passages: ArrayLike<number>, horizon: number): CrossingSummary {
  if (passages.length === 0) throw new ShapeError('a crossing time needs at least one path; got none.');
  const crossed = Float64Array.from(Array.from(passages).filter(Number.isFinite)).sort();
  const quantile = (p: number): number | null => {
    const rank = sampleRank(passages.length, p);
    if (rank > crossed.length + 1e-9) return null;
    return quantileOfSorted(crossed, crossed.length === 1 ? 0 : (rank - 1) / (crossed.length - 1));
  };
  const crossedBy = new Float64Array(horizon);
  for (const passage of crossed) crossedBy[Math.max(0, Math.ceil(passage) - 1)] += 1 / passages.length;
  for (let t = 1; t < horizon; t++) crossedBy[t] += crossedBy[t - 1];
  return {
    median: quantile(0.5),
    low: quantile(0.1),
    high: quantile(0.9),
    censoredShare: 1 - crossed.length / passages.length,
    crossedBy,
  };
}
