import { ConfigError } from '@rollcast/core';
import type { Command } from 'commander';

import { writeEnsemble } from '../ensemble.js';
import { list } from '../flags.js';
import { counted } from '../report/table.js';

interface EnsembleFlags {
  run: string;
  with: string[];
}

export function addEnsemble(program: Command): void {
  program
    .command('ensemble')
    .description('Let several runs forecast together: the paths of each weigh alike.')
    .requiredOption('--run <folder>', 'run that the others join; ensemble.json is written there')
    .requiredOption('--with <folders>', 'the other runs, separated by commas', list)
    .addHelpText('after', HELP)
    .action((flags: EnsembleFlags) => {
      if (flags.with.length === 0) throw new ConfigError('--with needs a run.');
      const run = writeEnsemble(flags.run, flags.with);
      console.log(
        `Written: ${run.ensembleFile}. ${counted(flags.with.length + 1, 'model')} forecast together from now on.`,
      );
    });
}

const HELP = `
forecast, evaluate and calibrate of the run then sample from all models (--no-ensemble: from its own alone).
They have to read and forecast the same numbers of points, and to hold out the same units: pre-train them on
the same data with the same --split-seed, and other --seed or other options. A calibration that was made
before is not used any more; make it anew.

Example:
  rollcast ensemble --run runs/forecast --with runs/forecast-2,runs/forecast-3
`;
