/** The pictures of a benchmark. */
import { PALETTE, curveChart, intervalChart, renderSvg, type Chart, type CurveSeries } from '@rollcast/core';

import type { ReportChart } from '../report/html.js';
import type { BenchSummary, Estimate } from './summary.js';

/** Of no algorithm. */
const PAIR_COLOUR = '#555555';

/** A picture and what the page says about it. */
interface BenchChart {
  /** Of a file. */
  readonly name: string;
  readonly title: string;
  readonly caption: string;
  readonly chart: Chart;
}

/** The pictures that make sense for these numbers. */
export function benchCharts(summary: BenchSummary): BenchChart[] {
  const { algorithms, improvements, thresholds, curveSteps } = summary;
  const colours = coloursOf(summary);
  const charts: BenchChart[] = algorithms.length > 0 ? [aggregateChart(summary, colours)] : [];
  charts.push(...taskCharts(summary, colours));
  if (curveSteps.length > 0) {
    charts.push({
      name: 'sample-efficiency',
      title: 'Sample efficiency over all environments',
      caption:
        'Interquartile mean of the score of the last 100 training episodes, over seeds and environments, with pointwise 95 % intervals.',
      chart: curveChart({
        title: 'Score while learning',
        xLabel: 'steps',
        panels: [
          {
            yLabel: 'interquartile mean of the score',
            series: algorithms.map(({ algorithm, curve }) =>
              banded(algorithm, curveSteps, curve, colours.get(algorithm)),
            ),
          },
        ],
        panelHeight: 320,
      }),
    });
  }
  if (algorithms.length > 0) {
    charts.push({
      name: 'performance-profile',
      title: 'Performance profile',
      caption:
        'Share of runs, over seeds and environments, that score more than τ, with pointwise 95 % intervals. A curve that lies above another everywhere is better at every standard; curves that cross are better at different ones.',
      chart: curveChart({
        title: 'Share of runs above a score',
        xLabel: 'score τ',
        panels: [
          {
            yLabel: 'share of runs with score > τ',
            series: algorithms.map(({ algorithm, profile }) =>
              banded(algorithm, thresholds, profile, colours.get(algorithm)),
            ),
          },
        ],
        panelHeight: 320,
      }),
    });
  }
  if (improvements.length > 0) {
    charts.push({
      name: 'probability-of-improvement',
      title: 'Which algorithm beats which',
      caption:
        'Probability that a run of the first algorithm beats a run of the second on an environment drawn at random, with 95 % intervals; at ½ the two are equal.',
      chart: intervalChart({
        title: 'Probability of improvement',
        rows: improvements.map(({ algorithm, other }) => `${algorithm} over ${other}`),
        colors: improvements.map(() => PAIR_COLOUR),
        panels: [{ title: '', xLabel: 'P(X > Y)', intervals: improvements, reference: 0.5 }],
      }),
    });
  }
  return charts;
}

/** A picture as SVG, with a name that a file can have. */
export interface DrawnChart extends ReportChart {
  readonly name: string;
  readonly caption: string;
}

/** All pictures as SVG. */
export async function drawBenchCharts(summary: BenchSummary): Promise<DrawnChart[]> {
  const drawn: DrawnChart[] = [];
  for (const { name, title, caption, chart } of benchCharts(summary))
    drawn.push({ name, title, caption, svg: await renderSvg(chart.option, chart) });
  return drawn;
}

/** One colour an algorithm, the same in every picture. */
function coloursOf({ tasks }: BenchSummary): ReadonlyMap<string, string> {
  const names = [...new Set(tasks.map(({ algorithm }) => algorithm))];
  return new Map(names.map((name, i) => [name, PALETTE[i % PALETTE.length]]));
}

/** The returns of every environment while learning, one picture an environment. */
function taskCharts({ tasks, taskSteps }: BenchSummary, colours: ReadonlyMap<string, string>): BenchChart[] {
  return [...taskSteps].flatMap(([environment, steps]) => {
    const drawn = tasks.filter((task) => task.environment === environment && task.curve.length > 0);
    if (drawn.length === 0) return [];
    return {
      name: `learning-${environment.replace(/[^\w-]+/g, '-')}`,
      title: `Learning on ${environment}`,
      caption:
        'Mean over seeds of the return of the last 100 training episodes, with pointwise 95 % intervals.',
      chart: curveChart({
        title: environment,
        xLabel: 'steps',
        panels: [
          {
            yLabel: 'return',
            series: drawn.map(({ algorithm, curve }) =>
              banded(algorithm, steps, curve, colours.get(algorithm)),
            ),
          },
        ],
      }),
    };
  });
}

function aggregateChart({ algorithms }: BenchSummary, colours: ReadonlyMap<string, string>): BenchChart {
  const panel = (heading: string, name: keyof (typeof algorithms)[number]['aggregates']) => ({
    title: heading,
    xLabel: 'score',
    intervals: algorithms.map(({ aggregates }) => aggregates[name]),
  });
  return {
    name: 'aggregates',
    title: 'Aggregates with intervals',
    caption:
      'The interquartile mean (IQM) is the mean of the middle half of all runs. The optimality gap is how far runs fall short of a score of 1 on average; lower is better.',
    chart: intervalChart({
      title: 'Scores over all environments',
      rows: algorithms.map(({ algorithm }) => algorithm),
      colors: algorithms.map(({ algorithm }) => colours.get(algorithm)!),
      panels: [
        panel('IQM', 'interquartileMean'),
        panel('Optimality gap (lower is better)', 'optimalityGap'),
        panel('Median', 'median'),
        panel('Mean', 'mean'),
      ],
    }),
  };
}

function banded(
  name: string,
  x: readonly number[],
  estimates: readonly Estimate[],
  color: string | undefined,
): CurveSeries {
  const hasBand = estimates.every(({ low, high }) => low !== null && high !== null);
  return {
    name,
    color,
    points: estimates.map(({ estimate }, i) => [x[i], estimate] as const),
    ...(hasBand && {
      band: { low: estimates.map(({ low }) => low!), high: estimates.map(({ high }) => high!) },
    }),
  };
}
