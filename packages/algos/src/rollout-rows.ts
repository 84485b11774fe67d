import { scoredRows, type Rollout, type RowArray, type tf } from '@rollcast/core';

import type { ReferenceTensors } from './kl-control.js';

/** What every loss needs of a rollout, as tensors of some of its rows: R rows of S steps. */
export interface RolloutTensors {
  /** [R, S] */
  readonly oldLogProbs: tf.Tensor2D;
  /** [R, S] */
  readonly oldValues: tf.Tensor2D;
  /** [R, S] */
  readonly mask: tf.Tensor2D;
  readonly reference?: ReferenceTensors;
}

/** The same rows on the host, by the names that `rolloutTensors` and `Policy.scoreRows` read. */
export interface RolloutRows {
  readonly rows: Record<string, RowArray>;
  /** [R, S] */
  readonly mask: Float32Array;
}

/** Rows of fewer numbers are copied number by number: a view costs as much as a dozen of them. */
const NARROW = 16;

/**
 * Rows of a rollout: trajectories of tokens, or single steps of a step environment.
 *
 * @param extra - further [B, T] arrays of the rollout, by name
 * @param rowIndices - which rows; all when left out
 */
export function rolloutRows(
  rollout: Rollout,
  extra: Readonly<Record<string, Float32Array | Int32Array>>,
  rowIndices?: ArrayLike<number>,
): RolloutRows {
  const { inputs, reference } = rollout;
  const { rows: all, stepsPerRow } = scoredRows(rollout);
  const count = rowIndices?.length ?? all;
  const inOrder = !rowIndices || (count === all && Array.from(rowIndices).every((row, i) => row === i));
  const pick = <A extends Float32Array | Int32Array>(array: A): A => {
    if (inOrder) return array;
    const width = array.length / all;
    const size = rowIndices.length * width;
    const picked = (array instanceof Int32Array ? new Int32Array(size) : new Float32Array(size)) as A;
    if (width < NARROW) {
      for (let i = 0, to = 0; i < rowIndices.length; i++)
        for (let from = rowIndices[i] * width, k = 0; k < width; k++) picked[to++] = array[from++];
      return picked;
    }
    for (let i = 0; i < rowIndices.length; i++)
      picked.set(array.subarray(rowIndices[i] * width, (rowIndices[i] + 1) * width), i * width);
    return picked;
  };
  /** [R, S], or [R, S, width] where a step has several numbers. */
  const perStep = (data: Float32Array | Int32Array): RowArray => {
    const width = data.length / (all * stepsPerRow);
    return { data: pick(data), shape: [count, stepsPerRow, ...(width > 1 ? [width] : [])] };
  };
  const mask = pick(rollout.mask);
  const rows: Record<string, RowArray> = {
    actions: perStep(rollout.actions),
    oldLogProbs: perStep(rollout.logProbs),
    oldValues: perStep(rollout.values),
    mask: { data: mask, shape: [count, stepsPerRow] },
  };
  if ('observations' in inputs) {
    rows['observations'] = { data: pick(inputs.observations), shape: [count, inputs.observationSize] };
  } else {
    rows['contextTokens'] = { data: pick(inputs.contextTokens), shape: [count, inputs.contextLength] };
  }
  if (reference) {
    rows['referenceLogProbs'] = perStep(reference.logProbs);
    const { data, shape } = perStep(reference.distribution);
    rows['referenceDistribution'] = { data, shape: [shape[0], stepsPerRow, shape[2] ?? 1] };
  }
  for (const [name, data] of Object.entries(extra)) rows[name] = perStep(data);
  return { rows, mask };
}

/** The rows as a loss sees them. */
export function rolloutTensors(rows: Readonly<Record<string, tf.Tensor>>): RolloutTensors {
  const { oldLogProbs, oldValues, mask, referenceLogProbs, referenceDistribution } = rows;
  const tensors = { oldLogProbs, oldValues, mask } as RolloutTensors;
  if (!referenceLogProbs) return tensors;
  return {
    ...tensors,
    reference: {
      logProbs: referenceLogProbs as tf.Tensor2D,
      distribution: referenceDistribution as tf.Tensor3D,
    },
  };
}

/** How many rows of a rollout are best scored at a time. */
export function rowsPerPass(
  policy: { rowsPerPass?(length: number): number },
  rollout: Rollout,
): number | undefined {
  const { inputs, steps } = rollout;
  return policy.rowsPerPass?.('contextTokens' in inputs ? inputs.contextLength + steps : 1);
}
