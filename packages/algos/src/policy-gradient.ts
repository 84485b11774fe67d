/** What every algorithm of this package is built on: options, optimiser, KL to the reference, gradient steps, saved state. */
import {
  Adam,
  ConfigError,
  GradientSteps,
  linearSchedule,
  maskedMean,
  normaliseAdvantages,
  tf,
  type Algorithm,
  type AlgorithmState,
  type LossParts,
  type Policy,
  type PolicyScores,
  type Rollout,
  type UpdateStats,
} from '@rollcast/core';
import { z } from 'zod';

import { KlControl, klControlOptions, type ResolvedKlControlOptions } from './kl-control.js';
import { divisors } from './minibatches.js';
import { packState, unpackState } from './optimiser-state.js';
import { rolloutRows, rolloutTensors, rowsPerPass, type RolloutTensors } from './rollout-rows.js';

/** The options that all algorithms share, spread into each one's schema. */
export const policyGradientShape = {
  learningRateDecay: z.boolean().default(true).describe('fall linearly to 0 over the run'),
  gamma: z.number().min(0).max(1).default(1).describe('discount factor γ; 1 for sequences'),
  normaliseAdvantages: z.boolean().default(true).describe('standardise the advantages of each rollout'),
  entropyCoef: z.number().min(0).default(0).describe('weight of the entropy bonus'),
  maxGradNorm: z.number().gt(0).default(0.5).describe('gradients are scaled down to this global norm'),
  adamEpsilon: z.number().gt(0).default(1e-5).describe('ε of Adam'),
  klControl: klControlOptions.prefault({}),
  samplesPerContext: z
    .int()
    .min(1)
    .default(1)
    .describe(
      'k, trajectories of each context in a batch, a divisor of the batch; rewards that compare them need 3 or more',
    ),
};

/** What the base class reads of the options. */
export interface PolicyGradientOptions {
  readonly learningRate: number;
  readonly learningRateDecay: boolean;
  readonly entropyCoef: number;
  readonly maxGradNorm: number;
  readonly adamEpsilon: number;
  readonly klControl: ResolvedKlControlOptions;
  /** @defaultValue 1 */
  readonly samplesPerContext?: number;
}

/** What every algorithm is told about the run that it is part of. */
export interface RunBudget {
  readonly updates: number;
  /** Rows an update: trajectories of tokens, or steps of a step environment. */
  readonly batchSize: number;
  readonly seed: number;
}

/** Some rows of a rollout as tensors, and what the policy says about them now. */
export interface ScoredRows extends RolloutTensors {
  readonly scores: PolicyScores;
  /** The [R, S] arrays that the algorithm added to the rows, by name. */
  readonly rows: Readonly<Record<string, tf.Tensor>>;
  /** What changes from step to step, by name. */
  readonly scalars: Readonly<Record<string, tf.Scalar>>;
}

/** What is particular about one gradient step. */
export interface StepChoices {
  /** Rows of the rollout; all when left out. */
  readonly rowIndices?: ArrayLike<number>;
  readonly scalars?: Readonly<Record<string, number>>;
  /** Standardise the advantages over the rows of this step. */
  readonly normaliseAdvantages?: boolean;
  /** See `StepInputs.accept`. */
  readonly accept?: (stats: Readonly<Record<string, number>>) => boolean;
}

/** What every algorithm reports that takes one gradient step an update. */
export interface SingleStepStats extends UpdateStats {
  /** The algorithm's own loss − entropyCoef · entropy + β · KL to the reference. */
  loss: number;
  /** Mean entropy of the steps, in nats. */
  entropy: number;
  /** Global norm of the gradient before clipping. */
  gradNorm: number;
  /** Largest |ρ − 1| between sampler and scorer; rounding only. */
  firstRatioDeviation: number;
  /** β as used in this update. */
  klCoef: number;
  learningRate: number;
}

/**
 * Base of the algorithms. A subclass tells its story in `update` (advantages → steps → report) and in `surrogate` (its own
 * part of the loss); the entropy bonus and the KL to the reference are added here, the same for all.
 *
 * @typeParam Own - what the subclass saves beside the optimiser, as JSON
 */
export abstract class PolicyGradient<
  Options extends PolicyGradientOptions,
  Own extends object = object,
> implements Algorithm {
  readonly samplesPerContext: number;
  protected readonly klControl: KlControl;
  protected updatesDone = 0;
  private readonly optimizer: Adam;
  /** By the length of the trajectories: how many go in one pass depends on it, whatever came before. */
  private readonly gradientSteps = new Map<number, GradientSteps>();

  /** @throws {ConfigError} when the KL control is contradictory, or there can be no groups of `samplesPerContext` */
  constructor(
    readonly name: string,
    protected readonly policy: Policy,
    readonly options: Options,
    protected readonly budget: RunBudget,
  ) {
    this.samplesPerContext = options.samplesPerContext ?? 1;
    checkGroups(name, policy, this.samplesPerContext, budget);
    this.klControl = new KlControl(options.klControl, budget.updates * budget.batchSize);
    this.optimizer = new Adam(policy.parameters, { epsilon: options.adamEpsilon });
  }

  abstract update(rollout: Rollout): UpdateStats;

  /** The algorithm's own part of the loss, with what it reports of it; traced once, inside `tf.tidy`. */
  protected abstract surrogate(batch: ScoredRows): LossParts;

  /** Of what `ownState` gives; a subclass that saves something overrides all three. */
  protected readonly ownStateSchema: z.ZodType<Own> = z.object({}) as unknown as z.ZodType<Own>;

  /** What the subclass saves beside the optimiser, as JSON. */
  protected ownState(): Own {
    return {} as Own;
  }

  /** Goes on from what `ownState` gave. */
  protected restoreOwn(_own: Own): void {
    // nothing was saved
  }

  /** Optimiser, coefficient of the KL, and what the subclass saves. */
  state(): AlgorithmState {
    return packState(this.optimizer, {
      algorithm: this.name,
      updatesDone: this.updatesDone,
      klCoef: this.klCoefficient,
      ...this.ownState(),
    });
  }

  /** @throws {CheckpointError} when another algorithm wrote the state or the moments do not fit; nothing is changed then */
  restore(state: AlgorithmState): void {
    const schema = z.intersection(
      z.object({
        algorithm: z.literal(this.name),
        updatesDone: z.int().min(0),
        klCoef: z.number().min(0),
      }),
      this.ownStateSchema,
    );
    const values = unpackState(this.optimizer, state, schema, this.name.toUpperCase());
    this.updatesDone = values.updatesDone;
    this.klControl.controller.restore(values.klCoef);
    this.restoreOwn(values);
  }

  /** Frees the optimiser and what was compiled; the policy stays. */
  dispose(): void {
    for (const steps of this.gradientSteps.values()) steps.dispose();
    this.gradientSteps.clear();
    this.optimizer.dispose();
  }

  /** The share of the run that is over, in [0, 1]. */
  protected get progress(): number {
    return this.updatesDone / this.budget.updates;
  }

  /** Step size of the update in progress. */
  protected get learningRate(): number {
    const { learningRate, learningRateDecay } = this.options;
    return learningRateDecay ? linearSchedule(learningRate, 0, this.progress) : learningRate;
  }

  /** The rollout with β · KL taken from its rewards, where the KL is charged there. */
  protected penalised(rollout: Rollout): Rollout {
    return { ...rollout, rewards: this.klControl.penalisedRewards(rollout) };
  }

  /**
   * One gradient step over rows of the rollout.
   *
   * @param arrays - [B, T] arrays of the rollout that the loss needs, by name
   */
  protected step(
    rollout: Rollout,
    arrays: Readonly<Record<string, Float32Array | Int32Array>>,
    { rowIndices, scalars, normaliseAdvantages: normalise, accept }: StepChoices = {},
  ): { stats: Record<string, number>; taken: boolean } {
    const { rows, mask } = rolloutRows(rollout, arrays, rowIndices);
    if (normalise) {
      const { data, shape } = rows['advantages'];
      rows['advantages'] = { data: normaliseAdvantages(data, mask), shape };
    }
    return this.stepsFor(rollout).step({
      rows,
      mask,
      scalars: { klCoef: this.klControl.coefficient, ...scalars },
      learningRate: this.learningRate,
      accept,
    });
  }

  private stepsFor(rollout: Rollout): GradientSteps {
    let steps = this.gradientSteps.get(rollout.steps);
    if (!steps) {
      steps = new GradientSteps({
        parameters: this.policy.parameters,
        optimizer: this.optimizer,
        maxGradNorm: this.options.maxGradNorm,
        name: this.name,
        rowsPerPass: rowsPerPass(this.policy, rollout),
        loss: (rows, given) => this.loss(rows, given),
      });
      this.gradientSteps.set(rollout.steps, steps);
    }
    return steps;
  }

  /** One gradient step over the whole rollout, which is the whole update of some algorithms. */
  protected singleStep<Means extends string = never>(
    rollout: Rollout,
    arrays: Readonly<Record<string, Float32Array | Int32Array>>,
  ): SingleStepStats & Record<Means, number> {
    const { klCoefficient: klCoef, learningRate } = this;
    const { ratioDeviation, ...stats } = this.step(rollout, arrays).stats;
    this.finish(rollout);
    return {
      ...(stats as unknown as SingleStepStats & Record<Means, number>),
      firstRatioDeviation: ratioDeviation,
      klCoef,
      learningRate,
    };
  }

  /** β for the update in progress. */
  protected get klCoefficient(): number {
    return this.klControl.coefficient;
  }

  /** Called once an update, when the rollout has been used. */
  protected finish(rollout: Rollout): void {
    this.klControl.follow(rollout);
    this.updatesDone += 1;
  }

  private loss(
    rows: Readonly<Record<string, tf.Tensor>>,
    scalars: Readonly<Record<string, tf.Scalar>>,
  ): LossParts {
    const { entropyCoef } = this.options;
    const batch = { ...rolloutTensors(rows), rows, scalars, scores: this.policy.scoreRows(rows) };
    const { scores, mask, oldLogProbs, reference } = batch;
    const own = this.surrogate(batch);
    const entropy = maskedMean(scores.entropy(), mask);
    let loss: tf.Tensor = own.loss;
    if (entropyCoef > 0) loss = tf.sub(loss, tf.mul(entropy, entropyCoef));
    const kl = this.klControl.lossTerm(scores, reference, mask);
    if (kl) loss = tf.add(loss, tf.mul(kl, scalars['klCoef']));
    const ratio = tf.exp(tf.sub(scores.logProbs, oldLogProbs));
    const ratioDeviation = tf.max<tf.Scalar>(tf.mul(tf.abs(tf.sub(ratio, 1)), mask));
    return {
      loss: loss as tf.Scalar,
      means: { ...own.means, entropy },
      maxima: { ...own.maxima, ratioDeviation },
    };
  }
}

/**
 * Refuses a policy that acts step by step.
 *
 * @param why - the sentence that says what cannot be had there and what to do instead
 * @throws {ConfigError}
 */
export function requireSequences(policy: Policy, why: string): void {
  if ('act' in policy) throw new ConfigError(why);
}

/** @throws {ConfigError} when the policy acts step by step, or the batch cannot be cut into groups of k */
function checkGroups(name: string, policy: Policy, k: number, { batchSize }: RunBudget): void {
  if (k === 1) return;
  requireSequences(
    policy,
    `${name} compares ${k} trajectories of the same context, so it needs a sequence environment; this policy acts in a step environment, where starts are not repeated. Use ppo, a2c or reinforce there.`,
  );
  if (batchSize % k === 0) return;
  const possible = divisors(batchSize).filter((d) => d > 1);
  throw new ConfigError(
    `${name}.samplesPerContext must divide the batch (${batchSize} trajectories); got ${k}. Try ${possible.slice(0, 3).join(', ') || 'a batch of two or more'}.`,
  );
}
