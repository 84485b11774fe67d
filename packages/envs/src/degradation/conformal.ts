/**
 * Conformal calibration of sampled paths, split by unit: intervals that held too few or too many truths of some units are widened
 * or narrowed, so that they hold the right share of those of new units.
 *
 * Each quantile q_p of the paths is moved away from their median m by a factor of its own (Romano et al. 2019, "Conformalized
 * quantile regression", arXiv:1905.03222, with one factor a side; multiplicative instead of additive, since the spread of paths
 * grows with the horizon and with the noise of the unit),
 *
 *   q′_p = m + f_p (q_p − m),
 *
 * where f_p is a quantile of the scores s = (y − m) / (q_p − m), the factor that just reaches the truth. Windows of one unit
 * resemble each other, units do not, so that units count, each alike (Lee, Barber and Willett 2023, "Distribution-free inference
 * with hierarchical data", arXiv:2306.06342): with F_u the distribution function of the scores of unit u among n units,
 *
 *   f_p = inf { f : 1/(n + 1) Σ_u F_u(f) ≥ p }.
 *
 * Guarantee: y ≤ q′_p with probability ≥ p (for p > ½; ≥ in place of ≤ with 1 − p below) for a step of a block of a window, drawn
 * at random from a unit that is exchangeable with the n; over several sets, for a new unit of a set drawn with their weights.
 * Values are oriented or raw, as long as they are the same everywhere.
 */
import { ShapeError } from '@rollcast/core';

import { type DegradationWindow } from './dataset.js';
import { quantilePaths } from './path-statistics.js';

/** Levels that are calibrated: the deciles and the ends of the 50, 80 and 90 % intervals; the median stays where it is. */
export const CALIBRATED_LEVELS = [0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95] as const;
/** Blocks of steps with factors of their own. */
const BLOCKS = 12;
/** How far apart paths are kept, in shares of the mean step of the context. */
const LEAST_SPREAD = 0.1;
/** Sums of weights are compared up to this. */
const ROUNDING = 1e-9;

/** Windows of one data set with their sampled paths, to calibrate on. */
export interface CalibrationSet {
  readonly windows: readonly DegradationWindow[];
  /** [n][M][L] */
  readonly paths: readonly (readonly ArrayLike<number>[])[];
}

/** How paths are moved; plain JSON. */
export interface Calibration {
  /** Steps of a block; steps beyond the last block belong to it. */
  readonly blockLength: number;
  /** [K] of the factors. */
  readonly levels: readonly number[];
  /** [blocks][K] f_p ≥ 0. */
  readonly factors: readonly (readonly number[])[];
  /** Largest p whose factors are guaranteed, as above; 1 − p at the other end. 0 without the correction for few units. */
  readonly guaranteed: number;
}

/** How sure the factors that calibrate paths are to be. */
export interface CalibrationOptions {
  /**
   * Whether the unit yet to come counts as one that no factor reaches: the n + 1 above. Without it the factors are plain quantiles
   * (n in its place): narrower, right on average over many units, and guaranteed for none. @defaultValue true
   */
  finiteSample?: boolean;
  /** [sets] how much each set weighs, 1 in all. @defaultValue alike */
  setWeights?: readonly number[];
}

/** As how many units of a set all sets together count, where factors are for that set. */
const POOLED_UNITS = 2;

/**
 * Weights of sets for the factors of one of them: its n units count as they are, and all sets together, alike, as two more. A
 * set of few units thus borrows from the others, and one of many speaks for itself.
 *
 * @param units - n of that set
 * @returns [count]; 1 in all
 */
export function weightsTowards(own: number, units: number, count: number): number[] {
  const pooled = POOLED_UNITS / (units + POOLED_UNITS);
  return Array.from({ length: count }, (_, set) => pooled / count + (set === own ? 1 - pooled : 0));
}

/**
 * Finds the factors. A level that so few units cannot guarantee (p > n/(n + 1)) gets its plain quantile.
 *
 * @param sets - the units of a set weigh alike, and so do the windows and steps of a unit
 * @throws {ShapeError} without windows, or with paths that do not fit them
 */
export function fitCalibration(
  sets: readonly CalibrationSet[],
  {
    finiteSample = true,
    setWeights = new Array<number>(sets.length).fill(1 / sets.length),
  }: CalibrationOptions = {},
): Calibration {
  const horizon = checkSets(sets);
  if (setWeights.length !== sets.length)
    throw new ShapeError(
      `a calibration on ${sets.length} sets needs as many weights; got ${setWeights.length}.`,
    );
  const blockLength = Math.ceil(horizon / BLOCKS);
  const scores = Array.from({ length: Math.ceil(horizon / blockLength) }, () =>
    CALIBRATED_LEVELS.map((): WeightedScore[] => []),
  );
  const units = sets.map(({ windows }) => countWindows(windows));
  sets.forEach(({ windows, paths }, set) =>
    windows.forEach(({ context, future, unitIndex }, w) => {
      const { median, distances } = spread(separatePaths(paths[w], context));
      future.forEach((truth, t) => {
        const block = Math.floor(t / blockLength);
        const steps = Math.min(blockLength, horizon - block * blockLength);
        const share = 1 / (units[set].size * units[set].get(unitIndex)! * steps);
        CALIBRATED_LEVELS.forEach((p, k) =>
          scores[block][k].push({ score: score(side(p) * (truth - median[t]), distances[k][t]), set, share }),
        );
      });
    }),
  );
  const corrected = units.map(({ size }, set) => (setWeights[set] * size) / (size + 1));
  const guaranteed = finiteSample ? corrected.reduce((sum, weight) => sum + weight, 0) : 0;
  return {
    blockLength,
    levels: CALIBRATED_LEVELS,
    factors: scores.map((ofBlock) =>
      ofBlock.map((weighted, k) => {
        const p = Math.max(CALIBRATED_LEVELS[k], 1 - CALIBRATED_LEVELS[k]);
        return Math.max(
          0,
          weightedQuantile(weighted, p, p <= guaranteed + ROUNDING ? corrected : setWeights),
        );
      }),
    ),
    guaranteed,
  };
}

/**
 * Moves the paths of one window: at each step every path by one and the same rising function of its value, linear between the
 * quantiles that were calibrated and beyond them, which carries each q_p to q′_p (exactly where p (M + 1) is a whole number, else up
 * to what lies between two neighbouring paths). Paths therefore keep their order, and when they cross a threshold follows.
 *
 * @param paths - [M][L]; may be longer than those calibrated on: their last block goes on
 * @param context - [W]
 * @returns [M][L]
 */
export function calibratePaths(
  paths: readonly ArrayLike<number>[],
  context: ArrayLike<number>,
  { blockLength, levels, factors }: Calibration,
): Float64Array[] {
  const moved = separatePaths(paths, context);
  const { median, distances } = spread(moved, levels);
  // from the median outwards, below and above
  const outwards = [-1, 1].map((way) =>
    levels
      .map((p, k) => ({ k, reach: Math.abs(p - 0.5) }))
      .filter(({ k }) => side(levels[k]) === way)
      .sort((a, b) => a.reach - b.reach)
      .map(({ k }) => k),
  );
  for (let t = 0; t < median.length; t++) {
    const ofBlock = factors[Math.min(Math.floor(t / blockLength), factors.length - 1)];
    const [below, above] = outwards.map((order) => {
      let reach = 0; // a wider quantile stays the wider one, whatever its factor
      const knots = order.map((k) => ({
        from: distances[k][t],
        to: (reach = Math.max(reach, ofBlock[k] * distances[k][t])),
      }));
      return { knots, beyond: ofBlock[order[order.length - 1]] };
    });
    for (const path of moved) {
      const distance = path[t] - median[t];
      const { knots, beyond } = distance < 0 ? below : above;
      path[t] = median[t] + Math.sign(distance) * stretch(Math.abs(distance), knots, beyond);
    }
  }
  return moved;
}

/**
 * Copies of the paths, kept apart a little, so that there is something to stretch where all of them fall into one bin: path i in
 * the order of the means of the paths is shifted by ε (2i + 1 − M)/M, i = 0 … M − 1, with ε a tenth of the mean step of the context.
 * Their mean stays where it is.
 */
function separatePaths(paths: readonly ArrayLike<number>[], context: ArrayLike<number>): Float64Array[] {
  const count = paths.length;
  let epsilon = 0;
  for (let i = 1; i < context.length; i++)
    epsilon += (LEAST_SPREAD * Math.abs(context[i] - context[i - 1])) / (context.length - 1);
  const sums = paths.map((path) => Array.from(path).reduce((sum, value) => sum + value, 0));
  const order = sums.map((_, i) => i).sort((a, b) => sums[a] - sums[b] || a - b);
  const shifted: Float64Array[] = [];
  order.forEach((m, i) => {
    shifted[m] = Float64Array.from(paths[m], (value) => value + (epsilon * (2 * i + 1 - count)) / count);
  });
  return shifted;
}

/** Median [L] of paths, and how far from it their quantiles are, [K][L] ≥ 0. */
function spread(
  paths: readonly ArrayLike<number>[],
  levels: readonly number[] = CALIBRATED_LEVELS,
): { median: Float64Array; distances: Float64Array[] } {
  const [median, ...quantiles] = quantilePaths(paths, [0.5, ...levels]);
  return { median, distances: quantiles.map((q) => q.map((value, t) => Math.abs(value - median[t]))) };
}

/** Which way a quantile lies from the median. */
function side(level: number): -1 | 1 {
  return level < 0.5 ? -1 : 1;
}

/** The least factor by which a quantile at this distance from the median reaches the truth. */
function score(truth: number, distance: number): number {
  return distance > 0 ? truth / distance : truth <= 0 ? -Infinity : Infinity;
}

interface WeightedScore {
  readonly score: number;
  readonly set: number;
  /** Of its set; those of a set sum to 1. */
  readonly share: number;
}

/** The least score that holds a share p of the weight with those below it; the largest finite one when none does. */
function weightedQuantile(scores: WeightedScore[], p: number, setWeights: readonly number[]): number {
  const sorted = scores
    .filter((one) => one.score < Infinity)
    .sort((a, b) => (a.score < b.score ? -1 : a.score > b.score ? 1 : 0)); // −∞ − −∞ is no number
  let weight = 0;
  for (const one of sorted) {
    weight += one.share * setWeights[one.set];
    if (weight >= p - ROUNDING) return one.score;
  }
  return sorted.at(-1)?.score ?? 1;
}

/** Piecewise linear through (0, 0) and the knots, with the last knot's factor beyond it. */
function stretch(distance: number, knots: readonly { from: number; to: number }[], beyond: number): number {
  let [from, to] = [0, 0];
  for (const knot of knots) {
    if (distance <= knot.from) return to + ((distance - from) / (knot.from - from || 1)) * (knot.to - to);
    ({ from, to } = knot);
  }
  return to + beyond * (distance - from);
}

function countWindows(windows: readonly DegradationWindow[]): Map<number, number> {
  const count = new Map<number, number>();
  for (const { unitIndex } of windows) count.set(unitIndex, (count.get(unitIndex) ?? 0) + 1);
  return count;
}

/** @returns L */
function checkSets(sets: readonly CalibrationSet[]): number {
  if (sets.length === 0 || sets.some(({ windows }) => windows.length === 0))
    throw new ShapeError('a calibration needs at least one window of each set; got none.');
  const horizon = sets[0].windows[0].future.length;
  for (const { windows, paths } of sets) {
    if (paths.length !== windows.length)
      throw new ShapeError(`a calibration needs paths of ${windows.length} windows; got ${paths.length}.`);
    windows.forEach(({ future }, w) => {
      const wrong = [future, ...paths[w]].find(({ length }) => length !== horizon);
      if (wrong || paths[w].length === 0)
        throw new ShapeError(
          `window ${w}: expected paths and a future of ${horizon} steps; got ${wrong?.length ?? 'no path'}.`,
        );
    });
  }
  return horizon;
}
