/**
 * Forecasts that need no learning; a model that does not beat the best of them has learnt nothing useful. Each is a pure
 * function (context [W], horizon L) → forecast [L]; step h = 1 … L lies h steps after the last context point.
 */
import { ShapeError } from '@rollcast/core';

/** A forecast of `horizon` points from the points of a context. */
export type Forecast = (context: ArrayLike<number>, horizon: number) => Float64Array;

/** Names as in tables and JSON. */
export type BaselineName = 'last-value' | 'line-40' | 'last-value-plus-slope' | 'line-20' | 'parabola';

/** y(h) = y_W. */
export const lastValue: Forecast = (context, horizon) => {
  needPoints(context, 1, 'last-value');
  return new Float64Array(horizon).fill(context[context.length - 1]);
};

/** Ordinary least squares line through the whole context, continued (named after its 40 points). */
export const lineThroughContext: Forecast = (context, horizon) => {
  const { mean, slope } = fitLine(context, 'line-40');
  const toEnd = (context.length - 1) / 2;
  return forecast(horizon, (h) => mean + slope * (toEnd + h));
};

/** The last value, continued with the slope of the line through the whole context. */
export const lastValuePlusSlope: Forecast = (context, horizon) => {
  const { slope } = fitLine(context, 'last-value-plus-slope');
  const last = context[context.length - 1];
  return forecast(horizon, (h) => last + slope * h);
};

/** Line through the last half of the context: the last 20 points when W = 40 (at least 2). */
export const lineThroughLastHalf: Forecast = (context, horizon) => {
  needPoints(context, 2, 'line-20');
  const half = Math.max(2, Math.floor(context.length / 2));
  return lineThroughContext(Array.from(context).slice(-half), horizon);
};

/** Least squares parabola through the whole context, continued. */
export const parabola: Forecast = (context, horizon) => {
  const { at } = fitParabola(context);
  return forecast(horizon, at);
};

/** All baselines, in the order of the tables. */
export const baselines: Readonly<Record<BaselineName, Forecast>> = {
  'last-value': lastValue,
  'line-40': lineThroughContext,
  'last-value-plus-slope': lastValuePlusSlope,
  'line-20': lineThroughLastHalf,
  parabola,
};

/** Line through (i, yᵢ): mean of y, slope Σ(x y)/Σx² and Σx², where x is i centred on its mean. */
function fitLine(
  context: ArrayLike<number>,
  name: string,
): { mean: number; slope: number; sumSquares: number } {
  needPoints(context, 2, name);
  const n = context.length;
  const centre = (n - 1) / 2;
  let sum = 0;
  let along = 0;
  let sumSquares = 0;
  for (let i = 0; i < n; i++) {
    sum += context[i];
    along += (i - centre) * context[i];
    sumSquares += (i - centre) ** 2;
  }
  return { mean: sum / n, slope: along / sumSquares, sumSquares };
}

/** A fitted parabola; its three coefficients belong to orthogonal polynomials. */
export interface ParabolaFit {
  /** The value h steps after the last context point. */
  readonly at: (h: number) => number;
  /** [3] the polynomials there. */
  readonly basis: (h: number) => readonly [number, number, number];
  /** [3] Σ of their squares over the context: the variance of a coefficient is σ² over it. */
  readonly norms: readonly [number, number, number];
  /** Σ of the squared residuals. */
  readonly residual: number;
}

/**
 * With x centred on the context (x = −(W−1)/2 … (W−1)/2) the polynomials 1, x and x² − Σx²/W are orthogonal, so each coefficient
 * is a plain ratio of sums.
 *
 * @throws {ShapeError} with fewer than three points
 */
export function fitParabola(context: ArrayLike<number>): ParabolaFit {
  needPoints(context, 3, 'parabola');
  const { mean, slope, sumSquares } = fitLine(context, 'parabola');
  const n = context.length;
  const centre = (n - 1) / 2;
  const bend = (x: number): number => x * x - sumSquares / n;
  let along = 0;
  let norm = 0;
  for (let i = 0; i < n; i++) {
    along += bend(i - centre) * context[i];
    norm += bend(i - centre) ** 2;
  }
  const curvature = along / norm;
  const value = (x: number): number => mean + slope * x + curvature * bend(x);
  let residual = 0;
  for (let i = 0; i < n; i++) residual += (context[i] - value(i - centre)) ** 2;
  return {
    at: (h) => value(centre + h),
    basis: (h) => [1, centre + h, bend(centre + h)],
    norms: [n, sumSquares, norm],
    residual,
  };
}

function forecast(horizon: number, at: (h: number) => number): Float64Array {
  return Float64Array.from({ length: horizon }, (_, i) => at(i + 1));
}

function needPoints(context: ArrayLike<number>, points: number, name: string): void {
  if (context.length < points)
    throw new ShapeError(`${name} needs at least ${points} context points; got ${context.length}.`);
}
