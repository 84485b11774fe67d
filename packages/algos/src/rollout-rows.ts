import type { Rollout, RowArray, tf } from '@rollcast/core';

import type { ReferenceTensors } from './kl-control.js';

/** What a loss needs of a rollout, as tensors of some of its rows. B here is the number of these rows. */
export interface RolloutTensors {
  /** [B, W] int32 */
  readonly contextTokens: tf.Tensor2D;
  /** [B, T] int32 */
  readonly actions: tf.Tensor2D;
  /** [B, T] */
  readonly oldLogProbs: tf.Tensor2D;
  /** [B, T] */
  readonly oldValues: tf.Tensor2D;
  /** [B, T] */
  readonly mask: tf.Tensor2D;
  readonly reference?: ReferenceTensors;
}

/** The same rows on the host, by the names that `rolloutTensors` reads. */
export interface RolloutRows {
  readonly rows: Record<string, RowArray>;
  /** [B, T] */
  readonly mask: Float32Array;
}

/**
 * @param rowIndices - which trajectories; all when left out
 * @param extra - further [B', T] arrays of the rollout, by name
 */
export function rolloutRows(
  rollout: Rollout,
  extra: Readonly<Record<string, Float32Array>>,
  rowIndices?: ArrayLike<number>,
): RolloutRows {
  const { batchSize, steps, inputs, reference } = rollout;
  const pick = <A extends Float32Array | Int32Array>(array: A, width: number): A => {
    if (!rowIndices) return array;
    const size = rowIndices.length * width;
    const picked = (array instanceof Int32Array ? new Int32Array(size) : new Float32Array(size)) as A;
    for (let i = 0; i < rowIndices.length; i++)
      picked.set(array.subarray(rowIndices[i] * width, (rowIndices[i] + 1) * width), i * width);
    return picked;
  };
  const count = rowIndices?.length ?? batchSize;
  const array = (data: Float32Array | Int32Array, ...shape: number[]): RowArray => ({
    data: pick(data, data.length / batchSize),
    shape: [count, ...shape],
  });
  const mask = pick(rollout.mask, steps);
  const rows: Record<string, RowArray> = {
    contextTokens: array(inputs.contextTokens, inputs.contextLength),
    actions: array(rollout.actions, steps),
    oldLogProbs: array(rollout.logProbs, steps),
    oldValues: array(rollout.values, steps),
    mask: { data: mask, shape: [count, steps] },
  };
  if (reference) {
    rows['referenceLogProbs'] = array(reference.logProbs, steps);
    const vocabulary = reference.logDistribution.length / (batchSize * steps);
    rows['referenceLogDistribution'] = array(reference.logDistribution, steps, vocabulary);
  }
  for (const [name, data] of Object.entries(extra)) rows[name] = array(data, steps);
  return { rows, mask };
}

/** The rows as a loss sees them. */
export function rolloutTensors(rows: Readonly<Record<string, tf.Tensor>>): RolloutTensors {
  const { referenceLogProbs, referenceLogDistribution, ...rest } = rows;
  const tensors = rest as unknown as RolloutTensors;
  if (!referenceLogProbs) return tensors;
  return {
    ...tensors,
    reference: {
      logProbs: referenceLogProbs as tf.Tensor2D,
      logDistribution: referenceLogDistribution as tf.Tensor3D,
    },
  };
}
