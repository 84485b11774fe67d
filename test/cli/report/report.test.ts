import { expect, test } from '@jest/globals';

import { renderReport } from '../../../packages/cli/src/report/html.js';
import {
  formatNumber,
  renderMarkdownTable,
  renderTextTable,
  type Table,
} from '../../../packages/cli/src/report/table.js';

const table: Table = {
  columns: [{ label: 'method' }, { label: 'RMSE [Ah]' }, { label: 'KL' }],
  rows: [
    ['last value', 0.0251349, null],
    ['policy, mean of 16', 1.2, 0.03],
  ],
};

test.each([
  [0, '0'],
  [12000, '12000'],
  [0.0251349, '0.02513'],
  [-1.20449, '-1.204'],
  [12345.67, '12346'],
  [999.96, '1000'],
  [0.00001234567, '1.235e-5'],
  [2500000.5, '2.500e6'],
  [NaN, 'NaN'],
  [-Infinity, '−∞'],
])('the number %p is written %s', (value, text) => {
  expect(formatNumber(value)).toBe(text);
});

test('a terminal table is aligned: words left, numbers right, nothing as a dash', () => {
  expect(renderTextTable(table)).toBe(
    [
      'method              RMSE [Ah]       KL',
      '──────────────────  ─────────  ───────',
      'last value            0.02513        –',
      'policy, mean of 16      1.200  0.03000',
      '',
    ].join('\n'),
  );
});

test('a Markdown table is aligned too, and its cells are escaped', () => {
  expect(renderMarkdownTable({ ...table, rows: [['a|b\nc', 1, null]] })).toBe(
    [
      '| method | RMSE [Ah] |  KL |',
      '| ------ | --------: | --: |',
      '| a\\|b c |         1 |   – |',
      '',
    ].join('\n'),
  );
});

test('a missing cell is a dash, an empty table is its header', () => {
  expect(renderTextTable({ columns: [{ label: 'a' }, { label: 'b' }], rows: [['x']] })).toContain('–');
  expect(renderTextTable({ columns: [{ label: 'a' }], rows: [] })).toBe('  a\n───\n');
});

const page = renderReport({
  title: 'Run <x> & "y"',
  summary: ['The error falls by 20 %.', '<script>alert(1)</script>'],
  tables: [{ ...table, title: 'Held-out units' }],
  charts: [
    { title: 'Forecasts', svg: '<svg width="4" viewBox="0 0 4 4"><path/></svg>', caption: 'Blue & black.' },
  ],
  commands: ['rollcast evaluate --run runs/x --data "a.csv"'],
});

test('a report holds everything it was given, escaped', () => {
  expect(page).toContain('<title>Run &lt;x&gt; &amp; &quot;y&quot;</title>');
  expect(page).toContain('<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>');
  expect(page).toContain('<td class="right">0.02513</td>');
  expect(page).toContain('<svg role="img" aria-label="Forecasts" width="4"');
  expect(page).toContain('<figcaption>Blue &amp; black.</figcaption>');
  expect(page).toContain('rollcast evaluate --run runs/x --data &quot;a.csv&quot;');
});

test('a report needs nothing from elsewhere and fits a phone', () => {
  expect(page).not.toMatch(/<script|<link|<img|src=|href=|url\(|@import/);
  expect(page).toContain('name="viewport" content="width=device-width, initial-scale=1"');
});

test('a report without tables, charts and commands has no empty headings', () => {
  expect(renderReport({ title: 'x', summary: [] })).not.toMatch(/<h2|<pre|<table/);
});
