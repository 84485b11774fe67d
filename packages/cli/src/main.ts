import { NumericalError, RollcastError, StorageError, rollcastVersion } from '@rollcast/core';
import { Command, CommanderError } from 'commander';

import { addBench } from './commands/bench.js';
import { addDoctor } from './commands/doctor.js';
import { addEvaluate } from './commands/evaluate.js';
import { addForecast } from './commands/forecast.js';
import { addList } from './commands/list.js';
import { addPretrain } from './commands/pretrain.js';
import { addQuickstart } from './commands/quickstart.js';
import { addReplay } from './commands/replay.js';
import { addTrain } from './commands/train.js';

/** The request cannot be carried out as it was made: a wrong flag, wrong data, a folder that is taken. */
const EXIT_USAGE = 2;
/** Something broke that the request did not cause. */
const EXIT_FAILURE = 1;

/** The whole command line. */
export function buildProgram(): Command {
  const program = new Command('rollcast')
    .description('Pre-train a Degradation Transformer and fine-tune it on whole trajectories.')
    .version(rollcastVersion())
    .showHelpAfterError('(add --help for the list of flags)')
    .showSuggestionAfterError();
  addPretrain(program);
  addTrain(program);
  addEvaluate(program);
  addForecast(program);
  addReplay(program);
  addBench(program);
  addList(program);
  addDoctor(program);
  addQuickstart(program);
  for (const command of [program, ...program.commands]) command.exitOverride();
  return program;
}

/**
 * Runs one command line.
 *
 * @returns the exit code: 0, 1 for a failure that the request did not cause or where units were left out of a forecast, 2 for a
 *   request that cannot be carried out, 130 or 143 when interrupted
 */
export async function main(args: readonly string[]): Promise<number> {
  const program = buildProgram();
  process.exitCode = 0;
  try {
    await program.parseAsync([...args], { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
    if (error instanceof RollcastError) {
      console.error(`error: ${error.message}`);
      return error instanceof NumericalError || error instanceof StorageError ? EXIT_FAILURE : EXIT_USAGE;
    }
    console.error(`This should not have happened; please report it with the command that you ran.`);
    console.error(error instanceof Error ? (error.stack ?? error.message) : error);
    return EXIT_FAILURE;
  }
}
