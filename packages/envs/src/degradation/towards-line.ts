import { lastValuePlusSlope } from './baselines.js';
import { medianPath } from './path-statistics.js';

/**
 * A forecast combined with a line: all paths of a window are moved alike, so that at each step their median lies a share s of the way
 * from where it was to the line that starts at the last value with the slope of the whole context,
 *
 *   y′_t = y_t − s (m_t − l_t).
 *
 * Two forecasts that err differently err less when they are combined (Bates and Granger 1969, Operational Research Quarterly 20(4)),
 * and a fixed share is hard to beat by an estimated one (Timmermann 2006, Handbook of Economic Forecasting 1, section 7). How the paths
 * lie around their median stays as it is.
 *
 * @param paths - [M][L]
 * @param context - [W]
 * @param share - s in [0, 1]: 0 leaves the paths, 1 puts their median on the line
 * @returns [M][L], new arrays
 */
export function towardsLine(
  paths: readonly ArrayLike<number>[],
  context: ArrayLike<number>,
  share: number,
): Float64Array[] {
  if (share === 0) return paths.map((path) => Float64Array.from(path));
  const median = medianPath(paths);
  const line = lastValuePlusSlope(context, median.length);
  return paths.map((path) => Float64Array.from(path, (value, t) => value - share * (median[t] - line[t])));
}
