import type { SequenceBatch, SequenceEnvironment, SequenceReward } from '../environment.js';
import { ConfigError, EnvironmentError } from '../errors.js';
import { exactKl } from '../math/kl.js';
import type { Generation, SequencePolicy } from '../policy.js';
import { RandomStream } from '../random.js';
import { compile, tf, type CompiledFunction } from '../tf.js';
import type { Collected, RolloutCollector } from './collector.js';
import { EpisodeStatistics, type EpisodeStatisticsState } from './episode-statistics.js';
import { repeatBatch, repeatRows } from './repeat-batch.js';
import type { ReferenceScores, Rollout } from './rollout.js';
import { refuseSharedWeights } from './shared-weights.js';

export interface CollectorOptions {
  environment: SequenceEnvironment;
  policy: SequencePolicy;
  /** Frozen; without it the rollouts have no reference scores. */
  referencePolicy?: SequencePolicy;
  /** B, trajectories. */
  batchSize: number;
  seed: number;
  /** k, trajectories of each context, one after the other; a divisor of B. @defaultValue 1 */
  samplesPerContext?: number;
  /** Also lets the policy continue each context greedily; the rollout has the rewards of that. @defaultValue false */
  greedyBaseline?: boolean;
}

export interface CollectOptions extends CollectorOptions {
  /** Which update this is for: it names the random streams, so that a resumed run draws what the first would have. */
  update: number;
}

/** One rollout; see `SequenceCollector`, which is faster for many. */
export function collectSequences(options: CollectOptions): Collected & { batch: SequenceBatch } {
  const collector = new SequenceCollector(options);
  try {
    return collector.collect(options.update);
  } finally {
    collector.dispose();
  }
}

/**
 * Samples contexts, lets the policy continue them, asks the environment for rewards and the reference for its scores.
 * Collecting leaves no tensor behind; `dispose` frees what was compiled, and nothing that it was given.
 */
export class SequenceCollector implements RolloutCollector {
  private readonly reference: ReferenceScorer | undefined;
  private readonly statistics = new EpisodeStatistics();

  /**
   * @throws {ConfigError} when the samples of a context do not divide the batch
   * @throws {NumericalError} when policy and reference share weights
   */
  constructor(private readonly options: CollectorOptions) {
    const { batchSize, samplesPerContext: k = 1 } = options;
    if (!Number.isInteger(k) || k < 1 || batchSize % k !== 0) {
      throw new ConfigError(
        `samplesPerContext must be an integer that divides the batch (${batchSize} trajectories); got ${k}.`,
      );
    }
    refuseSharedWeights(options.policy, options.referencePolicy);
    if (options.referencePolicy) this.reference = new ReferenceScorer(options.referencePolicy);
  }

  get policy(): SequencePolicy {
    return this.options.policy;
  }

  get referencePolicy(): SequencePolicy | undefined {
    return this.options.referencePolicy;
  }

  /** Tokens generated so far, greedy ones not counted. */
  get stepsDone(): number {
    return this.statistics.stepsDone;
  }

  /** Mean return of the last 100 sequences; NaN before the first. */
  get recentReturn(): number {
    return this.statistics.recentReturn;
  }

  /**
   * @param update - which update this is for: it names the random streams, so that a resumed run draws what the first would
   *   have
   * @throws {EnvironmentError} when the contexts do not fit the policy, or a reward or component is of the wrong size or
   *   not finite
   */
  collect(update: number): Collected & { batch: SequenceBatch } {
    const { environment, policy, batchSize, seed } = this.options;
    const { samplesPerContext = 1 } = this.options;
    const { horizon, contextLength } = environment;
    const contexts = batchSize / samplesPerContext;
    const sampled = environment.sample(contexts, new RandomStream(seed, `rollout/contexts/${update}`));
    checkContexts(environment, sampled, contexts, policy.vocabularySize);
    const batch = repeatBatch(environment, sampled, samplesPerContext);
    const generation = policy.generate({
      contextTokens: batch.contextTokens,
      batchSize,
      horizon,
      random: new RandomStream(seed, `rollout/actions/${update}`),
      withDistribution: this.reference !== undefined,
    });
    const { reward, components } = checkedReward(environment, batch, generation.tokens);
    const terminated = new Uint8Array(batchSize * horizon);
    for (let b = 0; b < batchSize; b++) terminated[(b + 1) * horizon - 1] = 1;
    const rollout: Rollout = {
      batchSize,
      steps: horizon,
      actions: generation.tokens,
      logProbs: generation.logProbs,
      values: generation.values,
      rewards: rewardPerStep(reward, batchSize, horizon),
      components,
      terminated,
      truncated: new Uint8Array(batchSize * horizon),
      bootstrapValues: new Float32Array(batchSize * horizon),
      mask: new Float32Array(batchSize * horizon).fill(1),
      inputs: { contextTokens: batch.contextTokens, contextLength },
      ...(samplesPerContext > 1 && { samplesPerContext }),
      ...(this.options.greedyBaseline && { greedyRewards: this.greedyRewards(sampled, samplesPerContext) }),
      ...(this.reference && { reference: this.reference.score(batch, generation, horizon) }),
    };
    this.statistics.add(batchSize * horizon, sumsOfRows(rollout.rewards, batchSize));
    return { rollout, batch, metrics: { ...rolloutMetrics(rollout), ...this.statistics.metrics() } };
  }

  /** What it has counted, as plain JSON; nothing else passes from rollout to rollout. */
  state(): EpisodeStatisticsState {
    return this.statistics.state();
  }

  restore(state: unknown): void {
    this.statistics.restore(state as EpisodeStatisticsState);
  }

  dispose(): void {
    this.reference?.dispose();
  }

  /** [B, L] rewards of the most likely continuation of each context, on every row of that context. */
  private greedyRewards(sampled: SequenceBatch, samplesPerContext: number): Float32Array {
    const { environment, policy } = this.options;
    const { horizon } = environment;
    const { size, contextTokens } = sampled;
    const { tokens } = policy.generate({ contextTokens, batchSize: size, horizon });
    const { reward } = checkedReward(environment, sampled, tokens);
    return repeatRows(rewardPerStep(reward, size, horizon), size, samplesPerContext);
  }
}

/** What the environment says about generated tokens, checked. */
function checkedReward(
  environment: SequenceEnvironment,
  batch: SequenceBatch,
  generated: Int32Array,
): SequenceReward {
  const { name, horizon } = environment;
  const { reward, components } = environment.reward(batch, generated);
  checkNumbers(`The reward of the environment "${name}"`, reward, batch.size, horizon);
  for (const [component, numbers] of Object.entries(components))
    checkNumbers(`The component "${component}" of the environment "${name}"`, numbers, batch.size, horizon);
  return { reward, components };
}

/** A token that the embedding does not know would be read as nothing at all; so would a batch cut into other rows. */
function checkContexts(
  { name, vocabularySize, contextLength }: SequenceEnvironment,
  { size, contextTokens }: SequenceBatch,
  batchSize: number,
  policyVocabulary: number,
): void {
  if (vocabularySize !== policyVocabulary) {
    throw new EnvironmentError(
      `The environment "${name}" speaks ${vocabularySize} tokens and the policy ${policyVocabulary}; give both one tokeniser.`,
    );
  }
  if (size !== batchSize || contextTokens.length !== batchSize * contextLength) {
    throw new EnvironmentError(
      `The environment "${name}" must sample ${batchSize} contexts of ${contextLength} tokens; got ${size} contexts and ${contextTokens.length} tokens in all.`,
    );
  }
  const wrong = contextTokens.findIndex((token) => token < 0 || token >= vocabularySize);
  if (wrong >= 0) {
    throw new EnvironmentError(
      `The environment "${name}" sampled the token ${contextTokens[wrong]} at position ${wrong}; tokens are 0 … ${vocabularySize - 1}.`,
    );
  }
}

/** One number a sequence or one a step, all finite. */
function checkNumbers(what: string, numbers: Float32Array, batchSize: number, horizon: number): void {
  if (numbers.length !== batchSize && numbers.length !== batchSize * horizon) {
    throw new EnvironmentError(
      `${what} must have one number a sequence (${batchSize}) or one a step (${batchSize * horizon}); got ${numbers.length}.`,
    );
  }
  const wrong = numbers.findIndex((x) => !Number.isFinite(x));
  if (wrong >= 0)
    throw new EnvironmentError(`${what} must be finite; got ${numbers[wrong]} at position ${wrong}.`);
}

/** A reward of one number a sequence sits on the last step; [B] or [B, L] → [B, L]. */
function rewardPerStep(reward: Float32Array, batchSize: number, horizon: number): Float32Array {
  if (reward.length === batchSize * horizon) return reward;
  const perStep = new Float32Array(batchSize * horizon);
  for (let b = 0; b < batchSize; b++) perStep[(b + 1) * horizon - 1] = reward[b];
  return perStep;
}

/** [B, L] → B sums. */
function sumsOfRows(values: Float32Array, rows: number): number[] {
  const width = values.length / rows;
  return Array.from({ length: rows }, (_, b) =>
    values.subarray(b * width, (b + 1) * width).reduce((a, x) => a + x, 0),
  );
}

/** What the frozen policy says about generated tokens; parts of the rows go on several threads at once. */
class ReferenceScorer {
  private readonly pass: CompiledFunction<tf.Tensor[], Record<keyof ReferenceScores, tf.Tensor>>;

  constructor(private readonly reference: SequencePolicy) {
    this.pass = compile((contexts: tf.Tensor, actions: tf.Tensor, logDistribution: tf.Tensor) => {
      const scores = reference.score(contexts as tf.Tensor2D, actions as tf.Tensor2D);
      return {
        logProbs: scores.logProbs,
        distribution: scores.logDistribution,
        exactKl: exactKl(logDistribution as tf.Tensor3D, scores.logDistribution),
      };
    });
  }

  score(
    { size, contextTokens }: SequenceBatch,
    { tokens, logDistribution }: Generation,
    horizon: number,
  ): ReferenceScores {
    const { vocabularySize } = this.reference;
    const context = contextTokens.length / size;
    const rows = this.reference.rowsPerPass?.(context + horizon) ?? size;
    const scores = {
      logProbs: new Float32Array(size * horizon),
      distribution: new Float32Array(size * horizon * vocabularySize),
      exactKl: new Float32Array(size * horizon),
    };
    const starts = Array.from({ length: Math.ceil(size / rows) }, (_, i) => i * rows);
    const part = <A extends Float32Array | Int32Array>(all: A, start: number): A => {
      const width = all.length / size;
      return all.subarray(start * width, Math.min(size, start + rows) * width) as A;
    };
    const results = tf.tidy(() =>
      this.pass.map(
        starts.map((start) => {
          const count = Math.min(rows, size - start);
          return [
            tf.tensor2d(part(contextTokens, start), [count, context], 'int32'),
            tf.tensor2d(part(tokens, start), [count, horizon], 'int32'),
            tf.tensor3d(part(logDistribution!, start), [count, horizon, vocabularySize]),
          ];
        }),
      ),
    );
    results.forEach((result, i) => {
      for (const name of ['logProbs', 'distribution', 'exactKl'] as const)
        part(scores[name], starts[i]).set(result[name].dataSync());
      tf.dispose(result);
    });
    return scores;
  }

  dispose(): void {
    this.pass.dispose();
  }
}

/** Means over the rollout: the reward as optimised (a sum over steps), every component, the KL with its unit. */
function rolloutMetrics(rollout: Rollout): Record<string, number> {
  const { batchSize, rewards, components, greedyRewards, reference } = rollout;
  const sum = (x: Float32Array): number => x.reduce((a, b) => a + b, 0);
  const metrics: Record<string, number> = { 'reward/mean': sum(rewards) / batchSize };
  for (const [name, values] of Object.entries(components))
    metrics[`reward/${name}`] = sum(values) / values.length;
  if (greedyRewards) metrics['reward/greedyMean'] = sum(greedyRewards) / batchSize;
  if (reference) {
    const total = sum(reference.exactKl);
    metrics['kl/exactPerToken'] = total / sum(rollout.mask);
    metrics['kl/exactPerSequence'] = total / batchSize;
  }
  return metrics;
}
