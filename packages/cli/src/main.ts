import {
  EnvironmentError,
  NumericalError,
  RollcastError,
  StorageError,
  rollcastVersion,
} from '@rollcast/core';
import { Command, CommanderError } from 'commander';

import { addBench } from './commands/bench.js';
import { addCalibrate } from './commands/calibrate.js';
import { addCheck } from './commands/check.js';
import { addDoctor } from './commands/doctor.js';
import { addEnsemble } from './commands/ensemble.js';
import { addEvaluate } from './commands/evaluate.js';
import { addFit } from './commands/fit.js';
import { addForecast } from './commands/forecast.js';
import { addList } from './commands/list.js';
import { addNew } from './commands/new.js';
import { addPretrain } from './commands/pretrain.js';
import { addQuickstart } from './commands/quickstart.js';
import { addReplay } from './commands/replay.js';
import { addTrain } from './commands/train.js';
import { userFrames } from './plugins.js';

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
  addEnsemble(program);
  addCalibrate(program);
  addEvaluate(program);
  addForecast(program);
  addFit(program, buildProgram);
  addReplay(program);
  addBench(program);
  addNew(program);
  addCheck(program);
  addList(program);
  addDoctor(program);
  addQuickstart(program);
  const all = (command: Command): Command[] => [command, ...command.commands.flatMap(all)];
  for (const command of all(program)) command.exitOverride();
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
      for (const frame of userFrames(error)) console.error(`    ${frame}`);
      const broke = [NumericalError, StorageError, EnvironmentError].some((kind) => error instanceof kind);
      return broke ? EXIT_FAILURE : EXIT_USAGE;
    }
    console.error(`This should not have happened; please report it with the command that you ran.`);
    console.error(error instanceof Error ? (error.stack ?? error.message) : error);
    return EXIT_FAILURE;
  }
}
