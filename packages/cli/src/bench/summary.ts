/** From the runs of a benchmark to its statistics. */
import {
  aggregateIntervals,
  bootstrapIntervals,
  curveIntervals,
  improvementInterval,
  interquartileMean,
  meanScore,
  medianScore,
  optimalityGap,
  probabilityOfImprovement,
  profileIntervals,
  scoreDistribution,
  type Aggregates,
  type RandomStream,
} from '@rollcast/core';
import { combinations, mean, std } from 'mathjs/number';

import { commonSteps, sampleCurve } from './curves.js';
import { normalisationOf, normalise, type Normalisation } from './reference-scores.js';
import { isFinished, type BenchRun, type FinishedRun } from './result.js';

/** An estimate with its 95 % interval, which fewer than three runs do not have. */
export interface Estimate {
  readonly estimate: number;
  readonly low: number | null;
  readonly high: number | null;
}

/** One algorithm on one environment, in the environment's own returns. */
export interface TaskSummary {
  readonly environment: string;
  readonly algorithm: string;
  readonly finished: number;
  readonly failed: number;
  /** Of the final returns; null when no run finished, as all that follows. */
  readonly mean: Estimate | null;
  /** Standard deviation over runs; null with fewer than two. */
  readonly deviation: number | null;
  readonly least: number | null;
  readonly most: number | null;
  /** Mean score. */
  readonly score: number | null;
  readonly stepsPerSecond: number | null;
  /** Wall time of a run. */
  readonly seconds: number | null;
}

/** One algorithm over all environments, in scores. */
export interface AlgorithmSummary {
  readonly algorithm: string;
  /** The seeds that finished on every environment. */
  readonly seeds: readonly number[];
  readonly aggregates: Readonly<Record<keyof Aggregates, Estimate>>;
  /** Share of runs above each of the thresholds. */
  readonly profile: readonly Estimate[];
  /** Interquartile mean at each of the curve steps. */
  readonly curve: readonly Estimate[];
}

/** The probability that a run of `algorithm` beats one of `other`. */
export interface Improvement extends Estimate {
  readonly algorithm: string;
  readonly other: string;
}

export interface BenchSummary {
  readonly tasks: readonly TaskSummary[];
  readonly normalisations: readonly Normalisation[];
  /** Those with at least one seed that finished on every environment. */
  readonly algorithms: readonly AlgorithmSummary[];
  readonly improvements: readonly Improvement[];
  /** Scores at which the profiles are evaluated. */
  readonly thresholds: readonly number[];
  /** Environment steps at which the curves are evaluated. */
  readonly curveSteps: readonly number[];
  /** What a reader must know to judge the numbers. */
  readonly notes: readonly string[];
}

export interface SummaryOptions {
  /** Draws of the bootstrap. */
  random: RandomStream;
  /** @defaultValue as in @rollcast/core: 50 000 for aggregates, 2 000 otherwise */
  resamples?: number;
  /** Options of environments were changed, so that known returns do not hold. @defaultValue false */
  changedEnvironments?: boolean;
}

/** Fewer runs a task have no interval. */
const LEAST_RUNS = 3;
/** Fewer seeds get a note. */
const ADVISED_SEEDS = 10;
const PROFILE_POINTS = 101;

/**
 * Statistics of the runs, with algorithms and environments in the order in which they come first.
 *
 * Over several environments, an algorithm is judged by the seeds that finished on all of them. Each algorithm has random
 * streams of its own, so that its numbers do not depend on what it is compared with.
 */
export function summarise(runs: readonly BenchRun[], options: SummaryOptions): BenchSummary {
  const algorithms = [...new Set(runs.map(({ algorithm }) => algorithm))];
  const environments = [...new Set(runs.map(({ environment }) => environment))];
  const finished = runs.filter(isFinished);
  const normalisations = environments.map((environment) =>
    normalisationOf(environment, finished, !options.changedEnvironments),
  );
  const tables = algorithms
    .map((algorithm) => tableOf(algorithm, environments, finished, normalisations))
    .filter(({ seeds }) => seeds.length > 0);
  const all = tables.flatMap(({ scores }) => scores.flat());
  const thresholds = profileThresholds(all);
  const curveSteps = commonSteps(tables.flatMap(({ runs: table }) => table.flat()));
  return {
    tasks: environments.flatMap((environment, m) =>
      algorithms.map((algorithm) => {
        const ofTask = runs.filter((run) => run.environment === environment && run.algorithm === algorithm);
        return taskSummary(environment, algorithm, ofTask, normalisations[m], options);
      }),
    ),
    normalisations,
    algorithms: tables.map((table) =>
      algorithmSummary(table, thresholds, curveSteps, normalisations, options),
    ),
    improvements: tables.flatMap((x, i) => tables.slice(i + 1).map((y) => improvement(x, y, options))),
    thresholds,
    curveSteps,
    notes: notesOn(runs, normalisations, tables, algorithms),
  };
}

/** [M environments][N seeds] of one algorithm: what the statistics over tasks are made from. */
interface RunTable {
  readonly algorithm: string;
  readonly seeds: readonly number[];
  readonly runs: readonly (readonly FinishedRun[])[];
  readonly scores: readonly (readonly number[])[];
}

function tableOf(
  algorithm: string,
  environments: readonly string[],
  finished: readonly FinishedRun[],
  normalisations: readonly Normalisation[],
): RunTable {
  const ours = finished.filter((run) => run.algorithm === algorithm);
  const bySeed = environments.map(
    (environment) =>
      new Map(ours.filter((run) => run.environment === environment).map((run) => [run.seed, run])),
  );
  const seeds = [...bySeed[0].keys()].filter((seed) => bySeed.every((task) => task.has(seed)));
  const runs = bySeed.map((task) => seeds.map((seed) => task.get(seed)!));
  const scores = runs.map((task, m) => task.map((run) => normalise(run.finalReturn, normalisations[m])));
  return { algorithm, seeds, runs, scores };
}

function taskSummary(
  environment: string,
  algorithm: string,
  runs: readonly BenchRun[],
  normalisation: Normalisation,
  { random, resamples }: SummaryOptions,
): TaskSummary {
  const finished = runs.filter(isFinished);
  const counts = { environment, algorithm, finished: finished.length, failed: runs.length - finished.length };
  const nothing = { mean: null, deviation: null, least: null, most: null };
  if (finished.length === 0)
    return { ...counts, ...nothing, score: null, stepsPerSecond: null, seconds: null };
  const returns = finished.map((run) => run.finalReturn);
  const meanReturn = mean(returns);
  return {
    ...counts,
    mean:
      returns.length < LEAST_RUNS
        ? withoutInterval(meanReturn)
        : bootstrapIntervals([[returns]], ([[drawn]]) => [mean([...drawn])], {
            random: random.fork(`task/${environment}/${algorithm}`),
            resamples,
          })[0],
    deviation: returns.length < 2 ? null : Number(std(returns)),
    least: Math.min(...returns),
    most: Math.max(...returns),
    score: normalise(meanReturn, normalisation),
    stepsPerSecond: mean(finished.map((run) => run.stepsPerSecond)),
    seconds: mean(finished.map((run) => run.seconds)),
  };
}

function algorithmSummary(
  { algorithm, seeds, runs, scores }: RunTable,
  thresholds: readonly number[],
  curveSteps: readonly number[],
  normalisations: readonly Normalisation[],
  { random, resamples }: SummaryOptions,
): AlgorithmSummary {
  const curves = runs.map((task, m) =>
    task.map((run) => sampleCurve(run.curve, curveSteps).map((value) => normalise(value, normalisations[m]))),
  );
  if (seeds.length < LEAST_RUNS) {
    const at = (p: number): number => interquartileMean(curves.map((task) => task.map((curve) => curve[p])));
    return {
      algorithm,
      seeds,
      aggregates: {
        median: withoutInterval(medianScore(scores)),
        interquartileMean: withoutInterval(interquartileMean(scores)),
        mean: withoutInterval(meanScore(scores)),
        optimalityGap: withoutInterval(optimalityGap(scores)),
      },
      profile: scoreDistribution(scores, thresholds).map(withoutInterval),
      curve: curveSteps.map((_, p) => withoutInterval(at(p))),
    };
  }
  const draws = (name: string) => ({ random: random.fork(`${name}/${algorithm}`), resamples });
  return {
    algorithm,
    seeds,
    aggregates: aggregateIntervals(scores, draws('aggregates')),
    profile: profileIntervals(scores, thresholds, draws('profile')),
    curve: curveIntervals(curves, draws('curve')),
  };
}

function improvement(x: RunTable, y: RunTable, { random, resamples }: SummaryOptions): Improvement {
  const names = { algorithm: x.algorithm, other: y.algorithm };
  if (Math.min(x.seeds.length, y.seeds.length) < LEAST_RUNS)
    return { ...names, ...withoutInterval(probabilityOfImprovement(x.scores, y.scores)) };
  const draws = { random: random.fork(`improvement/${x.algorithm}/${y.algorithm}`), resamples };
  return { ...names, ...improvementInterval(x.scores, y.scores, draws) };
}

function withoutInterval(estimate: number): Estimate {
  return { estimate, low: null, high: null };
}

/** Thresholds evenly over [0, 1], and further where scores are, up to [−1, 2]. */
function profileThresholds(scores: readonly number[]): number[] {
  const low = Math.max(-1, Math.min(0, Math.floor(10 * Math.min(...scores, 0)) / 10));
  const high = Math.min(2, Math.max(1, Math.ceil(10 * Math.max(...scores, 1)) / 10));
  const step = (high - low) / (PROFILE_POINTS - 1);
  return Array.from({ length: PROFILE_POINTS }, (_, i) => low + i * step);
}

function notesOn(
  runs: readonly BenchRun[],
  normalisations: readonly Normalisation[],
  tables: readonly RunTable[],
  algorithms: readonly string[],
): string[] {
  const notes: string[] = [];
  const seeds = new Set(runs.map(({ seed }) => seed)).size;
  if (seeds > 0 && seeds < ADVISED_SEEDS) {
    const resamples = combinations(2 * seeds - 1, seeds);
    notes.push(
      seeds < LEAST_RUNS
        ? `${seeds === 1 ? 'One seed has' : 'Two seeds have'} no interval: nothing here says how sure the numbers are. Use ${ADVISED_SEEDS} seeds or more.`
        : `${seeds} seeds allow only ${resamples} distinct resamples a task, so the intervals are coarse and too narrow. Use ${ADVISED_SEEDS} seeds or more.`,
    );
  }
  for (const { environment, observed, random, solved } of normalisations) {
    if (observed)
      notes.push(
        `No reference returns are known for ${environment}: its scores run from the lowest (${round(random)}) to the highest (${round(solved)}) final return seen here, and cannot be compared with other reports.`,
      );
  }
  for (const algorithm of algorithms) {
    const failed = runs.filter((run) => run.algorithm === algorithm && !isFinished(run));
    if (failed.length === 0) continue;
    const left = tables.find((table) => table.algorithm === algorithm)?.seeds.length ?? 0;
    notes.push(
      left === 0
        ? `${algorithm}: no seed finished on every environment, so there are no statistics over environments.`
        : `${algorithm}: ${failed.length} failed ${failed.length === 1 ? 'run' : 'runs'}; statistics over environments use the ${left} of ${seeds} seeds that finished everywhere, which flatters it.`,
    );
  }
  return notes;
}

function round(value: number): string {
  return String(Number(value.toPrecision(4)));
}
