/** How differences between methods are told: intervals over units, unit by unit, along a life, and along the horizon. */
import { curveChart, type Chart, type CurveSeries } from '@rollcast/core';
import { CONE, LAMBDAS, errorRatio, type IntervalEstimate, type UnitScores } from '@rollcast/envs';

import type { Evaluation } from '../evaluation.js';
import { counted, formatNumber, type Table } from './table.js';

/** Units in the table of a backtest on the screen; the JSON has all. */
const SHOWN_UNITS = 40;

/** Pairs of methods with their intervals over units. */
export function comparisonTable({ dataset, comparisons }: Evaluation): Table {
  const told = (estimate: IntervalEstimate | null): string | null => estimate && intervalText(estimate);
  return {
    title: `${dataset}: differences, with 95 % intervals (paired bootstrap over ${counted(comparisons[0].units, 'unit')}); ratios below 1 are a gain`,
    columns: [
      { label: 'method', align: 'left' },
      { label: 'against', align: 'left' },
      { label: 'RMSE ratio', align: 'right' },
      { label: 'CRPS ratio', align: 'right' },
      { label: 'cover 80 %, difference', align: 'right' },
    ],
    rows: comparisons.map(({ method, against, rmseRatio, crpsRatio, coverage80Difference }) => [
      method,
      against,
      told(rmseRatio),
      told(crpsRatio),
      told(coverage80Difference),
    ]),
  };
}

/** `0.812 [0.700, 0.930]`, without the interval where there is none. */
export function intervalText({ value, low, high }: IntervalEstimate): string {
  const [v, l, h] = [value, low, high].map((end) => end !== null && formatNumber(end, 3).replace('-', '−'));
  return l === false || h === false ? `${v}` : `${v} [${l}, ${h}]`;
}

/** A rolling backtest unit by unit: the worst against the best line first. */
export function unitTables({ dataset, backtest, byUnit, bestNaive }: Evaluation): Table[] {
  if (!backtest) return [];
  const of = (name: string): readonly UnitScores[] => byUnit.find((scores) => scores.name === name)!.units;
  const rmse = ({ squared, steps }: UnitScores): number => Math.sqrt(squared / steps);
  const judged = byUnit.some(({ name }) => name === 'policy-calibrated')
    ? 'policy-calibrated'
    : 'policy-mean';
  const lines = of(bestNaive);
  const rows = of(judged).map((scores, u) => ({
    scores,
    line: lines[u],
    ratio: errorRatio(rmse(scores), rmse(lines[u])),
  }));
  rows.sort((a, b) => (a.ratio === b.ratio ? 0 : b.ratio - a.ratio)); // ∞ − ∞ is no order
  const left = Math.max(0, rows.length - SHOWN_UNITS);
  return [
    {
      title: `${dataset}: ${judged}, forecast every ${backtest.every} points, unit by unit${left > 0 ? ` (the ${SHOWN_UNITS} worst of ${rows.length})` : ''}`,
      columns: [
        { label: 'unit', align: 'left' },
        { label: 'forecasts' },
        { label: 'RMSE' },
        { label: `/ ${bestNaive}`, digits: 3 },
        { label: 'CRPS' },
        { label: `/ error of ${bestNaive}`, digits: 3 },
        { label: 'cover 80 %', digits: 3 },
      ],
      rows: rows
        .slice(0, SHOWN_UNITS)
        .map(({ scores, line, ratio }) => [
          scores.unit,
          scores.windows,
          rmse(scores),
          ratio,
          scores.crps / scores.steps,
          errorRatio(scores.crps, line.crps),
          scores.covered === null ? null : scores.covered / scores.steps,
        ]),
    },
  ];
}

/** Accuracy along a life, where a threshold was given and some life ends within the horizon. */
export function alphaLambdaTables({ dataset, life }: Evaluation): Table[] {
  if (!life || life.methods.length === 0) return [];
  if (life.methods[0].alphaLambda.every(({ units }) => units === 0)) return [];
  const percent = 100 * CONE;
  return [
    {
      title: `${dataset}: share of units whose forecast life lies within ± ${percent} % of the true one, λ of the way to its end, and share of the paths that do`,
      columns: [
        { label: 'method', align: 'left' },
        ...LAMBDAS.flatMap((lambda, i) => [
          {
            label: `λ = ${lambda} (${counted(life.methods[0].alphaLambda[i].units, 'unit')})`,
            digits: 3,
            align: 'right' as const,
          },
          { label: 'paths', digits: 3, align: 'right' as const },
        ]),
      ],
      rows: life.methods.map(({ name, alphaLambda }) => [
        name,
        ...alphaLambda.flatMap(({ within, mass }) => [within, mass]),
      ]),
    },
  ];
}

/** The last step from the model's own forecasts against the same step from the true past. */
export function exposureSentence({ exposure: { policy } }: Evaluation): string {
  const { teacherForced, freeRunning, crossEntropy } = policy;
  const last = teacherForced.length - 1;
  const number = (value: number): string => formatNumber(value, 3);
  const times = teacherForced[last] > 0 ? ` (${number(freeRunning[last] / teacherForced[last])} ×)` : '';
  return `Exposure: at step ${last + 1} the RMSE is ${number(teacherForced[last])} from the true past and ${number(freeRunning[last])} from own forecasts${times}; cross-entropy from the true past ${number(crossEntropy[0])} → ${number(crossEntropy[last])} nats from step 1 to ${last + 1}.`;
}

/** Error by step from own forecasts and from the true past, and the cross-entropy from the true past. */
export function exposureChart({ exposure, comparisons }: Evaluation, unit: string): Chart {
  const tuned = comparisons.some(({ against }) => against === 'reference-mean');
  const models = tuned ? (['reference', 'policy'] as const) : (['policy'] as const);
  const curve = (name: string, values: readonly number[], dashed = false): CurveSeries => ({
    name,
    dashed,
    points: values.map((value, t) => [t + 1, value] as const),
  });
  return curveChart({
    title: 'Error by step, from own forecasts and from the true past',
    xLabel: 'steps after the last observed point',
    panels: [
      {
        yLabel: `RMSE, ${unit}`,
        series: models.flatMap((name) => [
          curve(`${name}, own forecasts`, exposure[name].freeRunning),
          curve(`${name}, true past`, exposure[name].teacherForced, true),
        ]),
      },
      {
        yLabel: 'cross-entropy, nats',
        series: models.map((name) => curve(`${name}, true past`, exposure[name].crossEntropy, true)),
      },
    ],
  });
}
