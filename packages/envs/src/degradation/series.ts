/**
 * Degradation histories as the rest of the package sees them: one series a unit, turned so that wear rises.
 */
import { ConfigError, DataError, RandomStream, showControls } from '@rollcast/core';

/** The history of one unit: a cell, a specimen, an engine. */
export interface UnitSeries {
  readonly unit: string;
  /** [n] strictly increasing, in the time unit of the data. */
  readonly times: Float64Array;
  /** [n] finite values; in a `SeriesSet` oriented so that wear rises. */
  readonly values: Float64Array;
}

/** Which way the raw values go as the unit wears. */
export type Direction = 'rises' | 'falls';

/** A unit that was left out, and why. */
export interface SkippedUnit {
  readonly unit: string;
  readonly reason: string;
}

/** Histories of one kind of unit. Every `values` is oriented so that wear rises: raw = sign × oriented. */
export interface SeriesSet {
  readonly name: string;
  /** What the values are, for axes and tables. */
  readonly valueLabel: string;
  /** What times count, for axes and tables; absent where it is the row number. */
  readonly timeLabel?: string;
  /** Which way the raw values go. */
  readonly direction: Direction;
  /** 1 when the raw values rise with wear, −1 when they fall. */
  readonly sign: 1 | -1;
  readonly units: readonly UnitSeries[];
  /** What was decided or noticed on the way, one sentence each, for the user. */
  readonly notes: readonly string[];
  readonly skipped: readonly SkippedUnit[];
}

/** Raw histories, before orientation. */
export interface RawSeries {
  readonly name: string;
  readonly valueLabel: string;
  readonly timeLabel?: string;
  readonly units: readonly UnitSeries[];
  readonly notes?: readonly string[];
  readonly skipped?: readonly SkippedUnit[];
}

/** Relative difference between the longest and the shortest time step that still counts as even. */
const EVEN_STEPS = 1e-6;

/** How many names a message lists before it only counts. */
const LISTED_NAMES = 5;

/**
 * Turns a series round when its raw values fall with wear; its own inverse: orient(orient(x)) = x.
 *
 * @param sign - 1 copies, −1 negates (without making −0)
 * @returns a new array
 */
export function orient(values: ArrayLike<number>, sign: 1 | -1): Float64Array {
  return Float64Array.from(values, (value) => (sign === 1 ? value : 0 - value));
}

/**
 * Which way the majority of units goes: per unit, the mean of the last tenth minus the mean of the first tenth (at least
 * one point each). A tie counts as rising.
 */
export function detectDirection(units: readonly UnitSeries[]): {
  direction: Direction;
  rising: number;
  falling: number;
} {
  let rising = 0;
  let falling = 0;
  for (const { values } of units) {
    const tenth = Math.max(1, Math.floor(values.length / 10));
    const change = mean(values.subarray(values.length - tenth)) - mean(values.subarray(0, tenth));
    if (change > 0) rising++;
    else if (change < 0) falling++;
  }
  return { direction: falling > rising ? 'falls' : 'rises', rising, falling };
}

/**
 * Raw histories → a set in which wear rises. Constant units are skipped and named.
 *
 * @param direction - `auto` takes the vote of `detectDirection` and says so in the notes
 * @param mayBeEmpty - whether no unit may be left; otherwise that is refused
 * @throws {DataError} when no unit is left
 */
export function orientSeries(raw: RawSeries, direction: Direction | 'auto', mayBeEmpty = false): SeriesSet {
  const notes = [...(raw.notes ?? [])];
  const skipped = [...(raw.skipped ?? [])];
  const moving: UnitSeries[] = [];
  for (const unit of raw.units) {
    if (isConstant(unit.values)) skipped.push({ unit: unit.unit, reason: constantReason(unit.values) });
    else moving.push(unit);
  }
  if (moving.length === 0 && !mayBeEmpty)
    throw new DataError(
      `${raw.name}: no usable unit: ${listSkipped(skipped)}. A degradation history needs values that change.`,
    );

  let decided: Direction;
  if (direction === 'auto') {
    const vote = detectDirection(moving);
    decided = vote.direction;
    if (moving.length > 0)
      notes.push(
        `direction: ${raw.valueLabel} ${decided} with wear, by the majority of units (${vote.rising} rise, ${vote.falling} fall; last tenth against first tenth). --direction overrides.`,
      );
  } else decided = direction;

  const sign = decided === 'falls' ? -1 : 1;
  return {
    name: raw.name,
    valueLabel: raw.valueLabel,
    timeLabel: raw.timeLabel,
    direction: decided,
    sign,
    units: moving.map((unit) => ({ ...unit, values: orient(unit.values, sign) })),
    notes,
    skipped,
  };
}

/** How units are held out. */
export interface SplitOptions {
  /** Share of the units held out, in (0, 1); at least one unit lands on each side. */
  readonly holdoutShare: number;
  /** Seed of the stream `data/split`. */
  readonly seed: number;
}

/**
 * Splits by unit, never by window: a window of a training unit never overlaps a held-out one. Unit names are sorted
 * first, so that the split depends on the names and the seed, not on the order of the files.
 *
 * @returns two sets, units in the order of their names
 * @throws {ConfigError} when the share is outside (0, 1)
 * @throws {DataError} when there are fewer than two units
 */
export function splitUnits(set: SeriesSet, options: SplitOptions): { train: SeriesSet; heldOut: SeriesSet } {
  const { holdoutShare, seed } = options;
  if (!(holdoutShare > 0 && holdoutShare < 1))
    throw new ConfigError(`holdoutShare must lie between 0 and 1, both excluded; got ${holdoutShare}.`);
  const units = [...set.units].sort((a, b) => (a.unit < b.unit ? -1 : a.unit > b.unit ? 1 : 0));
  if (units.length < 2)
    throw new DataError(
      `${set.name}: a split by unit needs at least two units; got ${units.length}. Add units, or evaluate on another file.`,
    );
  const count = Math.min(units.length - 1, Math.max(1, Math.round(units.length * holdoutShare)));
  const order = new RandomStream(seed, 'data/split').permutation(units.length);
  const heldOut = new Set(order.subarray(0, count));
  return {
    train: { ...set, units: units.filter((_, i) => !heldOut.has(i)) },
    heldOut: { ...set, units: units.filter((_, i) => heldOut.has(i)) },
  };
}

/** `a, b, c, d, e and 3 more`. */
export function listNames(names: readonly string[]): string {
  const shown = names.slice(0, LISTED_NAMES).map(showControls).join(', ');
  return names.length > LISTED_NAMES ? `${shown} and ${names.length - LISTED_NAMES} more` : shown;
}

/** `B1 (constant at 3), B2 (…)`, shortened like `listNames`. */
export function listSkipped(skipped: readonly SkippedUnit[]): string {
  return listNames(skipped.map(({ unit, reason }) => `${unit} (${reason})`)) || 'there is none';
}

function isConstant(values: Float64Array): boolean {
  return values.every((value) => value === values[0]);
}

function constantReason(values: Float64Array): string {
  return values.length === 1 ? 'a single point' : `constant at ${values[0]}`;
}

/** Are the times of a unit the same distance apart, up to rounding? */
export function hasEvenSteps(times: Float64Array): boolean {
  let shortest = Infinity;
  let longest = 0;
  for (let i = 1; i < times.length; i++) {
    shortest = Math.min(shortest, times[i] - times[i - 1]);
    longest = Math.max(longest, times[i] - times[i - 1]);
  }
  return times.length < 3 || longest - shortest <= EVEN_STEPS * longest;
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
