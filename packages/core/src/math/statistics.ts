/**
 * What several runs on several tasks say about an algorithm: the point estimates of Agarwal et al. 2021, "Deep
 * reinforcement learning at the edge of the statistical precipice" (NeurIPS, arXiv:2108.13264). Their package rliable is
 * the reference that the tests compare with. Intervals around these numbers come from `bootstrap.ts`.
 *
 * Scores are normalised: 0 is a policy that chooses at random, 1 a task that is solved.
 */
import { NumericalError, ShapeError } from '../errors.js';
import { mathjs } from '../mathjs.js';

/** [M tasks][N runs], one score a run; the transpose of rliable's matrix, as every statistic treats tasks apart. */
export type TaskScores = readonly (readonly number[])[];

/** The share that the interquartile mean leaves out at each end. */
const TRIMMED_SHARE = 0.25;

/** The four aggregates of Agarwal et al. 2021, section 4.3. */
export interface Aggregates {
  /** Median of the task means. */
  readonly median: number;
  /** Mean of the middle half of all runs. */
  readonly interquartileMean: number;
  /** Mean of the task means. */
  readonly mean: number;
  /** How far the runs fall short of γ = 1 on average; lower is better. */
  readonly optimalityGap: number;
}

/**
 * Checks that every task has the same number of runs.
 *
 * @param runs - [M tasks][N runs] of anything
 * @returns N
 * @throws {ShapeError} without tasks or runs, or when the numbers differ
 */
export function countRuns(runs: readonly (readonly unknown[])[]): number {
  const count = runs[0]?.length ?? 0;
  if (count === 0) throw new ShapeError('Statistics need at least one task with one run; got none.');
  const unequal = runs.findIndex((task) => task.length !== count);
  if (unequal !== -1) {
    throw new ShapeError(
      `Every task needs the same number of runs; task 1 has ${count}, task ${unequal + 1} has ${runs[unequal].length}. Run the missing ones, or leave out what is not there for all tasks.`,
    );
  }
  return count;
}

/**
 * Checks that scores are a full table of finite numbers.
 *
 * @throws {ShapeError} as `countRuns`
 * @throws {NumericalError} naming the first score that is not finite
 */
export function checkScores(scores: TaskScores): void {
  countRuns(scores);
  scores.forEach((task, m) => {
    const broken = task.findIndex((score) => !Number.isFinite(score));
    if (broken !== -1) {
      throw new NumericalError(
        `Scores must be finite numbers; run ${broken + 1} of task ${m + 1} is ${task[broken]}. Leave a failed run out of all tasks.`,
      );
    }
  });
}

/** Mean of the task means; with equally many runs a task, the mean of all scores. */
export function meanScore(scores: TaskScores): number {
  checkScores(scores);
  const { mean } = mathjs();
  return mean(scores.map((task) => mean([...task])));
}

/** Median of the task means: half of the tasks may be arbitrarily bad without changing it. */
export function medianScore(scores: TaskScores): number {
  checkScores(scores);
  const { mean, median } = mathjs();
  return median(scores.map((task) => mean([...task])));
}

/**
 * Interquartile mean: the mean of what is left when the lowest and the highest ⌊n/4⌋ of all n = N · M scores are gone,
 * tasks and runs in one pool (`scipy.stats.trim_mean` with a quarter). Less sensitive to outliers than the mean, less
 * wasteful than the median.
 */
export function interquartileMean(scores: TaskScores): number {
  checkScores(scores);
  return middleHalfMean(pooled(scores));
}

/**
 * Optimality gap: γ − mean(min(score, γ)), the mean over all scores; doing better than γ on one task makes up for nothing
 * on another.
 *
 * @param gamma - γ, the score above which more is not wanted
 */
export function optimalityGap(scores: TaskScores, gamma = 1): number {
  checkScores(scores);
  return gapBelow(pooled(scores), gamma);
}

/** All four at once, for the bootstrap, which asks fifty thousand times and has checked the scores before. */
export function aggregates(scores: TaskScores): Aggregates {
  const taskMeans = scores.map(average);
  const all = pooled(scores);
  return {
    median: middle(taskMeans),
    interquartileMean: middleHalfMean(all),
    mean: average(taskMeans),
    optimalityGap: gapBelow(all, 1),
  };
}

/**
 * Score distribution (a performance profile with less noise than one of task means, Agarwal et al. 2021, eq. 1):
 *
 *   F(τ) = share of all N · M runs with score > τ
 *
 * @param thresholds - τ, in any order
 * @returns F at every threshold
 */
export function scoreDistribution(scores: TaskScores, thresholds: readonly number[]): number[] {
  checkScores(scores);
  return sharesAbove(scores, thresholds);
}

/** `scoreDistribution` without the check. */
export function sharesAbove(scores: TaskScores, thresholds: readonly number[]): number[] {
  const all = pooled(scores);
  return thresholds.map(
    (threshold) => all.reduce((n, score) => n + (score > threshold ? 1 : 0), 0) / all.length,
  );
}

/**
 * Probability that a run of X beats a run of Y on a task drawn at random (Agarwal et al. 2021, section 4.3):
 *
 *   P(X > Y) = 1/M Σ_m U_m / (N_X · N_Y),   U_m = Σ_i Σ_j [x_mi > y_mj] + ½ [x_mi = y_mj]   (Mann and Whitney 1947)
 *
 * @param x - [M tasks][N_X runs]
 * @param y - [M tasks][N_Y runs], the same tasks in the same order
 * @throws {ShapeError} when the two have unequal numbers of tasks
 */
export function probabilityOfImprovement(x: TaskScores, y: TaskScores): number {
  checkScores(x);
  checkScores(y);
  if (x.length !== y.length) {
    throw new ShapeError(
      `Two algorithms are compared on the same tasks; got ${x.length} tasks and ${y.length}. Leave out those that only one has run.`,
    );
  }
  return shareOfWins(x, y);
}

/** `probabilityOfImprovement` without the check. */
export function shareOfWins(x: TaskScores, y: TaskScores): number {
  let sum = 0;
  x.forEach((ours, m) => {
    const theirs = y[m];
    let wins = 0;
    for (const a of ours) for (const b of theirs) wins += a > b ? 1 : a === b ? 0.5 : 0;
    sum += wins / (ours.length * theirs.length);
  });
  return sum / x.length;
}

/** The mean of the middle half of numbers in any order. */
export function middleHalfMean(values: ArrayLike<number>): number {
  const sorted = Float64Array.from(values).sort();
  const cut = Math.floor(TRIMMED_SHARE * sorted.length);
  return average(sorted.subarray(cut, sorted.length - cut));
}

function pooled(scores: TaskScores): Float64Array {
  const runs = scores[0].length;
  const all = new Float64Array(scores.length * runs);
  scores.forEach((task, m) => all.set(task, m * runs));
  return all;
}

// mathjs takes microseconds for what these do in nanoseconds, which the bootstrap notices
function average(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum / values.length;
}

function middle(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

function gapBelow(all: Float64Array, gamma: number): number {
  return gamma - average(all.map((score) => Math.min(score, gamma)));
}
