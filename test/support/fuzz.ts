import { ConfigError, RandomStream, RollcastError } from '@rollcast/core';

/** What a command that said no is reported as: its message was looked at already. */
export class Refused extends Error {}

/** One way in for files that somebody else made. */
export interface FuzzTarget {
  readonly name: string;
  /**
   * Hands one mutated input to the real entry point. It returns when the input was accepted and everything in the result is
   * finite, and throws what the entry point throws.
   */
  readonly attempt: (random: RandomStream) => void | Promise<void>;
}

/** Seconds that one small input may take, on a busy machine. */
const PATIENCE = 20;
/** Megabytes that the process may grow by while it reads thousands of small files. */
const MEMORY = 700;

/**
 * Hands mutated inputs to an entry point. Each must be accepted, or refused by an error of Rollcast with one line for each thing that
 * is wrong; nothing may hang, or ask for much memory.
 *
 * @param from - number of the first input; input i is the same whatever the range
 * @returns how many were accepted and refused, and what was wrong with the others
 */
export async function fuzz(
  { name, attempt }: FuzzTarget,
  count: number,
  from = 0,
): Promise<{ accepted: number; refused: number; failures: string[] }> {
  const result = { accepted: 0, refused: 0, failures: [] as string[] };
  const peak = (): number => process.resourceUsage().maxRSS / 1024;
  const before = peak();
  for (let i = from; i < from + count && result.failures.length < 5; i++) {
    const started = performance.now();
    try {
      await attempt(new RandomStream(20_26, `fuzz/${name}/${i}`));
      result.accepted++;
    } catch (error) {
      const problem = refusalProblem(error);
      if (problem === undefined) result.refused++;
      else result.failures.push(`${name} ${i}: ${problem}`);
    }
    const seconds = (performance.now() - started) / 1000;
    if (seconds > PATIENCE) result.failures.push(`${name} ${i}: took ${seconds.toFixed(1)} s`);
  }
  const grown = peak() - before;
  if (grown > MEMORY) result.failures.push(`${name}: memory grew by ${Math.round(grown)} MB`);
  return result;
}

/** Why an error is not a good refusal, if it is not. */
function refusalProblem(error: unknown): string | undefined {
  if (error instanceof Refused) return undefined;
  if (!(error instanceof RollcastError))
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  return messageProblem(error.message, error instanceof ConfigError ? error.issues.length : 1);
}

/** Why a message cannot be shown as it is, if it cannot: lines beyond those expected, control characters, endless text. */
export function messageProblem(message: string, lines = 1): string | undefined {
  const shown = JSON.stringify(message.slice(0, 2000));
  if (message.split('\n').length > Math.max(1, lines)) return `a message of several lines: ${shown}`;
  // eslint-disable-next-line no-control-regex
  if (/[\0-\x08\x0b-\x1f\x7f\u2028\u2029]/.test(message)) return `control characters in a message: ${shown}`;
  if (message.length > 4000 * Math.max(1, lines))
    return `a message of ${message.length} characters: ${shown}`;
  return undefined;
}

/** Throws when a number anywhere in a value is not finite; that is no refusal but a failure. */
export function requireFinite(what: string, value: unknown): void {
  if (typeof value === 'number' && !Number.isFinite(value))
    throw new Error(`${what} was accepted with ${value}`);
  if (value instanceof Float32Array || value instanceof Float64Array) {
    const at = value.findIndex((x) => !Number.isFinite(x));
    if (at >= 0) throw new Error(`${what} was accepted with ${value[at]} at ${at}`);
  } else if (Array.isArray(value)) value.forEach((item) => requireFinite(what, item));
  else if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value))
    for (const [key, item] of Object.entries(value)) requireFinite(`${what}.${key}`, item);
}
