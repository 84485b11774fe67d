import { describe, expect, test } from '@jest/globals';

import { RandomStream } from '@rollcast/core';

import { aggregateTable, taskTable } from '../../../packages/cli/src/bench/report-tables.js';
import { benchCharts, benchHtml, benchMarkdown } from '../../../packages/cli/src/bench/report.js';
import type { BenchRun } from '../../../packages/cli/src/bench/result.js';
import { summarise } from '../../../packages/cli/src/bench/summary.js';
import { renderTextTable } from '../../../packages/cli/src/report/table.js';
import { failedRun, fakeRuns } from './fake-runs.js';

const reportOn = (runs: readonly BenchRun[]) => ({
  runs,
  summary: summarise(runs, { random: new RandomStream(1, 'test'), resamples: 200 }),
  commands: ['rollcast bench --algos reinforce,ppo'],
});
const one = reportOn(fakeRuns(1));
const five = reportOn(fakeRuns(5));
const withFailure = reportOn(fakeRuns(5).map((run, i) => (i === 3 ? failedRun(run) : run)));

describe('tables', () => {
  test('an estimate is followed by its interval, and stands alone where there is none', () => {
    const row = (report: typeof five) => aggregateTable(report.summary).rows[1];
    for (const cell of row(five).slice(2)) expect(cell).toMatch(/^\d\.\d{3} \[\d\.\d{3}, \d\.\d{3}\]$/);
    for (const cell of row(one).slice(2)) expect(cell).toMatch(/^\d\.\d{3}$/);
  });

  test('the table by environment has a row for every combination, with speed and wall time', () => {
    const text = renderTextTable(taskTable(five.summary));
    expect(text).toMatch(/cart-pole-v1 +reinforce +5 +0 .* 2000 +1 min 30 s/);
    expect(text).toMatch(/acrobot-v1 +ppo +5 +0 /);
  });
});

describe('Markdown', () => {
  const markdown = benchMarkdown(withFailure);

  test('holds every table, and numbers in place of the pictures', () => {
    expect(markdown).toMatch(/^# Benchmark: reinforce, ppo on 2 environments, 5 seeds\n/);
    for (const heading of [
      'Scores over all environments',
      'Final return by environment',
      'Probability of improvement',
      'Performance profile: share of runs with a score above τ',
      'Sample efficiency: IQM of the score after so many steps',
      'What a score of 0 and of 1 means',
      'Failed runs',
      'How to repeat this',
    ])
      expect(markdown).toContain(`## ${heading}\n`);
    expect(markdown).toMatch(/\| algorithm \| +173 steps \|.*\| +1000 steps \|/);
  });

  test('says what failed and why, and how far to trust the numbers', () => {
    expect(markdown).toMatch(/\| failed: The loss "policy" is NaN after update 12\. \|/);
    expect(markdown).toContain('- 19 of 20 runs finished.');
    expect(markdown).toContain('- 5 seeds allow only 126 distinct resamples');
  });

  test('without a failure there is no table of failures', () => {
    expect(benchMarkdown(five)).not.toContain('Failed runs');
  });

  test('an interval on one side of one half is read as better', () => {
    expect(markdown).toMatch(/\| reinforce +\| ppo +\| +0\.\d+ \[0\.\d+, 0\.[0-4]\d+\] \| ppo is better \|/);
    expect(benchMarkdown(one)).toContain('| too few seeds to say |');
  });
});

describe('pictures', () => {
  const titles = (report: typeof five): string[] => benchCharts(report.summary).map(({ title }) => title);

  test('aggregates, curves, profile and improvement', () => {
    expect(titles(five)).toEqual([
      'Aggregates with intervals',
      'Sample efficiency',
      'Performance profile',
      'Which algorithm beats which',
    ]);
  });

  test('nothing is drawn that is not there', () => {
    expect(titles(reportOn(fakeRuns(3).map(failedRun)))).toEqual([]);
    const ppo = fakeRuns(3).filter(({ algorithm }) => algorithm === 'ppo');
    expect(titles(reportOn(ppo))).toEqual([
      'Aggregates with intervals',
      'Sample efficiency',
      'Performance profile',
    ]);
    const withoutCurves = fakeRuns(3).map((run) => ({ ...run, curve: [] }));
    expect(titles(reportOn(withoutCurves))).not.toContain('Sample efficiency');
  });

  test('curves have bands where there are intervals', () => {
    const series = (report: typeof five, title: string) =>
      (
        benchCharts(report.summary).find((chart) => chart.title === title)!.chart.option.series as {
          areaStyle?: object;
        }[]
      ).filter(({ areaStyle }) => areaStyle).length;
    expect(series(five, 'Performance profile')).toBe(2);
    expect(series(five, 'Sample efficiency')).toBe(2);
    expect(series(one, 'Performance profile')).toBe(0);
  });
});

describe('HTML', () => {
  test('is one page with all pictures in it and nothing from elsewhere', async () => {
    const html = await benchHtml(withFailure);
    expect(html.match(/<svg /g)).toHaveLength(4);
    expect(html).toContain('Failed runs');
    expect(html).not.toMatch(/<script|<link|<img|url\(\s*['"]?http/);
    expect(
      html.match(/https?:\/\/[^"']*/g)?.every((url) => url.startsWith('http://www.w3.org/')) ?? true,
    ).toBe(true);
  });

  test('is equal for equal runs', async () => {
    expect(await benchHtml(reportOn(fakeRuns(3)))).toBe(await benchHtml(reportOn(fakeRuns(3))));
  });

  test('is written when everything failed', async () => {
    expect(await benchHtml(reportOn(fakeRuns(3).map(failedRun)))).toContain('0 of 12 runs finished');
  });
});
