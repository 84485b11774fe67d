/** What comes after the last point of each unit: sampled paths, what they say at each step, and when they cross a threshold. */
import { RandomStream } from '@rollcast/core';
import {
  calibratePaths,
  crossingSummary,
  evenContext,
  firstPassage,
  listNames,
  meanPath,
  orient,
  quantilePaths,
  type Calibration,
  type EvenContext,
  type SeriesSet,
  type SkippedUnit,
  type UnitSeries,
} from '@rollcast/envs';

import { samplePaths, type ForecastShape, type PathModel } from './paths.js';

/** The deciles, in percent. */
export const DECILES = [10, 20, 30, 40, 50, 60, 70, 80, 90] as const;

/** A unit that can be forecast. */
export interface ForecastUnit {
  readonly series: UnitSeries;
  readonly context: EvenContext;
}

/** Units that can be forecast, those that cannot, and what was noticed, a sentence each. */
export interface ForecastUnits {
  readonly units: readonly ForecastUnit[];
  readonly leftOut: readonly SkippedUnit[];
  readonly notes: readonly string[];
}

/** When a unit crosses the threshold, in the time unit of the data from its last observed point; null beyond the horizon. */
export interface CrossingForecast {
  readonly median: number | null;
  /** 10 % quantile. */
  readonly low: number | null;
  /** 90 % quantile. */
  readonly high: number | null;
  /** Share of the paths that do not cross within the horizon. */
  readonly censoredShare: number;
  /** [L] share of the paths that have crossed by each step. */
  readonly crossedBy: readonly number[];
}

/** The forecast of one unit, in the data's own direction and units. */
export interface UnitForecast {
  readonly unit: string;
  readonly lastTime: number;
  readonly lastValue: number;
  readonly timeStep: number;
  /** Whether the context was resampled to even time steps. */
  readonly resampled: boolean;
  /** [L] */
  readonly times: readonly number[];
  readonly mean: readonly number[];
  /** [9][L] from 10 to 90 %. */
  readonly deciles: readonly (readonly number[])[];
  readonly crossing?: CrossingForecast;
  /** [paths][L], when they are kept. */
  readonly paths?: readonly (readonly number[])[];
}

/** Is a value of the data at the threshold, or beyond it in the direction of wear? */
function hasCrossed(set: SeriesSet, oriented: number, threshold: number): boolean {
  return oriented >= set.sign * threshold;
}

/** Which way the threshold is crossed, as a sentence. */
export function crossingRule({ valueLabel, direction }: SeriesSet, threshold: number): string {
  const side = direction === 'falls' ? 'at or below' : 'at or above';
  return `${valueLabel} ${direction} with wear, so the threshold is crossed where it is ${side} ${threshold}`;
}

/**
 * The units of a set that can be forecast: those with W points, evenly spaced or resampled, whose last one has not crossed the
 * threshold.
 */
export function forecastUnits(
  set: SeriesSet,
  { contextLength, threshold }: { contextLength: number; threshold?: number },
): ForecastUnits {
  const units: ForecastUnit[] = [];
  const leftOut = [...set.skipped];
  for (const series of set.units) {
    const context = evenContext(series, contextLength);
    const reason =
      typeof context === 'string'
        ? context
        : threshold !== undefined && alreadyCrossed(set, series, threshold);
    if (reason) leftOut.push({ unit: series.unit, reason });
    else units.push({ series, context: context as EvenContext });
  }
  const resampled = units.filter(({ context }) => context.resampled).map(({ series }) => series.unit);
  const notes = [...set.notes];
  if (resampled.length > 0)
    notes.push(
      `time steps are uneven in ${resampled.length} of ${units.length} units (${listNames(resampled)}): their last points were resampled to the median step, on straight lines.`,
    );
  return { units, leftOut, notes };
}

/** Says that, and since when, the last observed value has crossed; false when it has not. */
function alreadyCrossed(set: SeriesSet, { times, values }: UnitSeries, threshold: number): string | false {
  const last = values.length - 1;
  if (!hasCrossed(set, values[last], threshold)) return false;
  let since = last;
  while (since > 0 && hasCrossed(set, values[since - 1], threshold)) since--;
  const value = orient([values[last]], set.sign)[0];
  const side = set.direction === 'falls' ? 'below' : 'above';
  return `has crossed already: ${Number(value.toPrecision(6))} at ${set.timeLabel ?? 'row'} ${times[last]} is at or ${side} the threshold ${threshold}, since ${set.timeLabel ?? 'row'} ${times[since]}`;
}

export interface ForecastOptions {
  /** One model, or an ensemble. */
  members: readonly PathModel[];
  horizon: number;
  /** Sampled paths a unit. */
  paths: number;
  shape: ForecastShape;
  /** L of the training. */
  trainedHorizon: number;
  seed: number;
  /** In the data's own units. */
  threshold?: number;
  keepPaths: boolean;
  /** Moves the paths. */
  calibration?: Calibration;
  /** Told after each unit. */
  onBatch?: (paths: number) => void;
}

/**
 * Forecasts one unit. Its paths are drawn from a stream of its own, so that they do not depend on which other units are in
 * the file. Leaves no tensor behind.
 */
export function forecastUnit(
  { series, context }: ForecastUnit,
  { sign }: SeriesSet,
  options: ForecastOptions,
): UnitForecast {
  const {
    members,
    horizon,
    paths: count,
    shape,
    trainedHorizon,
    seed,
    threshold,
    keepPaths,
    calibration,
    onBatch,
  } = options;
  const { values, lastTime, timeStep, resampled } = context;
  const last = values[values.length - 1];
  const [generated] = samplePaths(
    { members, contexts: [values], horizon, trainedHorizon, onBatch, ...shape },
    count,
    () => new RandomStream(seed, `forecast/${series.unit}`),
  );
  const oriented = calibration ? calibratePaths(generated, values, calibration) : generated;
  const paths = oriented.map((path) => orient(path, sign));
  return {
    unit: series.unit,
    lastTime,
    lastValue: orient([last], sign)[0],
    timeStep,
    resampled,
    times: Array.from({ length: horizon }, (_, t) => lastTime + (t + 1) * timeStep),
    mean: Array.from(meanPath(paths)),
    deciles: quantilePaths(
      paths,
      DECILES.map((percent) => percent / 100),
    ).map((decile) => Array.from(decile)),
    ...(threshold !== undefined && {
      crossing: crossingForecast(oriented, last, sign * threshold, timeStep),
    }),
    ...(keepPaths && { paths: paths.map((path) => Array.from(path)) }),
  };
}

/** From steps to the time unit of the data. */
function crossingForecast(
  paths: readonly Float64Array[],
  last: number,
  threshold: number,
  timeStep: number,
): CrossingForecast {
  const passages = paths.map((path) => firstPassage(path, last, threshold));
  const { median, low, high, censoredShare, crossedBy } = crossingSummary(passages, paths[0].length);
  const inTime = (steps: number | null): number | null => (steps === null ? null : steps * timeStep);
  return {
    median: inTime(median),
    low: inTime(low),
    high: inTime(high),
    censoredShare,
    crossedBy: Array.from(crossedBy),
  };
}
