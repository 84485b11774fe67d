import { builtInAlgorithms } from '@rollcast/algos';
import { backendNames } from '@rollcast/core';
import { quantities, rewardSeries, simulators, type EnvironmentEntry } from '@rollcast/envs';
import type { Command } from 'commander';

import { knownEnvironments } from '../environments.js';
import { readRecipe, recipeNames } from '../recipe.js';
import { renderTextTable } from '../report/table.js';

export function addList(program: Command): void {
  program
    .command('list')
    .description(
      'Show what can be named: algorithms, environments, reward quantities, simulators, recipes, backends.',
    )
    .action(() => {
      const table = (title: string, rows: readonly (readonly [string, string])[]): void => {
        const columns = [{ label: 'name' }, { label: 'what it is' }];
        console.log(`${renderTextTable({ title, columns, rows })}\n`);
      };
      table(
        'Algorithms (--algo)',
        builtInAlgorithms()
          .list()
          .map(([name, { description }]) => [name, description]),
      );
      const environments = knownEnvironments().list();
      const ofKind = (wanted: EnvironmentEntry['kind']): (readonly [string, string])[] =>
        environments
          .filter(([, { kind }]) => kind === wanted)
          .map(([name, { description }]) => [name, description]);
      table('Forecast environments (--env)', ofKind('forecast'));
      table('Sequence environments (--env)', ofKind('sequence'));
      table('Step environments (--env)', ofKind('step'));
      table(
        'Reward quantities (--reward)',
        Object.entries({ ...quantities, ...rewardSeries }).map(([name, { description }]) => [
          name,
          description,
        ]),
      );
      table(
        'Simulators (--simulator)',
        Object.entries(simulators).map(([name, law]) => [name, `${law.description} (${law.source})`]),
      );
      table(
        'Recipes (fit --recipe)',
        recipeNames().map((name) => [name, readRecipe(name).description]),
      );
      table(
        'Backends (--backend)',
        backendNames.map((name) => [name, 'see rollcast doctor']),
      );
    });
}
