import { type z } from 'zod';

import { CheckpointError } from './errors.js';
import { zodProblems } from './options.js';

/**
 * What `state` once gave and a checkpoint has kept, looked at before anything goes on from it.
 *
 * @param what - for the message, such as `counts of steps and episodes`
 * @throws {CheckpointError} naming what is wrong with it
 */
export function checkedState<S extends z.ZodType>(schema: S, state: unknown, what: string): z.output<S> {
  const parsed = schema.safeParse(state);
  if (parsed.success) return parsed.data;
  throw new CheckpointError(`The checkpoint's ${what} cannot be used: ${zodProblems(parsed.error)}.`);
}
