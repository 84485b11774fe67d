/** The tables of a benchmark. */
import { formatDuration } from '../progress.js';
import { formatNumber, type Table } from '../report/table.js';
import { isFailed, type BenchRun } from './result.js';
import type { BenchSummary, Estimate } from './summary.js';

/** Parts of the run at which the Markdown shows the curves. */
const CURVE_PARTS = [0.1, 0.25, 0.5, 0.75, 1];
const PROFILE_SCORES = [0, 0.25, 0.5, 0.75, 0.9];

/** `0.53 [0.42, 0.64]`, or the estimate alone. */
function formatEstimate({ estimate, low, high }: Estimate, text: (value: number) => string): string {
  return low === null || high === null ? text(estimate) : `${text(estimate)} [${text(low)}, ${text(high)}]`;
}

/** Scores and shares, with equally many decimals so that a column can be read downwards. */
function formatScore(estimate: Estimate): string {
  return formatEstimate(estimate, (value) => value.toFixed(3).replace(/^-(?=0\.000$)/, ''));
}

/** One row an environment and algorithm, in the environment's own returns. */
export function taskTable({ tasks }: BenchSummary): Table {
  return {
    title: 'Final return by environment',
    columns: [
      { label: 'environment', align: 'left' },
      { label: 'algorithm', align: 'left' },
      { label: 'runs', align: 'right' },
      { label: 'failed' },
      { label: 'mean [95 %]', align: 'right' },
      { label: 'std' },
      { label: 'lowest' },
      { label: 'highest' },
      { label: 'score', digits: 3 },
      { label: 'steps/s', digits: 3 },
      { label: 'wall time a run', align: 'right' },
    ],
    rows: tasks.map((task) => [
      task.environment,
      task.algorithm,
      task.skipped ? 'skipped' : task.finished,
      task.skipped ? null : task.failed,
      task.mean && formatEstimate(task.mean, formatNumber),
      task.deviation,
      task.least,
      task.most,
      task.score,
      task.stepsPerSecond,
      task.seconds === null ? null : formatDuration(task.seconds),
    ]),
  };
}

/** One row an algorithm: what it scores over all environments. */
export function aggregateTable({ algorithms }: BenchSummary): Table {
  return {
    title: 'Scores over all environments',
    columns: [
      { label: 'algorithm', align: 'left' },
      { label: 'seeds' },
      ...['IQM', 'median', 'mean', 'optimality gap'].map((label) => ({
        label: `${label} [95 %]`,
        align: 'right' as const,
      })),
    ],
    rows: algorithms.map(
      ({ algorithm, seeds, aggregates: { interquartileMean, median, mean, optimalityGap } }) => [
        algorithm,
        seeds.length,
        ...[interquartileMean, median, mean, optimalityGap].map((estimate) => formatScore(estimate)),
      ],
    ),
  };
}

function improvementTable({ improvements }: BenchSummary): Table {
  return {
    title: 'Probability of improvement',
    columns: [
      { label: 'algorithm X' },
      { label: 'algorithm Y' },
      { label: 'environments' },
      { label: 'P(X > Y) [95 %]', align: 'right' },
      { label: 'reading' },
    ],
    rows: improvements.map((one) => [
      one.algorithm,
      one.other,
      one.environments,
      formatScore(one),
      reading(one),
    ]),
  };
}

/** What an interval around ½ allows to say. */
function reading({ algorithm, other, low, high }: BenchSummary['improvements'][number]): string {
  if (low === null || high === null) return 'too few seeds to say';
  if (low > 0.5) return `${algorithm} is better`;
  if (high < 0.5) return `${other} is better`;
  return 'not distinguishable';
}

/** Values of a curve or profile at a few places, one column a place. */
function placesTable(
  title: string,
  labels: readonly string[],
  places: readonly number[],
  rows: readonly (readonly [algorithm: string, estimates: readonly Estimate[]])[],
): Table {
  return {
    title,
    columns: [
      { label: 'algorithm', align: 'left' },
      ...labels.map((label) => ({ label, align: 'right' as const })),
    ],
    rows: rows.map(([algorithm, estimates]) => [
      algorithm,
      ...places.map((place) => formatScore(estimates[place])),
    ]),
  };
}

function profileTable({ algorithms, thresholds }: BenchSummary): Table {
  const nearest = (score: number): number =>
    thresholds.reduce(
      (best, t, i) => (Math.abs(t - score) < Math.abs(thresholds[best] - score) ? i : best),
      0,
    );
  return placesTable(
    'Performance profile: share of runs with a score above τ',
    PROFILE_SCORES.map((score) => `τ = ${formatNumber(thresholds[nearest(score)], 2)}`),
    PROFILE_SCORES.map(nearest),
    algorithms.map(({ algorithm, profile }) => [algorithm, profile]),
  );
}

function curveTable({ algorithms, curveSteps }: BenchSummary): Table {
  const places = CURVE_PARTS.map((part) => Math.max(0, Math.round(part * curveSteps.length) - 1));
  return placesTable(
    'Sample efficiency: IQM of the score after so many steps',
    places.map((place) => `${Math.round(curveSteps[place])} steps`),
    places,
    algorithms.map(({ algorithm, curve }) => [algorithm, curve]),
  );
}

function normalisationTable({ normalisations }: BenchSummary): Table {
  return {
    title: 'What a score of 0 and of 1 means',
    columns: [
      { label: 'environment', align: 'left' },
      { label: 'return of score 0' },
      { label: 'return of score 1' },
      { label: 'source' },
    ],
    rows: normalisations.map(({ environment, random, solved, source }) => [
      environment,
      random,
      solved,
      source,
    ]),
  };
}

/** The runs that failed, with the reason. */
export function failureTable(runs: readonly BenchRun[]): Table {
  return {
    title: 'Failed runs',
    columns: [
      { label: 'environment', align: 'left' },
      { label: 'algorithm', align: 'left' },
      { label: 'seed' },
      { label: 'steps' },
      { label: 'status' },
    ],
    rows: runs
      .filter(isFailed)
      .map(({ environment, algorithm, seed, steps, status }) => [
        environment,
        algorithm,
        seed,
        steps,
        status,
      ]),
  };
}

/** The tables that make sense for these runs, in order of what matters; `withPlaces` also those that stand for pictures. */
export function benchTables(runs: readonly BenchRun[], summary: BenchSummary, withPlaces: boolean): Table[] {
  const hasScores = summary.algorithms.length > 0;
  return [
    ...(hasScores ? [aggregateTable(summary)] : []),
    taskTable(summary),
    ...(summary.improvements.length > 0 ? [improvementTable(summary)] : []),
    ...(withPlaces && hasScores ? [profileTable(summary)] : []),
    ...(withPlaces && summary.curveSteps.length > 0 ? [curveTable(summary)] : []),
    normalisationTable(summary),
    ...(runs.some(isFailed) ? [failureTable(runs)] : []),
  ];
}
