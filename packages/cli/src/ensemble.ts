/**
 * Several runs that forecast for one: `ensemble.json` of a run names them. Those that forecast *together* with it put their paths
 * beside its own: models that were trained alike from other random numbers err differently where the data do not tell; the mixture of
 * their distributions errs less than each and is less sure of itself (Lakshminarayanan et al. 2017, arXiv:1612.01474). And one may
 * forecast *instead* of it what is of a kind that it was not trained on.
 */
import { existsSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';

import {
  ConfigError,
  rollcastVersion,
  writeFileAtomically,
  type Checkpoint,
  type RunDirectory,
} from '@rollcast/core';
import { z } from 'zod';

import { knownKinds, parseRecipe } from './data-source.js';
import {
  openForecastRun,
  readDescription,
  readModel,
  readReference,
  readWritten,
  type CheckpointChoice,
  type LoadedModel,
} from './model-files.js';
import type { PathModel } from './paths.js';
import { loadWindows } from './windows.js';

const ensembleFile = z.strictObject({
  rollcast: z.string(),
  /** Folders of the runs that forecast together with this one, relative to it. */
  members: z.array(z.string().min(1)),
  /** The run that forecasts kinds that this one was not trained on. */
  newKinds: z
    .strictObject({
      /** Its folder, likewise. */
      run: z.string().min(1),
      /** By kind that this one was trained on: how many units of it. */
      units: z.record(z.string(), z.int().min(1)),
    })
    .optional(),
});

/** A run that forecasts, and the checkpoints that it does so with: its own, and those of the other members of its ensemble. */
export interface ForecastingRun {
  readonly run: RunDirectory;
  readonly checkpoint: Checkpoint;
  /** Its own first. */
  readonly checkpoints: readonly Checkpoint[];
  /** What forecasts kinds that the run was not trained on, and how many units of those kinds there were that it was (by set). */
  readonly newKinds?: {
    readonly forecasting: ForecastingRun;
    readonly units: Readonly<Partial<Record<string, number>>>;
  };
}

/** Which models of a run forecast. */
export interface ForecasterChoice {
  /** Of every member. */
  readonly checkpoint?: CheckpointChoice;
  /** false: the run's own model alone. */
  readonly ensemble?: boolean;
}

/**
 * Opens a run together with the other members of its ensemble, if it has one.
 *
 * @throws {ConfigError} when a member is gone
 */
export function openForecaster(
  path: string,
  { checkpoint: choice, ensemble = true }: ForecasterChoice,
): ForecastingRun {
  const { run, checkpoint } = openForecastRun(path, choice);
  const { members, newKinds } = ensemble ? readEnsemble(run) : NO_OTHERS;
  const named = [...members, ...(newKinds ? [newKinds.run] : [])];
  const gone = named.find((folder) => !existsSync(folder));
  if (gone !== undefined)
    throw new ConfigError(
      `${run.ensembleFile} names a run that is gone, ${gone}. Put it back, write the file anew with rollcast ensemble, or forecast with this run's model alone (--no-ensemble).`,
    );
  const opened = members.map((folder) => openForecastRun(folder, choice).checkpoint);
  return {
    run,
    checkpoint,
    checkpoints: [checkpoint, ...opened],
    ...(newKinds && {
      newKinds: {
        forecasting: openForecaster(newKinds.run, { checkpoint: choice }),
        units: newKinds.units,
      },
    }),
  };
}

/** What `ensemble.json` says of the other runs. */
type Others = Pick<z.output<typeof ensembleFile>, 'members' | 'newKinds'>;

const NO_OTHERS: Others = { members: [] };

/** The other runs, folders made absolute; none where there is no file. @throws {CheckpointError} when the file is damaged */
function readEnsemble({ path, ensembleFile: file }: RunDirectory): Others {
  const { members, newKinds } = readWritten(file, ensembleFile, 'ensemble') ?? NO_OTHERS;
  return {
    members: members.map((folder) => resolve(path, folder)),
    ...(newKinds && { newKinds: { ...newKinds, run: resolve(path, newKinds.run) } }),
  };
}

/**
 * Writes `ensemble.json` of a run.
 *
 * @param others - folders of runs: those that forecast together with it, and the one for kinds that it was not trained on
 * @throws {ConfigError} when a run forecasts other windows, or holds out other units: an evaluation would judge what it was trained on;
 *   and when a run that is not on a corpus is given another for new kinds
 */
export function writeEnsemble(
  path: string,
  { members, newKinds }: { readonly members: readonly string[]; readonly newKinds?: string },
): RunDirectory {
  const { run, checkpoint } = openForecastRun(path);
  const own = readDescription(checkpoint);
  const named = (folders: readonly string[]): number =>
    new Set(folders.map((folder) => resolve(folder))).size;
  if (named([path, ...members]) !== members.length + 1)
    throw new ConfigError(`--with names a run twice, or the run itself; got ${members.join(', ')}.`);
  if (newKinds !== undefined && named([path, newKinds]) !== 2)
    throw new ConfigError(`--new-kinds names the run itself, ${newKinds}.`);
  if (newKinds !== undefined && knownKinds(run).length === 0)
    throw new ConfigError(
      `--new-kinds is for runs on a corpus, whose sets are the kinds that are known (--like); ${path} has one data set.`,
    );
  for (const other of [...members, ...(newKinds === undefined ? [] : [newKinds])]) {
    const opened = openForecastRun(other);
    const { contextLength, horizon } = readDescription(opened.checkpoint);
    if (contextLength !== own.contextLength || horizon !== own.horizon)
      throw new ConfigError(
        `${other} reads ${contextLength} points and forecasts ${horizon}, and ${path} ${own.contextLength} and ${own.horizon}: paths of one length are put together.`,
      );
    if (!isDeepStrictEqual(unitsOf(opened.run), unitsOf(run)))
      throw new ConfigError(
        `${other} has other data than ${path}, or holds out other units: what one has not seen the other was trained on. Pre-train it on the same data with the same --split-seed.`,
      );
  }
  const fromRun = (folder: string): string => relative(resolve(path), resolve(folder));
  const content = {
    rollcast: rollcastVersion(),
    members: members.map(fromRun),
    ...(newKinds !== undefined && { newKinds: { run: fromRun(newKinds), units: trainedUnits(run) } }),
  };
  writeFileAtomically(run.ensembleFile, `${JSON.stringify(content, null, 2)}\n`);
  return run;
}

/** How many units of each set a run was trained on. */
function trainedUnits(run: RunDirectory): Record<string, number> {
  const { sets } = loadWindows(parseRecipe(run.config['data']));
  return Object.fromEntries(sets.map(({ name, train }) => [name, train.units.length]));
}

/** What a run's data are, but for how its windows are augmented: which units are held out does not depend on that. */
function unitsOf({ config }: RunDirectory): unknown {
  const { source, ...rest } = parseRecipe(config['data']);
  return { ...rest, source: 'corpus' in source ? source.corpus.sets : source };
}

/** What the user is told of an ensemble; nothing of a model that forecasts alone. */
export function ensembleNotes({ checkpoints: { length } }: ForecastingRun): string[] {
  return length > 1
    ? [`${length} models forecast together (rollcast ensemble); --no-ensemble takes the first alone.`]
    : [];
}

/** The models of a run that forecasts. The holder disposes them. */
export interface LoadedForecaster {
  readonly members: readonly LoadedModel[];
  /** The frozen references of the members; the members themselves where none was fine-tuned. */
  readonly references: readonly PathModel[];
  /** Of each of them. */
  readonly description: LoadedModel['description'];
  dispose(): void;
}

/**
 * @param withReferences - read the references too
 * @param tunedShare - see `ForecastShape.tunedShare`
 * @throws {CheckpointError} when a file is missing or does not fit
 */
export function readForecaster(
  { checkpoints }: Pick<ForecastingRun, 'checkpoints'>,
  { withReferences = false, tunedShare = 1 }: { withReferences?: boolean; tunedShare?: number } = {},
): LoadedForecaster {
  const members: LoadedModel[] = [];
  const references: PathModel[] = [];
  const dispose = (): void => {
    for (const { model } of new Set([...members, ...references])) model.dispose();
  };
  try {
    for (const checkpoint of checkpoints) {
      const loaded = readModel(checkpoint, tunedShare);
      members.push(loaded);
      const model = withReferences ? readReference(checkpoint, loaded) : undefined;
      references.push(model ? { model, tokeniser: loaded.tokeniser } : loaded);
    }
  } catch (error) {
    dispose();
    throw error;
  }
  const tuned = references.some((reference, i) => reference !== members[i]);
  return { members, references: tuned ? references : members, description: members[0].description, dispose };
}
