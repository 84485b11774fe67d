/**
 * Is one forecast better than another, given that windows of one unit are not independent? Units are resampled whole.
 */
import { NumericalError, RandomStream, ShapeError } from '@rollcast/core';

import { type DegradationWindow } from './dataset.js';
import { quantileOfSorted } from './path-statistics.js';

/** Summed squared errors of two forecasts on the windows of one unit. */
export interface PairedErrors {
  readonly unit: string;
  /** Σ (ŷ − y)² of the forecast compared with. */
  readonly before: number;
  /** Σ (ŷ − y)² of the forecast judged, over the same windows and steps. */
  readonly after: number;
}

/** Relative change of the pooled mean squared error: −0.2 is a fall by 20 %. */
export interface BootstrapResult {
  readonly change: number;
  /** 95 % percentile interval. */
  readonly low: number;
  readonly high: number;
  readonly units: number;
  readonly resamples: number;
}

/**
 * Σ (ŷ − y)² per unit, for two forecasts of the same windows; several paths a window (samples) add up, and are divided by
 * their number.
 *
 * @param before - [n][M][L]
 * @param after - [n][M'][L]
 */
export function pairErrors(
  windows: readonly DegradationWindow[],
  before: readonly (readonly ArrayLike<number>[])[],
  after: readonly (readonly ArrayLike<number>[])[],
): PairedErrors[] {
  if (before.length !== windows.length || after.length !== windows.length)
    throw new ShapeError(
      `paired errors need ${windows.length} forecasts twice; got ${before.length} and ${after.length}.`,
    );
  const units = new Map<number, { unit: string; before: number; after: number }>();
  windows.forEach((window, w) => {
    let sums = units.get(window.unitIndex);
    if (!sums) units.set(window.unitIndex, (sums = { unit: window.unit, before: 0, after: 0 }));
    sums.before += meanSquares(before[w], window.future);
    sums.after += meanSquares(after[w], window.future);
  });
  return [...units.values()];
}

/**
 * Paired bootstrap over units (Efron and Tibshirani 1993, ch. 13: percentile interval): the units are drawn with
 * replacement, both forecasts together, and each time
 *
 *   change = Σ_u after_u / Σ_u before_u − 1
 *
 * @param perUnit - one entry a unit; windows are never resampled by themselves
 * @param random - the stream that draws the units
 * @throws {ShapeError} without units
 * @throws {NumericalError} when the forecast compared with is perfect on a unit
 */
export function pairedBootstrap(
  perUnit: readonly PairedErrors[],
  random: RandomStream = new RandomStream(0, 'evaluation/bootstrap'),
  resamples = 10_000,
): BootstrapResult {
  const pooled = (pick: (i: number) => number) => {
    let before = 0;
    let after = 0;
    for (let i = 0; i < perUnit.length; i++) {
      const unit = perUnit[pick(i)]; // one draw for both: the comparison is paired
      before += unit.before;
      after += unit.after;
    }
    return after / before - 1;
  };
  if (perUnit.length === 0) throw new ShapeError('a paired bootstrap needs at least one unit; got none.');
  const perfect = perUnit.find(({ before }) => !(before > 0));
  if (perfect)
    throw new NumericalError(
      `the relative change of unit "${perfect.unit}" is undefined: the forecast compared with has error ${perfect.before}.`,
    );
  const changes = Float64Array.from({ length: resamples }, () =>
    pooled(() => random.integer(perUnit.length)),
  );
  changes.sort();
  return {
    change: pooled((i) => i),
    low: quantileOfSorted(changes, 0.025),
    high: quantileOfSorted(changes, 0.975),
    units: perUnit.length,
    resamples,
  };
}

function meanSquares(paths: readonly ArrayLike<number>[], truth: Float64Array): number {
  let sum = 0;
  for (const path of paths) truth.forEach((value, t) => (sum += (path[t] - value) ** 2));
  return sum / paths.length;
}
