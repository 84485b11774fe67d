import { describe, expect, test } from '@jest/globals';

import { RandomStream } from '@rollcast/core';

import { aggregateTable, taskTable } from '../../../packages/cli/src/bench/report-tables.js';
import { benchCharts, drawBenchCharts } from '../../../packages/cli/src/bench/report-charts.js';
import { benchHtml, benchMarkdown } from '../../../packages/cli/src/bench/report.js';
import type { BenchRun } from '../../../packages/cli/src/bench/result.js';
import { summarise } from '../../../packages/cli/src/bench/summary.js';
import { renderTextTable } from '../../../packages/cli/src/report/table.js';
import { failedRun, fakeRuns, skippedOn } from './fake-runs.js';

const reportOn = async (runs: readonly BenchRun[]) => {
  const summary = summarise(runs, { random: new RandomStream(1, 'test'), resamples: 200 });
  const charts = await drawBenchCharts(summary);
  return { runs, summary, charts, commands: ['rollcast bench --algos reinforce,ppo'], machine: 'a test' };
};
const one = await reportOn(fakeRuns(1));
const five = await reportOn(fakeRuns(5));
const withFailure = await reportOn(fakeRuns(5).map((run, i) => (i === 3 ? failedRun(run) : run)));

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
  const markdown = benchMarkdown(withFailure, 'pictures');

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
    expect(markdown).toContain('- 19 of 20 runs finished, each of 1000 steps.');
    expect(markdown).toContain('- 5 seeds allow only 126 distinct resamples');
  });

  test('shows every picture from the folder beside it', () => {
    for (const { name, title } of withFailure.charts)
      expect(markdown).toContain(`## ${title}\n\n![${title}](pictures/${name}.svg)\n`);
    expect(withFailure.charts.every(({ name }) => /^[\w-]+$/.test(name))).toBe(true);
  });

  test('a skipped combination is a row, and no failure', async () => {
    const report = await reportOn(skippedOn('acrobot-v1', 'ppo', fakeRuns(3)));
    const text = benchMarkdown(report, 'pictures');
    expect(text).toMatch(/\| acrobot-v1 +\| ppo +\| skipped \| +– \|/);
    expect(text).toContain('- 9 of 9 runs finished, each of 1000 steps.');
    expect(text).not.toContain('Failed runs');
  });

  test('runs of unlike length are told as a range', async () => {
    const runs = fakeRuns(3).map((run, i) => ({ ...run, steps: i === 0 ? 960 : 1000 }));
    expect(benchMarkdown(await reportOn(runs), 'pictures')).toContain('each of 960 to 1000 steps.');
  });

  test('without a failure there is no table of failures', () => {
    expect(benchMarkdown(five, 'pictures')).not.toContain('Failed runs');
  });

  test('an interval on one side of one half is read as better', () => {
    expect(markdown).toMatch(
      /\| reinforce +\| ppo +\| +2 \| +0\.\d+ \[0\.\d+, 0\.[0-4]\d+\] \| ppo is better \|/,
    );
    expect(benchMarkdown(one, 'pictures')).toContain('| too few seeds to say |');
  });
});

describe('pictures', () => {
  const titles = (report: typeof five): string[] => benchCharts(report.summary).map(({ title }) => title);

  test('aggregates, curves by environment and over all, profile and improvement', () => {
    expect(titles(five)).toEqual([
      'Aggregates with intervals',
      'Learning on cart-pole-v1',
      'Learning on acrobot-v1',
      'Sample efficiency over all environments',
      'Performance profile',
      'Which algorithm beats which',
    ]);
  });

  test('nothing is drawn that is not there', async () => {
    expect(titles(await reportOn(fakeRuns(3).map(failedRun)))).toEqual([]);
    const ppo = fakeRuns(3).filter(({ algorithm }) => algorithm === 'ppo');
    expect(titles(await reportOn(ppo))).not.toContain('Which algorithm beats which');
    const withoutCurves = fakeRuns(3).map((run) => ({ ...run, curve: [] }));
    expect(titles(await reportOn(withoutCurves))).toEqual([
      'Aggregates with intervals',
      'Performance profile',
      'Which algorithm beats which',
    ]);
    const apart = skippedOn('acrobot-v1', 'ppo', skippedOn('cart-pole-v1', 'reinforce', fakeRuns(3)));
    expect(titles(await reportOn(apart))).toEqual(['Learning on cart-pole-v1', 'Learning on acrobot-v1']);
  });

  test('an algorithm has one colour in all pictures, also where others are not', () => {
    const colours = (report: typeof five, title: string) => {
      const { option } = benchCharts(report.summary).find((chart) => chart.title === title)!.chart;
      const series = option.series as { name: string; color: string }[];
      return Object.fromEntries(series.map(({ name, color }) => [name, color]));
    };
    const first = colours(five, 'Performance profile');
    expect(new Set(Object.values(first)).size).toBe(2);
    expect(colours(five, 'Learning on acrobot-v1')).toEqual(first);
    const withoutFirst = five.runs.map((run) => (run.algorithm === 'reinforce' ? failedRun(run) : run));
    const summary = summarise(withoutFirst, { random: new RandomStream(1, 'test'), resamples: 50 });
    expect(colours({ ...five, summary }, 'Performance profile')).toEqual({ ppo: first['ppo'] });
  });

  test('curves have bands where there are intervals', () => {
    const series = (report: typeof five, title: string) =>
      (
        benchCharts(report.summary).find((chart) => chart.title === title)!.chart.option.series as {
          areaStyle?: object;
        }[]
      ).filter(({ areaStyle }) => areaStyle).length;
    expect(series(five, 'Performance profile')).toBe(2);
    expect(series(five, 'Sample efficiency over all environments')).toBe(2);
    expect(series(five, 'Learning on acrobot-v1')).toBe(2);
    expect(series(one, 'Performance profile')).toBe(0);
  });
});

describe('HTML', () => {
  test('is one page with all pictures in it and nothing from elsewhere', () => {
    const html = benchHtml(withFailure);
    expect(html.match(/<svg /g)).toHaveLength(6);
    expect(html).toContain('Failed runs');
    expect(html).toContain('Written by a test.');
    expect(html).not.toMatch(/<script|<link|<img|url\(\s*['"]?http/);
    expect(
      html.match(/https?:\/\/[^"']*/g)?.every((url) => url.startsWith('http://www.w3.org/')) ?? true,
    ).toBe(true);
  });

  test('is equal for equal runs', async () => {
    expect(benchHtml(await reportOn(fakeRuns(3)))).toBe(benchHtml(await reportOn(fakeRuns(3))));
  });

  test('is written when everything failed', async () => {
    expect(benchHtml(await reportOn(fakeRuns(3).map(failedRun)))).toContain('0 of 12 runs finished');
  });
});
