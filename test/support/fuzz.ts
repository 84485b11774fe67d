import { Worker } from 'node:worker_threads';

import { ConfigError, RandomStream, RollcastError, tf } from '@rollcast/core';

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

/** Which inputs are handed over. Input i of a seed is the same whatever the range, so that a long run can be done in parts. */
export interface FuzzRange {
  /** @defaultValue 2026 */
  readonly seed?: number;
  /** @defaultValue 0 */
  readonly first?: number;
  readonly count: number;
}

/** What came of the inputs. */
export interface FuzzResult {
  /** Inputs handed over, fewer than asked for where many failed. */
  done: number;
  accepted: number;
  refused: number;
  /** Each that was neither, with its number. */
  failures: string[];
  /** Seconds of computing and number of the input that took longest. */
  slowest: { seconds: number; input: number };
}

/** Seconds of computing that one small input may take; waiting for a busy machine does not count. */
const PATIENCE = 20;
/** Megabytes that the process may grow by while it reads thousands of small files, and within one of them. */
const MEMORY = { all: 700, one: 300 };

/**
 * Hands mutated inputs to an entry point. Each must be accepted, or refused by an error of Rollcast with one line for each thing that
 * is wrong; nothing may hang, ask for much memory, or leave a tensor behind. An input that never ends ends the process, which says its number.
 *
 * @param onProgress - called after every thousand inputs, and after each that failed
 */
export async function fuzz(
  { name, attempt }: FuzzTarget,
  { seed = 20_26, first = 0, count }: FuzzRange,
  onProgress: (result: FuzzResult) => void = () => undefined,
): Promise<FuzzResult> {
  const slowest = { seconds: 0, input: first };
  const result: FuzzResult = { done: 0, accepted: 0, refused: 0, failures: [], slowest };
  const peak = (): number => process.resourceUsage().maxRSS / 1024;
  const before = peak();
  const watch = watchdog(name);
  try {
    for (let i = first; i < first + count && result.failures.length < 5; i++) {
      watch.begin(i);
      const failuresBefore = result.failures.length;
      const [started, memory, tensors] = [process.cpuUsage(), peak(), tf.memory().numTensors];
      try {
        await attempt(new RandomStream(seed, `fuzz/${name}/${i}`));
        result.accepted++;
      } catch (error) {
        const problem = refusalProblem(error);
        if (problem === undefined) result.refused++;
        else result.failures.push(`${name} ${i}: ${problem}`);
      }
      const { user, system } = process.cpuUsage(started);
      const seconds = (user + system) / 1e6;
      if (seconds > slowest.seconds) Object.assign(slowest, { seconds, input: i });
      if (seconds > PATIENCE) result.failures.push(`${name} ${i}: took ${seconds.toFixed(1)} s`);
      const left = tf.memory().numTensors - tensors;
      if (left !== 0) result.failures.push(`${name} ${i}: left ${left} tensors`);
      const grown = peak() - memory;
      if (grown > MEMORY.one) result.failures.push(`${name} ${i}: took ${Math.round(grown)} MB`);
      const failed = result.failures.length > failuresBefore;
      if (++result.done % 1000 === 0 || failed) onProgress(result);
    }
  } finally {
    await watch.end();
  }
  const grown = peak() - before;
  if (grown > MEMORY.all) result.failures.push(`${name}: memory grew by ${Math.round(grown)} MB`);
  return result;
}

/** Ends the process when one input takes minutes, as nothing in this thread could while it computes. */
function watchdog(name: string): { begin(input: number): void; end(): Promise<unknown> } {
  const current = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(
    `const { workerData: { name, current } } = require('node:worker_threads');
    let seen = -1;
    setInterval(() => {
      if (current[0] === seen) {
        require('node:fs').writeSync(2, name + ' ' + seen + ': never ends\\n');
        process.kill(process.pid, 'SIGKILL');
      }
      seen = current[0];
    }, 120_000);`,
    { eval: true, workerData: { name, current } },
  );
  return { begin: (input) => void (current[0] = input), end: () => worker.terminate() };
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
