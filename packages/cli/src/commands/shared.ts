import { existsSync, mkdirSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

import {
  ConfigError,
  backendDevices,
  backendNames,
  closeLogger,
  createLogger,
  selectBackend,
  type DeviceName,
  type Logger,
  type RunDirectory,
  type RunMode,
} from '@rollcast/core';
import { Option, type Command } from 'commander';

import { givenFlags, integer, number } from '../flags.js';
import type { CheckpointChoice } from '../model-files.js';
import { FORECAST_SHAPE } from '../paths.js';

/** Flags of every command that computes. */
export interface BackendFlags {
  backend: string;
  device?: DeviceName;
  threads?: number;
}

export function addBackendFlags(command: Command): Command {
  return command
    .addOption(
      new Option('--backend <name>', 'who computes; auto takes the first that loads')
        .choices(['auto', ...backendNames])
        .default('auto'),
    )
    .addOption(
      new Option('--device <name>', 'where the backend onnx computes (default: cpu)').choices(backendDevices),
    )
    .option('--threads <count>', 'threads of the backend onnx (default: the number of cores)', integer(1));
}

/** The flags of every command that samples forecasts: those of `ForecastShape`. */
export function addShapeFlags(command: Command): Command {
  const unlessAsked = (value: number): string => `(default: as calibrated, or ${value})`;
  return command
    .option(
      '--tuned-share <share>',
      `forecasts: how far the weights of a fine-tuned model go from those of its frozen reference, from 0 (not) to 1 (all the way) ${unlessAsked(FORECAST_SHAPE.tunedShare)}`,
      number({ least: 0, most: 1 }),
    )
    .option(
      '--trim <share>',
      `forecasts: share of the probability that is cut off at each end of every step ${unlessAsked(FORECAST_SHAPE.trim)}`,
      number({ least: 0, below: 0.5 }),
    )
    .option(
      '--line-share <share>',
      `forecasts: how far their median is moved towards the line through the context, from 0 (not) to 1 (onto it) ${unlessAsked(FORECAST_SHAPE.lineShare)}`,
      number({ least: 0, most: 1 }),
    );
}

/** The flags of every command that reads a run of forecasts: those of `ForecasterChoice`. */
export function addForecasterFlags(command: Command): Command {
  return command
    .option(
      '--checkpoint <which>',
      'latest, best or the number of an update (default: best of pretrain, latest of train)',
      checkpointChoice,
    )
    .option('--no-ensemble', "forecasts: with this run's model alone, though rollcast ensemble named others");
}

function checkpointChoice(text: string): CheckpointChoice {
  if (text === 'latest' || text === 'best') return text;
  return integer(0)(text);
}

/** Flags of every command that writes a run folder. */
export interface RunFlags {
  out: string;
  force?: boolean;
  resume?: boolean;
}

export function addRunFlags(command: Command): Command {
  return command
    .requiredOption('--out <folder>', 'run folder to write')
    .addOption(new Option('--force', 'replace the run that the folder holds').conflicts('resume'))
    .option('--resume', 'continue the run in the folder from its last checkpoint');
}

export function runMode({ force, resume }: RunFlags): RunMode {
  return resume ? 'resume' : force ? 'force' : 'new';
}

/**
 * What a resumed run is given anew.
 *
 * @param changeable - options that may be, each a number
 * @param again - flags that name code of the user's own
 * @throws {ConfigError} naming the first flag that a resumed run does not take
 */
export function changedByFlags(
  flags: object,
  command: Command,
  changeable: readonly string[],
  again: readonly string[] = [],
): Record<string, number> {
  const given = givenFlags(command);
  const always = ['out', 'resume', 'backend', 'device', 'threads'];
  const allowedNames = [...always, ...changeable, ...again];
  const wrong = given.find(([name]) => !allowedNames.includes(name));
  if (wrong) {
    const allowed = [...again, ...changeable, ...always.slice(2)].map((name) => `--${name}`);
    throw new ConfigError(
      `${wrong[1]} cannot be changed by --resume: a resumed run keeps its configuration. Only ${allowed.slice(0, -1).join(', ')} and ${allowed.at(-1)} may be given.`,
    );
  }
  const changes = given.map(([name]) => name).filter((name) => changeable.includes(name));
  return Object.fromEntries(changes.map((name) => [name, (flags as Record<string, number>)[name]]));
}

/** @throws {ConfigError} when a run would be written over the one that it starts from */
export function refuseSameRun({ out, init }: { out: string; init?: string }): void {
  if (init === undefined || !existsSync(out) || !existsSync(init)) return;
  if (realpathSync(out) !== realpathSync(init)) return;
  throw new ConfigError(
    `--out and --init are the same run, ${out}: it would be replaced by what starts from it. Choose another --out.`,
  );
}

/** Refuses a folder, or a device, where a file is to be written. */
export function refuseFolder(flag: string, file: string): void {
  if (!existsSync(file)) return;
  const found = statSync(file);
  if (found.isFile()) return;
  throw new ConfigError(
    `${flag} names a file; ${file} is ${found.isDirectory() ? 'a folder' : 'a device, not a file'}.`,
  );
}

/** Refuses a place where a file could not be written, before minutes of work; makes its folder. */
export function prepareFile(flag: string, file: string): void {
  refuseFolder(flag, file);
  const folder = dirname(file);
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw new ConfigError(`${flag} ${file}: its folder cannot be made (${(error as Error).message}).`);
  }
  const trial = join(folder, `.${basename(file)}.trial-${process.pid}`);
  try {
    writeFileSync(trial, '');
    rmSync(trial);
  } catch (error) {
    throw new ConfigError(`${flag} ${file}: its folder cannot be written to (${(error as Error).message}).`);
  }
}

/** A run and its logger - short lines on the console, JSON lines in its folder - until the work is over; the run is closed then. */
export async function withLogger<T>(
  run: RunDirectory,
  work: (logger: Logger) => Promise<T>,
  { console = true }: { console?: boolean } = {},
): Promise<T> {
  const logger = createLogger({ file: run.logFile, console });
  try {
    return await work(logger);
  } finally {
    await closeLogger(logger);
    run.close();
  }
}

/**
 * Chooses the backend, before anything is written.
 *
 * @returns the sentence for the log that says which it is
 */
export async function startBackend({ backend, device, threads }: BackendFlags): Promise<string> {
  const chosen = await selectBackend(backend, { device, threads });
  const details = [
    device !== undefined && `device ${device}`,
    threads !== undefined && `threads ${threads}`,
    backend === 'auto' && 'chosen by auto; rollcast doctor shows all',
  ].filter(Boolean);
  return `backend: ${chosen}${details.length > 0 ? ` (${details.join(', ')})` : ''}`;
}
