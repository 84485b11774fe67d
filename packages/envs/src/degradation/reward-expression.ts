/**
 * Rewards written as expressions of named quantities and of the series themselves, for example
 * `-mse - 0.2*nonMonotonicity` or `-abs(predicted - target) * (step > 30)`; what is written is maximised.
 */
import { ConfigError, parseExpression, type ExpressionTerm, type ExpressionVariable } from '@rollcast/core';

/** Quantities of a forecast. Errors and penalties are ≥ 0; formulas in `reward.ts`. */
export type QuantityName = 'mse' | 'mae' | 'nonMonotonicity' | 'finalError';

/** Which quantities there are, and whether they have a value at each step or one a sequence. */
export const quantities: Readonly<Record<QuantityName, { perStep: boolean; description: string }>> = {
  mse: { perStep: true, description: 'squared error ((ŷ − y)/s)²' },
  mae: { perStep: true, description: 'absolute error |ŷ − y|/s' },
  nonMonotonicity: { perStep: true, description: 'wrong-way part of a step, max(0, ŷ before − ŷ)/s' },
  finalError: { perStep: false, description: 'absolute error of the last point |ŷ_L − y_L|/s' },
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
export type QuantityValues = Readonly<Record<QuantityName, number>>;

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
  /** Summands at the top level, signs included; their sum is the expression. */
  readonly terms: readonly RewardTerm[];
}

/** Reward unless asked otherwise: minus the mean squared error, as in the plan. */
export const DEFAULT_REWARD = '-mse';

const STEPS = 'steps';
const variables: Readonly<Record<QuantityName | SeriesName, ExpressionVariable>> = {
  mse: { axis: STEPS, ...quantities.mse },
  mae: { axis: STEPS, ...quantities.mae },
  nonMonotonicity: { axis: STEPS, ...quantities.nonMonotonicity },
  finalError: quantities.finalError,
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
    terms: terms.map((term) => ({ kind: kindOf(term), evaluate: term.evaluate })),
    evaluate,
  };
}

function kindOf({ names, unreduced }: ExpressionTerm): RewardTerm['kind'] {
  if (['predicted', 'target', 'step'].some((name) => unreduced.has(name))) return 'series';
  const perStep = (name: string) => quantities[name as QuantityName]?.perStep === true;
  return [...names].every((name) => unreduced.has(name) && perStep(name)) ? 'step' : 'sequence';
}
