/**
 * The checkpoints of a run: one folder each (`update-000200/`), written atomically, with a manifest that holds the size
 * and SHA-256 of every file and a checksum of itself, so that a change of any byte is noticed.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';

import { CheckpointError, StorageError } from '../errors.js';
import {
  fileError,
  readFile,
  recoverFolder,
  removeFolderAtomically,
  replacedName,
  writeFileAtomically,
  writeFolderAtomically,
} from './atomic.js';

const FORMAT_VERSION = 1;
const MANIFEST = 'manifest.json';
const BEST = 'best.json';
const FOLDER = /^update-(\d{6,})$/;
const REPLACED_FOLDER = /^\.update-(\d{6,})\.replaced$/;
const FILE_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;

/** A checkpoint as it was saved. */
export interface Checkpoint {
  /** Updates finished when it was saved. */
  readonly update: number;
  readonly path: string;
  readonly files: Readonly<Record<string, Buffer>>;
  /** SHA-256 of each of them, in hexadecimal. */
  readonly digests: Readonly<Record<string, string>>;
}

/** Which checkpoints are kept. */
export interface CheckpointStoreOptions {
  /** How many of the latest checkpoints are kept, besides the best. @defaultValue 3 */
  keepLast?: number;
}

interface ManifestFile {
  bytes: number;
  sha256: string;
}

interface Manifest {
  formatVersion: number;
  update: number;
  files: Record<string, ManifestFile>;
}

/** Written by another version: nothing is wrong with it, and nobody may pass over it. */
class FormatError extends CheckpointError {}

const sha256 = (content: Uint8Array | string): string => createHash('sha256').update(content).digest('hex');
const folderName = (update: number): string => `update-${String(update).padStart(6, '0')}`;

/** JSON that carries its own checksum; `unseal` refuses any other byte. */
function seal(value: object): string {
  return `${JSON.stringify({ ...value, checksum: sha256(JSON.stringify(value)) }, null, 2)}\n`;
}

function unseal(path: string): Record<string, unknown> {
  const text = readFile(path).toString('utf8');
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new CheckpointError(`${path} is damaged: it is not JSON.`);
  }
  const value = { ...Object(parsed) } as Record<string, unknown>;
  delete value.checksum;
  const version = value.formatVersion;
  if (typeof version === 'number' && version !== FORMAT_VERSION) {
    throw new FormatError(
      `${path} is of checkpoint format ${version}; this version of Rollcast reads format ${FORMAT_VERSION}. Use the version that config.json names, or a newer one.`,
    );
  }
  if (seal(value) !== text) throw new CheckpointError(`${path} is damaged: its checksum does not match.`);
  return value;
}

/** Saves and loads checkpoints in one folder; keeps the last few and the best. */
export class CheckpointStore {
  private readonly keepLast: number;

  /** @param folder - made by the first `save` */
  constructor(
    readonly folder: string,
    { keepLast = 3 }: CheckpointStoreOptions = {},
  ) {
    if (!Number.isInteger(keepLast) || keepLast < 1)
      throw new CheckpointError(`keepLast is an integer ≥ 1; got ${keepLast}.`);
    this.keepLast = keepLast;
  }

  /**
   * Writes a checkpoint in full or not at all, then removes those that are neither among the last nor the best.
   *
   * @param update - updates finished
   * @param files - plain file names and what they hold
   * @param best - makes it the one that `load('best')` gives
   * @returns the path of the checkpoint
   * @throws {CheckpointError} when it cannot be written; the checkpoints before it are unchanged then
   */
  save(
    update: number,
    files: Readonly<Record<string, Uint8Array | string>>,
    { best = false }: { best?: boolean } = {},
  ): string {
    if (!Number.isSafeInteger(update) || update < 0)
      throw new CheckpointError(`A checkpoint is saved after a whole number of updates; got ${update}.`);
    const described: Record<string, ManifestFile> = {};
    for (const [name, content] of Object.entries(files)) {
      if (!FILE_NAME.test(name) || name === MANIFEST)
        throw new CheckpointError(`"${name}" cannot be the name of a file in a checkpoint.`);
      described[name] = { bytes: Buffer.byteLength(content), sha256: sha256(content) };
    }
    const manifest = seal({ formatVersion: FORMAT_VERSION, update, files: described } satisfies Manifest);
    const path = join(this.folder, folderName(update));
    try {
      mkdirSync(this.folder, { recursive: true });
    } catch (error) {
      throw fileError('write', path, error);
    }
    recoverFolder(this.folder);
    writeFolderAtomically(path, { ...files, [MANIFEST]: manifest });
    if (best) this.writeBest(update, manifest);
    this.prune();
    return path;
  }

  /** Makes a checkpoint the one that `load('best')` gives. @throws {CheckpointError} when it is damaged or missing */
  markBest(update: number): void {
    const { path } = this.load(update);
    this.writeBest(update, readFile(join(path, MANIFEST)).toString('utf8'));
  }

  /** The updates that have a checkpoint, ascending; nothing is verified. */
  list(): number[] {
    if (!existsSync(this.folder)) return [];
    const updates = new Set<number>();
    for (const name of readdirSync(this.folder)) {
      const match = FOLDER.exec(name) ?? REPLACED_FOLDER.exec(name);
      if (match) updates.add(Number(match[1]));
    }
    return [...updates].sort((a, b) => a - b);
  }

  /** The update that `load('best')` gives, if one was marked. @throws {CheckpointError} when the mark is damaged */
  best(): number | undefined {
    return this.readBest()?.update;
  }

  /**
   * Reads a checkpoint and verifies every byte of it.
   *
   * @param which - `'best'` is the latest when none was marked as the best
   * @throws {CheckpointError} naming the damaged or missing file and the last good checkpoint, if there is one
   */
  load(which: 'latest' | 'best' | number): Checkpoint {
    const updates = this.list();
    if (updates.length === 0) throw new CheckpointError(`There is no checkpoint in ${this.folder}.`);
    let update: number | undefined;
    try {
      const best = which === 'best' ? this.readBest() : undefined;
      update = typeof which === 'number' ? which : (best?.update ?? updates[updates.length - 1]);
      if (!updates.includes(update))
        throw new CheckpointError(`${join(this.folder, folderName(update))} is missing.`);
      return this.read(update, best?.manifestSha256);
    } catch (error) {
      const { message } = fileError('read', this.folder, error);
      const good = this.lastGood(update);
      throw new CheckpointError(
        `${message} ${good === undefined ? 'No other checkpoint is good.' : `The last good checkpoint is ${folderName(good)}.`}`,
      );
    }
  }

  /**
   * The checkpoint that a run goes on from: the latest, or where that is damaged the one before it, and so on.
   *
   * @param onDamaged - told of each that is passed over, with the file that is damaged
   * @returns undefined when none was ever written
   * @throws {CheckpointError} when none is good, or one that would be passed over is of another version or cannot be read now
   */
  loadLatestGood(onDamaged: (message: string) => void): Checkpoint | undefined {
    const messages: string[] = [];
    for (const update of this.list().reverse()) {
      try {
        const checkpoint = this.read(update);
        for (const message of messages)
          onDamaged(`${message} Going on from the last good checkpoint, ${folderName(update)}.`);
        return checkpoint;
      } catch (error) {
        const reported = fileError('read', join(this.folder, folderName(update)), error);
        if (reported instanceof FormatError || reported instanceof StorageError) throw reported;
        messages.push(reported.message);
      }
    }
    if (messages.length === 0) return undefined;
    throw new CheckpointError(
      `${messages[0]} No other checkpoint is good; start anew with --force, or copy one back from elsewhere.`,
    );
  }

  /** Forgets the checkpoints after an update, so that a run continued from there does not mix with its old future. */
  discardAfter(update: number): void {
    if (!existsSync(this.folder)) return;
    recoverFolder(this.folder);
    for (const later of this.list().filter((u) => u > update))
      removeFolderAtomically(join(this.folder, folderName(later)));
    if ((this.bestOrNothing() ?? -1) > update) rmSync(join(this.folder, BEST), { force: true });
  }

  private writeBest(update: number, manifest: string): void {
    const mark = seal({ formatVersion: FORMAT_VERSION, update, manifestSha256: sha256(manifest) });
    writeFileAtomically(join(this.folder, BEST), mark);
  }

  private prune(): void {
    const best = this.bestOrNothing();
    for (const update of this.list().slice(0, -this.keepLast)) {
      if (update !== best) removeFolderAtomically(join(this.folder, folderName(update)));
    }
  }

  private readBest(): { update: number; manifestSha256: string } | undefined {
    const path = join(this.folder, BEST);
    if (!existsSync(path)) return undefined;
    return unseal(path) as { update: number; manifestSha256: string };
  }

  private bestOrNothing(): number | undefined {
    try {
      return this.best();
    } catch {
      return undefined; // saving goes on with a damaged mark; loading the best reports it
    }
  }

  private read(update: number, manifestSha256?: string): Checkpoint {
    let path = join(this.folder, folderName(update));
    if (!existsSync(path)) path = replacedName(path);
    const manifestPath = join(path, MANIFEST);
    if (!existsSync(manifestPath)) throw new CheckpointError(`${manifestPath} is missing.`);
    const manifest = unseal(manifestPath) as unknown as Manifest;
    if (manifest.update !== update)
      throw new CheckpointError(`${manifestPath} belongs to update ${manifest.update}.`);
    if (manifestSha256 !== undefined && sha256(readFile(manifestPath)) !== manifestSha256)
      throw new CheckpointError(
        `${manifestPath} is not the one that ${join(this.folder, BEST)} was written for.`,
      );
    const files = Object.entries(manifest.files).map(([name, expected]): [string, Buffer] => {
      const file = join(path, name);
      if (!FILE_NAME.test(name) || !existsSync(file)) throw new CheckpointError(`${file} is missing.`);
      const { size } = statSync(file);
      if (size !== expected.bytes)
        throw new CheckpointError(`${file} is damaged: ${size} bytes instead of ${expected.bytes}.`);
      const content = readFile(file);
      if (sha256(content) !== expected.sha256)
        throw new CheckpointError(
          `${file} is damaged: its SHA-256 does not match ${basename(manifestPath)}.`,
        );
      return [name, content];
    });
    const digests = Object.entries(manifest.files).map(([name, { sha256 }]): [string, string] => [
      name,
      sha256,
    ]);
    return { update, path, files: Object.fromEntries(files), digests: Object.fromEntries(digests) };
  }

  private lastGood(except?: number): number | undefined {
    return this.list()
      .reverse()
      .find((update) => {
        if (update === except) return false;
        try {
          this.read(update);
          return true;
        } catch {
          return false;
        }
      });
  }
}
