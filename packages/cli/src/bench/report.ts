/** How a benchmark is told: tables, pictures, and the sentences that say how far to trust them. */
import { renderReport } from '../report/html.js';
import { renderMarkdownTable } from '../report/table.js';
import type { DrawnChart } from './report-charts.js';
import { benchTables } from './report-tables.js';
import { isFinished, isSkipped, type BenchRun } from './result.js';
import type { BenchSummary } from './summary.js';

/** What the report is about, besides the numbers. */
export interface BenchReport {
  readonly runs: readonly BenchRun[];
  readonly summary: BenchSummary;
  readonly charts: readonly DrawnChart[];
  /** Shell commands that repeat the benchmark. */
  readonly commands: readonly string[];
  /** What computed, for the speeds: version, processor and so on. */
  readonly machine?: string;
}

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
function sentences({ runs, summary: { algorithms, notes }, machine }: BenchReport): string[] {
  const finished = runs.filter(isFinished);
  const planned = runs.filter((run) => !isSkipped(run)).length;
  return [
    `${finished.length} of ${planned} runs finished${stepsOf(finished)}. The final return of a run is the mean of its last 100 training episodes; a score is that return between the returns of a policy at random (0) and of a solved task (1).`,
    ...(algorithms.length > 0
      ? [
          'Intervals are 95 % percentile intervals of a stratified bootstrap over seeds (Agarwal et al. 2021): they say what other seeds would give on the same environments.',
        ]
      : []),
    ...notes,
    ...(machine === undefined ? [] : [`Written by ${machine}.`]),
  ];
}

/** `, each of 499712 steps`, or a range where rollouts are of different sizes. */
function stepsOf(finished: readonly BenchRun[]): string {
  if (finished.length === 0) return '';
  const steps = finished.map((run) => run.steps);
  const [least, most] = [Math.min(...steps), Math.max(...steps)];
  return least === most ? `, each of ${least} steps` : `, each of ${least} to ${most} steps`;
}

/**
 * For a pull request or a README: the tables, the numbers of the pictures at a few places, and the pictures as files.
 *
 * @param pictures - where those files are, seen from the Markdown file; NAME.svg each
 */
export function benchMarkdown(report: BenchReport, pictures: string): string {
  const parts = benchTables(report.runs, report.summary, true).map(
    ({ title: heading, ...table }) => `## ${heading}\n\n${renderMarkdownTable(table)}`,
  );
  const drawn = report.charts.map(
    ({ name, title: heading, caption }) =>
      `## ${heading}\n\n![${heading}](${pictures}/${name}.svg)\n\n${caption}\n`,
  );
  const repeat = `## How to repeat this\n\n\`\`\`sh\n${report.commands.join('\n')}\n\`\`\`\n`;
  const notes = sentences(report).map((sentence) => `- ${sentence}`);
  return [`# ${title(report.runs)}\n`, `${notes.join('\n')}\n`, ...parts, ...drawn, repeat].join('\n');
}

/** One self-contained page with the pictures. */
export function benchHtml(report: BenchReport): string {
  return renderReport({
    title: title(report.runs),
    summary: sentences(report),
    tables: benchTables(report.runs, report.summary, false),
    charts: report.charts,
    commands: report.commands,
  });
}
