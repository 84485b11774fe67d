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

import { CheckpointError } from '../errors.js';

const ASIDE = /^\..+\.(aside|removed)-\d+-\d+$/;
const REPLACED = /^\.(.+)\.replaced$/;

let asideCount = 0;

/** A hidden name beside `path` that no other write of this process uses. */
function asideName(path: string, kind: 'aside' | 'removed'): string {
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
  ENOTDIR: 'a part of the path is a file, not a folder',
  EISDIR: 'it is a folder, not a file',
};

/** Turns an error of the file system into one sentence: what could not be done, to which file, and why. */
export function fileError(doing: string, path: string, error: unknown): CheckpointError {
  if (error instanceof CheckpointError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  const reason = code === undefined ? message : `${REASONS[code] ?? message} (${code})`;
  return new CheckpointError(`Cannot ${doing} ${path}: ${reason}.`);
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
 * Writes a file in full or not at all, replacing one that is there.
 *
 * @throws {CheckpointError} naming the file and the reason; what was there before is unchanged then
 */
export function writeFileAtomically(path: string, content: Uint8Array | string): void {
  const aside = asideName(path, 'aside');
  try {
    writeAndFlush(aside, content);
    renameSync(aside, path);
    flushFolder(dirname(path));
  } catch (error) {
    rmSync(aside, { force: true });
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
    rmSync(aside, { recursive: true, force: true });
    if (!existsSync(path) && existsSync(replaced)) renameSync(replaced, path);
    throw fileError('write', path, error);
  }
  rmSync(replaced, { recursive: true, force: true });
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
