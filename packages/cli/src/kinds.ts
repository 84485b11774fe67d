/**
 * Data of a kind that a run was trained on, and data of another. Of the first it knows how such wear goes on; of the second it knows
 * only how wear goes on elsewhere, and a run that takes less for granted may forecast instead (`newKinds` of `ensemble.json`).
 */
import { relative } from 'node:path';

import { ConfigError, suggestion, type RunDirectory } from '@rollcast/core';
import type { Command } from 'commander';

import { knownKinds } from './data-source.js';
import { ensembleNotes, type ForecastingRun } from './ensemble.js';
import type { PathModel } from './paths.js';
import { counted } from './report/table.js';

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

/**
 * What forecasts data of a kind: a kind that is not known, undefined, the run for new kinds; a known one the run itself, and where there
 * is one for new kinds its models beside those of the run, by `memberWeights`.
 */
export function forecasterOf(forecasting: ForecastingRun, kind: string | undefined): ForecastingRun {
  const others = forecasting.newKinds?.forecasting;
  if (!others) return forecasting;
  if (kind === undefined) return others;
  return { ...forecasting, checkpoints: [...forecasting.checkpoints, ...others.checkpoints] };
}

/**
 * What each model of `forecasterOf` weighs beside the others. Of a kind that n units were trained on, the next one is of another with
 * probability 1 / (n + 1), if kinds are drawn from a Dirichlet process with concentration 1 (Blackwell and MacQueen 1973): so
 * much is left to the models for new kinds, and those of the run have the rest, both shared alike within.
 */
export function memberWeights(forecasting: ForecastingRun, kind: string | undefined): number[] {
  const { checkpoints, newKinds } = forecasting;
  const of = (models: readonly unknown[], share: number): number[] => models.map(() => share / models.length);
  if (!newKinds) return of(checkpoints, 1);
  const others = newKinds.forecasting.checkpoints;
  if (kind === undefined) return of(others, 1);
  const share = newKindShare(newKinds.units[kind] ?? 0);
  return [...of(checkpoints, 1 - share), ...of(others, share)];
}

function newKindShare(units: number): number {
  return 1 / (units + 1);
}

/** Some models with the weights that they have for a kind. */
export function weighted<M extends PathModel>(models: readonly M[], weights: readonly number[]): M[] {
  return models.map((model, i) => ({ ...model, weight: weights[i] }));
}

/** What the user is told of the models that forecast data of some kinds, all known or all not. */
export function forecasterNotes(own: ForecastingRun, kinds: readonly (string | undefined)[]): string[] {
  return [...newKindNotes(own, kinds), ...ensembleNotes(forecasterOf(own, kinds[0]))];
}

/** What a run for new kinds forecasts of some kinds, if there is one. */
function newKindNotes({ run, newKinds }: ForecastingRun, kinds: readonly (string | undefined)[]): string[] {
  if (!newKinds) return [];
  const folder = relative(process.cwd(), newKinds.forecasting.run.path);
  const known = kinds.filter((kind) => kind !== undefined);
  const shares = known.map((kind) => {
    const units = newKinds.units[kind] ?? 0;
    return `${kind} ${Number((100 * newKindShare(units)).toPrecision(2))} % (${counted(units, 'unit')})`;
  });
  return [
    known.length > 0 &&
      `the fewer units of a kind were trained on, the more of its paths are from ${folder}, which takes less for granted: of ${shares.join(', ')}.`,
    known.length < kinds.length &&
      `${folder} forecasts what is of a kind that was not trained on. Are the data like one of ${knownKinds(run).join(', ')}? Then --like SET forecasts them better.`,
  ].filter((note) => note !== false);
}
