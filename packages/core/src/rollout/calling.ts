import type { SequenceEnvironment } from '../environment.js';
import { EnvironmentError } from '../errors.js';

/**
 * Lets an environment do something, so that what it throws names it.
 *
 * @param what - for example `reward of update 3`
 * @throws {EnvironmentError} with what was thrown as its cause
 */
export function calling<T>({ name }: SequenceEnvironment, what: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new EnvironmentError(`Environment "${name}", ${what}: ${message}`, { cause: error });
  }
}
