/**
 * The last points of a unit as a model reads them: a fixed number, one time step apart.
 */
import { hasEvenSteps, type UnitSeries } from './series.js';
import { quantileOfSorted } from './path-statistics.js';

/** A time step longer than this many median steps is a gap that is not bridged. */
export const MOST_STEPS_MISSING = 5;

/** The end of a unit's history on an even grid. */
export interface EvenContext {
  /** [W] the last is the last observed one. */
  readonly values: Float64Array;
  readonly lastTime: number;
  /** Between neighbours, in the time unit of the data. */
  readonly timeStep: number;
  /** The points lay unevenly in time, and were interpolated. */
  readonly resampled: boolean;
}

/**
 * The last W points of a unit. Where their times are uneven they are resampled to the median of their time steps, d: at
 * t_last − (W − 1) d, …, t_last − d, t_last, on straight lines between the points.
 *
 * @param count - W, ≥ 2
 * @returns the context, or in a sentence why there is none: fewer than W points, a history that does not reach back W
 *   median steps, or a gap of more than `MOST_STEPS_MISSING` median steps in it
 */
export function evenContext({ times, values }: UnitSeries, count: number): EvenContext | string {
  const n = values.length;
  if (n < count) return `${n} point${n === 1 ? '' : 's'}, and the model reads ${count}`;
  const lastTime = times[n - 1];
  const lastTimes = times.subarray(n - count);
  if (hasEvenSteps(lastTimes)) {
    const timeStep = (lastTime - lastTimes[0]) / (count - 1);
    return { values: values.slice(n - count), lastTime, timeStep, resampled: false };
  }
  const steps = Float64Array.from(lastTimes.subarray(1), (time, i) => time - lastTimes[i]).sort();
  const timeStep = quantileOfSorted(steps, 0.5);
  const start = lastTime - (count - 1) * timeStep;
  if (times[0] > start + 1e-9 * timeStep) {
    return `its ${n} points reach back ${short(lastTime - times[0])}, and the model reads ${count} points at their median time step of ${short(timeStep)}, which is ${short(lastTime - start)}`;
  }
  const context = new Float64Array(count);
  let right = n - 1; // times[right - 1] ≤ time ≤ times[right]
  for (let k = count - 1; k >= 0; k--) {
    const time = Math.max(times[0], start + k * timeStep);
    while (right > 1 && times[right - 1] >= time) right--;
    const gap = times[right] - times[right - 1];
    if (gap > MOST_STEPS_MISSING * timeStep * (1 + 1e-9)) {
      return `a gap of ${short(gap)} after time ${short(times[right - 1])}, more than ${MOST_STEPS_MISSING} median time steps of ${short(timeStep)}, within the ${count} points that the model reads`;
    }
    const share = (time - times[right - 1]) / gap;
    context[k] = values[right - 1] + share * (values[right] - values[right - 1]);
  }
  context[count - 1] = values[n - 1];
  return { values: context, lastTime, timeStep, resampled: true };
}

function short(value: number): string {
  return String(Number(value.toPrecision(6)));
}
