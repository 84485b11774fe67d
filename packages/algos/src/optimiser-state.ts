import { CheckpointError, type Adam, type AlgorithmState } from '@rollcast/core';
import { z } from 'zod';

/** The state of an optimiser and some numbers, as an algorithm saves it. */
export function packState(optimizer: Adam, values: Record<string, unknown>): AlgorithmState {
  const { moments, powers } = optimizer.state();
  return { arrays: moments, values: { ...values, powers } };
}

const adamPowers = z.object({ beta1: z.number(), beta2: z.number() });

/**
 * The reverse of `packState`.
 *
 * @param schema - the numbers that the algorithm saved, its name among them
 * @param writer - what wrote such a state, for the message
 * @throws {CheckpointError} when another algorithm wrote the state or the moments do not fit; nothing is changed then
 */
export function unpackState<S extends z.ZodType>(
  optimizer: Adam,
  state: AlgorithmState,
  schema: S,
  writer: string,
): z.output<S> {
  const values = schema.safeParse(state.values);
  if (!values.success) {
    throw new CheckpointError(
      `The checkpoint was not written by ${writer}; continue it with the algorithm that wrote it.`,
    );
  }
  const powers = adamPowers.safeParse(state.values['powers']);
  if (!powers.success) throw new CheckpointError("The checkpoint's algorithm state has no powers of Adam.");
  optimizer.restore({ moments: state.arrays, powers: powers.data });
  return values.data;
}
