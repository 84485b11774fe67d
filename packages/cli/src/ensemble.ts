/**
 * Several runs that forecast together: `ensemble.json` of a run names the others, and their paths are put together with its own.
 * Models that were trained alike from other random numbers err differently where the data do not tell; the mixture of their
 * distributions errs less than each and is less sure of itself (Lakshminarayanan et al. 2017, arXiv:1612.01474).
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

const ensembleFile = z.strictObject({
  rollcast: z.string(),
  /** Folders of the other runs, relative to this one. */
  members: z.array(z.string().min(1)).min(1),
});

/** A run that forecasts, and the checkpoints that it does so with: its own, and those of the other members of its ensemble. */
export interface ForecastingRun {
  readonly run: RunDirectory;
  readonly checkpoint: Checkpoint;
  /** Its own first. */
  readonly checkpoints: readonly Checkpoint[];
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
  const others = ensemble ? readEnsemble(run) : [];
  const gone = others.find((folder) => !existsSync(folder));
  if (gone !== undefined)
    throw new ConfigError(
      `${run.ensembleFile} names a run that is gone, ${gone}. Put it back, write the file anew with rollcast ensemble, or forecast with this run's model alone (--no-ensemble).`,
    );
  const opened = others.map((folder) => openForecastRun(folder, choice).checkpoint);
  return { run, checkpoint, checkpoints: [checkpoint, ...opened] };
}

/** Folders of the other members, none where there is no file. @throws {CheckpointError} when the file is damaged */
function readEnsemble({ path, ensembleFile: file }: RunDirectory): string[] {
  const { members } = readWritten(file, ensembleFile, 'ensemble') ?? { members: [] };
  return members.map((folder) => resolve(path, folder));
}

/**
 * Writes `ensemble.json` of a run.
 *
 * @param others - folders of runs
 * @throws {ConfigError} when a run forecasts other windows, or holds out other units: an evaluation would judge what it was trained on
 */
export function writeEnsemble(path: string, others: readonly string[]): RunDirectory {
  const { run, checkpoint } = openForecastRun(path);
  const own = readDescription(checkpoint);
  const folders = others.map((other) => resolve(other));
  if (new Set([resolve(path), ...folders]).size !== folders.length + 1)
    throw new ConfigError(`--with names a run twice, or the run itself; got ${others.join(', ')}.`);
  for (const other of others) {
    const opened = openForecastRun(other);
    const { contextLength, horizon } = readDescription(opened.checkpoint);
    if (contextLength !== own.contextLength || horizon !== own.horizon)
      throw new ConfigError(
        `${other} reads ${contextLength} points and forecasts ${horizon}, and ${path} ${own.contextLength} and ${own.horizon}: paths of one length are put together.`,
      );
    if (!isDeepStrictEqual(opened.run.config['data'], run.config['data']))
      throw new ConfigError(
        `${other} has other data than ${path}, or holds out other units: what one has not seen the other was trained on. Pre-train it on the same data with the same --split-seed.`,
      );
  }
  const members = folders.map((folder) => relative(resolve(path), folder));
  writeFileAtomically(
    run.ensembleFile,
    `${JSON.stringify({ rollcast: rollcastVersion(), members }, null, 2)}\n`,
  );
  return run;
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
 * @throws {CheckpointError} when a file is missing or does not fit
 */
export function readForecaster(
  { checkpoints }: ForecastingRun,
  { withReferences = false }: { withReferences?: boolean } = {},
): LoadedForecaster {
  const members: LoadedModel[] = [];
  const references: PathModel[] = [];
  const dispose = (): void => {
    for (const { model } of new Set([...members, ...references])) model.dispose();
  };
  try {
    for (const checkpoint of checkpoints) {
      const loaded = readModel(checkpoint);
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
