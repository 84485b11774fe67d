/**
 * Training windows as they might also have been: at another pace, noisier, or between two that were seen.
 */
import { resolveOptions, type RandomStream } from '@rollcast/core';
import { z } from 'zod';

import { type DegradationWindow, type RLDataset, type WindowSource } from './dataset.js';
import { stretched } from './resample.js';

/** Two positive numbers in order. */
const range = (highest: number) =>
  z
    .tuple([z.number().gt(0).max(highest), z.number().gt(0).max(highest)])
    .refine(([low, high]) => low <= high, { error: 'expected [low, high] with low ≤ high' });

/** Schema of the options of `AugmentedWindows`: each is off unless given. */
export const augmentOptions = z.strictObject({
  stretch: range(100)
    .optional()
    .describe('[low, high]: a window spans f times as many points of its unit, f log-uniform between them'),
  plain: z
    .number()
    .min(0)
    .max(1)
    .default(0.5)
    .describe('with stretch: share of the windows that keep the pace of their unit'),
  halfTurn: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe(
      'share of the windows that are turned by half a turn: wear that speeds up becomes wear that slows down',
    ),
  mix: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe('share of the windows that are a convex combination of two of their set'),
  noise: z.number().min(0).max(1).default(0).describe('share of the windows that get white noise added'),
  noiseDeviation: range(10)
    .default([0.01, 0.3])
    .describe('[low, high]: standard deviation of that noise in deviations of the context, log-uniform'),
});
/** What a user writes. */
export type AugmentOptions = z.input<typeof augmentOptions>;
/** Everything filled in. */
export type ResolvedAugmentOptions = z.output<typeof augmentOptions>;

/** Concentration of the weights of a mixed window, that of TSMixup (Ansari et al. 2024). */
const MIX_CONCENTRATION = 1.5;

/**
 * Draws windows from a dataset and changes them, in this order:
 *
 * - *stretch*: with probability 1 − plain, W + L points at a pace of f points of the unit, f log-uniform in [low, high], from
 *   a uniform start, on straight lines between the points; f is at most what the unit is long enough for.
 * - *halfTurn*: x_i → x_first + x_last − x_{W+L+1−i}, last point first and upside down: the direction of wear stays, and
 *   what sped up slows down, with the noise of its unit.
 * - *mix*: x → λ x + (1 − λ) x′ with x′ another such window, brought to the mean and the deviation of the context of x, and
 *   (λ, 1 − λ) ~ Dirichlet(1.5, 1.5): TSMixup of Chronos (Ansari et al. 2024, arXiv:2403.07815, section 4.1) with two series,
 *   which here stays in the units of x, so that rewards of such a window mean what those of others do.
 * - *noise*: x + c s ε, ε white and standard normal, s the standard deviation of the context, c log-uniform.
 *
 * A context without deviation is neither mixed nor made noisy. Windows are new arrays; `unit` and `start` say where they began.
 */
export class AugmentedWindows implements WindowSource {
  readonly contextLength: number;
  readonly horizon: number;
  /** Everything filled in. */
  readonly options: ResolvedAugmentOptions;

  /** @throws {ConfigError} for options out of range */
  constructor(
    private readonly dataset: RLDataset,
    options: AugmentOptions,
  ) {
    this.options = resolveOptions(augmentOptions, options, 'augment');
    this.contextLength = dataset.contextLength;
    this.horizon = dataset.horizon;
  }

  draw(random: RandomStream): DegradationWindow {
    const { halfTurn, mix, noise } = this.options;
    let window = this.drawStretched(random);
    // nothing is drawn where it is off, so that runs from before it was there draw the same windows
    if (halfTurn > 0 && random.uniform() < halfTurn) window = turned(window);
    if (random.uniform() < mix) window = mixed(window, this.drawStretched(random), random);
    if (random.uniform() < noise) window = noisy(window, this.options.noiseDeviation, random);
    return window;
  }

  /** A window at the pace of its unit, or at another one. */
  private drawStretched(random: RandomStream): DegradationWindow {
    const { stretch, plain } = this.options;
    const window = this.dataset.draw(random);
    if (!stretch || random.uniform() < plain) return window;
    const { values } = this.dataset.units[window.unitIndex];
    const steps = this.contextLength + this.horizon - 1;
    const [low, high] = [stretch[0], Math.min(stretch[1], (values.length - 1) / steps)];
    if (low > high) return window;
    const pace = logUniform(low, high, random);
    const start = random.uniform() * Math.max(0, values.length - 1 - steps * pace);
    return withPoints({ ...window, start: Math.floor(start) }, stretched(values, start, pace, steps + 1));
  }
}

function turned(window: DegradationWindow): DegradationWindow {
  const points = pointsOf(window);
  const ends = points[0] + points[points.length - 1];
  return withPoints(window, points.map((x) => ends - x).reverse());
}

function mixed(window: DegradationWindow, other: DegradationWindow, random: RandomStream): DegradationWindow {
  const [first, second] = [random.gamma(MIX_CONCENTRATION), random.gamma(MIX_CONCENTRATION)];
  const own = moments(window.context);
  const its = moments(other.context);
  if (own.deviation === 0 || its.deviation === 0) return window;
  const share = first / (first + second);
  const points = pointsOf(window);
  const otherPoints = pointsOf(other);
  const scale = own.deviation / its.deviation;
  return withPoints(
    window,
    points.map((x, i) => share * x + (1 - share) * (own.mean + scale * (otherPoints[i] - its.mean))),
  );
}

function noisy(
  window: DegradationWindow,
  [low, high]: readonly [number, number],
  random: RandomStream,
): DegradationWindow {
  const size = logUniform(low, high, random) * moments(window.context).deviation;
  return size === 0
    ? window
    : withPoints(
        window,
        pointsOf(window).map((x) => x + size * random.normal()),
      );
}

function logUniform(low: number, high: number, random: RandomStream): number {
  return low * (high / low) ** random.uniform();
}

function moments(values: Float64Array): { mean: number; deviation: number } {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
  return { mean, deviation: Math.sqrt(variance) };
}

function pointsOf({ context, future }: DegradationWindow): Float64Array {
  const points = new Float64Array(context.length + future.length);
  points.set(context);
  points.set(future, context.length);
  return points;
}

function withPoints(window: DegradationWindow, points: Float64Array): DegradationWindow {
  const { length } = window.context;
  return { ...window, context: points.subarray(0, length), future: points.subarray(length) };
}
