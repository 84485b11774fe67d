/** Learning curves of different runs, brought to common steps. */
import type { CurvePoint, FinishedRun } from './result.js';

const CURVE_POINTS = 50;

/**
 * Evenly spaced steps at which every run has been seen: from the latest first point to the earliest last one.
 *
 * @returns none when there is no such stretch
 */
export function commonSteps(runs: readonly FinishedRun[]): number[] {
  if (runs.length === 0 || runs.some(({ curve }) => curve.length === 0)) return [];
  const first = Math.max(...runs.map(({ curve }) => curve[0].step));
  const last = Math.min(...runs.map(({ curve }) => curve[curve.length - 1].step));
  if (first >= last) return [];
  return Array.from({ length: CURVE_POINTS }, (_, i) => first + ((last - first) * i) / (CURVE_POINTS - 1));
}

/** The returns of a curve at given steps, linear between its points, constant beyond them. */
export function sampleCurve(curve: readonly CurvePoint[], steps: readonly number[]): number[] {
  return steps.map((step) => {
    const above = curve.findIndex((point) => point.step >= step);
    if (above === -1) return curve[curve.length - 1].return;
    const after = curve[above];
    const before = curve[Math.max(0, above - 1)];
    if (after.step === before.step) return after.return;
    const share = (step - before.step) / (after.step - before.step);
    return before.return + Math.max(0, share) * (after.return - before.return);
  });
}
