import type { SequenceBatch, SequenceEnvironment } from '../environment.js';
import { EnvironmentError } from '../errors.js';
import { exactKlOnHost } from '../math/kl.js';
import type { SequencePolicy } from '../policy.js';
import { RandomStream } from '../random.js';
import { tf } from '../tf.js';
import type { ReferenceScores, Rollout } from './rollout.js';

export interface CollectOptions {
  environment: SequenceEnvironment;
  policy: SequencePolicy;
  /** Frozen; without it the rollout has no reference scores. */
  referencePolicy?: SequencePolicy;
  /** B, trajectories. */
  batchSize: number;
  seed: number;
  /** Which update this is for: it names the random streams, so that a resumed run draws what the first would have. */
  update: number;
}

/**
 * Samples contexts, lets the policy continue them, asks the environment for rewards and the reference for its scores.
 * Leaves no tensor behind.
 *
 * @throws {EnvironmentError} when the contexts do not fit the policy, or a reward or component is of the wrong size or
 *   not finite
 */
export function collectSequences(options: CollectOptions): { rollout: Rollout; batch: SequenceBatch } {
  const { environment, policy, referencePolicy, batchSize, seed, update } = options;
  const { horizon, contextLength } = environment;
  const batch = environment.sample(batchSize, new RandomStream(seed, `rollout/contexts/${update}`));
  checkContexts(environment, batch, batchSize, policy.vocabularySize);
  const generation = policy.generate({
    contextTokens: batch.contextTokens,
    batchSize,
    horizon,
    random: new RandomStream(seed, `rollout/actions/${update}`),
    withDistribution: referencePolicy !== undefined,
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
    ...(referencePolicy && {
      reference: referenceScores(
        referencePolicy,
        batch,
        generation.tokens,
        horizon,
        generation.logDistribution!,
      ),
    }),
  };
  return { rollout, batch };
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

function referenceScores(
  reference: SequencePolicy,
  batch: SequenceBatch,
  tokens: Int32Array,
  horizon: number,
  logDistribution: Float32Array,
): ReferenceScores {
  const contexts = tf.tensor2d(
    batch.contextTokens,
    [batch.size, batch.contextTokens.length / batch.size],
    'int32',
  );
  const actions = tf.tensor2d(tokens, [batch.size, horizon], 'int32');
  const scores = reference.score(contexts, actions);
  const logProbs = scores.logProbs.dataSync().slice() as Float32Array;
  const ofReference = scores.logDistribution.dataSync().slice() as Float32Array;
  tf.dispose([contexts, actions, scores.logProbs, scores.logDistribution, scores.values]);
  return {
    logProbs,
    logDistribution: ofReference,
    exactKl: exactKlOnHost(logDistribution, ofReference, reference.vocabularySize),
  };
}
