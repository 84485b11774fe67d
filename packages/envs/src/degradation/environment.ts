/**
 * The degradation forecast as an environment: a batch of contexts to continue, and a reward on the whole continuation.
 */
import {
  ConfigError,
  EnvironmentError,
  ShapeError,
  repeatRows,
  resolveOptions,
  type RandomStream,
  type SequenceBatch,
  type SequenceEnvironment,
  type SequenceReward,
  type TrajectoryView,
} from '@rollcast/core';
import { z } from 'zod';

import { type DegradationWindow, type WindowSource } from './dataset.js';
import { drawByDifficulty } from './difficulty.js';
import { FEWEST_PATHS } from './group-quantities.js';
import { checkPaths, createReward, rewardOptions, type Reward, type ScoredForecast } from './reward.js';
import { orient } from './series.js';
import { type ValueTokeniser } from './tokeniser.js';

/** Schema of the options of `DegradationEnvironment`: ranges, defaults, and what each one is. */
export const degradationOptions = rewardOptions.extend({
  windows: z
    .enum(['alike', 'difficulty'])
    .default('alike')
    .describe(
      'alike: all windows of a unit are equally likely; difficulty: those that lines forecast badly come more often',
    ),
  difficultyPower: z
    .number()
    .gt(0)
    .max(2)
    .default(0.5)
    .describe('windows by difficulty: a window comes in proportion to its difficulty to this power'),
});
/** What a user writes. */
export type DegradationOptions = z.input<typeof degradationOptions>;
/** Everything filled in. */
export type ResolvedDegradationOptions = z.output<typeof degradationOptions>;

/** B windows with the scaling of each. */
export interface DegradationBatch<Scaling = unknown> extends SequenceBatch {
  readonly targets: Int32Array;
  readonly windows: readonly DegradationWindow[];
  readonly scalings: readonly Scaling[];
}

/**
 * Continue W observed points by L; the reward compares the decoded path with what happened (`reward.ts`).
 *
 * Tokens are the tokeniser's; values inside are oriented so that wear rises; `view` gives the data's own.
 */
export class DegradationEnvironment<Scaling = unknown> implements SequenceEnvironment<
  DegradationBatch<Scaling>
> {
  readonly name = 'degradation';
  readonly vocabularySize: number;
  readonly contextLength: number;
  readonly horizon: number;
  readonly tokenValues?: ArrayLike<number>;
  /** 3 where the reward compares the paths of a context. */
  readonly minSamplesPerContext: number;
  private readonly options: ResolvedDegradationOptions;
  private readonly scorer: Reward;

  /**
   * @param horizon - L, at most that of the windows, which are cut there
   * @throws {ConfigError} when the options are wrong
   */
  constructor(
    readonly dataset: WindowSource,
    readonly tokeniser: ValueTokeniser<Scaling>,
    options: DegradationOptions = {},
    horizon = dataset.horizon,
  ) {
    this.options = resolveOptions(degradationOptions, options, 'env');
    if (!Number.isInteger(horizon) || horizon < 1 || horizon > dataset.horizon)
      throw new ConfigError(
        `a horizon must be an integer from 1 to that of the windows (${dataset.horizon}); got ${horizon}.`,
      );
    this.vocabularySize = tokeniser.vocabularySize;
    this.tokenValues = tokeniser.centres;
    this.contextLength = dataset.contextLength;
    this.horizon = horizon;
    const { reward, rewardScale, credit, threshold } = this.options;
    this.scorer = createReward({ reward, rewardScale, credit, threshold });
    this.minSamplesPerContext = this.scorer.groupQuantities.length > 0 ? FEWEST_PATHS : 1;
  }

  /** Draws windows from the source: a unit, then one of its windows, so that long-lived units do not count for more. */
  sample(batchSize: number, random: RandomStream): DegradationBatch<Scaling> {
    if (!Number.isInteger(batchSize) || batchSize < 1)
      throw new ConfigError(`batchSize must be an integer ≥ 1; got ${batchSize}.`);
    const { windows, difficultyPower } = this.options;
    const draw = () => this.dataset.draw(random);
    return this.batch(
      Array.from({ length: batchSize }, () =>
        windows === 'alike' ? draw() : drawByDifficulty(draw, difficultyPower, random),
      ),
    );
  }

  /** The same environment with a shorter horizon. @throws {ConfigError} when it is longer than the windows */
  withHorizon(horizon: number): DegradationEnvironment<Scaling> {
    return new DegradationEnvironment(this.dataset, this.tokeniser, this.options, horizon);
  }

  /** A batch of the given windows, in their order; for evaluation. Futures beyond the horizon are cut. */
  batch(whole: readonly DegradationWindow[]): DegradationBatch<Scaling> {
    const windows = whole.map((window) =>
      window.future.length > this.horizon
        ? { ...window, future: window.future.subarray(0, this.horizon) }
        : window,
    );
    const scalings = windows.map(({ context }) => this.tokeniser.fit(context));
    const { contextLength, horizon, tokeniser } = this;
    const contextTokens = new Int32Array(windows.length * contextLength);
    const targets = new Int32Array(windows.length * horizon);
    windows.forEach(({ context, future }, b) => {
      contextTokens.set(tokeniser.encode(context, scalings[b], 0), b * contextLength);
      targets.set(tokeniser.encode(future, scalings[b], contextLength), b * horizon);
    });
    return { size: windows.length, contextTokens, targets, windows, scalings };
  }

  /** Every window `times` times, one after the other. */
  repeat(
    { size, contextTokens, targets, windows, scalings }: DegradationBatch<Scaling>,
    times: number,
  ): DegradationBatch<Scaling> {
    const rows = <T>(of: readonly T[]): T[] => of.flatMap((one) => new Array<T>(times).fill(one));
    return {
      size: size * times,
      contextTokens: repeatRows(contextTokens, size, times),
      targets: repeatRows(targets, size, times),
      windows: rows(windows),
      scalings: rows(scalings),
    };
  }

  reward(batch: DegradationBatch<Scaling>, generated: Int32Array): SequenceReward {
    this.checkTokens(batch, generated);
    const { horizon, scorer } = this;
    const scores = this.score(batch, generated);
    const perStep = typeof scores[0].reward !== 'number';
    const reward = new Float32Array(perStep ? batch.size * horizon : batch.size);
    scores.forEach((score, b) => {
      if ((typeof score.reward !== 'number') !== perStep)
        throw new EnvironmentError(
          `${scorer.text} returned one number for some windows and ${horizon} for others; return the same kind for all.`,
        );
      if (typeof score.reward === 'number') reward[b] = score.reward;
      else reward.set(score.reward, b * horizon);
    });
    const components: Record<string, Float32Array> = {};
    for (const name of scorer.reported) {
      const of = scores.map(({ quantities }) => quantities[name]);
      if (of.includes(undefined)) continue; // not enough paths of each context
      components[name] = Float32Array.from(
        (of as (number | Float64Array)[]).flatMap((value) =>
          typeof value === 'number' ? [value] : Array.from(value),
        ),
      );
    }
    Object.assign(components, this.componentsOf(scores));
    for (const [name, values] of Object.entries({ reward, ...components })) checkFinite(name, values, batch);
    return { reward, components };
  }

  /**
   * Refuses a reward that compares the paths of a context, where there are too few of them.
   *
   * @param paths - how many there are of each context
   * @throws {ConfigError}
   */
  checkPaths(paths: number): void {
    checkPaths(this.scorer.groupQuantities, paths);
  }

  /** [B] the scores of all rows; those that continue the same window are scored together. */
  private score(batch: DegradationBatch<Scaling>, generated: Int32Array): ScoredForecast[] {
    const rowsOf = new Map<DegradationWindow, number[]>();
    batch.windows.forEach((window, b) => {
      const rows = rowsOf.get(window);
      if (rows) rows.push(b);
      else rowsOf.set(window, [b]);
    });
    const scores = new Array<ScoredForecast>(batch.size);
    for (const [window, rows] of rowsOf) {
      const paths = rows.map((b) => this.decode(batch, b, generated));
      this.scorer.score(window, paths).forEach((score, i) => (scores[rows[i]] = score));
    }
    return scores;
  }

  /** What the user's own reward has named, [B] or [B, L] each. */
  private componentsOf(scores: readonly ScoredForecast[]): Record<string, Float32Array> {
    const { horizon } = this;
    const kinds = (of: ScoredForecast['components']): string =>
      Object.entries(of)
        .map(([name, value]) => `${name} (${typeof value === 'number' ? 'one' : horizon})`)
        .join(', ');
    const expected = kinds(scores[0].components);
    return Object.fromEntries(
      Object.entries(scores[0].components).map(([name, first]) => {
        const width = typeof first === 'number' ? 1 : horizon;
        const values = new Float32Array(scores.length * width);
        scores.forEach(({ components }, b) => {
          const got = kinds(components);
          if (got !== expected)
            throw new EnvironmentError(
              `${this.scorer.text} must name the same components for every window, each one number or ${horizon}; got ${expected} and ${got || 'none'}.`,
            );
          const value = components[name];
          values.set(typeof value === 'number' ? [value] : value, b * width);
        });
        return [name, values];
      }),
    );
  }

  /** Row `index` in the data's own units: a falling column falls again. */
  view(batch: DegradationBatch<Scaling>, index: number, generated: Int32Array): TrajectoryView {
    this.checkTokens(batch, generated);
    const { set, unit, start, context, future } = batch.windows[index];
    const { sign, valueLabel } = set;
    const raw = (values: Float64Array) => Array.from(orient(values, sign));
    return {
      title: `${unit}, from point ${start + 1}`,
      context: raw(context),
      target: raw(future),
      predicted: raw(this.decode(batch, index, generated)),
      valueLabel,
    };
  }

  /** Row `index` of the generated tokens as oriented values, [L]. */
  decode(batch: DegradationBatch<Scaling>, index: number, generated: Int32Array): Float64Array {
    const tokens = generated.subarray(index * this.horizon, (index + 1) * this.horizon);
    return this.tokeniser.decode(tokens, batch.scalings[index], this.contextLength);
  }

  private checkTokens(batch: DegradationBatch<Scaling>, generated: Int32Array): void {
    const expected = batch.size * this.horizon;
    if (generated.length !== expected)
      throw new ShapeError(
        `expected ${batch.size} × ${this.horizon} = ${expected} generated tokens; got ${generated.length}.`,
      );
    const bad = generated.find((token) => token < 0 || token >= this.vocabularySize);
    if (bad !== undefined)
      throw new EnvironmentError(`token ${bad} is outside the vocabulary of ${this.vocabularySize}.`);
  }
}

/** A future that lies out of all proportion to its context, or a reward that divides by zero, is no lesson. */
function checkFinite(name: string, values: Float32Array, { size, windows }: DegradationBatch<unknown>): void {
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return;
  const { unit, start } = windows[Math.floor((at * size) / values.length)];
  throw new EnvironmentError(
    `${name} of the window of unit "${unit}" from point ${start + 1} is ${values[at]}; it must be finite. Look at that history for a jump, or at the reward for a division by zero.`,
  );
}
