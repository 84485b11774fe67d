/** `calibration.json` of a run: how the paths of its forecasts are moved, and what that was found on. */
import { existsSync } from 'node:fs';

import {
  CheckpointError,
  ConfigError,
  RandomStream,
  rollcastVersion,
  writeFileAtomically,
  type RunDirectory,
} from '@rollcast/core';
import { INTERVALS, type Calibration, type DegradationWindow } from '@rollcast/envs';
import { z } from 'zod';

import type { ForecastingRun } from './ensemble.js';
import { quoted } from './flags.js';
import { readWritten, weightsDigest } from './model-files.js';
import { FORECAST_SHAPE, type ForecastShape } from './paths.js';
import { counted } from './report/table.js';
import type { JudgedSet } from './windows.js';

const factors = z.strictObject({
  blockLength: z.int().min(1),
  levels: z.array(z.number().gt(0).lt(1)).min(2).readonly(),
  factors: z
    .array(z.array(z.number().min(0)).readonly())
    .min(1)
    .readonly(),
  guaranteed: z.number().min(0).max(1),
});

const calibrationFile = z.strictObject({
  rollcast: z.string(),
  /** Of the checkpoint whose paths were calibrated. */
  update: z.int().min(0),
  /** The units that calibrated, by set, which no evaluation may judge. */
  sets: z
    .array(z.strictObject({ name: z.string(), units: z.array(z.string()).min(1), windows: z.int().min(1) }))
    .min(1),
  samples: z.int().min(2),
  /** Models whose paths were put together, in files from before there were ensembles one. */
  models: z.int().min(1).default(1),
  /** SHA-256 of the weights of each of them; files from before it was there have none. */
  weights: z.array(z.string()).optional(),
  /** Of the paths; with another one they are others. Files from before it was there have paths that nothing was done to. */
  shape: z
    .strictObject({
      tunedShare: z.number().min(0).max(1).default(1),
      trim: z.number().min(0).lt(0.5),
      lineShare: z.number().min(0).max(1),
    })
    .default({ tunedShare: 1, trim: 0, lineShare: 0 }),
  seed: z.int().min(0),
  /** Of all sets together: for another kind, where it is asked for. */
  calibration: factors,
  /** By set, where there are several; files from before it was there have none. */
  bySet: z.record(z.string(), factors).default({}),
});
/** What `calibration.json` holds. */
export type CalibrationFile = z.output<typeof calibrationFile>;

export function writeCalibration(run: RunDirectory, content: Omit<CalibrationFile, 'rollcast'>): void {
  const file: CalibrationFile = { rollcast: rollcastVersion(), ...content };
  writeFileAtomically(run.calibrationFile, `${JSON.stringify(file, null, 2)}\n`);
}

/** @throws {CheckpointError} when the file is damaged */
export function readCalibration({ calibrationFile: path }: RunDirectory): CalibrationFile | undefined {
  const file = readWritten(path, calibrationFile, 'calibrate');
  if (!file) return undefined;
  for (const { levels, factors } of [file.calibration, ...Object.values(file.bySet)]) {
    if (factors.some(({ length }) => length !== levels.length)) {
      throw new CheckpointError(`${path} cannot be used: every block needs ${levels.length} factors. Run rollcast calibrate again, or delete it.`); // prettier-ignore
    }
  }
  return file;
}

/** The shape that flags ask for; what they leave open is as in the calibration of the run, or as `FORECAST_SHAPE` has it. */
export function shapeOf(asked: Partial<ForecastShape>, run?: RunDirectory): ForecastShape {
  const { tunedShare, trim, lineShare } = (run && readCalibration(run)?.shape) ?? FORECAST_SHAPE;
  return {
    tunedShare: asked.tunedShare ?? tunedShare,
    trim: asked.trim ?? trim,
    lineShare: asked.lineShare ?? lineShare,
  };
}

/** The factors for a kind: those of its set, or those of all sets where it has none. */
export function calibrationOf(
  { bySet, calibration }: CalibrationFile,
  kind: string | undefined,
): Calibration {
  return kind !== undefined && Object.hasOwn(bySet, kind) ? bySet[kind] : calibration;
}

/**
 * The calibration that a command uses.
 *
 * @param wanted - true: there must be one; undefined: where there is one that fits, of the kind or of one set; false: none
 * @returns it, if any, and a sentence about that for the user
 * @throws {ConfigError} when one is wanted and there is none for this checkpoint
 */
export function chooseCalibration(
  forecasting: ForecastingRun,
  wanted: boolean | undefined,
  { shape, kind }: { shape: ForecastShape; kind?: string },
): { file?: CalibrationFile; note?: string } {
  const { run } = forecasting;
  if (wanted === false) {
    return existsSync(run.calibrationFile)
      ? { note: `intervals are not calibrated (--no-calibrated), though ${run.calibrationFile} exists.` }
      : {};
  }
  const alone = forecasting.checkpoints.length === 1 && existsSync(run.ensembleFile);
  const make = `rollcast calibrate --run ${quoted(run.path)}${alone ? ' --no-ensemble' : ''}`;
  const file = readCalibration(run);
  if (!file) {
    if (wanted)
      throw new ConfigError(`--calibrated: ${run.path} has no calibration.json; make it with ${make}.`);
    return {};
  }
  const other = differenceOf(file, forecasting, shape);
  if (other) {
    const why = `${run.calibrationFile} was made ${other.made}`;
    if (wanted) throw new ConfigError(`--calibrated: ${why}; run ${[make, ...other.flags].join(' ')}.`);
    return { note: `intervals are not calibrated: ${why}.` };
  }
  const off = wanted ? '' : '; --no-calibrated turns it off';
  if (kind !== undefined && Object.hasOwn(file.bySet, kind))
    return { file, note: `intervals are calibrated as those of ${kind}${off}.` };
  // what several kinds need on average makes the intervals of another worse more often than better (docs/results.md)
  if (wanted === undefined && Object.keys(file.bySet).length > 0) {
    const such = kind === undefined ? 'such a kind' : kind;
    return {
      note: `intervals are not calibrated: no unit of ${such} calibrated; --calibrated takes the factors of all sets together.`,
    };
  }
  const of = file.sets.map(({ name, units }) => `${counted(units.length, 'unit')} of ${name}`);
  return {
    file,
    note: `intervals are calibrated on ${of.join(', ')}${off}.`,
  };
}

/** What a calibration was made for instead, if it was, and the flags of `calibrate` that make it anew. */
function differenceOf(
  file: CalibrationFile,
  { checkpoint: { update }, checkpoints }: ForecastingRun,
  shape: ForecastShape,
): { made: string; flags: readonly string[] } | undefined {
  if (file.update !== update) {
    return {
      made: `for update ${file.update}, and this is update ${update}`,
      flags: [`--checkpoint ${update}`],
    };
  }
  if (file.models !== checkpoints.length) {
    return { made: `with ${counted(file.models, 'model')}, and this is ${checkpoints.length}`, flags: [] };
  }
  const changed = checkpoints.find((one, i) => file.weights && file.weights[i] !== weightsDigest(one));
  if (changed) return { made: `with other weights than ${changed.path} has`, flags: [] };
  const [before, now] = [file.shape, shape].map(shapeFlags);
  return before === now ? undefined : { made: `with ${before}, and this is ${now}`, flags: [now] };
}

/**
 * The calibration that an evaluation uses: one that is asked for, and of sets that the run does not hold out where none of its units
 * calibrated, so that none has to be left out.
 */
export function calibrationToJudge(
  forecasting: ForecastingRun,
  wanted: boolean | undefined,
  { sets, heldOut, shape }: { sets: readonly JudgedSet[]; heldOut: boolean; shape: ForecastShape },
): { file?: CalibrationFile; note?: string } {
  if (wanted === undefined && heldOut) return {};
  const kind = sets.every((set) => set.kind === sets[0].kind) ? sets[0].kind : undefined;
  const chosen = chooseCalibration(forecasting, wanted, { shape, kind });
  if (wanted !== undefined) return chosen;
  const own = sets.find(({ name, dataset }) => chosen.file && calibratedOn(chosen.file, name, dataset.units));
  return own
    ? {
        note: `intervals are not calibrated: units of ${own.name} calibrated them; --calibrated judges the others.`,
      }
    : chosen;
}

function shapeFlags({ tunedShare, trim, lineShare }: ForecastShape): string {
  return `--tuned-share ${tunedShare} --trim ${trim} --line-share ${lineShare}`;
}

/** Whether one of some units of a set calibrated. */
function calibratedOn(
  file: CalibrationFile,
  name: string,
  units: readonly { readonly unit: string }[],
): boolean {
  const calibrating = calibratingUnits(file, name);
  return units.some(({ unit }) => calibrating.has(unit));
}

/** Windows of units that did not calibrate. */
export function withoutCalibrating(
  windows: readonly DegradationWindow[],
  name: string,
  file: CalibrationFile,
): readonly DegradationWindow[] {
  const calibrating = calibratingUnits(file, name);
  return windows.filter(({ unit }) => !calibrating.has(unit));
}

function calibratingUnits({ sets }: CalibrationFile, name: string): ReadonlySet<string> {
  return new Set(sets.flatMap((set) => (set.name === name ? set.units : [])));
}

/**
 * Draws the units that calibrate; the others are left for judging.
 *
 * @param share - of the units; at least one calibrates, and at least one does not unless the share is 1 or there is only one
 */
export function splitWindows(
  windows: readonly DegradationWindow[],
  share: number,
  seed: number,
): { calibrating: DegradationWindow[]; judging: DegradationWindow[] } {
  const units = [...new Set(windows.map(({ unit }) => unit))].sort();
  const most = share === 1 || units.length === 1 ? units.length : units.length - 1;
  const count = Math.min(most, Math.max(1, Math.round(units.length * share)));
  const order = new RandomStream(seed, 'calibration/units').permutation(units.length);
  const chosen = new Set(Array.from(order.subarray(0, count), (i) => units[i]));
  return {
    calibrating: windows.filter(({ unit }) => chosen.has(unit)),
    judging: windows.filter(({ unit }) => !chosen.has(unit)),
  };
}

/** What is guaranteed and what is not, as a sentence. */
export function guaranteeOf({ guaranteed }: Calibration): string {
  const tail = (percent: number): number => (1 + percent / 100) / 2;
  const percents = (levels: readonly number[]): string => `${levels.join(' and ')} % intervals`;
  const held = INTERVALS.filter((level) => tail(level) <= guaranteed + 1e-9);
  const open = INTERVALS.filter((level) => !held.includes(level));
  const needed = open.map((level) => Math.ceil(tail(level) / (1 - tail(level)) - 1e-9));
  const why =
    guaranteed === 0
      ? 'nothing is guaranteed: no correction for few units was made (--no-guarantee)'
      : open.length > 0 &&
        `${percents(open)} are not guaranteed: they need ${needed.join(' and ')} calibrating units`;
  const what =
    held.length > 0 &&
    `${percents(held)} are guaranteed to hold at least their share, on average over new units like these`;
  return `${[what, why].filter(Boolean).join('; ')}.`;
}
