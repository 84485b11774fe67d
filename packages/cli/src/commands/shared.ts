import {
  backendNames,
  closeLogger,
  createLogger,
  selectBackend,
  type Logger,
  type RunDirectory,
  type RunMode,
} from '@rollcast/core';
import { Option, type Command } from 'commander';

/** Flags of every command that computes. */
export function addBackendFlag(command: Command): Command {
  return command.addOption(
    new Option('--backend <name>', 'who computes; auto takes the first that loads')
      .choices(['auto', ...backendNames])
      .default('auto'),
  );
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
export async function startBackend(name: string): Promise<string> {
  const chosen = await selectBackend(name);
  return `backend: ${chosen}${name === 'auto' ? ' (chosen by auto; rollcast doctor shows all)' : ''}`;
}
