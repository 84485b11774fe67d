/**
 * How good forecasts are, in the data's own units. Everything pools all windows and steps alike.
 */
import { NumericalError, ShapeError } from '@rollcast/core';

import { baselines, type BaselineName } from './baselines.js';
import { type DegradationWindow } from './dataset.js';
import { sampleQuantile } from './path-statistics.js';

/** Forecasts for n windows, oriented like the windows (wear rises). */
export interface ForecastSet {
  /** [n][L] one path a window: what the error columns judge. */
  readonly points: readonly ArrayLike<number>[];
  /** [n][M][L] sampled paths a window: what CRPS and coverage judge; absent for a point forecast. */
  readonly paths?: readonly (readonly ArrayLike<number>[])[];
}

/** One row of an evaluation table, without its name; in raw units of the data where there is a unit. */
export interface ForecastMetrics {
  /** √ mean (ŷ − y)². */
  rmse: number;
  /** rmse divided by the rmse of the best baseline on the same windows (`errorRatio`). */
  ratioToBestNaive: number;
  /** mean |ŷ − y|. */
  mae: number;
  /** mean (ŷ − y), of raw values: > 0 means that the forecast lies above the truth. */
  bias: number;
  /** √ mean (ŷ_h − y_h)² at single steps h, those ≤ L. */
  rmseAt: Record<string, number>;
  /** mean |ŷ_L − y_L|. */
  finalError: number;
  /** Share of steps of the path, the first one from the last context value, that go against the direction of wear. */
  wrongWayShare: number;
  /** Mean continuous ranked probability score of the paths; the MAE for a point forecast. */
  crps: number;
  /** Share of truths between the 10 % and the 90 % quantile of the paths (`sampleQuantile`); null for a point forecast. */
  coverage80: number | null;
  /** KL to the frozen reference in nats a token; null where it has no meaning. */
  klPerToken: number | null;
}

/** A named row. */
export interface MethodMetrics extends ForecastMetrics {
  name: string;
}

/** What the metrics of forecasts need to know of the data. */
export interface MetricOptions {
  /** raw = sign × oriented; from the `SeriesSet`. */
  readonly sign: 1 | -1;
  /** RMSE of the best baseline on the same windows. */
  readonly bestNaiveRmse: number;
  /** Passed through. */
  readonly klPerToken?: number | null;
}

/** Steps whose error gets a column of its own. */
export const REPORTED_STEPS = [1, 10, 30, 60] as const;

/**
 * Judges forecasts against the futures of the windows.
 *
 * @throws {ShapeError} when there are no windows, or forecasts do not fit them
 * @throws {NumericalError} when a forecast is not finite
 */
export function forecastMetrics(
  windows: readonly DegradationWindow[],
  forecasts: ForecastSet,
  options: MetricOptions,
): ForecastMetrics {
  checkForecasts(windows, forecasts);
  const horizon = windows[0].future.length;
  const squared = new Float64Array(horizon);
  let absolute = 0;
  let signed = 0;
  let final = 0;
  let wrong = 0;
  windows.forEach(({ context, future }, w) => {
    const path = forecasts.points[w];
    for (let t = 0; t < horizon; t++) {
      const error = path[t] - future[t];
      squared[t] += error * error;
      absolute += Math.abs(error);
      signed += error;
      if (path[t] < (t === 0 ? context[context.length - 1] : path[t - 1])) wrong++;
    }
    final += Math.abs(path[horizon - 1] - future[horizon - 1]);
  });
  const steps = windows.length * horizon;
  const rmse = Math.sqrt(squared.reduce((sum, value) => sum + value, 0) / steps);
  const spread = forecasts.paths === undefined ? undefined : ensembleScores(windows, forecasts.paths);
  return {
    rmse,
    ratioToBestNaive: errorRatio(rmse, options.bestNaiveRmse),
    mae: absolute / steps,
    bias: (options.sign * signed) / steps + 0, // + 0 turns −0 into 0
    rmseAt: Object.fromEntries(
      REPORTED_STEPS.filter((h) => h <= horizon).map((h) => [h, Math.sqrt(squared[h - 1] / windows.length)]),
    ),
    finalError: final / windows.length,
    wrongWayShare: wrong / steps,
    crps: spread?.crps ?? absolute / steps,
    coverage80: spread?.coverage80 ?? null,
    klPerToken: options.klPerToken ?? null,
  };
}

/** error / other; two perfect forecasts are alike (1), and against a perfect one any error is infinite (null in JSON). */
export function errorRatio(error: number, other: number): number {
  return error === 0 && other === 0 ? 1 : error / other;
}

/** The five baselines on these windows, and which of them has the smallest RMSE. */
export function baselineMetrics(
  windows: readonly DegradationWindow[],
  sign: 1 | -1,
): { bestNaive: BaselineName; bestNaiveRmse: number; methods: MethodMetrics[] } {
  const names = Object.keys(baselines) as BaselineName[];
  const rows = names.map((name) => {
    const points = windows.map(({ context, future }) => baselines[name](context, future.length));
    return { name, ...forecastMetrics(windows, { points }, { sign, bestNaiveRmse: 1 }) };
  });
  const best = rows.reduce((a, b) => (b.rmse < a.rmse ? b : a));
  const methods = rows.map((row) => ({ ...row, ratioToBestNaive: errorRatio(row.rmse, best.rmse) }));
  return { bestNaive: best.name, bestNaiveRmse: best.rmse, methods };
}

/**
 * Continuous ranked probability score of an empirical distribution (Gneiting and Raftery 2007, JASA 102, eq. 21):
 *
 *   crps = 1/M Σᵢ |xᵢ − y| − 1/(2M²) Σᵢⱼ |xᵢ − xⱼ|,   Σᵢⱼ |xᵢ − xⱼ| = 2 Σᵢ (2i − M − 1) x₍ᵢ₎
 *
 * @param sorted - [M] samples in rising order
 */
export function crpsOfSorted(sorted: ArrayLike<number>, truth: number): number {
  const count = sorted.length;
  let distance = 0;
  let spread = 0;
  for (let i = 0; i < count; i++) {
    distance += Math.abs(sorted[i] - truth);
    spread += (2 * (i + 1) - count - 1) * sorted[i];
  }
  return distance / count - spread / count ** 2;
}

function ensembleScores(
  windows: readonly DegradationWindow[],
  paths: readonly (readonly ArrayLike<number>[])[],
): { crps: number; coverage80: number } {
  const horizon = windows[0].future.length;
  const sample = new Float64Array(paths[0].length);
  let crps = 0;
  let covered = 0;
  windows.forEach(({ future }, w) => {
    for (let t = 0; t < horizon; t++) {
      for (let m = 0; m < sample.length; m++) sample[m] = paths[w][m][t];
      sample.sort();
      crps += crpsOfSorted(sample, future[t]);
      if (future[t] >= sampleQuantile(sample, 0.1) && future[t] <= sampleQuantile(sample, 0.9)) covered++;
    }
  });
  const steps = windows.length * horizon;
  return { crps: crps / steps, coverage80: covered / steps };
}

function checkForecasts(windows: readonly DegradationWindow[], { points, paths }: ForecastSet): void {
  if (windows.length === 0) throw new ShapeError('metrics need at least one window; got none.');
  const horizon = windows[0].future.length;
  const count = paths?.[0]?.length ?? 0;
  if (points.length !== windows.length || (paths && (paths.length !== windows.length || count === 0)))
    throw new ShapeError(
      `metrics need one forecast a window (${windows.length}); got ${points.length} points and ${paths?.length ?? 'no'} ensembles.`,
    );
  const check = (path: ArrayLike<number>, w: number) => {
    if (path.length !== horizon || windows[w].future.length !== horizon)
      throw new ShapeError(`window ${w}: expected a forecast of ${horizon} steps; got ${path.length}.`);
    for (let t = 0; t < horizon; t++)
      if (!Number.isFinite(path[t]))
        throw new NumericalError(
          `the forecast of window ${w} (unit "${windows[w].unit}") is ${path[t]} at step ${t + 1}.`,
        );
  };
  points.forEach(check);
  paths?.forEach((ensemble, w) => {
    if (ensemble.length !== count)
      throw new ShapeError(`window ${w}: expected ${count} paths as in window 0; got ${ensemble.length}.`);
    ensemble.forEach((path) => check(path, w));
  });
}
