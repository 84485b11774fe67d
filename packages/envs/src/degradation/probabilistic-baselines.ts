/**
 * Forecasts that need no learning and say how sure they are: the stochastic process and the regression that reliability engineers
 * fit to a degradation path (Meeker and Escobar 1998, ch. 13; van Noortwijk 2009, "A survey of the application of gamma processes
 * in maintenance"). Each sees one context alone, oriented so that wear rises.
 */
import { ShapeError, type RandomStream } from '@rollcast/core';

import { fitParabola } from './baselines.js';

/** A forecast with its distribution. */
export interface ProbabilisticForecast {
  /** [L] the mean. */
  readonly mean: Float64Array;
  /** [M][L] sampled paths. */
  readonly paths: readonly Float64Array[];
}

/** A forecast from the points of a context; `samples` is M. */
export type ProbabilisticForecaster = (
  context: ArrayLike<number>,
  horizon: number,
  samples: number,
  random: RandomStream,
) => ProbabilisticForecast;

/** Names as in tables and JSON. */
export type ProbabilisticBaselineName = 'gamma-process' | 'quadratic-path';

/** Increments Δ = G − shift, G ~ Gamma(shape, scale), independent of each other. */
export interface GammaProcessFit {
  /** Mean of an increment. */
  readonly mean: number;
  /** ≥ 0; 0 for a process that never goes back. */
  readonly shift: number;
  /** Infinity for increments that are all alike. */
  readonly shape: number;
  /** > 0, or 0 for increments that are all alike. */
  readonly scale: number;
}

/**
 * A stationary gamma process, fitted by moments to the n differences d of a context:
 *
 *   shape = (d̄ + shift)² / s²,   scale = s² / (d̄ + shift),   s² = Σ (d − d̄)² / (n − 1).
 *
 * Gamma increments are positive. Where the context never goes back (min d > 0) the shift is 0. Where it does, noise has been added
 * to the wear, and the increments are shifted so that they start just below the smallest: shift = (d̄ − min d)/(n − 1) − min d, the
 * usual estimate of where a sample begins (unbiased for exponential increments). Noise is thereby taken for wear, which spreads
 * the paths of a noisy context too wide: that is the baseline's weakness, not corrected here.
 *
 * @throws {ShapeError} with fewer than three points
 */
export function fitGammaProcess(context: ArrayLike<number>): GammaProcessFit {
  if (context.length < 3)
    throw new ShapeError(`gamma-process needs at least 3 context points; got ${context.length}.`);
  const steps = Float64Array.from({ length: context.length - 1 }, (_, i) => context[i + 1] - context[i]);
  const count = steps.length;
  const mean = (context[count] - context[0]) / count;
  const least = steps.reduce((a, b) => Math.min(a, b));
  const variance = steps.reduce((sum, d) => sum + (d - mean) ** 2, 0) / (count - 1);
  // rounding of the context's own values is no spread
  const largest = Array.from(context).reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  if (Math.sqrt(variance) <= 1e-12 * largest) return { mean, shift: 0, shape: Infinity, scale: 0 };
  const shift = least > 0 ? 0 : (mean - least) / (count - 1) - least;
  return { mean, shift, shape: (mean + shift) ** 2 / variance, scale: variance / (mean + shift) };
}

/** The process of `fitGammaProcess`, continued from the last value. A context of equal increments gives one line. */
export const gammaProcess: ProbabilisticForecaster = (context, horizon, samples, random) => {
  const { mean, shift, shape, scale } = fitGammaProcess(context);
  const last = context[context.length - 1];
  const paths = Array.from({ length: samples }, () => {
    let value = last;
    return Float64Array.from(
      { length: horizon },
      () => (value += scale === 0 ? mean : scale * random.gamma(shape) - shift),
    );
  });
  return { mean: Float64Array.from({ length: horizon }, (_, t) => last + mean * (t + 1)), paths };
};

/**
 * A parabola with random coefficients: Bayesian regression of the context on 1, x, x² with the reference prior p(β, σ²) ∝ 1/σ²
 * (Gelman et al. 2013, "Bayesian data analysis", sect. 14.2). With ν = W − 3 and the residual sum of squares R of the least squares
 * fit β̂, in orthogonal polynomials φ with squared norms N,
 *
 *   σ² ~ R / χ²_ν,   β_k ~ N(β̂_k, σ²/N_k),   y(h) = Σ β_k φ_k(h) + ε_h,   ε_h ~ N(0, σ²),
 *
 * so that y(h) is Student's t with ν degrees of freedom: the classical prediction interval. A context of three points, or on a
 * parabola, leaves no residual, and every path is that parabola. Errors of real contexts are not independent of each other, so the
 * intervals are too narrow far out.
 *
 * @throws {ShapeError} with fewer than three points
 */
export const quadraticPath: ProbabilisticForecaster = (context, horizon, samples, random) => {
  const { at, basis, norms, residual } = fitParabola(context);
  const freedom = context.length - 3;
  const mean = Float64Array.from({ length: horizon }, (_, t) => at(t + 1));
  const bases = Array.from({ length: horizon }, (_, t) => basis(t + 1));
  const paths = Array.from({ length: samples }, () => {
    // χ²_ν is twice a gamma variate of shape ν/2
    const deviation = freedom > 0 ? Math.sqrt(residual / (2 * random.gamma(freedom / 2))) : 0;
    const off = norms.map((norm) => (deviation * random.normal()) / Math.sqrt(norm));
    return mean.map(
      (value, t) =>
        value + bases[t].reduce((sum, phi, k) => sum + phi * off[k], 0) + deviation * random.normal(),
    );
  });
  return { mean, paths };
};

/** Both, in the order of the tables. */
export const probabilisticBaselines: Readonly<Record<ProbabilisticBaselineName, ProbabilisticForecaster>> = {
  'gamma-process': gammaProcess,
  'quadratic-path': quadraticPath,
};
