/**
 * Windows for training on whole trajectories: a context of W points and the whole future of L points.
 */
import { ConfigError, DataError, resolveOptions, type RandomStream } from '@rollcast/core';
import { z } from 'zod';

import {
  hasEvenSteps,
  listNames,
  listSkipped,
  type SeriesSet,
  type SkippedUnit,
  type UnitSeries,
} from './series.js';

/** Schema of the options of `RLDataset`: ranges, defaults, and what each one is. */
export const datasetOptions = z.strictObject({
  contextLength: z.int().min(2).default(40).describe('W, observed points'),
  horizon: z.int().min(1).default(60).describe('L, points to forecast'),
  stride: z.int().min(1).default(1).describe('points between the starts of neighbouring windows of a unit'),
});
/** What a user writes. */
export type RLDatasetOptions = z.input<typeof datasetOptions>;

/** One piece of a unit's history, oriented so that wear rises. The arrays are views of the data: do not write to them. */
export interface DegradationWindow {
  /** What it is a piece of: unit of the values, direction of wear. */
  readonly set: SeriesSet;
  readonly unit: string;
  /** Index into `RLDataset.units`. */
  readonly unitIndex: number;
  /** Index of the first context point in the unit's history. */
  readonly start: number;
  /** [W] observed values. */
  readonly context: Float64Array;
  /** [L] values to forecast. */
  readonly future: Float64Array;
}

/** Where windows to learn from are drawn. */
export interface WindowSource {
  /** W, observed points. */
  readonly contextLength: number;
  /** L, points to forecast. */
  readonly horizon: number;
  /** A random window. */
  draw(random: RandomStream): DegradationWindow;
}

/** Evaluation windows per unit unless asked otherwise. */
const EVALUATION_WINDOWS = 40;

/** All windows of a set, at a stride. Units shorter than W + L are skipped and named. */
export class RLDataset implements WindowSource {
  readonly contextLength: number;
  readonly horizon: number;
  readonly stride: number;
  /** Units long enough for a window. */
  readonly units: readonly UnitSeries[];
  /** Units left out here or while loading. */
  readonly skipped: readonly SkippedUnit[];
  /** The notes of the set, uneven time steps, and what was skipped here. */
  readonly notes: readonly string[];
  /** offsets[u] = windows before unit u; the last entry is the number of windows. */
  private readonly offsets: readonly number[];

  /**
   * @throws {ConfigError} for options out of range
   * @throws {DataError} when no unit is long enough
   */
  constructor(
    readonly set: SeriesSet,
    options: RLDatasetOptions = {},
  ) {
    const resolved = resolveOptions(datasetOptions, options, 'dataset');
    this.contextLength = resolved.contextLength;
    this.horizon = resolved.horizon;
    this.stride = resolved.stride;
    const points = this.contextLength + this.horizon;
    this.units = set.units.filter((unit) => unit.values.length >= points);
    const short = set.units
      .filter((unit) => unit.values.length < points)
      .map((unit) => ({ unit: unit.unit, reason: `${unit.values.length} points` }));
    this.skipped = [...set.skipped, ...short];
    if (this.units.length === 0)
      throw new DataError(
        `${set.name}: no unit has the ${points} points of one window (context ${this.contextLength} + horizon ${this.horizon}): ${listSkipped(this.skipped)}. Use a smaller context or horizon.`,
      );
    const notes = [...set.notes];
    const uneven = this.units.filter(({ times }) => !hasEvenSteps(times));
    if (uneven.length > 0)
      notes.push(
        `time steps are uneven in ${uneven.length} of ${this.units.length} units (${listNames(uneven.map(({ unit }) => unit))}): windows count points, not time.`,
      );
    if (short.length > 0)
      notes.push(
        `skipped ${short.length} of ${set.units.length} units, shorter than context ${this.contextLength} + horizon ${this.horizon}: ${listSkipped(short)}.`,
      );
    this.notes = notes;
    const offsets = [0];
    for (const unit of this.units)
      offsets.push(offsets[offsets.length - 1] + Math.floor((unit.values.length - points) / this.stride) + 1);
    this.offsets = offsets;
  }

  /** The number of windows. */
  get length(): number {
    return this.offsets[this.offsets.length - 1];
  }

  /**
   * Window i, unit by unit in the order of the set.
   *
   * @throws {RangeError} when there is no such window
   */
  window(i: number): DegradationWindow {
    if (!Number.isInteger(i) || i < 0 || i >= this.length)
      throw new RangeError(`window(i) needs 0 ≤ i < ${this.length}; got ${i}.`);
    let low = 0;
    let high = this.units.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.offsets[middle] <= i) low = middle;
      else high = middle - 1;
    }
    return this.windowAt(low, (i - this.offsets[low]) * this.stride);
  }

  /** A random window: of a unit, all equally likely, one of its windows. */
  draw(random: RandomStream): DegradationWindow {
    const unit = random.integer(this.units.length);
    return this.windowAt(unit, random.integer(this.offsets[unit + 1] - this.offsets[unit]) * this.stride);
  }

  /**
   * The windows of an evaluation: of every unit with n points the starts ⌊k s⌋ with s = (n − W − L)/(m − 1), k = 0 … m − 1,
   * each once. s is rounded before it is multiplied, as in numpy's linspace: the reference numbers were made so, and
   * ⌊k s⌋ differs by one where k s is just below an integer. The stride plays no part.
   *
   * @param perUnit - m, at most this many windows a unit, ≥ 1; one means the first window
   */
  evenlySpacedWindows(perUnit = EVALUATION_WINDOWS): DegradationWindow[] {
    if (!Number.isInteger(perUnit) || perUnit < 1)
      throw new ConfigError(`windows per unit must be an integer ≥ 1; got ${perUnit}.`);
    return this.units.flatMap((unit, unitIndex) => {
      const span = unit.values.length - this.contextLength - this.horizon;
      const step = perUnit === 1 ? 0 : span / (perUnit - 1);
      const starts = new Set<number>();
      for (let k = 0; k < perUnit; k++) starts.add(k > 0 && k === perUnit - 1 ? span : Math.floor(k * step));
      return [...starts].map((start) => this.windowAt(unitIndex, start));
    });
  }

  /**
   * The windows of a rolling backtest: of every unit one that ends at each `every`-th point, from the first that has W points behind
   * it to the last that has L points ahead.
   *
   * @param every - points between forecasts, ≥ 1
   */
  rollingWindows(every: number): DegradationWindow[] {
    if (!Number.isInteger(every) || every < 1)
      throw new ConfigError(`points between forecasts must be an integer ≥ 1; got ${every}.`);
    return this.units.flatMap(({ values }, unitIndex) => {
      const span = values.length - this.contextLength - this.horizon;
      return Array.from({ length: Math.floor(span / every) + 1 }, (_, k) =>
        this.windowAt(unitIndex, k * every),
      );
    });
  }

  private windowAt(unitIndex: number, start: number): DegradationWindow {
    const { unit, values } = this.units[unitIndex];
    const now = start + this.contextLength;
    return {
      set: this.set,
      unit,
      unitIndex,
      start,
      context: values.subarray(start, now),
      future: values.subarray(now, now + this.horizon),
    };
  }
}
