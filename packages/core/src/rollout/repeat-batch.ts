import type { SequenceBatch, SequenceEnvironment } from '../environment.js';
import { EnvironmentError } from '../errors.js';
import { calling } from './calling.js';

/**
 * A batch with each of its rows k times, one after the other.
 *
 * @throws {EnvironmentError} when the batch holds more than contexts and the environment does not say how to repeat it, or
 *   says something else
 */
export function repeatBatch(
  environment: SequenceEnvironment,
  batch: SequenceBatch,
  times: number,
): SequenceBatch {
  if (times === 1) return batch;
  const { name, contextLength } = environment;
  const { targets } = batch;
  const contextTokens = repeatRows(batch.contextTokens, batch.size, times);
  const size = batch.size * times;
  if (!environment.repeat) {
    const more = Object.keys(batch).filter((key) => !['size', 'contextTokens', 'targets'].includes(key));
    if (more.length > 0) {
      throw new EnvironmentError(
        `The environment "${name}" cannot continue a context ${times} times: its batches also hold ${more.join(', ')}, and it has no repeat(batch, times). Add one, or use an algorithm that takes one sample of each context: reinforce, a2c or ppo.`,
      );
    }
    return { size, contextTokens, ...(targets && { targets: repeatRows(targets, batch.size, times) }) };
  }
  const repeated = calling(environment, 'repeat', () => environment.repeat!(batch, times));
  const same = repeated.contextTokens.length === contextTokens.length;
  if (
    repeated.size !== size ||
    !same ||
    !repeated.contextTokens.every((token, i) => token === contextTokens[i])
  ) {
    throw new EnvironmentError(
      `repeat(batch, ${times}) of the environment "${name}" must give each of ${batch.size} contexts of ${contextLength} tokens ${times} times, one after the other; got ${repeated.size} rows.`,
    );
  }
  return repeated;
}

/** Each of B rows k times, one after the other: [B, …] → [B·k, …]. */
export function repeatRows<A extends Float32Array | Int32Array>(array: A, rows: number, times: number): A {
  const width = array.length / rows;
  const size = array.length * times;
  const repeated = (array instanceof Int32Array ? new Int32Array(size) : new Float32Array(size)) as A;
  for (let i = 0; i < rows * times; i++) {
    const row = Math.floor(i / times);
    repeated.set(array.subarray(row * width, (row + 1) * width), i * width);
  }
  return repeated;
}
