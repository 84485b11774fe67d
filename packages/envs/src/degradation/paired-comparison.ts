/**
 * Is a difference between two forecasts more than luck? RMSE, CRPS and coverage of two forecasts on the same windows, with intervals
 * over units, which are resampled whole: windows of one unit resemble each other.
 */
import { RandomStream, ShapeError } from '@rollcast/core';

import { type DegradationWindow } from './dataset.js';
import { crpsOfSorted, errorRatio, type ForecastSet } from './metrics.js';
import { quantileOfSorted, sampleQuantile } from './path-statistics.js';

/** What one forecast did on the windows of one unit, summed over windows and steps. */
export interface UnitScores {
  readonly unit: string;
  readonly windows: number;
  /** Windows times L. */
  readonly steps: number;
  /** Σ (ŷ − y)². */
  readonly squared: number;
  /** Σ crps of the paths, or Σ |ŷ − y| of a point forecast. */
  readonly crps: number;
  /** Truths between the 10 % and the 90 % quantile of the paths; null for a point forecast. */
  readonly covered: number | null;
}

/** A quantity with its 95 % percentile interval; ends are null where there is only one unit, or a resample has no value. */
export interface IntervalEstimate {
  readonly value: number;
  readonly low: number | null;
  readonly high: number | null;
}

/** One forecast against another: ratios below 1 are a gain. */
export interface PairedComparison {
  /** √ (Σ_u squared_u / Σ_u squared′_u). */
  readonly rmseRatio: IntervalEstimate;
  /** Σ_u crps_u / Σ_u crps′_u; the CRPS of a point forecast is its absolute error. */
  readonly crpsRatio: IntervalEstimate;
  /** Coverage of the 80 % interval minus that of the other; null when one of them is a point forecast. */
  readonly coverage80Difference: IntervalEstimate | null;
  readonly units: number;
  readonly resamples: number;
}

/**
 * Scores of a forecast by unit, in the order of the windows.
 *
 * @throws {ShapeError} when the forecasts do not fit the windows
 */
export function unitScores(
  windows: readonly DegradationWindow[],
  { points, paths }: ForecastSet,
): UnitScores[] {
  if (windows.length === 0 || points.length !== windows.length || (paths && paths.length !== points.length))
    throw new ShapeError(
      `scores by unit need one forecast a window (${windows.length}); got ${points.length} points and ${paths?.length ?? 'no'} ensembles.`,
    );
  const units = new Map<number, { -readonly [K in keyof UnitScores]: UnitScores[K] }>();
  windows.forEach(({ unit, unitIndex, future }, w) => {
    let sums = units.get(unitIndex);
    if (!sums) {
      sums = { unit, windows: 0, steps: 0, squared: 0, crps: 0, covered: paths ? 0 : null };
      units.set(unitIndex, sums);
    }
    sums.windows++;
    sums.steps += future.length;
    for (let t = 0; t < future.length; t++) {
      const error = points[w][t] - future[t];
      sums.squared += error * error;
      if (!paths) {
        sums.crps += Math.abs(error);
        continue;
      }
      const sample = Float64Array.from(paths[w], (path) => path[t]).sort();
      sums.crps += crpsOfSorted(sample, future[t]);
      const within = future[t] >= sampleQuantile(sample, 0.1) && future[t] <= sampleQuantile(sample, 0.9);
      sums.covered! += Number(within);
    }
  });
  return [...units.values()];
}

/**
 * Paired bootstrap over units (Efron and Tibshirani 1993, ch. 13: percentile interval): units are drawn with replacement, both
 * forecasts together, and each time everything is pooled anew.
 *
 * @param judged - of `unitScores`
 * @param other - what it is compared with, on the same windows
 * @param random - the stream that draws the units
 * @throws {ShapeError} without units, or when they are not the same
 */
export function compareForecasts(
  judged: readonly UnitScores[],
  other: readonly UnitScores[],
  random: RandomStream = new RandomStream(0, 'evaluation/comparison'),
  resamples = 10_000,
): PairedComparison {
  const count = judged.length;
  if (count === 0 || other.length !== count || judged.some(({ steps }, u) => steps !== other[u].steps))
    throw new ShapeError(
      `a paired comparison needs the same units and windows twice; got ${count} and ${other.length} units.`,
    );
  const withCoverage = [...judged, ...other].every(({ covered }) => covered !== null);
  const pooled = (pick: (i: number) => number): [rmse: number, crps: number, coverage: number] => {
    let [squared, squaredOther, crps, crpsOther, covered, steps] = [0, 0, 0, 0, 0, 0];
    for (let i = 0; i < count; i++) {
      const u = pick(i); // one draw for both: the comparison is paired
      squared += judged[u].squared;
      squaredOther += other[u].squared;
      crps += judged[u].crps;
      crpsOther += other[u].crps;
      covered += (judged[u].covered ?? 0) - (other[u].covered ?? 0);
      steps += judged[u].steps;
    }
    return [Math.sqrt(errorRatio(squared, squaredOther)), errorRatio(crps, crpsOther), covered / steps];
  };
  const drawn = [0, 1, 2].map(() => new Float64Array(resamples));
  for (let r = 0; r < resamples && count > 1; r++)
    pooled(() => random.integer(count)).forEach((value, k) => (drawn[k][r] = value));
  const [rmseRatio, crpsRatio, coverage] = pooled((i) => i).map((value, k): IntervalEstimate => {
    const sorted = drawn[k].sort();
    const [low, high] = [0.025, 0.975].map((p) => quantileOfSorted(sorted, p));
    const known = count > 1 && Number.isFinite(low) && Number.isFinite(high);
    return { value, low: known ? low : null, high: known ? high : null };
  });
  return {
    rmseRatio,
    crpsRatio,
    coverage80Difference: withCoverage ? coverage : null,
    units: count,
    resamples,
  };
}
