/** Which sets and windows a run is judged on, or calibrated on. */
import { ConfigError, DataError, resolveOptions, type RunDirectory } from '@rollcast/core';
import { RLDataset, dataOptions, listNames, type DegradationWindow } from '@rollcast/envs';

import { withoutCalibrating, type CalibrationFile } from './calibration.js';
import { fileSource, loadSource, parseRecipe, type DataFlags } from './data-source.js';
import { kindOf } from './kinds.js';
import { heldOutSets, type JudgedSet } from './windows.js';

/** Flags that choose sets. */
export interface SetChoice extends DataFlags {
  /** Sets of the run's corpus. */
  only?: string[];
  /** The set that other data are like, or a set that was left out. */
  like?: string;
  threshold?: number;
  /** Steps ahead, when not those that the run was trained for. */
  horizon?: number;
}

/** Flags that choose windows. */
export interface WindowChoice {
  windowsPerUnit: number;
  backtest?: boolean;
  /** Points between the forecasts of a backtest. */
  every?: number;
}

/** Points between the forecasts of a backtest. */
export function pointsBetween({ every = 10 }: { every?: number }): number {
  return every;
}

/** A set with its windows that are judged. */
export interface JudgedWindows extends JudgedSet {
  readonly windows: readonly DegradationWindow[];
}

/**
 * The windows of each set: evenly spaced, or those of a backtest; of units that did not calibrate.
 *
 * @throws {ConfigError} when all units of all sets calibrated
 */
export function judgedWindows(
  sets: readonly JudgedSet[],
  flags: WindowChoice,
  calibration?: CalibrationFile,
): JudgedWindows[] {
  const judged = sets.map((set) => {
    const { name, dataset } = set;
    const all = flags.backtest
      ? dataset.rollingWindows(pointsBetween(flags))
      : dataset.evenlySpacedWindows(flags.windowsPerUnit);
    return { ...set, windows: calibration ? withoutCalibrating(all, name, calibration) : all };
  });
  const left = judged.filter(({ windows }) => windows.length > 0);
  if (left.length === 0) {
    const units = sets.reduce((sum, { dataset }) => sum + dataset.units.length, 0);
    throw new ConfigError(
      `--calibrated: all ${units} units calibrated, and none is left to judge. Judge other --data, or calibrate with a smaller --share.`,
    );
  }
  return left;
}

/** Held-out units of the run, set by set, or all units of the files given. */
export function evaluationSets(
  flags: SetChoice,
  run: RunDirectory,
): { sets: readonly JudgedSet[]; notes: readonly string[] } {
  const recipe = parseRecipe(run.config['data']);
  const files = fileSource(flags);
  const kind = kindOf(flags.like, run);
  if (files) {
    const set = loadSource({ files: resolveOptions(dataOptions, files, 'data') });
    const dataset = new RLDataset(set, {
      ...recipe.windows,
      horizon: flags.horizon ?? recipe.windows.horizon,
    });
    return { sets: [{ name: set.name, dataset, kind }], notes: dataset.notes };
  }
  const { sets, notes } = heldOutSets(recipe, flags.only);
  if (kind !== undefined && sets.every((set) => set.kind !== undefined))
    throw new ConfigError(
      `--like ${kind} is for other data (--data) and for sets that were left out; the run was trained on ${listNames(sets.map(({ name }) => name))}.`,
    );
  const held = { sets: sets.map((set) => ({ ...set, kind: set.kind ?? kind })), notes };
  if (flags.threshold !== undefined && held.sets.length > 1) {
    throw new ConfigError(
      `--threshold ${flags.threshold} is in the units of one data set, and this run has several; name one with --only: ${held.sets.map(({ name }) => name).join(', ')}.`,
    );
  }
  return flags.horizon === undefined ? held : withHorizon(held, flags.horizon);
}

/**
 * Other windows of the same units: a run's split is made with its own horizon, and a unit that was trained on stays so.
 *
 * @throws {DataError} when no set has a unit that is long enough
 */
function withHorizon(
  { sets, notes }: { sets: readonly JudgedSet[]; notes: readonly string[] },
  horizon: number,
): { sets: readonly JudgedSet[]; notes: readonly string[] } {
  const told = [...notes];
  const long = sets.flatMap(({ dataset: { set, contextLength, stride }, ...rest }) => {
    try {
      return [{ ...rest, dataset: new RLDataset(set, { contextLength, horizon, stride }) }];
    } catch (error) {
      if (!(error instanceof DataError) || sets.length === 1) throw error;
      told.push(error.message);
      return [];
    }
  });
  if (long.length === 0) throw new DataError(`no held-out unit is long enough for a horizon of ${horizon}.`);
  return { sets: long, notes: told };
}
