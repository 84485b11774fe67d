import { join } from 'node:path';

import { curveChart, writeChart, writeFileAtomically, type RunDirectory } from '@rollcast/core';

import type { TrainingCollector } from './training.js';

/** Points of the learning curve in `result.json`. */
const CURVE_POINTS = 100;

/**
 * Writes `result.json`: steps (actions of a step environment, generated tokens of a sequence environment), mean return of the
 * last 100 episodes (a generated sequence is one), steps a second, and the learning curve.
 *
 * @param curveLabel - axis of the picture of that curve, `plots/return`; none is drawn without it
 */
export async function writeResult(
  run: RunDirectory,
  { stepsDone, recentReturn }: TrainingCollector,
  { stepsPerSecond, curveLabel }: { stepsPerSecond: number; curveLabel?: string },
): Promise<void> {
  const points = run
    .readMetrics()
    .filter((record) => 'episode/returnOfLast100' in record)
    .map((record) => ({ step: record['time/steps'], return: record['episode/returnOfLast100'] }));
  const every = Math.ceil(points.length / CURVE_POINTS);
  const curve = points.filter((_, i) => i % every === 0 || i === points.length - 1);
  const result = {
    steps: stepsDone,
    finalReturn: Number.isFinite(recentReturn) ? recentReturn : null,
    stepsPerSecond,
    curve,
  };
  writeFileAtomically(join(run.path, 'result.json'), `${JSON.stringify(result, null, 2)}\n`);
  if (points.length === 0 || curveLabel === undefined) return;
  const chart = curveChart({
    title: 'Return of the last 100 episodes',
    xLabel: curveLabel,
    panels: [
      {
        yLabel: 'return',
        series: [
          { name: 'training', points: points.map(({ step, return: value }) => [step, value] as const) },
        ],
      },
    ],
  });
  await writeChart(run.plotFolder, 'return', chart);
}
