import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import {
  curveChart,
  errorByHorizonChart,
  fanChart,
  fanStatistics,
  forecastChart,
  intervalChart,
  movingAverage,
  renderPng,
  renderSvg,
  writeChart,
  writePicture,
  type Chart,
  type FanPanel,
} from '@rollcast/core';

import { legendRows, niceRange, roundTicks, textWidth } from '../../../packages/core/src/charts/style.js';
import { temporaryFolder } from '../../support/temporary.js';

const window = (title: string) => ({
  title,
  context: [100, 99, 98],
  truth: [97, 96],
  samples: [
    [97, 95],
    [98, 97],
  ],
  reference: [97.5, 97],
});
const forecast = (count: number): Chart =>
  forecastChart({
    title: 'Forecasts',
    yLabel: 'capacity [Ah]',
    windows: Array.from({ length: count }, (_, i) => window(`unit ${i}`)),
  });

interface Axis {
  min: number;
  max: number;
  name: string;
}
const axes = (chart: Chart, key: 'xAxis' | 'yAxis') => chart.option[key] as unknown as Axis[];

const axis = (max: number) => ({ type: 'value' as const, min: 0, max });
const picture = (data: number[][]): Promise<string> =>
  renderSvg(
    { xAxis: axis(10), yAxis: axis(1), series: [{ type: 'line', symbol: 'none', data }] },
    { width: 300, height: 200 },
  );

test.each([
  ['below', [0, -9], [10, -9]],
  ['above', [0, 1e6], [10, 1e6]],
  ['right', [1e4, 0], [1e4, 1]],
  ['left', [-1e4, 0], [-1e4, 1]],
])('a line that is far out (%s) is not drawn, and does not end the process', async (_, from, to) => {
  const nothing = await renderPng(await picture([]));
  expect(await renderPng(await picture([from, to]))).toEqual(nothing);
  // one that comes in from there is drawn
  expect(await renderPng(await picture([from, [5, 0.5], to]))).not.toEqual(nothing);
});

test('a picture holds every text: titles, axis names with units, legend', async () => {
  const svg = await renderSvg(forecast(2).option, forecast(2));
  for (const text of [
    'Forecasts',
    'unit 0',
    'unit 1',
    'capacity [Ah]',
    'steps after the last observed point',
  ])
    expect(svg).toContain(text);
  for (const name of ['context', 'truth', 'policy, samples', 'policy, mean of samples', 'reference'])
    expect(svg).toContain(name);
});

test('equal options give equal SVG, other options give other ids', async () => {
  const ids = (svg: string) => [...new Set(svg.match(/\bc[0-9a-f]{8}-/g))];
  const first = await renderSvg(forecast(1).option, forecast(1));
  expect(await renderSvg(forecast(1).option, forecast(1))).toBe(first);
  const other = await renderSvg(forecast(2).option, forecast(2));
  expect(ids(first)).toHaveLength(1);
  expect(ids(other)).not.toEqual(ids(first));
  expect(other).not.toMatch(/\bzr\d/);
});

test('a label cannot put markup into the picture', async () => {
  const chart = forecastChart({ title: '<script>a & b</script>', yLabel: 'y', windows: [window('x')] });
  const svg = await renderSvg(chart.option, chart);
  expect(svg).not.toContain('<script');
  expect(svg).toContain('&lt;script&gt;a &amp; b');
});

test('text is drawn without any font of the machine', async () => {
  const picture = (text: string) =>
    renderPng(
      `<svg xmlns="http://www.w3.org/2000/svg" width="80" height="20"><text y="15" font-family="'DejaVu Sans'">${text}</text></svg>`,
    );
  expect((await picture('mean')).equals(await picture(''))).toBe(false);
});

test('a chart is written as SVG and as PNG of twice its size', async () => {
  const folder = join(temporaryFolder(), 'plots');
  const chart = forecast(1);
  const { png } = await writeChart(folder, 'forecast-000050', chart);
  expect(readdirSync(folder).sort()).toEqual(['forecast-000050.png', 'forecast-000050.svg']);
  const bytes = readFileSync(png);
  expect(bytes.subarray(1, 4).toString()).toBe('PNG');
  expect(bytes.readUInt32BE(16)).toBe(2 * chart.width);
  expect(bytes.readUInt32BE(20)).toBe(2 * chart.height);
});

test('the vertical axis does not start at 0 when the data are far from it', () => {
  const [y] = axes(forecast(1), 'yAxis');
  expect(y.min).toBe(95);
  expect(y.max).toBe(100);
});

test('context lies before step 0 and the forecast after it', () => {
  const [x] = axes(forecast(1), 'xAxis');
  expect([x.min, x.max]).toEqual([-2, 2]);
});

test('only outer cells of a grid name their axes', () => {
  const chart = forecast(5); // two rows of three columns, the last cell empty
  expect(axes(chart, 'yAxis').map(({ name }) => name !== '')).toEqual([true, false, false, true, false]);
  expect(axes(chart, 'xAxis').map(({ name }) => name !== '')).toEqual([false, false, true, true, true]);
});

test('the options are plain data, so that a page can hold them', () => {
  const { option } = forecast(2);
  expect(JSON.parse(JSON.stringify(option))).toEqual(option);
});

test('mean and 10–90 % band of a fan', () => {
  // 11 paths of one step with the values 0 … 10: the deciles are the values themselves
  const { mean, low, high } = fanStatistics(Array.from({ length: 11 }, (_, i) => [10 - i]));
  expect([mean, low, high]).toBeAllClose([[5], [1], [9]]);
});

test('a moving average is centred and shorter at the ends', () => {
  expect(movingAverage([1, 2, 6, 3], 1)).toBeAllClose([1.5, 3, 11 / 3, 4.5]);
});

test.each([
  [[0.64, 1.11], { min: 0.6, max: 1.2, interval: 0.1 }],
  [[0.001, 0.086], { min: 0, max: 0.1, interval: 0.02 }],
  [[-3, -2.9], { min: -3, max: -2.9, interval: 0.02 }],
  [[1, 200], { min: 0, max: 200, interval: 50 }],
])('the round range around %j', (values, range) => {
  expect(niceRange(values)).toEqual(range);
});

test('whatever the values are, an axis has ends, and a few ticks between them', () => {
  const values = [
    0,
    1,
    -1,
    5e-324,
    1e-300,
    1e300,
    1.7e308,
    -1.7e308,
    2 ** 53,
    2 ** 53 + 2,
    1e21,
    1 + 2 ** -52,
    1 + 1e-9,
  ];
  for (const a of values)
    for (const b of values) {
      const range = niceRange([a, b]);
      expect([a, b, Number.isFinite(range.max - range.min), range.min < range.max]).toEqual([
        a,
        b,
        true,
        true,
      ]);
      const ticks = roundTicks(range);
      expect(ticks.length).toBeGreaterThan(1);
      expect(ticks.length).toBeLessThan(15);
    }
});

test('constant, missing and broken values still give an axis', () => {
  for (const values of [[5, 5], [0], [], [NaN, Infinity]]) {
    const { min, max, interval } = niceRange(values);
    expect(max).toBeGreaterThan(min);
    expect(interval).toBeGreaterThan(0);
  }
});

test('text widths are those of DejaVu Sans', () => {
  expect(textWidth('00', '12px x')).toBeAllClose(2 * 0.64 * 12);
  expect(textWidth('0', 'bold 10px x')).toBeGreaterThan(textWidth('0', '10px x'));
});

test('a long legend takes more rows and the data move down', () => {
  const names = Array.from({ length: 11 }, (_, i) => `a method with a name ${i}`);
  expect(legendRows(names, 700)).toBeGreaterThan(legendRows(names.slice(0, 2), 700));
  const chart = (some: string[]) =>
    errorByHorizonChart({
      title: 'x',
      yLabel: 'RMSE [m]',
      methods: some.map((name) => ({ name, errors: [1, 2] })),
    });
  expect(chart(names).height).toBeGreaterThan(chart(names.slice(0, 2)).height);
});

test('curves with smoothing are drawn raw and smoothed under one name', () => {
  const points: [number, number][] = [
    [1, 1],
    [2, 3],
  ];
  const chart = curveChart({
    title: 'x',
    panels: [{ yLabel: 'reward', series: [{ name: 'mean reward', points, smoothing: 1 }] }],
  });
  const series = chart.option.series as { name: string; data: number[][] }[];
  expect(series.map(({ name }) => name)).toEqual(['mean reward', 'mean reward']);
  expect(series[0].data).toEqual([
    [1, 2],
    [2, 2],
  ]);
});

test('an empty chart and a single point are drawn', async () => {
  for (const points of [[], [[3, 1]]] as [number, number][][]) {
    const chart = curveChart({ title: 'x', panels: [{ yLabel: 'y', series: [{ name: 'a', points }] }] });
    expect(await renderSvg(chart.option, chart)).toContain('</svg>');
  }
});

test('a band is shaded between its two lines and counts for the axis', () => {
  const points: [number, number][] = [
    [1, 5],
    [2, 6],
  ];
  const chart = curveChart({
    title: 'x',
    panels: [{ yLabel: 'y', series: [{ name: 'a', points, band: { low: [-3, 4], high: [7, 9] } }] }],
  });
  const series = chart.option.series as { data: number[][]; stack?: string; areaStyle?: object }[];
  // the line, the lower edge, and the height of the band on top of it
  expect(series.map(({ data }) => data.map(([, y]) => y))).toEqual([
    [5, 6],
    [-3, 4],
    [10, 5],
  ]);
  expect(series.map(({ areaStyle }) => areaStyle !== undefined)).toEqual([false, false, true]);
  expect(series[1].stack).toBe(series[2].stack);
  const [y] = axes(chart, 'yAxis');
  expect(y.min).toBeLessThanOrEqual(-3);
  expect(y.max).toBeGreaterThanOrEqual(9);
});

test('two bands in one chart are stacked apart', () => {
  const points: [number, number][] = [[1, 5]];
  const one = (name: string) => ({ name, points, band: { low: [4], high: [6] } });
  const chart = curveChart({ title: 'x', panels: [{ yLabel: 'y', series: [one('a'), one('b')] }] });
  const stacks = (chart.option.series as { stack?: string }[]).flatMap(({ stack }) => stack ?? []);
  expect(new Set(stacks).size).toBe(2);
});

test('intervals are drawn a row each, with a line at the reference, and fit on their axes', async () => {
  const interval = { estimate: 0.5, low: 0.2, high: 0.9 };
  const chart = intervalChart({
    title: 'Aggregates',
    rows: ['ppo', 'reinforce'],
    panels: [
      { title: 'IQM', xLabel: 'score', intervals: [interval, { ...interval, high: 1.3 }] },
      { title: 'P', xLabel: 'P(X > Y)', intervals: [interval, { ...interval, low: null }], reference: 2 },
    ],
  });
  const svg = await renderSvg(chart.option, chart);
  for (const text of ['Aggregates', 'IQM', 'ppo', 'reinforce', 'score']) expect(svg).toContain(text);
  const [first, second] = axes(chart, 'xAxis');
  expect(first.max).toBeGreaterThanOrEqual(1.3);
  expect(second.max).toBeGreaterThanOrEqual(2); // the reference
  // four marks, and three bars: one interval has no ends
  expect(chart.option.series).toHaveLength(7);
  expect(JSON.parse(JSON.stringify(chart.option))).toEqual(chart.option);
});

describe('a fan of deciles', () => {
  // the k-th decile lies k − 5 hundredths above a falling line
  const deciles = Array.from({ length: 9 }, (_, k) => [0.95, 0.94, 0.93].map((y) => y + (k - 4) / 100));
  const panel = (more: Partial<FanPanel> = {}): FanPanel => ({
    title: 'cell 7',
    history: [
      [-2, 1],
      [-1, 0.98],
      [0, 0.96],
    ],
    times: [1, 2, 3],
    deciles,
    ...more,
  });
  const crossing = { low: 1.2, median: 2, high: null, crossedBy: [0.1, 0.5, 0.7] };
  const chart = (panels: FanPanel[], threshold?: number): Chart =>
    fanChart({ title: 'Fans', yLabel: 'capacity [Ah]', xLabel: 'cycle', panels, threshold });

  test('names what it draws: history, median, deciles, and with a threshold the crossing', async () => {
    const plain = chart([panel()]);
    const svg = await renderSvg(plain.option, plain);
    for (const text of ['Fans', 'cell 7', 'capacity [Ah]', 'cycle', 'history', 'median', 'deciles, 10–90 %'])
      expect(svg).toContain(text);
    expect(svg).not.toContain('threshold');
    const crossed = chart([panel({ crossing, subtitle: 'RUL 2 cycles' })], 0.93);
    const more = await renderSvg(crossed.option, crossed);
    for (const text of [
      'RUL 2 cycles',
      'threshold',
      'crossing, 10–90 % and median',
      'share that has crossed',
    ])
      expect(more).toContain(text);
  });

  test('each panel has its own axes, and with a threshold a strip below it', () => {
    expect(axes(chart([panel(), panel()]), 'yAxis')).toHaveLength(2);
    const both = axes(chart([panel({ crossing }), panel({ crossing })], 0.93), 'yAxis');
    expect(both).toHaveLength(4);
    expect([both[2].min, both[2].max]).toEqual([0, 1]);
  });

  test('a threshold that some path crosses is in the picture, one that is far away and not crossed is not', () => {
    const never = { low: null, median: null, high: null, crossedBy: [0, 0, 0] };
    const lowest = (threshold: number, of: typeof never | typeof crossing): number =>
      axes(chart([panel({ crossing: of })], threshold), 'yAxis')[0].min;
    expect(lowest(0.5, crossing)).toBeLessThanOrEqual(0.5);
    expect(lowest(0.88, never)).toBeLessThanOrEqual(0.88);
    expect(lowest(0.5, never)).toBeGreaterThan(0.8);
  });

  test('the areas between the deciles add up to the deciles', () => {
    const series = chart([panel()]).option.series as unknown as { stack?: string; data: number[][] }[];
    const stacked = series.filter(({ stack }) => stack !== undefined);
    expect(stacked).toHaveLength(9);
    const top = stacked.reduce((sum, { data }) => sum + data[3][1], 0);
    expect(top).toBeAllClose(0.93 + 0.04, { atol: 1e-12 });
    expect(stacked.reduce((sum, { data }) => sum + data[0][1], 0)).toBeAllClose(0.96, { atol: 1e-12 });
  });

  test('is drawn also where nothing moves, nothing crosses, or everything crosses at once', async () => {
    const folder = temporaryFolder();
    const flat = Array.from({ length: 9 }, () => [5, 5, 5]);
    const still: FanPanel['history'] = [
      [-1, 5],
      [0, 5],
    ];
    const cases: [Partial<FanPanel>, number | undefined][] = [
      [{ history: still, deciles: flat }, undefined],
      [
        {
          history: still,
          deciles: flat,
          crossing: { low: null, median: null, high: null, crossedBy: [0, 0, 0] },
        },
        900,
      ],
      [{ crossing: { low: 0.01, median: 0.01, high: 0.01, crossedBy: [1, 1, 1] } }, 0.9599],
    ];
    for (const [i, [more, threshold]] of cases.entries()) {
      const file = join(folder, `${i}.png`);
      await writePicture(file, chart([panel(more)], threshold));
      expect(readFileSync(file).subarray(1, 4).toString()).toBe('PNG');
    }
    await writePicture(join(folder, 'fan.svg'), chart([panel()]));
    expect(readFileSync(join(folder, 'fan.svg'), 'utf8')).toMatch(/^<svg/);
  });
});
