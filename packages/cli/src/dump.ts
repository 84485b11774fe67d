/**
 * What a run leaves when an invariant breaks: `dumps/update-000123/`, a run folder of its own that holds one checkpoint, of before
 * that update, the rollout as safetensors and JSON, and `violation.json`. `rollcast replay` repeats the update from it.
 */
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import {
  CheckpointError,
  CheckpointStore,
  InvariantError,
  decodeRollout,
  encodeRollout,
  writeFileAtomically,
  zodProblems,
  type Rollout,
  type RunDirectory,
} from '@rollcast/core';
import { z } from 'zod';

const VIOLATION = 'violation.json';
const ROLLOUT = ['rollout.safetensors', 'rollout.json'];

const violationFile = z.strictObject({
  /** The update in which it broke, counted from 1. */
  update: z.int().min(1),
  /** Name of the invariant, or of the error where the environment broke its contract. */
  broken: z.string(),
  message: z.string(),
  /** The numbers around it. */
  values: z.record(z.string(), z.unknown()),
  /** Who computed. */
  backend: z.string(),
});
export type Violation = z.output<typeof violationFile>;

export interface Dump {
  readonly violation: Violation;
  /** Absent when collecting it failed. */
  readonly rollout?: Rollout;
}

/** What a message says about an error that may be an invariant. */
export function brokenName(error: Error): string {
  return error instanceof InvariantError ? error.invariant : error.name;
}

/**
 * Writes a dump into the folder of a run, replacing one of the same update.
 *
 * @param update - updates finished before
 * @param files - the checkpoint of before the update
 * @returns its path
 * @throws {CheckpointError} when it cannot be written
 */
export function writeDump(
  run: RunDirectory,
  { update, error, rollout, backend }: { update: number; error: Error; rollout?: Rollout; backend: string },
  files: Readonly<Record<string, Uint8Array | string>>,
): string {
  const folder = join(run.dumpFolder, `update-${String(update + 1).padStart(6, '0')}`);
  const violation: Violation = {
    update: update + 1,
    broken: brokenName(error),
    message: error.message,
    values: error instanceof InvariantError ? error.values : {},
    backend,
  };
  try {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
  } catch (cause) {
    throw new CheckpointError(`Cannot write ${folder}: ${(cause as Error).message}.`);
  }
  new CheckpointStore(join(folder, 'checkpoints')).save(update, files);
  const pages = {
    ...(rollout && encodeRollout(rollout)),
    'config.json': `${JSON.stringify(run.description, null, 2)}\n`,
    [VIOLATION]: `${JSON.stringify(violation, null, 2)}\n`, // last: a folder without it is no dump
  };
  for (const [name, content] of Object.entries(pages)) writeFileAtomically(join(folder, name), content);
  return folder;
}

/**
 * Reads a dump; undefined where the folder holds none.
 *
 * @throws {CheckpointError} when a file of it is damaged
 */
export function readDump(folder: string): Dump | undefined {
  const path = join(folder, VIOLATION);
  if (!existsSync(path)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new CheckpointError(`${path} cannot be read: ${(error as Error).message}.`);
  }
  const parsed = violationFile.safeParse(value);
  if (!parsed.success) throw new CheckpointError(`${path} is damaged: ${zodProblems(parsed.error)}.`);
  const present = ROLLOUT.filter((name) => existsSync(join(folder, name)));
  if (present.length === 0) return { violation: parsed.data };
  const files = Object.fromEntries(present.map((name) => [name, readFileSync(join(folder, name))]));
  return { violation: parsed.data, rollout: decodeRollout(files, folder) };
}
