/**
 * The tokeniser of degradation values. It has two separate parts: a *scaling*, fitted to each context, that turns values
 * into scaled values z, and *bins* that cut the z axis into V tokens. It belongs to the checkpoint: a model means nothing
 * without it.
 */
import { z } from 'zod';

import { ShapeError } from '../errors.js';
import { resolveOptions } from '../options.js';

/** Schema of the options of `Tokeniser`: ranges, defaults, and what each one is. */
export const tokeniserOptions = z.strictObject({
  vocabularySize: z.int().min(2).max(65_536).default(256).describe('V, number of bins'),
  scaling: z
    .enum(['min-max', 'standard', 'line-residual', 'line-noise'])
    .default('line-residual')
    .describe(
      'per context: distance from its middle over its range; standard score; distance from its fitted line over its standard deviation, or over the median distance of its points from the line, times 1.48',
    ),
  trendToken: z
    .boolean()
    .default(false)
    .describe(
      'the first token of a context tells how far the fitted line rises over it, in scales, not its first value',
    ),
  bins: z
    .enum(['uniform', 'asinh'])
    .default('asinh')
    .describe('bins of equal width, or of equal width in asinh(z / knee): fine near 0, coarse far out'),
  limit: z.number().gt(0).default(20).describe('scaled values beyond ± this saturate'),
  knee: z.number().gt(0).default(1).describe('asinh bins: |z| below which bins are about equally wide'),
});
/** Options of `Tokeniser` as a user writes them. */
export type TokeniserOptions = z.input<typeof tokeniserOptions>;
/** Options of `Tokeniser` with everything filled in. */
export type ResolvedTokeniserOptions = z.output<typeof tokeniserOptions>;

/** `line-noise`: the smallest scale, as a share of the context's standard deviation, for contexts that lie on a line. */
const LEAST_NOISE = 0.003;
/** `line-noise`: the smallest scale as a share of the standard deviation around the line, which one outlier can make. */
const LEAST_OF_DEVIATION = 0.03;
/** Median of |x| → standard deviation, of normal x. */
const NORMAL_CONSISTENCY = 1.4826;

/** What was fitted to one context: z = (y − intercept − slope · step) / scale, steps counted from the window's start. */
export interface Scaling {
  readonly intercept: number;
  /** Per step; 0 unless the scaling follows a line. */
  readonly slope: number;
  /** > 0, in the unit of the values. */
  readonly scale: number;
  /** Rise of the line over the context, W · slope / scale. */
  readonly trend: number;
}

/**
 * The least-squares line through equidistant values.
 *
 * @returns value at step 0 and slope per step; the slope is 0 for a single value
 */
export function fitLine(values: ArrayLike<number>): { intercept: number; slope: number } {
  const n = values.length;
  const middle = (n - 1) / 2;
  let mean = 0;
  for (let i = 0; i < n; i++) mean += values[i] / n;
  let covariance = 0;
  let variance = 0;
  for (let i = 0; i < n; i++) {
    covariance += (i - middle) * (values[i] - mean);
    variance += (i - middle) ** 2;
  }
  const slope = variance > 0 ? covariance / variance : 0;
  return { intercept: mean - slope * middle, slope };
}

/**
 * Noise around a line, such that a few outliers do not pass for noise: 1.4826 times the median distance, and at least 0.03 times the
 * root mean square one.
 */
function noiseAround(
  values: ArrayLike<number>,
  { intercept, slope }: { intercept: number; slope: number },
): number {
  const distances = Float64Array.from(values, (y, i) => Math.abs(y - intercept - slope * i)).sort();
  const middle = (distances.length - 1) / 2;
  const median = (distances[Math.floor(middle)] + distances[Math.ceil(middle)]) / 2;
  const meanSquare = distances.reduce((sum, d) => sum + d * d, 0) / distances.length;
  return Math.max(NORMAL_CONSISTENCY * median, LEAST_OF_DEVIATION * Math.sqrt(meanSquare));
}

function scaled(
  { intercept, slope }: { intercept: number; slope: number },
  scale: number,
  { length }: ArrayLike<number>,
): Scaling {
  return { intercept, slope, scale, trend: (slope * length) / scale };
}

/** The smallest scale of a context, so that a flat one divides by something: 1e-6 of its largest magnitude. */
function scaleFloor(low: number, high: number): number {
  return Math.max(1e-6 * Math.max(Math.abs(low), Math.abs(high)), 1e-12);
}

/** See the head of this file. */
export class Tokeniser {
  readonly config: ResolvedTokeniserOptions;
  /** V + 1 edges of the bins on the z axis, rising. */
  readonly edges: Float64Array;
  /** V centres: the middle between two edges, so that decoding has no bias within a bin. */
  readonly centres: Float64Array;

  constructor(options: TokeniserOptions = {}) {
    this.config = resolveOptions(tokeniserOptions, options, 'tokeniser');
    const { vocabularySize, bins, limit, knee } = this.config;
    const reach = Math.asinh(limit / knee);
    this.edges = Float64Array.from({ length: vocabularySize + 1 }, (_, i) => {
      const u = (2 * i) / vocabularySize - 1;
      return bins === 'uniform' ? u * limit : knee * Math.sinh(u * reach);
    });
    this.centres = Float64Array.from(
      { length: vocabularySize },
      (_, k) => (this.edges[k] + this.edges[k + 1]) / 2,
    );
  }

  /** V, number of tokens. */
  get vocabularySize(): number {
    return this.config.vocabularySize;
  }

  /**
   * Fits the scaling to a context; nothing of the future is used.
   *
   * @param context - W values, finite
   * @throws {ShapeError} for an empty context
   */
  fit(context: ArrayLike<number>): Scaling {
    if (context.length === 0) throw new ShapeError('A context needs at least one value; got none.');
    let low = Infinity;
    let high = -Infinity;
    let mean = 0;
    for (let i = 0; i < context.length; i++) {
      low = Math.min(low, context[i]);
      high = Math.max(high, context[i]);
      mean += context[i] / context.length;
    }
    let variance = 0;
    for (let i = 0; i < context.length; i++) variance += (context[i] - mean) ** 2 / context.length;
    const floor = scaleFloor(low, high);
    const deviation = Math.max(Math.sqrt(variance), floor);
    switch (this.config.scaling) {
      case 'min-max':
        return scaled({ intercept: (low + high) / 2, slope: 0 }, Math.max(high - low, floor), context);
      case 'standard':
        return scaled({ intercept: mean, slope: 0 }, deviation, context);
      case 'line-residual':
        return scaled(fitLine(context), deviation, context);
      case 'line-noise': {
        const line = fitLine(context);
        const scale = Math.max(noiseAround(context, line), LEAST_NOISE * deviation, 10 * floor);
        return scaled(line, scale, context);
      }
    }
  }

  /**
   * Values to tokens; values beyond the limit saturate at the first or last bin. With `trendToken` the token of step 0 is that
   * of the trend; the value there is what makes the context's distances from its line sum to zero.
   *
   * @param firstStep - the step of `values[0]` within its window: 0 for the context, W for the future
   */
  encode(values: ArrayLike<number>, scaling: Scaling, firstStep: number): Int32Array {
    const { intercept, slope, scale, trend } = scaling;
    const tokens = Int32Array.from({ length: values.length }, (_, i) =>
      this.bin((values[i] - intercept - slope * (firstStep + i)) / scale),
    );
    if (this.config.trendToken && firstStep === 0) tokens[0] = this.bin(trend);
    return tokens;
  }

  /** Tokens to values, at the centres of their bins; the trend token, at step 0, reads as a value that was never there. */
  decode(tokens: ArrayLike<number>, { intercept, slope, scale }: Scaling, firstStep: number): Float64Array {
    return Float64Array.from(
      { length: tokens.length },
      (_, i) => intercept + slope * (firstStep + i) + scale * this.centres[tokens[i]],
    );
  }

  /** How many values lie beyond the limit, where the first and last bins stand for everything further out. */
  saturated(values: ArrayLike<number>, { intercept, slope, scale }: Scaling, firstStep: number): number {
    let count = 0;
    for (let i = 0; i < values.length; i++) {
      if (Math.abs((values[i] - intercept - slope * (firstStep + i)) / scale) > this.config.limit) count++;
    }
    return count;
  }

  /** The bin that holds z: the last whose lower edge is not above it. */
  private bin(value: number): number {
    let low = 0;
    let high = this.vocabularySize - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.edges[middle] <= value) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
