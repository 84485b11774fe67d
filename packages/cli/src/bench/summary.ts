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
  type BootstrapOptions,
  type RandomStream,
} from '@rollcast/core';
import { mean, std } from 'mathjs/number';

import { commonSteps, sampleCurve } from './curves.js';
import { notesOn } from './notes.js';
import { normalisationOf, normalise, type Normalisation } from './reference-scores.js';
import { isFinished, isSkipped, type BenchRun, type FinishedRun } from './result.js';

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
  /** Whether the algorithm cannot act on the environment, so that nothing was run. */
  readonly skipped: boolean;
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
  /** Mean return at each of the environment's curve steps; empty when no run finished. */
  readonly curve: readonly Estimate[];
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

/** The probability that a run of `algorithm` beats one of `other`, over the environments that both can act on. */
export interface Improvement extends Estimate {
  readonly algorithm: string;
  readonly other: string;
  readonly environments: number;
}

export interface BenchSummary {
  readonly tasks: readonly TaskSummary[];
  readonly normalisations: readonly Normalisation[];
  /** Those that act on all environments and have a seed that finished on every one. */
  readonly algorithms: readonly AlgorithmSummary[];
  readonly improvements: readonly Improvement[];
  /** Scores at which the profiles are evaluated. */
  readonly thresholds: readonly number[];
  /** Steps at which the curves over all environments are evaluated. */
  readonly curveSteps: readonly number[];
  /** Steps at which the curves of each environment are evaluated, by its name. */
  readonly taskSteps: ReadonlyMap<string, readonly number[]>;
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
const PROFILE_POINTS = 101;

/**
 * Statistics of the runs, with algorithms and environments in the order in which they come first.
 *
 * Over several environments, an algorithm is judged by the seeds that finished on all of them, and two algorithms are
 * compared on the environments that both can act on. Each algorithm has random streams of its own, so that its numbers do not
 * depend on what it is compared with.
 */
export function summarise(runs: readonly BenchRun[], options: SummaryOptions): BenchSummary {
  const algorithms = [...new Set(runs.map(({ algorithm }) => algorithm))];
  const environments = [...new Set(runs.map(({ environment }) => environment))];
  const finished = runs.filter(isFinished);
  const normalisations = environments.map((environment) =>
    normalisationOf(environment, finished, !options.changedEnvironments),
  );
  const actsOn = new Map(
    algorithms.map((algorithm) => {
      const skipped = runs.filter((run) => run.algorithm === algorithm && isSkipped(run));
      return [algorithm, environments.filter((name) => skipped.every((run) => run.environment !== name))];
    }),
  );
  const tableOn = (algorithm: string, names: readonly string[]): RunTable =>
    tableOf(
      algorithm,
      normalisations.filter(({ environment }) => names.includes(environment)),
      finished,
    );
  const tables = algorithms
    .filter((algorithm) => actsOn.get(algorithm)!.length === environments.length)
    .map((algorithm) => tableOn(algorithm, environments))
    .filter(({ seeds }) => seeds.length > 0);
  const thresholds = profileThresholds(tables.flatMap(({ scores }) => scores.flat()));
  const curveSteps = commonSteps(tables.flatMap(({ runs: table }) => table.flat()));
  const taskSteps = new Map(
    environments.map((name) => [
      name,
      commonSteps(finished.filter(({ environment }) => environment === name)),
    ]),
  );
  const pairs = algorithms.flatMap((x, i) => algorithms.slice(i + 1).map((y) => [x, y] as const));
  return {
    tasks: normalisations.flatMap((normalisation) =>
      algorithms.map((algorithm) =>
        taskSummary(
          algorithm,
          runs.filter((run) => run.environment === normalisation.environment && run.algorithm === algorithm),
          normalisation,
          taskSteps.get(normalisation.environment)!,
          options,
        ),
      ),
    ),
    normalisations,
    algorithms: tables.map((table) => algorithmSummary(table, thresholds, curveSteps, options)),
    improvements: pairs.flatMap(([x, y]) => {
      const both = actsOn.get(x)!.filter((name) => actsOn.get(y)!.includes(name));
      if (both.length === 0) return [];
      return improvement(tableOn(x, both), tableOn(y, both), options) ?? [];
    }),
    thresholds,
    curveSteps,
    taskSteps,
    notes: notesOn(runs, normalisations, tables),
  };
}

/** [M environments][N seeds] of one algorithm: what the statistics over tasks are made from. */
interface RunTable {
  readonly algorithm: string;
  readonly seeds: readonly number[];
  readonly normalisations: readonly Normalisation[];
  readonly runs: readonly (readonly FinishedRun[])[];
  readonly scores: readonly (readonly number[])[];
}

function tableOf(
  algorithm: string,
  normalisations: readonly Normalisation[],
  finished: readonly FinishedRun[],
): RunTable {
  const ours = finished.filter((run) => run.algorithm === algorithm);
  const bySeed = normalisations.map(
    ({ environment }) =>
      new Map(ours.filter((run) => run.environment === environment).map((run) => [run.seed, run])),
  );
  const seeds = [...bySeed[0].keys()].filter((seed) => bySeed.every((task) => task.has(seed)));
  const runs = bySeed.map((task) => seeds.map((seed) => task.get(seed)!));
  const scores = runs.map((task, m) => task.map((run) => normalise(run.finalReturn, normalisations[m])));
  return { algorithm, seeds, normalisations, runs, scores };
}

/** @param runs - of this algorithm on this environment */
function taskSummary(
  algorithm: string,
  runs: readonly BenchRun[],
  normalisation: Normalisation,
  steps: readonly number[],
  { random, resamples }: SummaryOptions,
): TaskSummary {
  const { environment } = normalisation;
  const finished = runs.filter(isFinished);
  const skipped = runs.some(isSkipped);
  const failed = skipped ? 0 : runs.length - finished.length;
  const common = { environment, algorithm, finished: finished.length, failed, skipped };
  const nothing = { mean: null, deviation: null, least: null, most: null };
  if (finished.length === 0)
    return { ...common, ...nothing, score: null, stepsPerSecond: null, seconds: null, curve: [] };
  const returns = finished.map((run) => run.finalReturn);
  const draws = (name: string) => ({ random: random.fork(`${name}/${environment}/${algorithm}`), resamples });
  const curves = finished.map((run) => sampleCurve(run.curve, steps));
  return {
    ...common,
    mean: meanEstimates(
      returns.map((value) => [value]),
      draws('task'),
    )[0],
    deviation: returns.length < 2 ? null : Number(std(returns)),
    least: Math.min(...returns),
    most: Math.max(...returns),
    score: normalise(mean(returns), normalisation),
    stepsPerSecond: mean(finished.map((run) => run.stepsPerSecond)),
    seconds: mean(finished.map((run) => run.seconds)),
    curve: steps.length === 0 ? [] : meanEstimates(curves, draws('curve')),
  };
}

/** Means over runs, [N][P] → [P], with intervals where there are enough runs. */
function meanEstimates(runs: readonly (readonly number[])[], draws: BootstrapOptions): Estimate[] {
  const means = (drawn: readonly (readonly number[])[]): number[] =>
    drawn[0].map((_, p) => drawn.reduce((sum, run) => sum + run[p], 0) / drawn.length);
  return runs.length < LEAST_RUNS
    ? means(runs).map(withoutInterval)
    : bootstrapIntervals([[runs]], ([[drawn]]) => means(drawn), draws);
}

function algorithmSummary(
  { algorithm, seeds, normalisations, runs, scores }: RunTable,
  thresholds: readonly number[],
  curveSteps: readonly number[],
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

/** Undefined when one of the two has no seed that finished on all of the environments. */
function improvement(
  x: RunTable,
  y: RunTable,
  { random, resamples }: SummaryOptions,
): Improvement | undefined {
  const names = { algorithm: x.algorithm, other: y.algorithm, environments: x.scores.length };
  const seeds = Math.min(x.seeds.length, y.seeds.length);
  if (seeds === 0) return undefined;
  if (seeds < LEAST_RUNS)
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
