/**
 * Files and folders that are either there in full or not at all: written aside in the same parent, flushed to the disk,
 * then renamed. Everything is synchronous, so that nothing interleaves and a returned call means "on the disk".
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { CheckpointError, StorageError } from '../errors.js';

const ASIDE = /^\..+\.(aside|removed)-\d+-\d+$/;
const REPLACED = /^\.(.+)\.replaced$/;

let asideCount = 0;

/** A hidden name beside `path` that no other write of this process uses; `recoverFolder` clears those that are left. */
export function asideName(path: string, kind: 'aside' | 'removed'): string {
  return join(dirname(path), `.${basename(path)}.${kind}-${process.pid}-${asideCount++}`);
}

/** Where a folder waits while its successor is renamed into place; a reader falls back to it. */
export function replacedName(path: string): string {
  return join(dirname(path), `.${basename(path)}.replaced`);
}

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ENOENT: 'no such file or folder',
  EIO: 'the disk reports an error',
  ENOTDIR: 'a part of the path is a file, not a folder',
  EISDIR: 'it is a folder, not a file',
  ENAMETOOLONG: 'a name in the path is too long',
};
/** The path is wrong and would be at any other time. */
const WRONG_PATH = ['ENOTDIR', 'ENAMETOOLONG', 'EISDIR'];

/** Turns an error of the file system into one sentence: what could not be done, to which file, and why. */
export function fileError(doing: string, path: string, error: unknown): CheckpointError {
  if (error instanceof CheckpointError) return error;
  const { code, message: text } = error as NodeJS.ErrnoException;
  const reason = code === undefined ? text : `${REASONS[code] ?? text} (${code})`;
  const message = `Cannot ${doing} ${path}: ${reason}.`;
  return WRONG_PATH.includes(code ?? '') ? new CheckpointError(message) : new StorageError(message);
}

/** Tidies up as far as it can be: what failed before is the error to report, or nothing that matters is left. */
export function quietly(work: () => void): void {
  try {
    work();
  } catch {
    // `recoverFolder` tries again when the folder is opened the next time
  }
}

/** What a file holds. @throws {CheckpointError} naming the file and the reason when it cannot be read */
export function readFile(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw fileError('read', path, error);
  }
}

function writeAndFlush(path: string, content: Uint8Array | string): void {
  const file = openSync(path, 'wx');
  try {
    writeFileSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Makes renames in a folder durable; Windows has no such thing and needs none. */
function flushFolder(path: string): void {
  if (process.platform === 'win32') return;
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/**
 * Makes durable what was appended to a file; one that is not there needs nothing.
 *
 * @throws {StorageError} naming the file and the reason
 */
export function flushFile(path: string): void {
  if (!existsSync(path)) return;
  try {
    const file = openSync(path, 'r+');
    try {
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw fileError('flush', path, error);
  }
}

/**
 * Writes a file in full or not at all, replacing one that is there.
 *
 * @throws {CheckpointError} naming the file and the reason; what was there before is unchanged then, unless only the last
 *   flush failed
 */
export function writeFileAtomically(path: string, content: Uint8Array | string): void {
  const aside = asideName(path, 'aside');
  try {
    writeAndFlush(aside, content);
    renameSync(aside, path);
    flushFolder(dirname(path));
  } catch (error) {
    quietly(() => rmSync(aside, { force: true }));
    throw fileError('write', path, error);
  }
}

/**
 * Writes a folder of files in full or not at all. A folder that is there is replaced; as no system call swaps two
 * folders, it waits for a moment under `replacedName(path)`, where `recoverFolder` and readers find it after a crash.
 *
 * @param files - plain file names and what they hold
 * @throws {CheckpointError} naming the folder and the reason; what was there before is unchanged then
 */
export function writeFolderAtomically(
  path: string,
  files: Readonly<Record<string, Uint8Array | string>>,
): void {
  const aside = asideName(path, 'aside');
  const replaced = replacedName(path);
  try {
    mkdirSync(aside);
    for (const [name, content] of Object.entries(files)) writeAndFlush(join(aside, name), content);
    flushFolder(aside);
    if (existsSync(path)) {
      rmSync(replaced, { recursive: true, force: true });
      renameSync(path, replaced);
    }
    renameSync(aside, path);
    flushFolder(dirname(path));
  } catch (error) {
    quietly(() => rmSync(aside, { recursive: true, force: true }));
    quietly(() => {
      if (!existsSync(path) && existsSync(replaced)) renameSync(replaced, path);
    });
    throw fileError('write', path, error);
  }
  quietly(() => rmSync(replaced, { recursive: true, force: true }));
}

/** Removes a folder so that a crash never leaves half of it under its own name. */
export function removeFolderAtomically(path: string): void {
  const removed = asideName(path, 'removed');
  try {
    renameSync(path, removed);
    rmSync(removed, { recursive: true, force: true });
  } catch (error) {
    throw fileError('remove', path, error);
  }
}

/** Clears what a killed process left behind in a folder. Only for the one process that writes there. */
export function recoverFolder(parent: string): void {
  try {
    for (const name of readdirSync(parent)) {
      const replaced = REPLACED.exec(name);
      if (replaced && !existsSync(join(parent, replaced[1]))) {
        renameSync(join(parent, name), join(parent, replaced[1]));
      } else if (replaced || ASIDE.test(name)) {
        rmSync(join(parent, name), { recursive: true, force: true });
      }
    }
  } catch (error) {
    throw fileError('tidy', parent, error);
  }
}
