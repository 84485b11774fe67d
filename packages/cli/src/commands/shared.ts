import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

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

import { integer } from '../flags.js';

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

/** Refuses a folder where a file is to be written. */
export function refuseFolder(flag: string, file: string): void {
  if (existsSync(file) && statSync(file).isDirectory()) {
    throw new ConfigError(`${flag} names a file; ${file} is a folder.`);
  }
}

/** Refuses a place where a file could not be written, before minutes of work; makes its folder. */
export function prepareFile(flag: string, file: string): void {
  refuseFolder(flag, file);
  try {
    mkdirSync(dirname(file), { recursive: true });
  } catch (error) {
    throw new ConfigError(`${flag} ${file}: its folder cannot be made (${(error as Error).message}).`);
  }
}

/** The logger of a run: short lines on the console, JSON lines in its folder. */
export async function withLogger<T>(run: RunDirectory, work: (logger: Logger) => Promise<T>): Promise<T> {
  const logger = createLogger({ file: run.logFile, console: true });
  try {
    return await work(logger);
  } finally {
    await closeLogger(logger);
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
