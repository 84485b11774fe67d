/**
 * What a set of sampled paths says about a quantity at each step: mean and quantiles.
 */

/**
 * Sample quantile with linear interpolation between order statistics (Hyndman and Fan 1996, type 7).
 *
 * @param sorted - [M] samples in rising order
 * @param p - in [0, 1]
 */
export function quantileOfSorted(sorted: ArrayLike<number>, p: number): number {
  const position = p * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (position - below) * (sorted[above] - sorted[below]);
}

/** The rank p (M + 1) of `sampleQuantile`, kept within 1 … M. */
export function sampleRank(count: number, p: number): number {
  return Math.min(count, Math.max(1, p * (count + 1)));
}

/**
 * Quantile of the distribution that M samples come from, at rank p (M + 1) (Hyndman and Fan 1996, type 6): the next draw
 * falls below it with probability p, so that the coverage of calibrated samples is not understated, as it is by type 7
 * (16 samples, 80 %: at most 12/17 of the truths).
 *
 * @param sorted - [M] samples in rising order
 * @param p - in [0, 1]
 */
export function sampleQuantile(sorted: ArrayLike<number>, p: number): number {
  const rank = sampleRank(sorted.length, p);
  return quantileOfSorted(sorted, sorted.length === 1 ? 0 : (rank - 1) / (sorted.length - 1));
}

/** The mean of sampled paths, [M][L] → [L]. */
export function meanPath(paths: readonly ArrayLike<number>[]): Float64Array {
  return Float64Array.from(paths[0], (_, t) => paths.reduce((sum, path) => sum + path[t], 0) / paths.length);
}

/**
 * Quantiles of sampled paths at each step (`sampleQuantile`), [M][L] → [K][L].
 *
 * @param levels - [K] in [0, 1]
 */
export function quantilePaths(
  paths: readonly ArrayLike<number>[],
  levels: readonly number[],
): Float64Array[] {
  const horizon = paths[0].length;
  const quantiles = levels.map(() => new Float64Array(horizon));
  const sample = new Float64Array(paths.length);
  for (let t = 0; t < horizon; t++) {
    for (let m = 0; m < sample.length; m++) sample[m] = paths[m][t];
    sample.sort();
    levels.forEach((p, k) => (quantiles[k][t] = sampleQuantile(sample, p)));
  }
  return quantiles;
}

/** The median of sampled paths at each step, [M][L] → [L]. */
export function medianPath(paths: readonly ArrayLike<number>[]): Float64Array {
  return quantilePaths(paths, [0.5])[0];
}

/**
 * The weighted median of paths at each step: what has half of the weight on either side, the middle of two values where half of it ends
 * between them; with equal weights that of `medianPath`.
 *
 * @param paths - [M][L]
 * @param shares - [M] ≥ 0, of the whole weight; they sum to 1
 */
export function weightedMedianPath(
  paths: readonly ArrayLike<number>[],
  shares: readonly number[],
): Float64Array {
  return Float64Array.from(paths[0], (_, t) => {
    const order = paths.map((_, m) => m).sort((a, b) => paths[a][t] - paths[b][t]);
    let below = 0;
    for (const [place, m] of order.entries()) {
      below += shares[m];
      if (Math.abs(below - 0.5) < 1e-9) return (paths[m][t] + paths[order[place + 1]][t]) / 2;
      if (below > 0.5) return paths[m][t];
    }
    return paths[order[order.length - 1]][t];
  });
}
