import { ConfigError } from '@rollcast/core';
import type { Command } from 'commander';

import { integer, list, quoted } from '../flags.js';
import { readRecipe, recipeNames, stages } from '../recipe.js';
import { addBackendFlags, addRunFlags, type BackendFlags, type RunFlags } from './shared.js';

interface FitFlags extends RunFlags, BackendFlags {
  recipe: string;
  dataRoot?: string;
  leaveOut?: string[];
  seed: number;
}

/** @param fresh - makes the whole command line anew: each stage is one command of it */
export function addFit(program: Command, fresh: () => Command): void {
  const command = program
    .command('fit')
    .description(
      'Make a calibrated forecaster by a recipe: pretrain, train and calibrate, one after the other.',
    )
    .option('--recipe <name>', `${recipeNames().join(', ')}, or a JSON file of your own`, 'degradation')
    .option(
      '--data-root <folder>',
      "folder of the data files of the recipe's corpus (default: the corpus file's)",
    )
    .option('--leave-out <sets>', 'sets of the corpus that are not trained on', list)
    .option('--seed <number>', 'seed of every stage', integer(0), 0);
  addRunFlags(addBackendFlags(command));
  command.action(async (flags: FitFlags) => {
    await fit(flags, fresh);
  });
}

/** Runs the stages until one is interrupted; errors are those of the stages. */
async function fit(flags: FitFlags, fresh: () => Command): Promise<void> {
  const { backend, device, threads, out } = flags;
  const everywhere = [
    ...(backend === 'auto' ? [] : ['--backend', backend]),
    ...(device === undefined ? [] : ['--device', device]),
    ...(threads === undefined ? [] : ['--threads', String(threads)]),
  ];
  if (recipeNames().includes(flags.recipe) && flags.dataRoot === undefined && !flags.resume) {
    throw new ConfigError(
      `--data-root FOLDER is needed with the recipe ${flags.recipe}: the folder of its data files, which do not come with Rollcast.`,
    );
  }
  const recipe = readRecipe(flags.recipe);
  const todo = stages(recipe, { ...flags, everywhere });
  for (const [i, { command, args }] of todo.entries()) {
    console.log(`\n${i + 1}/${todo.length}  rollcast ${command} ${args.map(quoted).join(' ')}\n`);
    await fresh().parseAsync([command, ...args], { from: 'user' });
    if (process.exitCode) {
      console.log(`\nStopped in stage ${i + 1} of ${todo.length}; the same command with --resume goes on.`);
      return;
    }
  }
  console.log(
    `\nDone. Judge it on units that it has not seen:  rollcast evaluate --run ${quoted(out)} --calibrated`,
  );
  const forecast = `rollcast forecast --run ${quoted(out)} --data FILE --out forecast.csv`;
  console.log(`Forecast your own:  ${forecast}`);
  if (recipe.newKinds) console.log(`Forecast more of a kind that it knows:  ${forecast} --like SET`);
}
