/**
 * How good forecasts of the remaining useful life are, in steps from the last observed point to the first crossing of a
 * threshold (`crossing.ts`).
 */
import { ShapeError } from '@rollcast/core';

/** One forecast of a life and what came of it, in steps. */
export interface LifeForecast {
  /** `firstPassage` of what happened; Infinity when it did not cross within the horizon. */
  readonly truth: number;
  /** The forecast; null when it lies beyond the horizon. */
  readonly predicted: number | null;
}

/** Errors of forecast remaining lives, in steps. */
export interface LifeMetrics {
  /** Windows whose truth crosses within the horizon: what the errors are of. */
  readonly windows: number;
  /** √ mean d², d = predicted − true, in steps; null without windows. */
  readonly rmse: number | null;
  /** mean |d|. */
  readonly mae: number | null;
  /** mean d; > 0 means that lives are overrated, which is the dangerous side. */
  readonly bias: number | null;
  /** mean s(d) (`phm08Score`); the challenge sums over units, a mean compares between numbers of forecasts. */
  readonly phm08: number | null;
  /** How many of those windows were forecast to cross only after the horizon; they count as crossing at its end. */
  readonly missed: number;
  /** Windows that do not cross within the horizon but were forecast to, and how many do not. */
  readonly falseAlarms: number;
  readonly notCrossing: number;
}

/**
 * The score of the PHM 2008 data challenge (Saxena et al. 2008, "Damage propagation modeling for aircraft engine
 * run-to-failure simulation"), for one unit: late predictions cost more than early ones.
 *
 *   s(d) = exp(−d/13) − 1 for d < 0, exp(d/10) − 1 for d ≥ 0
 *
 * @param error - d = predicted − true remaining life, in cycles
 */
export function phm08Score(error: number): number {
  return Math.expm1(error < 0 ? -error / 13 : error / 10);
}

/**
 * Errors of forecast lives. Nothing is known of a life beyond the horizon but that it is longer, so that only windows that cross
 * within it have an error; of those that do not, false alarms are counted.
 *
 * @param horizon - L
 * @throws {ShapeError} without forecasts
 */
export function lifeMetrics(forecasts: readonly LifeForecast[], horizon: number): LifeMetrics {
  if (forecasts.length === 0) throw new ShapeError('life metrics need at least one forecast; got none.');
  const crossing = forecasts.filter(({ truth }) => Number.isFinite(truth));
  const errors = crossing.map(({ truth, predicted }) => (predicted ?? horizon) - truth);
  const mean = (of: (error: number) => number): number | null =>
    errors.length === 0 ? null : errors.reduce((sum, error) => sum + of(error), 0) / errors.length;
  const square = mean((error) => error * error);
  return {
    windows: crossing.length,
    rmse: square === null ? null : Math.sqrt(square),
    mae: mean(Math.abs),
    bias: mean((error) => error),
    phm08: mean(phm08Score),
    missed: crossing.filter(({ predicted }) => predicted === null).length,
    falseAlarms: forecasts.filter(({ truth, predicted }) => truth === Infinity && predicted !== null).length,
    notCrossing: forecasts.length - crossing.length,
  };
}
