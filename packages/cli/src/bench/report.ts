/** How a benchmark is told: tables, pictures, and the sentences that say how far to trust them. */
import { curveChart, intervalChart, renderSvg, type Chart, type CurveSeries } from '@rollcast/core';

import { renderReport, type ReportChart } from '../report/html.js';
import { renderMarkdownTable } from '../report/table.js';
import { benchTables } from './report-tables.js';
import { isFinished, type BenchRun } from './result.js';
import type { BenchSummary, Estimate } from './summary.js';

/** What the report is about, besides the numbers. */
export interface BenchReport {
  readonly runs: readonly BenchRun[];
  readonly summary: BenchSummary;
  /** Shell commands that repeat the benchmark. */
  readonly commands: readonly string[];
}

/** Of no algorithm. */
const PAIR_COLOUR = '#555555';

function title(runs: readonly BenchRun[]): string {
  const count = (values: readonly unknown[], one: string, many: string): string => {
    const n = new Set(values).size;
    return `${n} ${n === 1 ? one : many}`;
  };
  return `Benchmark: ${[...new Set(runs.map(({ algorithm }) => algorithm))].join(', ')} on ${count(
    runs.map(({ environment }) => environment),
    'environment',
    'environments',
  )}, ${count(
    runs.map(({ seed }) => seed),
    'seed',
    'seeds',
  )}`;
}

/** What the numbers rest on, and then what to beware of. */
function sentences({ runs, summary: { algorithms, notes } }: BenchReport): string[] {
  const finished = runs.filter(isFinished).length;
  return [
    `${finished} of ${runs.length} runs finished. The final return of a run is the mean of its last 100 training episodes; a score is that return between the returns of a policy at random (0) and of a solved task (1).`,
    ...(algorithms.length > 0
      ? [
          'Intervals are 95 % percentile intervals of a stratified bootstrap over seeds (Agarwal et al. 2021): they say what other seeds would give on the same environments.',
        ]
      : []),
    ...notes,
  ];
}

/** For a pull request or a README: no pictures, their numbers at a few places instead. */
export function benchMarkdown(report: BenchReport): string {
  const parts = benchTables(report.runs, report.summary, true).map(
    ({ title: heading, ...table }) => `## ${heading}\n\n${renderMarkdownTable(table)}`,
  );
  const repeat = `## How to repeat this\n\n\`\`\`sh\n${report.commands.join('\n')}\n\`\`\`\n`;
  const notes = sentences(report).map((sentence) => `- ${sentence}`);
  return [`# ${title(report.runs)}\n`, `${notes.join('\n')}\n`, ...parts, repeat].join('\n');
}

/** One self-contained page with the pictures. */
export async function benchHtml(report: BenchReport): Promise<string> {
  const charts: ReportChart[] = [];
  for (const { title: heading, caption, chart } of benchCharts(report.summary))
    charts.push({ title: heading, caption, svg: await renderSvg(chart.option, chart) });
  return renderReport({
    title: title(report.runs),
    summary: sentences(report),
    tables: benchTables(report.runs, report.summary, false),
    charts,
    commands: report.commands,
  });
}

/** A picture and what the page says about it. */
interface BenchChart {
  readonly title: string;
  readonly caption: string;
  readonly chart: Chart;
}

/** The pictures that make sense for these numbers. */
export function benchCharts(summary: BenchSummary): BenchChart[] {
  const { algorithms, improvements, thresholds, curveSteps } = summary;
  if (algorithms.length === 0) return [];
  const charts: BenchChart[] = [aggregateChart(summary)];
  if (curveSteps.length > 0) {
    charts.push({
      title: 'Sample efficiency',
      caption:
        'Interquartile mean of the score of the last 100 training episodes, over seeds and environments, with pointwise 95 % intervals.',
      chart: curveChart({
        title: 'Score while learning',
        xLabel: 'environment steps',
        panels: [
          {
            yLabel: 'interquartile mean of the score',
            series: algorithms.map(({ algorithm, curve }) => banded(algorithm, curveSteps, curve)),
          },
        ],
        panelHeight: 320,
      }),
    });
  }
  charts.push({
    title: 'Performance profile',
    caption:
      'Share of runs, over seeds and environments, that score more than τ, with pointwise 95 % intervals. A curve that lies above another everywhere is better at every standard; curves that cross are better at different ones.',
    chart: curveChart({
      title: 'Share of runs above a score',
      xLabel: 'score τ',
      panels: [
        {
          yLabel: 'share of runs with score > τ',
          series: algorithms.map(({ algorithm, profile }) => banded(algorithm, thresholds, profile)),
        },
      ],
      panelHeight: 320,
    }),
  });
  if (improvements.length > 0) {
    charts.push({
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

function aggregateChart({ algorithms }: BenchSummary): BenchChart {
  const panel = (heading: string, name: keyof (typeof algorithms)[number]['aggregates']) => ({
    title: heading,
    xLabel: 'score',
    intervals: algorithms.map(({ aggregates }) => aggregates[name]),
  });
  return {
    title: 'Aggregates with intervals',
    caption:
      'The interquartile mean (IQM) is the mean of the middle half of all runs. The optimality gap is how far runs fall short of a score of 1 on average; lower is better.',
    chart: intervalChart({
      title: 'Scores over all environments',
      rows: algorithms.map(({ algorithm }) => algorithm),
      panels: [
        panel('IQM', 'interquartileMean'),
        panel('Optimality gap (lower is better)', 'optimalityGap'),
        panel('Median', 'median'),
        panel('Mean', 'mean'),
      ],
    }),
  };
}

function banded(name: string, x: readonly number[], estimates: readonly Estimate[]): CurveSeries {
  const hasBand = estimates.every(({ low, high }) => low !== null && high !== null);
  return {
    name,
    points: estimates.map(({ estimate }, i) => [x[i], estimate] as const),
    ...(hasBand && {
      band: { low: estimates.map(({ low }) => low!), high: estimates.map(({ high }) => high!) },
    }),
  };
}
