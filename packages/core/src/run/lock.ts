/**
 * The lock of a run folder: `.lock/holder.json` says which process writes there. It is a folder because a folder that is not
 * empty cannot be renamed over, so that of two processes one gets it, and nobody ever sees half of it.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';

import { StorageError } from '../errors.js';
import { asideName, fileError, quietly } from './atomic.js';

const LOCK = '.lock';
const HOLDER = 'holder.json';

interface Holder {
  readonly pid: number;
  readonly host: string;
  /** When it was taken, as a date. */
  readonly since: string;
  /** When the process started, in ticks since the machine did; tells it from a later one of the same number. Linux only. */
  readonly processStart?: string;
}

/** Held by one process at a time; one whose process is gone is taken over. */
export class RunLock {
  private constructor(
    private readonly path: string,
    private readonly text: string,
  ) {}

  /**
   * Takes the lock of a folder.
   *
   * @throws {StorageError} naming the process that has it, or why it cannot be written
   */
  static acquire(folder: string): RunLock {
    const path = join(folder, LOCK);
    const holder: Holder = {
      pid: process.pid,
      host: hostname(),
      since: new Date().toISOString(),
      processStart: processStart(process.pid),
    };
    const lock = new RunLock(path, JSON.stringify(holder));
    while (!lock.take()) {
      const found = readHolder(path);
      if (found === undefined) continue; // released in between
      if (found.holder && !isGone(found.holder)) throw new StorageError(heldBy(folder, path, found.holder));
      putAway(path, found.text);
    }
    return lock;
  }

  /** Gives it back; one that is not there any more is no error. */
  release(): void {
    if (readHolder(this.path)?.text === this.text) quietly(() => putAway(this.path, this.text));
  }

  /** Whether it was free. */
  private take(): boolean {
    const aside = asideName(this.path, 'aside');
    try {
      mkdirSync(aside);
      writeFileSync(join(aside, HOLDER), this.text);
      renameSync(aside, this.path);
      return true;
    } catch (error) {
      quietly(() => rmSync(aside, { recursive: true, force: true }));
      if (readHolder(this.path)) return false; // codes differ between systems
      throw fileError('write', this.path, error);
    }
  }
}

/** Removes a lock, unless another process has put its own there since. */
function putAway(path: string, text: string): void {
  const removed = asideName(path, 'removed');
  try {
    renameSync(path, removed);
    if (readHolder(removed)?.text === text) rmSync(removed, { recursive: true, force: true });
    else renameSync(removed, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw fileError('remove', path, error);
  }
}

/** Undefined when there is no lock; without a holder when it is damaged, as a power cut may leave it. */
function readHolder(path: string): { text: string; holder?: Partial<Holder> } | undefined {
  let text: string;
  try {
    text = readFileSync(join(path, HOLDER), 'utf8');
  } catch {
    return undefined;
  }
  try {
    return { text, holder: Object(JSON.parse(text)) as Partial<Holder> };
  } catch {
    return { text };
  }
}

function isGone({ pid, host, processStart: start }: Partial<Holder>): boolean {
  if (host !== hostname() || !Number.isSafeInteger(pid)) return false;
  try {
    process.kill(pid!, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'; // EPERM: it is there and another user's
  }
  const now = processStart(pid!);
  return start !== undefined && now !== undefined && start !== now;
}

/** Field 22 of `/proc/PID/stat`; the name before it may hold spaces and brackets. */
function processStart(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined; // not Linux, or gone
  }
}

function heldBy(folder: string, path: string, { pid, host, since }: Partial<Holder>): string {
  if (pid === process.pid && host === hostname())
    return `${folder} is being written by this process already; close that run first.`;
  if (host === hostname())
    return `${folder} is being written by process ${pid}, since ${since}. Wait until it has ended, or choose another folder.`;
  return `${folder} is being written by process ${pid} on the machine "${host}", since ${since}. When that process is gone, delete ${path} and try again.`;
}
