/**
 * What is measured of one forecast, and the scale that makes windows comparable. What needs several forecasts of a context is in
 * `group-quantities.ts`.
 */
import { baselines, type BaselineName } from './baselines.js';
import { firstPassage } from './crossing.js';

/** [L] values of the per-step quantities, one number of the others; divided by s (mse by s², crossingError by L). */
export interface ForecastQuantities {
  readonly mse: Float64Array;
  readonly mae: Float64Array;
  readonly nonMonotonicity: Float64Array;
  readonly finalError: number;
  readonly pathError: number;
  readonly crossingError: number;
}

/** The scale of a window is at least this share of the range of context and future together. */
const SCALE_FLOOR = 1e-3;

/** Smallest scale of all: a context and a future that are exactly flat. */
const SMALLEST_SCALE = 1e-12;

/**
 * Scale s of a window: the range of its context, so that errors are shares of the wear just seen; floored for contexts
 * that are (almost) flat.
 *
 *   s = max(range(context), 10⁻³ range(context and future), 10⁻¹²)
 */
export function windowScale(context: ArrayLike<number>, future: ArrayLike<number>): number {
  const [low, high] = extremes(context);
  const [futureLow, futureHigh] = extremes(future);
  const whole = Math.max(high, futureHigh) - Math.min(low, futureLow);
  return Math.max(high - low, SCALE_FLOOR * whole, SMALLEST_SCALE);
}

/** The forecasts that a window is measured by; a parabola through a noisy context errs without bounds and says nothing. */
const RULERS: readonly BaselineName[] = ['last-value', 'line-40', 'last-value-plus-slope', 'line-20'];

/** Mean absolute error of the line that fits the future best, of those that are fitted to the context (`baselines.ts`). */
export function bestLineError(context: ArrayLike<number>, future: ArrayLike<number>): number {
  return Math.min(
    ...RULERS.map((name) => {
      const forecast = baselines[name](context, future.length);
      return forecast.reduce((sum, value, t) => sum + Math.abs(value - future[t]), 0) / future.length;
    }),
  );
}

/** A line scale is at least this share of the window's: a future that is a line to the last digit is no ruler. */
const LINE_FLOOR = 1e-2;

/**
 * Scale of a window by what the best of the lines errs there, so that a smooth series, whose errors are a small share of its
 * range, counts as much as a noisy one:
 *
 *   s = max(bestLineError, 10⁻² windowScale)
 */
export function lineScale(context: ArrayLike<number>, future: ArrayLike<number>): number {
  return Math.max(bestLineError(context, future), LINE_FLOOR * windowScale(context, future));
}

/**
 * The named quantities of one forecast, with ŷ₀ the last context value:
 *
 *   mseₜ = ((ŷₜ − yₜ)/s)²,  maeₜ = |ŷₜ − yₜ|/s,  nonMonotonicityₜ = max(0, ŷₜ₋₁ − ŷₜ)/s,  finalError = |ŷ_L − y_L|/s,
 *   pathError = ‖ŷ − y‖/(s √L),  crossingError: see there
 *
 * @param predicted - [L], oriented so that wear rises
 * @param target - [L]
 * @param last - the last context value
 * @param scale - s > 0
 * @param threshold - the level of `crossingError`, oriented
 */
export function forecastQuantities(
  predicted: ArrayLike<number>,
  target: ArrayLike<number>,
  last: number,
  scale: number,
  threshold?: number,
): ForecastQuantities {
  const steps = target.length;
  const error = (t: number) => (predicted[t] - target[t]) / scale;
  const fill = (at: (t: number) => number) => Float64Array.from({ length: steps }, (_, t) => at(t));
  const mse = fill((t) => error(t) ** 2);
  return {
    mse,
    mae: fill((t) => Math.abs(error(t))),
    nonMonotonicity: fill((t) => Math.max(0, (t === 0 ? last : predicted[t - 1]) - predicted[t]) / scale),
    finalError: Math.abs(error(steps - 1)),
    pathError: Math.sqrt(mse.reduce((sum, value) => sum + value, 0) / steps),
    crossingError: crossingError(predicted, target, last, threshold),
  };
}

/** Where along the horizon the levels of `crossingError` are read off the truth; in balance, so that early and late cost alike. */
const LEVELS_AT = [0.25, 0.5, 0.75] as const;

/**
 * How far the forecast and the truth pass the same levels apart in time, as a share of the horizon:
 *
 *   crossingError = mean_c |min(τ̂_c, L) − min(τ_c, L)| / L
 *
 * τ is the first passage (`firstPassage`); who does not get there within the horizon counts as passing at its end. The levels
 * c are the threshold alone where there is one, otherwise the values of the truth at ¼, ½ and ¾ of the horizon, those above
 * the last observed value.
 *
 * @returns in [0, 1]; 0 when no level lies ahead
 */
export function crossingError(
  predicted: ArrayLike<number>,
  target: ArrayLike<number>,
  last: number,
  threshold?: number,
): number {
  const steps = target.length;
  const levels =
    threshold === undefined ? LEVELS_AT.map((q) => target[Math.ceil(q * steps) - 1]) : [threshold];
  const ahead = levels.filter((level) => level > last);
  const passage = (path: ArrayLike<number>, level: number) =>
    Math.min(steps, firstPassage(path, last, level));
  const sum = ahead.reduce(
    (total, level) => total + Math.abs(passage(predicted, level) - passage(target, level)) / steps,
    0,
  );
  return ahead.length === 0 ? 0 : sum / ahead.length;
}

function extremes(values: ArrayLike<number>): [low: number, high: number] {
  let low = Infinity;
  let high = -Infinity;
  for (let i = 0; i < values.length; i++) {
    low = Math.min(low, values[i]);
    high = Math.max(high, values[i]);
  }
  return [low, high];
}
