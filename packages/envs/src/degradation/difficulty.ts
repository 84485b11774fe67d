/** Windows by difficulty: more of those whose future is not the continuation of a line. */
import { type RandomStream } from '@rollcast/core';

import { type DegradationWindow } from './dataset.js';
import { bestLineError } from './forecast-quantities.js';

/** A context deviates by at least this share of its largest magnitude, so that a flat one divides by something. */
const FLAT = 1e-6;

/**
 * How badly the best line forecasts a window, in units of what the context deviates:
 *
 *   bestLineError / std(context)
 *
 * Near 0 where the future is a line; 1 where it strays from every line by as much as the context varied.
 */
export function difficulty({ context, future }: Pick<DegradationWindow, 'context' | 'future'>): number {
  const mean = context.reduce((sum, value) => sum + value, 0) / context.length;
  const variance = context.reduce((sum, value) => sum + (value - mean) ** 2, 0) / context.length;
  const magnitude = context.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return bestLineError(context, future) / Math.max(Math.sqrt(variance), FLAT * magnitude, 1e-12);
}

/** Windows that one is chosen from; no window comes more than this many times as often as it would. */
const CANDIDATES = 8;

/**
 * A window in proportion to its difficulty to a power: several are drawn as usual, and one of them is chosen so (sampling,
 * importance resampling; Rubin 1987). No pass over the data is needed, and units stay alike but for how hard they are.
 *
 * @param draw - draws a window as usual
 * @param power - in (0, 2]; ½ tempers the few windows with a sudden end
 */
export function drawByDifficulty(
  draw: () => DegradationWindow,
  power: number,
  random: RandomStream,
): DegradationWindow {
  const candidates = Array.from({ length: CANDIDATES }, draw);
  const weights = candidates.map((window) => difficulty(window) ** power);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let left = random.uniform() * total;
  const chosen = weights.findIndex((weight) => (left -= weight) < 0);
  return candidates[Math.max(0, chosen)]; // all weights 0: the first, drawn as usual
}
