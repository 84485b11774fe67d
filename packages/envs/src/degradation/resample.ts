/**
 * Histories on other grids: straight lines between the points that were observed.
 */
import { type UnitSeries } from './series.js';

/**
 * A unit on a grid of its own, evenly spaced from its first to its last time:
 *
 *   tₖ = t₀ + k (t_last − t₀)/(N − 1),   k = 0 … N − 1
 *
 * with values on the straight lines between its points. One point has no span, and stays what it is.
 *
 * @param points - N, ≥ 2
 */
export function resampleUnit(series: UnitSeries, points: number): UnitSeries {
  const { unit, times, values } = series;
  const last = times.length - 1;
  if (last < 1) return series;
  const step = (times[last] - times[0]) / (points - 1);
  const even = Float64Array.from({ length: points }, (_, k) => times[0] + k * step);
  even[points - 1] = times[last];
  let left = 0; // times[left] ≤ time ≤ times[left + 1]
  const resampled = even.map((time) => {
    while (left < last - 1 && times[left + 1] <= time) left++;
    const share = (time - times[left]) / (times[left + 1] - times[left]);
    return between(values[left], values[left + 1], share);
  });
  return { unit, times: even, values: resampled };
}

/**
 * Points of a series at a pace of its own: the k-th lies at index start + k · pace, on the straight line between its neighbours.
 *
 * @param start - ≥ 0, need not be whole
 * @param pace - > 0; 2 takes every other point, ½ puts one between every two
 * @param count - how many; start + (count − 1) · pace must not lie behind the last point
 * @returns [count]
 */
export function stretched(values: Float64Array, start: number, pace: number, count: number): Float64Array {
  return Float64Array.from({ length: count }, (_, k) => {
    const place = Math.min(start + k * pace, values.length - 1); // a rounding error behind the end
    const left = Math.floor(place);
    return left === place ? values[left] : between(values[left], values[left + 1], place - left);
  });
}

function between(from: number, to: number, share: number): number {
  return from + share * (to - from);
}
