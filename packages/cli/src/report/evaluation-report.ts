/** How an evaluation is told: the table, the sentences that say whether fine-tuning helped, the pictures. */
import { errorByHorizonChart, forecastChart, renderSvg, writeChart, type Chart } from '@rollcast/core';
import {
  INTERVALS,
  meanPath,
  orient,
  type BootstrapResult,
  type DegradationWindow,
  type SeriesSet,
} from '@rollcast/envs';

import type { Evaluation, EvaluationWithPaths } from '../evaluation.js';
import {
  alphaLambdaTables,
  comparisonTable,
  exposureChart,
  exposureSentence,
  intervalText,
  unitTables,
} from './comparison-tables.js';
import type { ReportChart } from './html.js';
import { counted, type Table } from './table.js';

/** Sampled paths drawn in a picture. */
const DRAWN_PATHS = 16;
/** Windows drawn in a picture. */
const DRAWN_WINDOWS = 6;

/** All tables of an evaluation. */
export function evaluationTables(evaluation: Evaluation): Table[] {
  return [
    evaluationTable(evaluation),
    comparisonTable(evaluation),
    ...unitTables(evaluation),
    distributionTable(evaluation),
    ...lifeTables(evaluation),
    ...alphaLambdaTables(evaluation),
  ];
}

/** Several sets at a glance: errors as shares of the best line of each, so that they can be compared. */
export function overviewTable(evaluations: readonly Evaluation[]): Table {
  return {
    title: 'All sets: RMSE / best line, and coverage',
    columns: [
      { label: 'set', align: 'left' },
      { label: 'windows' },
      { label: 'units' },
      { label: 'best line' },
      ...['reference', 'policy'].flatMap((who) => [
        { label: `${who} mean`, digits: 3 },
        { label: 'sample', digits: 3 },
        { label: 'cover 80 %', digits: 3 },
      ]),
    ],
    rows: evaluations.map(({ dataset, windows, units, bestNaive, methods }) => {
      const row = (name: string) => methods.find((method) => method.name === name)!;
      return [
        dataset,
        windows,
        units,
        bestNaive,
        ...['reference', 'policy'].flatMap((who) => [
          row(`${who}-mean`).ratioToBestNaive,
          row(`${who}-sample`).ratioToBestNaive,
          row(`${who}-mean`).coverage80,
        ]),
      ];
    }),
  };
}

/** The table of the contract: one row a method, one column a quantity, in the data's own units. */
export function evaluationTable({ dataset, windows, units, methods }: Evaluation): Table {
  const steps = Object.keys(methods[0].rmseAt);
  return {
    title: `${dataset}: ${counted(windows, 'window')} of ${counted(units, 'unit')}`,
    columns: [
      { label: 'method', align: 'left' },
      { label: 'RMSE' },
      { label: '/ best line', digits: 3 },
      { label: 'MAE' },
      { label: 'bias', digits: 3 },
      ...steps.map((step) => ({ label: `RMSE@${step}`, digits: 3 })),
      { label: 'final error', digits: 3 },
      { label: 'wrong way', digits: 3 },
      { label: 'CRPS' },
      { label: 'cover 80 %', digits: 3 },
      { label: 'KL/token', digits: 3 },
    ],
    rows: methods.map((m) => [
      m.name,
      m.rmse,
      m.ratioToBestNaive,
      m.mae,
      m.bias,
      ...steps.map((step) => m.rmseAt[step]),
      m.finalError,
      m.wrongWayShare,
      m.crps,
      m.coverage80,
      m.klPerToken,
    ]),
  };
}

/** The distribution of each method: scaled error, quantile loss, coverage and width of central intervals. */
function distributionTable({ dataset, distribution }: Evaluation): Table {
  return {
    title: `${dataset}: distributions`,
    columns: [
      { label: 'method', align: 'left' },
      { label: 'MASE', digits: 3 },
      { label: 'WQL', digits: 3 },
      ...INTERVALS.flatMap((level) => [
        { label: `cover ${level} %`, digits: 3 },
        { label: `width ${level} %`, digits: 3 },
      ]),
    ],
    rows: distribution.map(({ name, mase, wql, intervals }) => [
      name,
      mase,
      wql,
      ...INTERVALS.flatMap((level) => [
        intervals?.[level].coverage ?? null,
        intervals?.[level].width ?? null,
      ]),
    ]),
  };
}

/** Forecasts of the remaining useful life, where a threshold was given. */
function lifeTables({ dataset, life, windows }: Evaluation): Table[] {
  if (!life || life.methods.length === 0) return [];
  return [
    {
      title: `${dataset}: steps until ${life.threshold}, where it is crossed within the horizon (${windows} windows, ${life.crossedAlready} of which have crossed already)`,
      columns: [
        { label: 'method', align: 'left' },
        { label: 'forecasts' },
        { label: 'RMSE', digits: 3 },
        { label: 'MAE', digits: 3 },
        { label: 'bias', digits: 3 },
        { label: 'PHM08', digits: 3 },
        { label: 'missed' },
        { label: 'false alarms', align: 'right' },
      ],
      rows: life.methods.map((method) => [
        method.name,
        method.windows,
        method.rmse,
        method.mae,
        method.bias,
        method.phm08,
        method.missed,
        `${method.falseAlarms} of ${method.notCrossing}`,
      ]),
    },
  ];
}

/** What the fine-tuning did, in sentences, the bad news included. */
export function verdict(evaluation: Evaluation): string[] {
  const { methods, change, comparisons, bestNaive, life } = evaluation;
  const row = (name: string) => methods.find((method) => method.name === name)!;
  const before = row('reference-mean');
  const after = row('policy-mean');
  const percent = (share: number): string =>
    `${share > 0 ? '+' : share < 0 ? '−' : ''}${Math.abs(100 * share).toFixed(1)} %`;
  const told = (what: string, result: BootstrapResult | null): string => {
    if (!result) return `${what}: the reference is perfect on some unit, so a relative change means nothing.`;
    const { low, high } = result;
    const certainty = high < 0 ? 'a gain' : low > 0 ? 'a loss' : 'not distinguishable from no change';
    return `${what}: mean squared error ${percent(result.change)} [${percent(low)}, ${percent(high)}] from reference to policy (95 %, paired bootstrap over ${counted(result.units, 'unit')}): ${certainty}.`;
  };
  const pair = (a: number, b: number, digits: number): string =>
    `${a.toPrecision(digits)} → ${b.toPrecision(digits)}`;
  return [
    told('One sampled path', change.sample),
    told('Mean of the samples', change.mean),
    `Against the best line (${bestNaive}), the mean of the samples has ${intervalText(comparisons[0].rmseRatio)} × its RMSE (reference ${before.ratioToBestNaive.toFixed(2)} ×).`,
    `Distribution: CRPS ${pair(before.crps, after.crps, 3)}, 80 % coverage ${pair(before.coverage80!, after.coverage80!, 2)}, wrong-way share ${pair(row('reference-sample').wrongWayShare, row('policy-sample').wrongWayShare, 3)}, KL to the reference ${(after.klPerToken ?? 0).toPrecision(2)} nats a token.`,
    exposureSentence(evaluation),
    ...saturationSentence(evaluation),
    ...(life?.methods.length === 0
      ? [`Every window has crossed the threshold ${life.threshold} already: there is no life to forecast.`]
      : []),
    ...(life && life.methods.length > 0 && alphaLambdaTables(evaluation).length === 0
      ? [
          'Alpha-lambda: no unit has forecasts along the last horizon before its crossing; more windows (--backtest --every 2) may show some.',
        ]
      : []),
  ];
}

/** Says so where forecasts run into the ends of what the tokens can express. */
function saturationSentence({ outermostShare: { truth, policy } }: Evaluation): string[] {
  if (policy === 0) return [];
  const share = (of: number): string => `${(100 * of).toPrecision(2)} %`;
  return [
    `${share(policy)} of the points of sampled paths (${truth === 0 ? 'none' : share(truth)} of the truths) lie in the outermost bins, beyond which the tokens cannot go.`,
  ];
}

/** A picture of an evaluation, with what the page says about it. */
interface EvaluationChart {
  readonly name: string;
  readonly title: string;
  readonly caption: string;
  readonly chart: Chart;
}

/**
 * Forecasts of some windows, and the error by horizon.
 *
 * @param name - of the set, where it is one of several
 */
export function evaluationCharts(
  { evaluation, reference, policy }: EvaluationWithPaths,
  windows: readonly DegradationWindow[],
  set: SeriesSet,
  name?: string,
): EvaluationChart[] {
  const file = (what: string): string => (name === undefined ? what : `${what}-${name}`);
  const titled = (title: string): string => (name === undefined ? title : `${title}: ${name}`);
  const raw = (values: ArrayLike<number>): number[] => Array.from(orient(values, set.sign));
  const chosen = Array.from({ length: Math.min(DRAWN_WINDOWS, windows.length) }, (_, i) =>
    Math.floor(((i + 0.5) * windows.length) / Math.min(DRAWN_WINDOWS, windows.length)),
  );
  const errorByStep = (paths: readonly (readonly ArrayLike<number>[])[]): number[] =>
    Array.from({ length: windows[0].future.length }, (_, t) => {
      const squares = paths.map((ofWindow, w) =>
        ofWindow.reduce((sum, path) => sum + (path[t] - windows[w].future[t]) ** 2 / ofWindow.length, 0),
      );
      return Math.sqrt(squares.reduce((a, b) => a + b, 0) / squares.length);
    });
  const means = ({ sampled }: { sampled: Float64Array[][] }): Float64Array[][] =>
    sampled.map((paths) => [meanPath(paths)]);
  return [
    {
      name: file('evaluation-forecasts'),
      title: titled('Forecasts'),
      caption: `Windows spread evenly over those evaluated: sampled paths of the tuned policy, their mean, and the mean of the frozen reference.`,
      chart: forecastChart({
        title: 'Forecasts of windows that were not trained on, and what happened',
        yLabel: set.valueLabel,
        windows: chosen.map((w) => ({
          title: `${windows[w].unit}, from point ${windows[w].start + 1}`,
          context: raw(windows[w].context),
          truth: raw(windows[w].future),
          samples: policy.sampled[w].slice(0, DRAWN_PATHS).map(raw),
          mean: raw(meanPath(policy.sampled[w])),
          reference: raw(meanPath(reference.sampled[w])),
        })),
        names: { reference: 'reference, mean of samples' },
      }),
    },
    {
      name: file('evaluation-error-by-horizon'),
      title: titled('Error by horizon'),
      caption: 'Root mean squared error, step by step.',
      chart: errorByHorizonChart({
        title: 'Error by horizon',
        yLabel: `RMSE, ${set.valueLabel}`,
        methods: [
          { name: 'reference, one sample', errors: errorByStep(reference.sampled) },
          { name: 'policy, one sample', errors: errorByStep(policy.sampled) },
          { name: 'reference, mean of samples', errors: errorByStep(means(reference)) },
          { name: 'policy, mean of samples', errors: errorByStep(means(policy)) },
        ],
      }),
    },
    {
      name: file('evaluation-exposure'),
      title: titled('Exposure bias'),
      caption:
        'Mean of the sampled paths, which go on from forecasts of their own, against the mean of the next value given all true ones before it.',
      chart: exposureChart(evaluation, set.valueLabel),
    },
  ];
}

/** Writes pictures into a folder and returns them for a page. */
export async function drawCharts(folder: string, charts: readonly EvaluationChart[]): Promise<ReportChart[]> {
  const drawn: ReportChart[] = [];
  for (const { name, title, chart, caption } of charts) {
    await writeChart(folder, name, chart);
    drawn.push({ title, caption, svg: await renderSvg(chart.option, chart) });
  }
  return drawn;
}
