/**
 * What forecasts are worth: the reward that is built from named quantities, or by a function of the user's own.
 */
import {
  ConfigError,
  EnvironmentError,
  resolveOptions,
  ShapeError,
  type RewardFunction,
} from '@rollcast/core';
import { z } from 'zod';

import { type DegradationWindow } from './dataset.js';
import {
  forecastQuantities,
  lineScale,
  windowScale,
  type ForecastQuantities,
} from './forecast-quantities.js';
import { FEWEST_PATHS, groupQuantities, type GroupQuantities } from './group-quantities.js';
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
    .enum(['window', 'line', 'raw'])
    .default('window')
    .describe(
      'window: errors as shares of the range of the context; line: as multiples of what the best line errs there; raw: in units of the data',
    ),
  credit: z
    .enum(['step', 'sequence'])
    .default('step')
    .describe('step: rewards at each step; sequence: one reward for the whole trajectory'),
  threshold: z
    .number()
    .optional()
    .describe('level of crossingError, in units of the data; left out: levels that the truth reaches'),
});
/** What a user writes. */
export type RewardOptions = z.input<typeof rewardOptions>;
/** Everything filled in. */
export type ResolvedRewardOptions = z.output<typeof rewardOptions>;

/** What one forecast is worth. */
export interface ScoredForecast {
  /** One number, or L. */
  readonly reward: number | Float64Array;
  /** Those of the group where there are enough paths of the context. */
  readonly quantities: ForecastQuantities & Partial<GroupQuantities>;
  /** What the user's own function has named, each one number or L. */
  readonly components: Readonly<Record<string, number | Float64Array>>;
}

/** Turns a window and the paths predicted for it into rewards and their quantities. */
export interface Reward {
  /** The expression, or the name of the function, for logs and messages. */
  readonly text: string;
  /** Quantities to report: those used, and always mse and nonMonotonicity, and crps where there are groups. */
  readonly reported: readonly QuantityName[];
  /** Quantities used that compare the paths of a context with each other. */
  readonly groupQuantities: readonly QuantityName[];
  /**
   * @param paths - [k][L] the forecasts of this window, oriented
   * @returns [k], in their order
   * @throws {ConfigError} when there are too few paths for a group quantity that is used
   * @throws {EnvironmentError} when the reward is not finite or the user's function fails, naming it and the window
   */
  score(window: DegradationWindow, paths: readonly Float64Array[]): ScoredForecast[];
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
  values: ScoredForecast['quantities'],
  series: ForecastSeries,
  credit: 'step' | 'sequence',
): number | Float64Array {
  const steps = values.mse.length;
  const step = Float64Array.from({ length: steps }, (_, t) => t + 1);
  const each = { ...values, ...series, step };
  const means = Object.entries(values).map(([name, of]: [string, number | Float64Array]) => [
    name,
    typeof of === 'number' ? of : mean(of),
  ]);
  const averaged = { ...each, ...(Object.fromEntries(means) as Record<QuantityName, number>) };
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
  const { reward, rewardScale, credit, threshold } = resolveOptions(rewardOptions, options, 'reward');
  const expression = typeof reward === 'string' ? parseReward(reward) : undefined;
  const used = new Set<QuantityName>([...(expression?.quantities ?? []), 'mse', 'nonMonotonicity', 'crps']);
  const text = typeof reward === 'string' ? reward : reward.name || 'reward function';
  const groups = expression?.groupQuantities ?? [];
  return {
    text,
    reported: (Object.keys(quantities) as QuantityName[]).filter((name) => used.has(name)),
    groupQuantities: groups,
    score(window, paths) {
      const { set, context, future, unit } = window;
      checkPaths(groups, paths.length);
      const scale = scaleOf(window, rewardScale);
      const level = threshold === undefined ? undefined : set.sign * threshold;
      const last = context[context.length - 1];
      const alone = paths.map((path) => forecastQuantities(path, future, last, scale, level));
      const together = paths.length < FEWEST_PATHS ? [] : groupQuantities(paths, future, scale, alone);
      const divide = (series: Float64Array) => series.map((value) => value / scale);
      const truth = { target: divide(future), context: divide(context) };
      return paths.map((path, i): ScoredForecast => {
        const values = { ...alone[i], ...together[i] };
        const series = { predicted: divide(path), ...truth };
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
      });
    },
  };
}

function scaleOf({ context, future }: DegradationWindow, kind: ResolvedRewardOptions['rewardScale']): number {
  switch (kind) {
    case 'window':
      return windowScale(context, future);
    case 'line':
      return lineScale(context, future);
    case 'raw':
      return 1;
  }
}

/**
 * Refuses quantities that compare the paths of a context where there are too few of them.
 *
 * @param names - the group quantities that a reward uses
 * @param paths - how many paths there are of each context
 * @throws {ConfigError}
 */
export function checkPaths(names: readonly QuantityName[], paths: number): void {
  if (names.length === 0 || paths >= FEWEST_PATHS) return;
  throw new ConfigError(
    `${names.join(' and ')} in the reward: the paths of a context are compared with each other, ${FEWEST_PATHS} or more of them; got ${paths}. Ask for more, for example --algo rloo --set rloo.samplesPerContext=16.`,
  );
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

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
