/**
 * The folder of one run:
 *
 *   config.json               what was run, fully resolved
 *   metrics.jsonl             one line an update
 *   events.out.tfevents.*     the same for TensorBoard
 *   checkpoints/  plots/  report.html  log.jsonl
 *   calibration.json          how `rollcast calibrate` moves the quantiles of forecasts
 *   ensemble.json             other runs that forecast together with this one
 *   .lock/                    while a process writes there
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { CheckpointError, ConfigError, NumericalError } from '../errors.js';
import { fileError, flushFile, readFile, recoverFolder, writeFileAtomically } from './atomic.js';
import { RunLock } from './lock.js';
import { EventFileWriter } from './tfevents.js';
import { rollcastVersion } from './version.js';

const CONFIG = 'config.json';
const FOLDER_OF_UPDATE = /^update-\d{6,}$/;
const EVENTS = 'events.out.tfevents.';
const CHECKPOINTS = 'checkpoints';
const PLOTS = 'plots';
/** What a process that is starting a run, or was killed while it did, has in a folder that holds no run yet. */
const BEGINNING = /^(\.lock|\.\.lock\..+|\.config\.json\..+)$/;

/** What a run folder is of. */
export type RunKind = 'pretrain' | 'train';
/** `new` refuses a folder that holds a run, `force` replaces that run, `resume` continues it. */
export type RunMode = 'new' | 'force' | 'resume';
/** One line of `metrics.jsonl`; every value is finite. */
export type MetricsRecord = { update: number } & Record<string, number>;

/** What `config.json` holds. */
export interface RunDescription {
  /** The version of Rollcast that started the run. */
  readonly rollcast: string;
  readonly kind: RunKind;
  /** Everything that is needed to repeat the run. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** What a run folder is made for. */
export interface CreateRunOptions {
  kind: RunKind;
  /** Written to `config.json`; a resumed run keeps the one it has. */
  config: Readonly<Record<string, unknown>>;
  mode: RunMode;
}

/** Reads and writes the folder of one run. */
export class RunDirectory {
  private readonly events: EventFileWriter;

  private constructor(
    readonly path: string,
    readonly description: RunDescription,
    private readonly lock?: RunLock,
  ) {
    const existing = readdirSync(path).find((name) => name.startsWith(EVENTS));
    this.events = new EventFileWriter(
      join(path, existing ?? `${EVENTS}${Math.floor(Date.now() / 1000)}.rollcast`),
    );
  }

  /**
   * Starts, replaces or continues a run, and keeps other processes from writing there until `close`.
   *
   * @throws {ConfigError} when the folder does not fit the mode; nothing is changed then
   * @throws {StorageError} when the folder cannot be written, or another process is writing there
   */
  static create(path: string, { kind, config, mode }: CreateRunOptions): RunDirectory {
    if (mode === 'resume') RunDirectory.openToResume(path, kind);
    else refuseOccupied(path, mode);
    try {
      // a recursive mkdir reports ENOENT on a read-only file system; the last step says what is wrong
      if (!existsSync(dirname(path))) mkdirSync(dirname(path), { recursive: true });
      if (!existsSync(path)) mkdirSync(path);
    } catch (error) {
      throw fileError('make the run folder', path, error);
    }
    const lock = RunLock.acquire(path);
    try {
      if (mode !== 'resume') refuseOccupied(path, mode); // another process may have been here in between
      recoverFolder(path);
      const description: RunDescription =
        mode === 'resume'
          ? RunDirectory.openToResume(path, kind).description
          : { rollcast: rollcastVersion(), kind, config };
      if (mode !== 'resume') {
        removeRun(path);
        writeFileAtomically(join(path, CONFIG), `${JSON.stringify(description, null, 2)}\n`);
      }
      for (const folder of [CHECKPOINTS, PLOTS]) {
        mkdirSync(join(path, folder), { recursive: true });
        recoverFolder(join(path, folder));
      }
      return new RunDirectory(path, description, lock);
    } catch (error) {
      lock.release();
      throw error instanceof ConfigError ? error : fileError('make the run folder', path, error);
    }
  }

  /** Lets other processes write there. */
  close(): void {
    this.lock?.release();
  }

  /** Opens a run for reading. @throws {CheckpointError} when the path is missing, a file, or no run */
  static open(path: string): RunDirectory {
    if (!existsSync(path))
      throw new CheckpointError(`There is no run at ${path}: the folder does not exist.`);
    if (!statSync(path).isDirectory())
      throw new CheckpointError(`${path} is a file; a run is a folder with a ${CONFIG}.`);
    const description = readDescription(path);
    if (!description)
      throw new CheckpointError(
        `${path} is not a run: it has no ${CONFIG} written by Rollcast, or a damaged one.`,
      );
    return new RunDirectory(path, description);
  }

  private static openToResume(path: string, kind: RunKind): RunDirectory {
    let run: RunDirectory;
    try {
      run = RunDirectory.open(path);
    } catch (error) {
      throw new ConfigError(`There is nothing to resume. ${(error as Error).message}`);
    }
    if (run.description.kind !== kind)
      throw new ConfigError(`${path} holds a ${run.description.kind} run; it cannot be resumed by ${kind}.`);
    return run;
  }

  /** What the run is of. */
  get kind(): RunKind {
    return this.description.kind;
  }

  /** The configuration, as it was resolved at the start. */
  get config(): Readonly<Record<string, unknown>> {
    return this.description.config;
  }

  /** Where the checkpoints are. */
  get checkpointFolder(): string {
    return join(this.path, CHECKPOINTS);
  }

  /** Where the pictures are. */
  get plotFolder(): string {
    return join(this.path, PLOTS);
  }

  /** Updates in which an invariant broke, each with what is needed to repeat it. */
  get dumpFolder(): string {
    return join(this.path, 'dumps');
  }

  /** The HTML report. */
  get reportFile(): string {
    return join(this.path, 'report.html');
  }

  /** How intervals of forecasts are calibrated, when they are. */
  get calibrationFile(): string {
    return join(this.path, 'calibration.json');
  }
  /** Other runs that forecast together with this one; `rollcast ensemble` writes it. */
  get ensembleFile(): string {
    return join(this.path, 'ensemble.json');
  }

  /** The log, one JSON object a line. */
  get logFile(): string {
    return join(this.path, 'log.jsonl');
  }

  /** The metrics, one JSON object a line. */
  get metricsFile(): string {
    return join(this.path, 'metrics.jsonl');
  }

  /** The TensorBoard file; it appears with the first metrics. */
  get eventFile(): string {
    return this.events.path;
  }

  /**
   * Adds one line to `metrics.jsonl`, and the same numbers as TensorBoard scalars.
   *
   * @throws {NumericalError} naming the first value that is not finite; nothing is written then
   * @throws {CheckpointError} when the folder cannot be written
   */
  appendMetrics(record: MetricsRecord): void {
    for (const [name, value] of Object.entries(record)) {
      if (!Number.isFinite(value))
        throw new NumericalError(`The metric "${name}" is ${value} after update ${record.update}.`);
    }
    const { update, ...scalars } = record;
    try {
      appendFileSync(this.metricsFile, `${JSON.stringify(record)}\n`);
    } catch (error) {
      throw fileError('write', this.metricsFile, error);
    }
    this.events.addScalars(update, scalars);
  }

  /** Makes the metrics durable: before a checkpoint, so that none is missing that it counts as done. */
  flushMetrics(): void {
    flushFile(this.metricsFile);
    flushFile(this.events.path);
  }

  /**
   * Every line of `metrics.jsonl`, in order. A last line without its end, left by a killed process, is passed over.
   *
   * @throws {CheckpointError} naming the first damaged line
   */
  readMetrics(): MetricsRecord[] {
    if (!existsSync(this.metricsFile)) return [];
    const lines = readFile(this.metricsFile).toString('utf8').split('\n').slice(0, -1);
    return lines.map((line, index) => {
      let record: unknown;
      try {
        record = JSON.parse(line);
      } catch {
        record = undefined;
      }
      if (!isMetrics(record))
        throw new CheckpointError(
          `${this.metricsFile}:${index + 1} is damaged: not a line of finite metrics. Without that line the run can be read.`,
        );
      return record;
    });
  }

  /** Forgets the metrics after an update: what a run does that continues from the checkpoint of that update. */
  rewindMetrics(update: number): void {
    const kept = this.readMetrics().filter((record) => record.update <= update);
    writeFileAtomically(this.metricsFile, kept.map((record) => `${JSON.stringify(record)}\n`).join(''));
    this.events.rewind(update);
  }
}

function isMetrics(value: unknown): value is MetricsRecord {
  return (
    typeof value === 'object' &&
    value !== null &&
    Number.isSafeInteger((value as MetricsRecord).update) &&
    Object.values(value).every((number) => Number.isFinite(number))
  );
}

/** The description in a folder, or nothing when the folder holds no run. */
function readDescription(path: string): RunDescription | undefined {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(join(path, CONFIG), 'utf8'));
  } catch {
    return undefined;
  }
  const { rollcast, kind, config } = Object(value) as Record<string, unknown>;
  const isRun =
    typeof rollcast === 'string' &&
    (kind === 'pretrain' || kind === 'train') &&
    typeof config === 'object' &&
    config !== null;
  return isRun ? (value as RunDescription) : undefined;
}

function refuseOccupied(path: string, mode: 'new' | 'force'): void {
  if (!existsSync(path)) return;
  if (!statSync(path).isDirectory()) throw new ConfigError(`${path} is a file; a run needs a folder.`);
  if (readDescription(path)) {
    if (mode === 'force') return;
    throw new ConfigError(
      `${path} already holds a run. Use --resume to continue it, --force to replace it, or choose another folder.`,
    );
  }
  if (readdirSync(path).some((name) => !BEGINNING.test(name)))
    throw new ConfigError(`${path} holds files that are not a run; choose another folder.`);
}

/** Removes what a run writes and nothing else, but for `config.json`: an interrupted replacement can be repeated. */
function removeRun(path: string): void {
  const removeMatching = (folder: string, pattern: RegExp): void => {
    if (!existsSync(folder)) return;
    for (const name of readdirSync(folder))
      if (pattern.test(name)) rmSync(join(folder, name), { recursive: true, force: true });
  };
  // checkpoints first: while there is one, the metrics that belong to it are there
  removeMatching(join(path, CHECKPOINTS), /^(\.?update-\d{6,}.*|\.?best\.json.*)$/);
  removeMatching(
    path,
    /^(metrics\.jsonl|log\.jsonl|report\.html|result\.json|calibration\.json|ensemble\.json|events\.out\.tfevents\..*)$/,
  );
  removeMatching(join(path, PLOTS), /\.(svg|png)$/);
  removeMatching(join(path, 'dumps'), FOLDER_OF_UPDATE);
}
