/**
 * What a forecast is worth: named quantities, the scale that makes windows comparable, and the reward built from them.
 */
import { EnvironmentError, resolveOptions, ShapeError, type RewardFunction } from '@rollcast/core';
import { z } from 'zod';

import { type DegradationWindow } from './dataset.js';
import {
  DEFAULT_REWARD,
  parseReward,
  quantities,
  rewardSeries,
  type QuantityName,
  type RewardExpression,
} from './reward-expression.js';

export type { RewardFunction, RewardInfo } from '@rollcast/core';

/** Schema of the options of rewards: ranges, defaults, and what each one is. */
export const rewardOptions = z.strictObject({
  reward: z
    .union([z.string(), z.custom<RewardFunction>((value) => typeof value === 'function')])
    .default(DEFAULT_REWARD)
    .describe(
      `what is maximised: an expression of ${[...Object.keys(quantities), ...Object.keys(rewardSeries)].join(', ')}, or a function`,
    ),
  rewardScale: z
    .enum(['window', 'raw'])
    .default('window')
    .describe('window: errors as shares of the scale of the window; raw: in units of the data'),
  credit: z
    .enum(['step', 'sequence'])
    .default('step')
    .describe('step: rewards at each step; sequence: one reward for the whole trajectory'),
});
/** What a user writes. */
export type RewardOptions = z.input<typeof rewardOptions>;
/** Everything filled in. */
export type ResolvedRewardOptions = z.output<typeof rewardOptions>;

/** [L] values of the per-step quantities, and one of finalError; all divided by s (mse by s²). */
export interface ForecastQuantities {
  readonly mse: Float64Array;
  readonly mae: Float64Array;
  readonly nonMonotonicity: Float64Array;
  readonly finalError: number;
}

/** Turns a window and a predicted path into a reward and its quantities. */
export interface Reward {
  /** The expression, or the name of the function, for logs and messages. */
  readonly text: string;
  /** Quantities to report: those used, and always mse and nonMonotonicity. */
  readonly reported: readonly QuantityName[];
  /**
   * @param predicted - [L], oriented
   * @returns the reward, one number or L, the quantities, and those of the user's own function, each one number or L
   * @throws {EnvironmentError} when the reward is not finite or the user's function fails, naming it and the window
   */
  score(
    window: DegradationWindow,
    predicted: Float64Array,
  ): {
    reward: number | Float64Array;
    quantities: ForecastQuantities;
    components: Readonly<Record<string, number | Float64Array>>;
  };
}

/** The scale of a window is at least this share of the range of context and future together. */
const SCALE_FLOOR = 1e-3;

/** Smallest scale of all: a context and a future that are exactly flat. */
const SMALLEST_SCALE = 1e-12;

/**
 * Scale s of a window: the range of its context, so that errors are shares of the wear just seen; floored for contexts
 * that are (almost) flat.
 *
 *   s = max(range(context), 10⁻³ range(context and future), 10⁻¹²)
 */
export function windowScale(context: ArrayLike<number>, future: ArrayLike<number>): number {
  const [low, high] = extremes(context);
  const [futureLow, futureHigh] = extremes(future);
  const whole = Math.max(high, futureHigh) - Math.min(low, futureLow);
  return Math.max(high - low, SCALE_FLOOR * whole, SMALLEST_SCALE);
}

/**
 * The named quantities of one forecast, with ŷ₀ the last context value:
 *
 *   mseₜ = ((ŷₜ − yₜ)/s)²,  maeₜ = |ŷₜ − yₜ|/s,  nonMonotonicityₜ = max(0, ŷₜ₋₁ − ŷₜ)/s,  finalError = |ŷ_L − y_L|/s
 *
 * @param predicted - [L], oriented so that wear rises
 * @param target - [L]
 * @param last - the last context value
 * @param scale - s > 0
 */
export function forecastQuantities(
  predicted: ArrayLike<number>,
  target: ArrayLike<number>,
  last: number,
  scale: number,
): ForecastQuantities {
  const steps = target.length;
  const error = (t: number) => (predicted[t] - target[t]) / scale;
  const fill = (at: (t: number) => number) => Float64Array.from({ length: steps }, (_, t) => at(t));
  return {
    mse: fill((t) => error(t) ** 2),
    mae: fill((t) => Math.abs(error(t))),
    nonMonotonicity: fill((t) => Math.max(0, (t === 0 ? last : predicted[t - 1]) - predicted[t]) / scale),
    finalError: Math.abs(error(steps - 1)),
  };
}

/** The series of one window, oriented so that wear rises and divided by s. */
export interface ForecastSeries {
  /** [L] */
  readonly predicted: Float64Array;
  /** [L] */
  readonly target: Float64Array;
  /** [W] */
  readonly context: Float64Array;
}

/**
 * The value of an expression for one forecast.
 *
 * Credit by step: a term made of per-step quantities only is evaluated at each step and divided by L, and so is a term of
 * `predicted`, `target` or `step`; any other term is evaluated once, with per-step quantities averaged over the steps, and
 * lands on the last step. For an expression that is linear in its quantities the steps add up to the sequence value; for
 * others (`-sqrt(mse)`) the two are different rewards.
 *
 * Credit by sequence: the sum of the terms, per-step quantities averaged over the steps. A term of `predicted`, `target` or
 * `step` is evaluated at each step and then averaged.
 *
 * @returns [L] by step, one number by sequence
 */
export function expressionReward(
  expression: RewardExpression,
  values: ForecastQuantities,
  series: ForecastSeries,
  credit: 'step' | 'sequence',
): number | Float64Array {
  const steps = values.mse.length;
  const { mse, mae, nonMonotonicity, finalError } = values;
  const step = Float64Array.from({ length: steps }, (_, t) => t + 1);
  const each = { mse, mae, nonMonotonicity, finalError, ...series, step };
  const averaged = { ...each, mse: mean(mse), mae: mean(mae), nonMonotonicity: mean(nonMonotonicity) };
  const rewards = new Float64Array(steps);
  let whole = 0;
  for (const { kind, evaluate } of expression.terms) {
    const atEachStep = kind === 'series' || (kind === 'step' && credit === 'step');
    const value = atEachStep ? evaluate(each) : evaluate(averaged, each);
    if (!atEachStep) whole += value as number;
    else for (let t = 0; t < steps; t++) rewards[t] += (typeof value === 'number' ? value : value[t]) / steps;
  }
  if (credit === 'sequence') return whole + rewards.reduce((sum, reward) => sum + reward, 0);
  rewards[steps - 1] += whole;
  return rewards;
}

/**
 * Builds the reward of windows.
 *
 * @throws {ConfigError} for options out of range or an expression that does not parse
 */
export function createReward(options: RewardOptions): Reward {
  const { reward, rewardScale, credit } = resolveOptions(rewardOptions, options, 'reward');
  const expression = typeof reward === 'string' ? parseReward(reward) : undefined;
  const used = new Set<QuantityName>([...(expression?.quantities ?? []), 'mse', 'nonMonotonicity']);
  const text = typeof reward === 'string' ? reward : reward.name || 'reward function';
  return {
    text,
    reported: (Object.keys(quantities) as QuantityName[]).filter((name) => used.has(name)),
    score(window, predicted) {
      const { set, context, future, unit } = window;
      const scale = rewardScale === 'raw' ? 1 : windowScale(context, future);
      const values = forecastQuantities(predicted, future, context[context.length - 1], scale);
      const divide = (series: Float64Array) => series.map((value) => value / scale);
      const series = { predicted: divide(predicted), target: divide(future), context: divide(context) };
      if (typeof reward === 'string') {
        const result = expressionReward(expression!, values, series, credit);
        checkFinite(result, text, window);
        return { reward: result, quantities: values, components: {} };
      }
      const call = (): unknown =>
        reward(series.predicted, series.target, series.context, { sign: set.sign, scale, unit });
      const { result, components } = userReward(called(call, text, window), future.length, credit, text);
      checkFinite(result, text, window);
      return { reward: result, quantities: values, components };
    },
  };
}

/** What the user's function returns; what it throws names it and the window. */
function called(call: () => unknown, name: string, { unit, start }: DegradationWindow): unknown {
  try {
    return call();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new EnvironmentError(
      `the reward "${name}" failed for the window of unit "${unit}" that starts at point ${start + 1}: ${message}`,
      { cause: error },
    );
  }
}

/** Names that a user's components cannot have: those of the quantities, and the keys of metrics beside them. */
const TAKEN: readonly string[] = [...Object.keys(quantities), 'mean', 'greedyMean'];

function userReward(
  value: unknown,
  steps: number,
  credit: 'step' | 'sequence',
  name: string,
): { result: number | Float64Array; components: Record<string, number | Float64Array> } {
  const hasParts = typeof value === 'object' && value !== null && 'reward' in value;
  const parts = hasParts ? (value as { reward: unknown; components?: Record<string, unknown> }) : undefined;
  const reward = numbersOf(parts ? parts.reward : value, steps, name);
  const components = Object.entries(parts?.components ?? {}).map(([component, numbers]) => {
    if (TAKEN.includes(component))
      throw new EnvironmentError(
        `${name} returned a component "${component}", which is logged already; choose another name.`,
      );
    return [component, numbersOf(numbers, steps, `${name}, component "${component}",`)];
  });
  return {
    result:
      credit === 'sequence' && typeof reward !== 'number'
        ? reward.reduce((sum, item) => sum + item, 0)
        : reward,
    components: Object.fromEntries(components) as Record<string, number | Float64Array>,
  };
}

/** One number a sequence or one a step. */
function numbersOf(value: unknown, steps: number, name: string): number | Float64Array {
  if (typeof value === 'number') return value;
  if (!Array.isArray(value) && !ArrayBuffer.isView(value))
    throw new EnvironmentError(`${name} must return a number or an array of ${steps}; got ${typeof value}.`);
  const list = Float64Array.from(value as ArrayLike<number>);
  if (list.length !== steps)
    throw new ShapeError(`${name} must return one number a step (${steps}); got ${list.length}.`);
  return list;
}

function checkFinite(reward: number | Float64Array, text: string, window: DegradationWindow): void {
  const bad = typeof reward === 'number' ? reward : reward.find((value) => !Number.isFinite(value));
  if (bad === undefined || Number.isFinite(bad)) return;
  throw new EnvironmentError(
    `the reward "${text}" is ${bad} for the window of unit "${window.unit}" that starts at point ${window.start + 1}. Guard it, for example log(1e-6 + mse).`,
  );
}

function extremes(values: ArrayLike<number>): [low: number, high: number] {
  let low = Infinity;
  let high = -Infinity;
  for (let i = 0; i < values.length; i++) {
    low = Math.min(low, values[i]);
    high = Math.max(high, values[i]);
  }
  return [low, high];
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
