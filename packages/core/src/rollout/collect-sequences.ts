import type { SequenceBatch, SequenceEnvironment } from '../environment.js';
import { EnvironmentError } from '../errors.js';
import { exactKl } from '../math/kl.js';
import type { Generation, SequencePolicy } from '../policy.js';
import { RandomStream } from '../random.js';
import { compile, tf, type CompiledFunction } from '../tf.js';
import type { Collected, RolloutCollector } from './collector.js';
import type { ReferenceScores, Rollout } from './rollout.js';

export interface CollectorOptions {
  environment: SequenceEnvironment;
  policy: SequencePolicy;
  /** Frozen; without it the rollouts have no reference scores. */
  referencePolicy?: SequencePolicy;
  /** B, trajectories. */
  batchSize: number;
  seed: number;
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

  constructor(private readonly options: CollectorOptions) {
    if (options.referencePolicy) this.reference = new ReferenceScorer(options.referencePolicy);
  }

  /**
   * @param update - which update this is for: it names the random streams, so that a resumed run draws what the first would
   *   have
   * @throws {EnvironmentError} when the contexts do not fit the policy, or a reward or component is of the wrong size or
   *   not finite
   */
  collect(update: number): Collected & { batch: SequenceBatch } {
    const { environment, policy, batchSize, seed } = this.options;
    const { horizon, contextLength } = environment;
    const batch = environment.sample(batchSize, new RandomStream(seed, `rollout/contexts/${update}`));
    checkContexts(environment, batch, batchSize, policy.vocabularySize);
    const generation = policy.generate({
      contextTokens: batch.contextTokens,
      batchSize,
      horizon,
      random: new RandomStream(seed, `rollout/actions/${update}`),
      withDistribution: this.reference !== undefined,
    });
    const { reward, components } = environment.reward(batch, generation.tokens);
    checkNumbers(`The reward of the environment "${environment.name}"`, reward, batchSize, horizon);
    for (const [name, numbers] of Object.entries(components)) {
      checkNumbers(
        `The component "${name}" of the environment "${environment.name}"`,
        numbers,
        batchSize,
        horizon,
      );
    }
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
      ...(this.reference && { reference: this.reference.score(batch, generation, horizon) }),
    };
    return { rollout, batch, metrics: rolloutMetrics(rollout) };
  }

  dispose(): void {
    this.reference?.dispose();
  }
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

/** What the frozen policy says about generated tokens; parts of the rows go on several threads at once. */
class ReferenceScorer {
  private readonly pass: CompiledFunction<tf.Tensor[], Record<keyof ReferenceScores, tf.Tensor>>;

  constructor(private readonly reference: SequencePolicy) {
    this.pass = compile((contexts: tf.Tensor, actions: tf.Tensor, logDistribution: tf.Tensor) => {
      const scores = reference.score(contexts as tf.Tensor2D, actions as tf.Tensor2D);
      return {
        logProbs: scores.logProbs,
        logDistribution: scores.logDistribution,
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
      logDistribution: new Float32Array(size * horizon * vocabularySize),
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
      for (const name of ['logProbs', 'logDistribution', 'exactKl'] as const)
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
  const { batchSize, rewards, components, reference } = rollout;
  const sum = (x: Float32Array): number => x.reduce((a, b) => a + b, 0);
  const metrics: Record<string, number> = { 'reward/mean': sum(rewards) / batchSize };
  for (const [name, values] of Object.entries(components))
    metrics[`reward/${name}`] = sum(values) / values.length;
  if (reference) {
    const total = sum(reference.exactKl);
    metrics['kl/exactPerToken'] = total / sum(rollout.mask);
    metrics['kl/exactPerSequence'] = total / batchSize;
  }
  return metrics;
}
