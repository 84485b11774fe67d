/**
 * How good the distribution of a forecast is: scaled error, quantile loss, intervals, error by step. In the data's own units
 * where there is a unit; all windows and steps count alike.
 */
import { ShapeError } from '@rollcast/core';

import { type DegradationWindow } from './dataset.js';
import { type ForecastSet } from './metrics.js';
import { quantilePaths } from './path-statistics.js';

/** Levels of the weighted quantile loss. */
const DECILE_LEVELS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9] as const;
/** Central intervals, in percent. */
export const INTERVALS = [50, 80, 90] as const;

/** A central interval: how many truths it holds, and how wide it is. */
export interface IntervalScore {
  /** Share of truths within; of calibrated forecasts it is the level. */
  readonly coverage: number;
  /** Mean width: sharpness. */
  readonly width: number;
}

/** What the sampled paths of forecasts come to as distributions, over all their windows. */
export interface DistributionMetrics {
  /** `meanAbsoluteScaledError` of the points; null when every context is constant. */
  readonly mase: number | null;
  /** `weightedQuantileLoss` over the nine deciles. */
  readonly wql: number;
  /** By level in percent; null for a point forecast. */
  readonly intervals: Readonly<Record<string, IntervalScore>> | null;
  /** [9] share of truths at or below each decile, from 10 to 90 %: the reliability diagram; null for a point forecast. */
  readonly belowDecile: readonly number[] | null;
  /** [L] √ mean (ŷ_h − y_h)² of the points. */
  readonly rmseByStep: readonly number[];
}

/** All of it. @throws {ShapeError} without windows */
export function distributionMetrics(
  windows: readonly DegradationWindow[],
  { points, paths }: ForecastSet,
): DistributionMetrics {
  if (windows.length === 0) throw new ShapeError('metrics need at least one window; got none.');
  const truths = windows.map(({ future }) => future);
  const levels = [...DECILE_LEVELS, ...INTERVALS.flatMap((level) => tails(level))];
  // of a point forecast every quantile is the point
  const quantiles = windows.map((_, w) =>
    paths ? quantilePaths(paths[w], levels) : levels.map(() => points[w]),
  );
  const deciles = DECILE_LEVELS.map((_, k) => quantiles.map((ofWindow) => ofWindow[k]));
  const interval = (i: number): IntervalScore => {
    const at = DECILE_LEVELS.length + 2 * i;
    return intervalScore(
      truths,
      quantiles.map((ofWindow) => ofWindow[at]),
      quantiles.map((ofWindow) => ofWindow[at + 1]),
    );
  };
  return {
    mase: meanAbsoluteScaledError(windows, points),
    wql: weightedQuantileLoss(truths, deciles, DECILE_LEVELS),
    intervals: paths ? Object.fromEntries(INTERVALS.map((level, i) => [level, interval(i)])) : null,
    belowDecile: paths ? deciles.map((decile) => shareBelow(truths, decile)) : null,
    rmseByStep: rmseByStep(truths, points),
  };
}

/** The levels of the ends of a central interval. */
function tails(percent: number): [number, number] {
  return [(1 - percent / 100) / 2, (1 + percent / 100) / 2];
}

/**
 * Mean absolute scaled error (Hyndman and Koehler 2006, "Another look at measures of forecast accuracy"): the error of each
 * window over what the naive forecast "as before" errs from one step to the next in its context, averaged over windows.
 *
 *   mase = 1/n Σ_w [ 1/L Σ_h |ŷ_h − y_h| ] / [ 1/(W − 1) Σ_t |x_t − x_{t−1}| ]
 *
 * Windows with a constant context have no scale and are left out.
 *
 * @returns null when no window has a scale
 */
export function meanAbsoluteScaledError(
  windows: readonly DegradationWindow[],
  points: readonly ArrayLike<number>[],
): number | null {
  let sum = 0;
  let count = 0;
  windows.forEach(({ context, future }, w) => {
    let scale = 0;
    for (let t = 1; t < context.length; t++)
      scale += Math.abs(context[t] - context[t - 1]) / (context.length - 1);
    if (scale === 0) return;
    const error = future.reduce((total, y, h) => total + Math.abs(points[w][h] - y), 0) / future.length;
    sum += error / scale;
    count++;
  });
  return count === 0 ? null : sum / count;
}

/**
 * Weighted quantile loss, as in the benchmarks of forecasting libraries (GluonTS, Chronos): twice the pinball loss summed over
 * all truths, over the sum of their magnitudes, averaged over levels.
 *
 *   wql = 1/K Σ_k 2 Σ ρ_k / Σ |y|,   ρ_k = (p_k − 1[y < q_k]) (y − q_k)
 *
 * It depends on where the zero of the data is; of a point forecast it is Σ |ŷ − y| / Σ |y|.
 *
 * @param truths - [n][L]
 * @param quantiles - [K][n][L]
 * @param levels - [K] p, in (0, 1)
 */
export function weightedQuantileLoss(
  truths: readonly ArrayLike<number>[],
  quantiles: readonly (readonly ArrayLike<number>[])[],
  levels: readonly number[],
): number {
  let magnitude = 0;
  for (const truth of truths) for (let h = 0; h < truth.length; h++) magnitude += Math.abs(truth[h]);
  let loss = 0;
  levels.forEach((p, k) =>
    truths.forEach((truth, w) => {
      for (let h = 0; h < truth.length; h++) {
        const error = truth[h] - quantiles[k][w][h];
        loss += 2 * (error < 0 ? p - 1 : p) * error;
      }
    }),
  );
  return loss === 0 ? 0 : loss / magnitude / levels.length; // also where every truth is 0
}

/** Coverage and mean width of intervals, [n][L] each. */
export function intervalScore(
  truths: readonly ArrayLike<number>[],
  low: readonly ArrayLike<number>[],
  high: readonly ArrayLike<number>[],
): IntervalScore {
  let covered = 0;
  let width = 0;
  let count = 0;
  truths.forEach((truth, w) => {
    for (let h = 0; h < truth.length; h++) {
      if (truth[h] >= low[w][h] && truth[h] <= high[w][h]) covered++;
      width += high[w][h] - low[w][h];
      count++;
    }
  });
  return { coverage: covered / count, width: width / count };
}

function shareBelow(truths: readonly ArrayLike<number>[], quantile: readonly ArrayLike<number>[]): number {
  let below = 0;
  let count = 0;
  truths.forEach((truth, w) => {
    for (let h = 0; h < truth.length; h++) {
      if (truth[h] <= quantile[w][h]) below++;
      count++;
    }
  });
  return below / count;
}

/** √ mean (ŷ_h − y_h)² over windows, at each step. */
export function rmseByStep(
  truths: readonly ArrayLike<number>[],
  points: readonly ArrayLike<number>[],
): number[] {
  return Array.from(truths[0], (_, h) => {
    const sum = truths.reduce((total, truth, w) => total + (points[w][h] - truth[h]) ** 2, 0);
    return Math.sqrt(sum / truths.length);
  });
}
