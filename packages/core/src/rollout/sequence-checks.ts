/** What a sequence environment says, checked before anything is learnt from it. */
import type { SequenceBatch, SequenceEnvironment, SequenceReward } from '../environment.js';
import { EnvironmentError } from '../errors.js';
import { calling } from './calling.js';

/**
 * What the environment says about generated tokens, checked.
 *
 * @param update - which update this is for, from 0; named in messages
 */
export function checkedReward(
  environment: SequenceEnvironment,
  batch: SequenceBatch,
  generated: Int32Array,
  update: number,
): SequenceReward {
  const { name, horizon } = environment;
  const { reward, components } = calling(environment, `reward of update ${update + 1}`, () => {
    const result = environment.reward(batch, generated) as Partial<SequenceReward> | undefined;
    if (!result?.reward || !result.components)
      throw new EnvironmentError(`reward must return { reward, components }; got ${typeof result}.`);
    return result as SequenceReward;
  });
  checkNumbers(`The reward of the environment "${name}"`, reward, batch.size, horizon);
  for (const [component, numbers] of Object.entries(components))
    checkNumbers(`The component "${component}" of the environment "${name}"`, numbers, batch.size, horizon);
  return { reward, components };
}

/** A token that the embedding does not know would be read as nothing at all; so would a batch cut into other rows. */
export function checkContexts(
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
export function rewardPerStep(reward: Float32Array, batchSize: number, horizon: number): Float32Array {
  if (reward.length === batchSize * horizon) return reward;
  const perStep = new Float32Array(batchSize * horizon);
  for (let b = 0; b < batchSize; b++) perStep[(b + 1) * horizon - 1] = reward[b];
  return perStep;
}

/** [B, L] → B sums. */
export function sumsOfRows(values: Float32Array, rows: number): number[] {
  const width = values.length / rows;
  return Array.from({ length: rows }, (_, b) =>
    values.subarray(b * width, (b + 1) * width).reduce((a, x) => a + x, 0),
  );
}
