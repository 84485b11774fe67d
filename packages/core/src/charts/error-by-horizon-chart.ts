import type { Chart } from './chart.js';
import { curveChart } from './curve-chart.js';

/** The error of several methods at each step of the forecast. */
export interface ErrorByHorizonOptions {
  title: string;
  /** With unit, for example `RMSE [Ah]`. */
  yLabel: string;
  methods: readonly {
    name: string;
    /** The error at steps 1 … L. */
    errors: readonly number[];
    /** Set apart, as for baselines. */
    dashed?: boolean;
  }[];
}

/** How the error of several methods grows with the distance from the last observed point. */
export function errorByHorizonChart({ title, yLabel, methods }: ErrorByHorizonOptions): Chart {
  const series = methods.map(({ name, errors, dashed }) => ({
    name,
    dashed,
    points: errors.map((error, i): [number, number] => [i + 1, error]),
  }));
  return curveChart({
    title,
    xLabel: 'steps after the last observed point',
    panels: [{ yLabel, series }],
    panelHeight: 320,
  });
}
