/**
 * A2C, advantage actor-critic (Mnih et al. 2016, arXiv:1602.01783, in its synchronous form): one gradient step over the whole
 * rollout, with a value head that is the baseline and that cut episodes bootstrap from.
 *
 * Choices between variants:
 * - advantages are generalised (λ = 1, the default, gives the paper's: rewards to the end of the rollout, then the value), or
 *   from n-step returns with `nSteps`;
 * - departure: Adam in place of RMSProp with shared statistics, which serves threads that this form does not have;
 * - departure: advantages are standardised over the rollout, so that the entropy bonus means the same from task to task, and
 *   rewards are divided by a running spread of the returns; `normaliseAdvantages` and `normaliseReturns` turn them off.
 */
import {
  generalisedAdvantages,
  nStepAdvantages,
  normaliseAdvantages,
  resolveOptions,
  scoreFunctionLoss,
  tf,
  valueLoss,
  type LossParts,
  type Policy,
  type Rollout,
} from '@rollcast/core';
import { z } from 'zod';

import {
  PolicyGradient,
  policyGradientShape,
  type RunBudget,
  type ScoredRows,
  type SingleStepStats,
} from './policy-gradient.js';
import { ReturnScale, explainedVariance, returnScaleState, valueShape } from './values.js';

/** Schema of the options of `A2C`: ranges, defaults, and what each one is. */
export const a2cOptions = z.strictObject({
  learningRate: z.number().gt(0).default(1e-4).describe('step size of Adam'),
  ...policyGradientShape,
  gaeLambda: z.number().min(0).max(1).default(1).describe('λ of generalised advantage estimation'),
  nSteps: z
    .int()
    .min(1)
    .optional()
    .describe('rewards before the value in n-step returns, which then replace the generalised advantages'),
  ...valueShape,
});
/** Options of `A2C` as a user writes them. */
export type A2COptions = z.input<typeof a2cOptions>;
/** Options of `A2C` with everything filled in. */
export type ResolvedA2COptions = z.output<typeof a2cOptions>;

/** What one update reports, beside the parts that all algorithms of one step share. */
export interface A2CUpdateStats extends SingleStepStats {
  /** −mean(log π · Â) */
  policyLoss: number;
  /** ½ mean (V − R)², before its weight */
  valueLoss: number;
  /** 1 − Var(R − V) / Var(R) at collection. */
  explainedVariance: number;
}

/** Advantage actor-critic; the head of this file has the paper and the choices. */
export class A2C extends PolicyGradient<ResolvedA2COptions, z.output<typeof returnScaleState>> {
  protected override readonly ownStateSchema = returnScaleState;
  private readonly returnScale = new ReturnScale();

  /** @throws {ConfigError} listing every option that is wrong */
  constructor(policy: Policy, options: A2COptions, budget: RunBudget) {
    super('a2c', policy, resolveOptions(a2cOptions, options, 'a2c'), budget);
  }

  /** One gradient step from one rollout. */
  update(rollout: Rollout): A2CUpdateStats {
    const { gamma, gaeLambda, nSteps, normaliseReturns } = this.options;
    const penalised = this.penalised(rollout);
    const scaled = normaliseReturns ? this.returnScale.apply(penalised, gamma) : penalised;
    const { advantages: raw, returns } =
      nSteps === undefined
        ? generalisedAdvantages(scaled, rollout.values, gamma, gaeLambda)
        : nStepAdvantages(scaled, rollout.values, gamma, nSteps);
    const advantages = this.options.normaliseAdvantages ? normaliseAdvantages(raw, rollout.mask) : raw;
    return {
      ...this.singleStep<'policyLoss' | 'valueLoss'>(rollout, { advantages, returns }),
      explainedVariance: explainedVariance(returns, rollout.values, rollout.mask),
    };
  }

  protected surrogate({ scores, rows, mask }: ScoredRows): LossParts {
    const policyLoss = scoreFunctionLoss(scores.logProbs, rows['advantages'], mask);
    const valuesLoss = valueLoss(scores.values, rows['returns'], mask);
    return {
      loss: tf.add(policyLoss, tf.mul(valuesLoss, this.options.valueCoef)),
      means: { policyLoss, valueLoss: valuesLoss },
    };
  }

  protected override ownState(): z.output<typeof returnScaleState> {
    return this.returnScale.state();
  }

  protected override restoreOwn(own: z.output<typeof returnScaleState>): void {
    this.returnScale.restore(own);
  }
}
