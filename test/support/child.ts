import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../../packages/cli/bin/rollcast.js', import.meta.url));

/** How a process ended, and what it said. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

export interface RunningCommand {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** What it has said on the error stream so far. */
  said(): string;
}

export interface ChildOptions {
  /** Arguments of Node itself, such as `--import FILE`. */
  nodeArgs?: readonly string[];
  env?: Readonly<Record<string, string>>;
}

/** Starts `rollcast` in a process of its own, as built. */
export function startRollcast(
  args: readonly string[],
  { nodeArgs = [], env }: ChildOptions = {},
): RunningCommand {
  const child = spawn(process.execPath, [...nodeArgs, program, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (text) => (out += String(text)));
  child.stderr.on('data', (text) => (err += String(text)));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, out, err }));
  });
  return { child, ended, said: () => err };
}

/** Waits until something holds, looking every few milliseconds, or until the process has ended. */
export async function until({ child }: RunningCommand, holds: () => boolean): Promise<void> {
  while (!holds() && child.exitCode === null && child.signalCode === null)
    await new Promise((resolve) => setTimeout(resolve, 3));
}

/** Runs a command to its end, which must be a good one. */
export async function succeed(...args: string[]): Promise<Ended> {
  const ended = await startRollcast(args).ended;
  if (ended.code !== 0) throw new Error(`rollcast ${args.join(' ')} ended with ${ended.code}:\n${ended.err}`);
  return ended;
}
