import { ConfigError } from '@rollcast/core';
import type { Command } from 'commander';

import { writeEnsemble } from '../ensemble.js';
import { list } from '../flags.js';
import { counted } from '../report/table.js';

interface EnsembleFlags {
  run: string;
  with?: string[];
  newKinds?: string;
}

export function addEnsemble(program: Command): void {
  program
    .command('ensemble')
    .description(
      'Let several runs forecast for one: together with it, or what is of a kind that it does not know.',
    )
    .requiredOption('--run <folder>', 'run that the others join; ensemble.json is written there')
    .option('--with <folders>', 'runs that forecast together with it, separated by commas', list)
    .option('--new-kinds <folder>', 'run that forecasts what is of a kind that it was not trained on')
    .addHelpText('after', HELP)
    .action(({ run: path, with: members = [], newKinds }: EnsembleFlags) => {
      if (members.length === 0 && newKinds === undefined)
        throw new ConfigError('Name the other runs: --with, --new-kinds, or both.');
      const run = writeEnsemble(path, { members, newKinds });
      const together =
        members.length > 0 && `${counted(members.length + 1, 'model')} forecast together from now on`;
      const instead = newKinds !== undefined && `${newKinds} forecasts kinds that ${path} does not know`;
      console.log(`Written: ${run.ensembleFile}. ${[together, instead].filter(Boolean).join('; ')}.`);
    });
}

const HELP = `
forecast, evaluate and calibrate of the run then sample from all models that forecast together, from each alike
(--no-ensemble: from its own alone).

The run for new kinds forecasts other data (--data), and sets of the corpus that were left out, unless --like
names a set that they are like; it forecasts with its own ensemble, and is calibrated by itself. Of a kind that
n units were trained on it makes one path in n + 1: of one unit half of them, of many units hardly any.

All have to read and forecast the same numbers of points, and to hold out the same units: pre-train them on
the same data with the same --split-seed, and other --seed, --augment or other options. A calibration that
was made with other models is not used any more; make it anew. The file is written anew each time.

Example:
  rollcast ensemble --run runs/forecast --with runs/forecast-2,runs/forecast-3 --new-kinds runs/broad
`;
