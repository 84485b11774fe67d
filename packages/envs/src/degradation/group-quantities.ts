/**
 * What is measured of k forecasts of the same context together: proper scores of the distribution that they are drawn from, each
 * path charged with its share. A forecaster that maximises a reward of one path alone (`-mae`) does best by giving the same path
 * every time; one that maximises these does best by the true distribution (Gneiting and Raftery 2007, JASA 102).
 *
 * The score of a distribution is E e(X) − ½ E d(X, X′), X and X′ two independent paths. Its gradient by the score function is
 * E [(e(X) − E′ d(X, X′)) ∇ log p(X)]: with d in full, not by half, since both paths depend on the parameters. With k paths the
 * mean distance from path i to the others stands for E′ d(xᵢ, X′). Taken by itself it would be wrong under a leave-one-out
 * baseline: the rewards of the others hold their distance to path i too, and subtracting their mean takes back a share
 * 1/(k − 1) of it, for k = 2 all of it. So half the mean distance among the others, which path i has no part in, is taken off
 * first (`shareOfDistance`). Then no expectation of another's reward depends on path i; the gradient is unbiased under any
 * baseline; and the mean over the group is the unbiased ("fair", Ferro 2014) estimate of the score itself.
 */
import { type ForecastQuantities } from './forecast-quantities.js';

/** [L] values of the per-step quantities, one number of the others, of one of k paths. */
export interface GroupQuantities {
  readonly spread: Float64Array;
  readonly crps: Float64Array;
  readonly pathSpread: number;
  readonly energyScore: number;
  readonly variogram: number;
}

/** Fewest paths of a context: with two of them, nothing is left among the others of each. */
export const FEWEST_PATHS = 3;

/** Lags of the variogram, in steps; those that fit into the horizon. */
const VARIOGRAM_LAGS = [1, 5, 20] as const;

/**
 * What path i adds to the mean distance of a group of k:
 *
 *   1/(k−1) Σⱼ dᵢⱼ − ½ · mean_{j<l; j,l≠i} dⱼₗ  =  Dᵢ/(k−2) − D/((k−1)(k−2)),   Dᵢ = Σⱼ dᵢⱼ,  D = Σ_{j<l} dⱼₗ
 *
 * Its mean over the group is ½ mean_{i≠j} dᵢⱼ. For a metric d it is ≥ 0.
 *
 * @param own - Dᵢ, the distances from path i to the others
 * @param total - D, the distances of all pairs
 * @param count - k ≥ 3
 */
export function shareOfDistance(own: number, total: number, count: number): number {
  return own / (count - 2) - total / ((count - 1) * (count - 2));
}

/**
 * The quantities of k ≥ 3 paths of one context, with `share` as in `shareOfDistance`:
 *
 *   spreadᵢₜ = share of |ŷᵢₜ − ŷⱼₜ|/s,   crps = mae − spread (at each step)
 *   pathSpreadᵢ = share of ‖ŷᵢ − ŷⱼ‖/(s √L),   energyScore = pathError − pathSpread
 *   variogramᵢ = mean over lags h and steps t of 2 · share of uᵢ uⱼ,   uᵢ = √(|ŷᵢ,ₜ₊ₕ − ŷᵢₜ|/s) − √(|yₜ₊ₕ − yₜ|/s)
 *
 * The last is the variogram score of order ½ (Scheuerer and Hamill 2015, Monthly Weather Review 143), (E √|ΔX| − √|Δy|)², as the
 * product of two independent paths, which has no bias for few paths; it may therefore be negative. Lags are 1, 5 and 20 steps.
 *
 * @param paths - [k][L], oriented
 * @param target - [L]
 * @param scale - s > 0
 * @param alone - [k] what is known of each path by itself
 */
export function groupQuantities(
  paths: readonly ArrayLike<number>[],
  target: ArrayLike<number>,
  scale: number,
  alone: readonly Pick<ForecastQuantities, 'mae' | 'pathError'>[],
): GroupQuantities[] {
  const count = paths.length;
  const steps = target.length;
  const own = paths.map(() => new Float64Array(steps));
  const total = new Float64Array(steps);
  const ownPath = new Float64Array(count);
  let totalPath = 0;
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < i; j++) {
      let squares = 0;
      for (let t = 0; t < steps; t++) {
        const distance = Math.abs(paths[i][t] - paths[j][t]) / scale;
        own[i][t] += distance;
        own[j][t] += distance;
        total[t] += distance;
        squares += distance * distance;
      }
      const distance = Math.sqrt(squares / steps);
      ownPath[i] += distance;
      ownPath[j] += distance;
      totalPath += distance;
    }
  }
  const variograms = variogramShares(paths, target, scale);
  return paths.map((_, i) => {
    const spread = own[i].map((distance, t) => shareOfDistance(distance, total[t], count));
    const pathSpread = shareOfDistance(ownPath[i], totalPath, count);
    return {
      spread,
      crps: alone[i].mae.map((error, t) => error - spread[t]),
      pathSpread,
      energyScore: alone[i].pathError - pathSpread,
      variogram: variograms[i],
    };
  });
}

/** [k] what each path adds to the variogram score of the group; 0 where no lag fits. */
function variogramShares(
  paths: readonly ArrayLike<number>[],
  target: ArrayLike<number>,
  scale: number,
): Float64Array {
  const count = paths.length;
  const lags = VARIOGRAM_LAGS.filter((lag) => lag < target.length);
  const shares = new Float64Array(count);
  const rough = (path: ArrayLike<number>, t: number, lag: number) =>
    Math.sqrt(Math.abs(path[t + lag] - path[t]) / scale);
  for (const lag of lags) {
    const pairs = target.length - lag;
    for (let t = 0; t < pairs; t++) {
      const truth = rough(target, t, lag);
      const errors = paths.map((path) => rough(path, t, lag) - truth);
      const sum = errors.reduce((a, u) => a + u, 0);
      const total = (sum * sum - errors.reduce((a, u) => a + u * u, 0)) / 2;
      errors.forEach((u, i) => {
        shares[i] += (2 * shareOfDistance(u * (sum - u), total, count)) / (pairs * lags.length);
      });
    }
  }
  return shares;
}
