import { tf, type Rollout } from '@rollcast/core';

import type { ReferenceTensors } from './kl-control.js';

/** Rows of a rollout as tensors; `dispose` frees them. B here is the number of chosen rows. */
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
  /** Any other [B', T] array of the rollout, for the same rows; the caller disposes it. */
  rows(array: Float32Array): tf.Tensor2D;
  dispose(): void;
}

/**
 * @param rowIndices - which trajectories; all when left out
 * @returns tensors of those rows; the caller calls `dispose`
 */
export function rolloutTensors(rollout: Rollout, rowIndices?: ArrayLike<number>): RolloutTensors {
  const indices = rowIndices
    ? Array.from(rowIndices)
    : Array.from({ length: rollout.batchSize }, (_, b) => b);
  const pick = <A extends Float32Array | Int32Array>(array: A, width: number): A => {
    const picked = array.slice(0, indices.length * width) as A;
    indices.forEach((row, i) => picked.set(array.subarray(row * width, (row + 1) * width), i * width));
    return picked;
  };
  const { steps, inputs, reference } = rollout;
  const rows = (array: Float32Array): tf.Tensor2D => tf.tensor2d(pick(array, steps), [indices.length, steps]);
  const integers = (array: Int32Array, width: number): tf.Tensor2D =>
    tf.tensor2d(pick(array, width), [indices.length, width], 'int32');
  const vocabulary = reference ? reference.logDistribution.length / (rollout.batchSize * steps) : 0;
  const tensors = {
    contextTokens: integers(inputs.contextTokens, inputs.contextLength),
    actions: integers(rollout.actions, steps),
    oldLogProbs: rows(rollout.logProbs),
    oldValues: rows(rollout.values),
    mask: rows(rollout.mask),
    ...(reference && {
      reference: {
        logProbs: rows(reference.logProbs),
        logDistribution: tf.tensor3d(pick(reference.logDistribution, steps * vocabulary), [
          indices.length,
          steps,
          vocabulary,
        ]),
      },
    }),
  };
  return { ...tensors, rows, dispose: () => tf.dispose(tensors) };
}
