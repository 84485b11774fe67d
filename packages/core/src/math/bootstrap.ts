/**
 * Percentile intervals by stratified bootstrap (Efron 1979; stratified by task as in Agarwal et al. 2021, section 4.1,
 * arXiv:2108.13264): runs are drawn with replacement within every task, independently of other tasks and of other
 * algorithms. The tasks themselves stay: an interval says what other seeds would give on the same tasks.
 *
 * Every draw comes from the stream that is passed in, so equal seeds give equal intervals.
 */
import { ShapeError } from '../errors.js';
import { mathjs } from '../mathjs.js';
import type { RandomStream } from '../random.js';
import {
  aggregates,
  checkScores,
  countRuns,
  middleHalfMean,
  probabilityOfImprovement,
  shareOfWins,
  sharesAbove,
  type Aggregates,
  type TaskScores,
} from './statistics.js';

/** An estimate and the percentile interval around it. */
export interface Interval {
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
}

/** How intervals are made, and from which random numbers. */
export interface BootstrapOptions {
  random: RandomStream;
  /** How often the runs are drawn again. @defaultValue 50 000 for aggregates, 2 000 for everything else, as in rliable */
  resamples?: number;
  /** Share of the resamples inside the interval, in (0, 1). @defaultValue 0.95 */
  confidence?: number;
}

const AGGREGATE_RESAMPLES = 50_000;
const RESAMPLES = 2_000;
/** Two runs of a task give three resamples, which is no distribution. */
const LEAST_RUNS = 3;

/** [M tasks][N runs] of anything: scores, or whole curves. */
type Runs<Run> = readonly (readonly Run[])[];

/**
 * Intervals of several statistics over the same resamples.
 *
 * @param groups - one table a group of runs (an algorithm); each is resampled independently
 * @param statistic - resampled tables, reused between calls → the statistics, always equally many
 * @throws {ShapeError} with fewer than 3 runs, when tasks of a group have unequal numbers of runs, or for options out of
 *   range
 */
export function bootstrapIntervals<Run>(
  groups: readonly Runs<Run>[],
  statistic: (resampled: readonly Runs<Run>[]) => readonly number[],
  { random, resamples = RESAMPLES, confidence = 0.95 }: BootstrapOptions,
): Interval[] {
  checkOptions(resamples, confidence);
  for (const group of groups) checkRuns(group);
  const estimates = statistic(groups);
  const draws = estimates.map(() => new Float64Array(resamples));
  const resampled = groups.map((group) => group.map((task) => [...task]));
  for (let r = 0; r < resamples; r++) {
    groups.forEach((group, g) => {
      group.forEach((task, m) => {
        const drawn = resampled[g][m];
        for (let n = 0; n < task.length; n++) drawn[n] = task[random.integer(task.length)];
      });
    });
    const values = statistic(resampled);
    for (let s = 0; s < draws.length; s++) draws[s][r] = values[s];
  }
  const tail = (1 - confidence) / 2;
  return estimates.map((estimate, s) => {
    // sorted here, as mathjs needs quadratic time where many values are equal
    const [low, high] = mathjs().quantileSeq([...draws[s].sort()], [tail, 1 - tail], true) as number[];
    return { estimate, low, high };
  });
}

/** Median, interquartile mean, mean and optimality gap with their intervals. */
export function aggregateIntervals(
  scores: TaskScores,
  options: BootstrapOptions,
): { readonly [Name in keyof Aggregates]: Interval } {
  checkScores(scores);
  const [median, interquartileMean, mean, optimalityGap] = bootstrapIntervals(
    [scores],
    ([resampled]) => {
      const all = aggregates(resampled);
      return [all.median, all.interquartileMean, all.mean, all.optimalityGap];
    },
    { ...options, resamples: options.resamples ?? AGGREGATE_RESAMPLES },
  );
  return { median, interquartileMean, mean, optimalityGap };
}

/** The score distribution with a pointwise interval at every threshold. */
export function profileIntervals(
  scores: TaskScores,
  thresholds: readonly number[],
  options: BootstrapOptions,
): Interval[] {
  checkScores(scores);
  return bootstrapIntervals([scores], ([resampled]) => sharesAbove(resampled, thresholds), options);
}

/** The probability of improvement of X over Y with its interval. */
export function improvementInterval(x: TaskScores, y: TaskScores, options: BootstrapOptions): Interval {
  probabilityOfImprovement(x, y); // checks both tables
  return bootstrapIntervals([x, y], ([ours, theirs]) => [shareOfWins(ours, theirs)], options)[0];
}

/**
 * Interquartile mean at every point of learning curves, with pointwise intervals. Runs are drawn as whole curves.
 *
 * @param curves - [M tasks][N runs][P points], normalised scores at common steps
 * @throws {ShapeError} when curves have unequal numbers of points
 */
export function curveIntervals(
  curves: readonly (readonly (readonly number[])[])[],
  options: BootstrapOptions,
): Interval[] {
  const points = curves[0]?.[0]?.length ?? 0;
  const other = curves.flat().find((curve) => curve.length !== points);
  if (other) {
    throw new ShapeError(
      `Curves are compared at common steps; one has ${points} points and another ${other.length}. Interpolate them first.`,
    );
  }
  for (let p = 0; p < points; p++) checkScores(curves.map((task) => task.map((curve) => curve[p])));
  const buffer = new Float64Array(curves.flat().length);
  return bootstrapIntervals(
    [curves],
    ([resampled]) =>
      Array.from({ length: points }, (_, p) => {
        let i = 0;
        for (const task of resampled) for (const curve of task) buffer[i++] = curve[p];
        return middleHalfMean(buffer);
      }),
    options,
  );
}

function checkOptions(resamples: number, confidence: number): void {
  if (!Number.isSafeInteger(resamples) || resamples < 1)
    throw new ShapeError(`A bootstrap needs a whole number of resamples ≥ 1; got ${resamples}.`);
  if (!(confidence > 0 && confidence < 1))
    throw new ShapeError(`A confidence lies between 0 and 1, for example 0.95; got ${confidence}.`);
}

function checkRuns(group: Runs<unknown>): void {
  const runs = countRuns(group);
  if (runs < LEAST_RUNS) {
    throw new ShapeError(
      `An interval needs at least ${LEAST_RUNS} runs of each task; got ${runs}. Run more seeds: 10 or more are advised, as 3 allow only 10 distinct resamples.`,
    );
  }
}
