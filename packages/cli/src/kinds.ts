/**
 * Data of a kind that a run was trained on, and data of another. Of the first it knows how such wear goes on; of the second it knows
 * only how wear goes on elsewhere, and a run that takes less for granted may forecast instead (`newKinds` of `ensemble.json`).
 */
import { relative } from 'node:path';

import { ConfigError, suggestion, type RunDirectory } from '@rollcast/core';
import { listNames } from '@rollcast/envs';
import type { Command } from 'commander';

import { knownKinds } from './data-source.js';
import { openForecaster, type ForecasterChoice, type ForecastingRun } from './ensemble.js';

export function addLikeFlag(command: Command): Command {
  return command.option(
    '--like <set>',
    'runs on a corpus: the set that the data are like, whose kind of wear was trained on and calibrated (default: like none; the sets that were trained on themselves are)',
  );
}

/** The kind that `--like` names. @throws {ConfigError} when the run was not trained on it */
export function kindOf(like: string | undefined, run: RunDirectory): string | undefined {
  if (like === undefined) return undefined;
  const known = knownKinds(run);
  if (known.length === 0)
    throw new ConfigError(`--like names a set of a corpus; ${run.path} was trained on one data set.`);
  if (!known.includes(like))
    throw new ConfigError(
      `--like ${like}: the run was not trained on such a set; known: ${known.join(', ')}.${suggestion(like, known)}`,
    );
  return like;
}

/** The run that forecasts data of a kind, with the other members of its own ensemble; undefined: of no kind that the run knows. */
export function forecasterOf(
  forecasting: ForecastingRun,
  kind: string | undefined,
  choice: ForecasterChoice,
): ForecastingRun {
  const { newKinds } = forecasting;
  return kind === undefined && newKinds !== undefined ? openForecaster(newKinds, choice) : forecasting;
}

/** What the user is told where another run forecasts, because the data are of no kind that this one knows. */
export function newKindNotes({ run, newKinds }: ForecastingRun): string[] {
  if (newKinds === undefined) return [];
  return [
    `${relative(process.cwd(), newKinds)} forecasts what is of a kind that was not trained on. Are the data like one of ${listNames(knownKinds(run))}? Then --like SET forecasts them better.`,
  ];
}
