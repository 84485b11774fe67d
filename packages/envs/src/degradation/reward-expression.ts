/**
 * Rewards written as expressions of named quantities and of the series themselves, for example
 * `-mse - 0.2*nonMonotonicity` or `-abs(predicted - target) * (step > 30)`; what is written is maximised.
 */
import { ConfigError, parseExpression, type ExpressionTerm, type ExpressionVariable } from '@rollcast/core';

import { type ForecastQuantities } from './forecast-quantities.js';
import { type GroupQuantities } from './group-quantities.js';

/** Quantities of a forecast. Errors and penalties are ≥ 0; formulas in `reward.ts`. */
export type QuantityName = keyof ForecastQuantities | keyof GroupQuantities;

/** A quantity: whether it has a value at each step or one a sequence, and whether it compares the paths of a context. */
interface QuantityKind {
  readonly perStep: boolean;
  readonly group?: true;
  readonly description: string;
}

/** Which quantities there are. */
export const quantities: Readonly<Record<QuantityName, QuantityKind>> = {
  mse: { perStep: true, description: 'squared error ((ŷ − y)/s)²' },
  mae: { perStep: true, description: 'absolute error |ŷ − y|/s' },
  nonMonotonicity: { perStep: true, description: 'wrong-way part of a step, max(0, ŷ before − ŷ)/s' },
  finalError: { perStep: false, description: 'absolute error of the last point |ŷ_L − y_L|/s' },
  pathError: { perStep: false, description: 'distance of the whole path ‖ŷ − y‖/(s √L)' },
  crossingError: {
    perStep: false,
    description: 'how far apart levels are passed, as a share of the horizon',
  },
  spread: { perStep: true, group: true, description: 'distance to the other paths of the context' },
  crps: { perStep: true, group: true, description: 'mae − spread: CRPS of the distribution' },
  pathSpread: { perStep: false, group: true, description: 'distance to the other whole paths' },
  energyScore: { perStep: false, group: true, description: 'pathError − pathSpread: CRPS of whole paths' },
  variogram: { perStep: false, group: true, description: 'variogram score: how rough paths are' },
};

/** The series that a reward may use beside the quantities, as a function of a user's own gets them. */
export type SeriesName = 'predicted' | 'target' | 'context' | 'step';

/** What the series are; `context` runs along the W observed points, the others along the L steps. */
export const rewardSeries: Readonly<Record<SeriesName, { description: string }>> = {
  predicted: { description: 'the generated path ŷ/s, at each step' },
  target: { description: 'what happened y/s, at each step' },
  step: { description: 'number of the step, 1 … L' },
  context: { description: 'the W observed points, divided by s; make one number of it: last(context)' },
};

/** The value of every quantity at one place. */
export type QuantityValues = Readonly<Partial<Record<QuantityName, number>>>;

/** A summand of the expression. */
export interface RewardTerm extends Pick<ExpressionTerm, 'evaluate'> {
  /**
   * What it is evaluated on. `step`: per-step quantities alone, which may stand for one step or for the average over
   * steps. `series`: it uses `predicted`, `target` or `step` outside of a reduction, and has a value at each step only.
   * `sequence`: one number a sequence.
   */
  readonly kind: 'step' | 'series' | 'sequence';
}

/** A reward, parsed and checked. */
export interface RewardExpression extends Pick<ExpressionTerm, 'evaluate'> {
  readonly text: string;
  /** The quantities used, in the order of `quantities`. */
  readonly quantities: readonly QuantityName[];
  /** Those of them that compare the paths of a context with each other. */
  readonly groupQuantities: readonly QuantityName[];
  /** Summands at the top level, signs included; their sum is the expression. */
  readonly terms: readonly RewardTerm[];
}

/** Reward unless asked otherwise: minus the mean squared error, as in the plan. */
export const DEFAULT_REWARD = '-mse';

const STEPS = 'steps';
const variables: Readonly<Record<QuantityName | SeriesName, ExpressionVariable>> = {
  ...(Object.fromEntries(
    Object.entries(quantities).map(([name, { perStep, description }]) => [
      name,
      { description, ...(perStep && { axis: STEPS }) },
    ]),
  ) as Record<QuantityName, ExpressionVariable>),
  predicted: { axis: STEPS, ...rewardSeries.predicted },
  target: { axis: STEPS, ...rewardSeries.target },
  step: { axis: STEPS, ...rewardSeries.step },
  context: { axis: 'context', ...rewardSeries.context },
};

/**
 * Parses a reward once: an expression (`parseExpression` has the language) of the quantities and series above.
 *
 * @throws {ConfigError} that points at the first thing that is not allowed or known
 */
export function parseReward(text: string): RewardExpression {
  if (text.trim() === '')
    throw new ConfigError(`reward: the expression is empty. Write for example "${DEFAULT_REWARD}".`);
  const { terms, names, evaluate } = parseExpression(text, {
    label: 'reward',
    variables,
    axis: STEPS,
    hint: (name) =>
      name.toLowerCase() === 'kl'
        ? 'The KL to the reference is weighted by --kl-coef or --kl-target.'
        : undefined,
  });
  const used = (Object.keys(quantities) as QuantityName[]).filter((name) => names.has(name));
  if (used.length === 0 && !names.has('predicted'))
    throw new ConfigError(
      `reward: "${text}" does not depend on the forecast. Use one of ${Object.keys(quantities).join(', ')}, or predicted.`,
    );
  return {
    text,
    quantities: used,
    groupQuantities: used.filter((name) => quantities[name].group),
    terms: terms.map((term) => ({ kind: kindOf(term), evaluate: term.evaluate })),
    evaluate,
  };
}

function kindOf({ names, unreduced }: ExpressionTerm): RewardTerm['kind'] {
  if (['predicted', 'target', 'step'].some((name) => unreduced.has(name))) return 'series';
  const perStep = (name: string) => quantities[name as QuantityName]?.perStep === true;
  return [...names].every((name) => unreduced.has(name) && perStep(name)) ? 'step' : 'sequence';
}
