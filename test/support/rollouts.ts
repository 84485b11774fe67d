import { tf, type Rollout, type SequencePolicy, type StepPolicy } from '@rollcast/core';

/**
 * A rollout of given actions, scored by the policy itself, that ends in its last step.
 *
 * @param contexts - B rows of context tokens
 * @param actions - B rows of actions
 * @param rewards - B rows of rewards
 */
export function rolloutOf(
  policy: SequencePolicy,
  contexts: number[][],
  actions: number[][],
  rewards: number[][],
  changes: Partial<Rollout> = {},
): Rollout {
  const [batchSize, steps] = [actions.length, actions[0].length];
  const size = batchSize * steps;
  const { logProbs, values } = tf.tidy(() => {
    const scores = policy.score(
      tf.tensor2d(contexts, undefined, 'int32'),
      tf.tensor2d(actions, undefined, 'int32'),
    );
    return {
      logProbs: scores.logProbs.dataSync().slice() as Float32Array,
      values: scores.values.dataSync().slice() as Float32Array,
    };
  });
  return {
    batchSize,
    steps,
    actions: Int32Array.from(actions.flat()),
    logProbs,
    values,
    rewards: Float32Array.from(rewards.flat()),
    components: {},
    terminated: Uint8Array.from({ length: size }, (_, i) => ((i + 1) % steps === 0 ? 1 : 0)),
    truncated: new Uint8Array(size),
    bootstrapValues: new Float32Array(size),
    mask: new Float32Array(size).fill(1),
    inputs: { contextTokens: Int32Array.from(contexts.flat()), contextLength: contexts[0].length },
    ...changes,
  };
}

/**
 * A rollout of N single steps of a step environment, each an episode of its own, scored by the policy itself.
 *
 * @param observations - N rows of O numbers
 * @param actions - N integers
 * @param rewards - N
 */
export function stepRolloutOf(
  policy: StepPolicy,
  observations: number[][],
  actions: number[],
  rewards: number[],
  changes: Partial<Rollout> = {},
): Rollout {
  const size = actions.length;
  const { logProbs, values } = tf.tidy(() => {
    const rows = {
      observations: tf.tensor2d(observations),
      actions: tf.tensor2d(actions, [size, 1], 'int32'),
    };
    const scores = policy.scoreRows(rows);
    return {
      logProbs: scores.logProbs.dataSync().slice() as Float32Array,
      values: scores.values.dataSync().slice() as Float32Array,
    };
  });
  return {
    batchSize: size,
    steps: 1,
    actions: Int32Array.from(actions),
    logProbs,
    values,
    rewards: Float32Array.from(rewards),
    components: {},
    terminated: new Uint8Array(size).fill(1),
    truncated: new Uint8Array(size),
    bootstrapValues: new Float32Array(size),
    mask: new Float32Array(size).fill(1),
    inputs: { observations: Float32Array.from(observations.flat()), observationSize: observations[0].length },
    ...changes,
  };
}
