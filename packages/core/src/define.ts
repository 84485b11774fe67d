/**
 * How a file of the user's own says what it holds: its default export is what one of these functions returns. The command
 * line loads such files by path (`--env ./my-env.ts`, `--reward ./my-reward.ts`).
 */
import { z } from 'zod';

import { checkedParts, type EnvironmentKind } from './environment-parts.js';
import type { Environment, SequenceEnvironment } from './environment.js';
import { resolveOptions } from './options.js';

const noOptions = z.strictObject({});

/** What a user writes about an environment. */
export interface EnvironmentDeclaration<Made, Schema extends z.ZodType> {
  /** One line on what is to be done. */
  readonly description?: string;
  /** Schema of the options, whose values come from `--set env.KEY=VALUE`. @defaultValue no options */
  readonly options?: Schema;
  /**
   * Makes one instance.
   *
   * @param options - checked, every default filled in
   */
  create(options: z.output<Schema>): Made;
}

interface Definition<Made> {
  readonly description: string;
  readonly options: z.ZodType;
  /**
   * @param options - as the user wrote them
   * @throws {ConfigError} when they do not fit the schema
   */
  create(options?: unknown): Made;
}

/** A step environment that is ready to be made by name or path. */
export interface StepEnvironmentDefinition extends Definition<Environment> {
  readonly kind: 'step';
}

/** A sequence environment that is ready to be made by name or path. */
export interface SequenceEnvironmentDefinition extends Definition<SequenceEnvironment> {
  readonly kind: 'sequence';
}

/** What an environment file exports by default: an environment of either kind that is ready to be made. */
export type EnvironmentDefinition = StepEnvironmentDefinition | SequenceEnvironmentDefinition;

/** Declares a step environment: one action, one observation at a time. */
export function defineEnvironment<Schema extends z.ZodType = typeof noOptions>(
  declaration: EnvironmentDeclaration<Environment, Schema>,
): StepEnvironmentDefinition {
  return { kind: 'step', ...definition('step', declaration) };
}

/** Declares a sequence environment: whole token sequences, rewarded when they are complete. */
export function defineSequenceEnvironment<Schema extends z.ZodType = typeof noOptions>(
  declaration: EnvironmentDeclaration<SequenceEnvironment, Schema>,
): SequenceEnvironmentDefinition {
  return { kind: 'sequence', ...definition('sequence', declaration) };
}

function definition<Made extends object, Schema extends z.ZodType>(
  kind: EnvironmentKind,
  declaration: EnvironmentDeclaration<Made, Schema>,
): Definition<Made> {
  const schema = declaration.options ?? noOptions;
  return {
    description: declaration.description ?? '',
    options: schema,
    create: (given) =>
      checkedParts(kind, declaration.create(resolveOptions(schema, given ?? {}, 'env') as z.output<Schema>)),
  };
}

/** What a reward of the user's own may want to know beside the three series. */
export interface RewardInfo {
  /** raw = sign × scale × value given. */
  readonly sign: 1 | -1;
  /** s, what the series were divided by; 1 with `rewardScale: 'raw'`. */
  readonly scale: number;
  readonly unit: string;
}

/** One number a sequence, or L numbers, one a step. */
export type RewardNumbers = number | ArrayLike<number>;

/** A reward together with quantities of the user's own, which are logged and not learned from. */
export interface RewardParts {
  readonly reward: RewardNumbers;
  readonly components: Readonly<Record<string, RewardNumbers>>;
}

/**
 * A reward of the user's own; greater is better. The series are oriented so that wear rises (a falling column is negated)
 * and divided by the scale of the window, or by 1 with `rewardScale: 'raw'`.
 *
 * @param predicted - [L]
 * @param target - [L]
 * @param context - [W]
 * @returns one number a sequence, or L numbers, one a step; or the two with named components. The same kind for every window
 */
export type RewardFunction = (
  predicted: Float64Array,
  target: Float64Array,
  context: Float64Array,
  info: RewardInfo,
) => RewardNumbers | RewardParts;

/** What a user writes about a reward that has options. */
export interface RewardDeclaration<Schema extends z.ZodType> {
  /** One line on what is rewarded. */
  readonly description?: string;
  /** Schema of the options, whose values come from `--set reward.KEY=VALUE`. @defaultValue no options */
  readonly options?: Schema;
  /**
   * Makes the function.
   *
   * @param options - checked, every default filled in
   */
  create(options: z.output<Schema>): RewardFunction;
}

/** A reward that is ready to be made by path. */
export interface RewardDefinition extends Definition<RewardFunction> {
  readonly kind: 'reward';
}

/** Declares a reward for forecasts: a function, or what makes one from options. */
export function defineReward<Schema extends z.ZodType = typeof noOptions>(
  declaration: RewardFunction | RewardDeclaration<Schema>,
): RewardDefinition {
  const declared: RewardDeclaration<Schema> =
    typeof declaration === 'function' ? { create: () => declaration } : declaration;
  const schema = declared.options ?? noOptions;
  return {
    kind: 'reward',
    description: declared.description ?? '',
    options: schema,
    create: (given) => declared.create(resolveOptions(schema, given ?? {}, 'reward') as z.output<Schema>),
  };
}
