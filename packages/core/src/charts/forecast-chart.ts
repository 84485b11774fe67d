import type { LineSeriesOption } from 'echarts';

import type { Chart } from './chart.js';
import {
  INK,
  LEGEND_ROW,
  LEGEND_TOP,
  MARGIN,
  MUTED,
  TEXT_SIZE,
  legendOption,
  legendRows,
  niceRange,
  tickLabelWidth,
  titleOption,
  valueAxis,
  type NiceRange,
} from './style.js';

/** One window: what was seen, what came, and what was forecast. All in the data's own units. */
export interface ForecastWindow {
  title: string;
  /** W observed values; the last is at step 0. */
  context: readonly number[];
  /** L true values, at steps 1 … L. */
  truth: readonly number[];
  /** Sampled continuations of L values each, drawn thin, with their 10–90 % band. */
  samples?: readonly (readonly number[])[];
  /** L values; by default the mean of the samples. */
  mean?: readonly number[];
  /** L values forecast by the reference. */
  reference?: readonly number[];
}

/** Windows with true and generated continuations. */
export interface ForecastChartOptions {
  title: string;
  windows: readonly ForecastWindow[];
  /** With unit, for example `capacity [Ah]`. */
  yLabel: string;
  /** @defaultValue 'steps after the last observed point' */
  xLabel?: string;
  /** Windows side by side. @defaultValue as many as make the picture about 4 : 3, at most 3 */
  columns?: number;
  /** What the lines are called in the legend. */
  names?: Partial<Record<keyof typeof NAMES, string>>;
}

const NAMES = {
  context: 'context',
  truth: 'truth',
  samples: 'policy, samples',
  band: 'policy, 10–90 %',
  mean: 'policy, mean of samples',
  reference: 'reference',
};

const COLOURS = { policy: '#0072b2', samples: '#56b4e9', reference: '#d55e00', context: MUTED, truth: INK };
const CELL = { width: 330, height: 225 };
const ONLY_CELL = { width: 580, height: 320 };
const GAP = { column: 26, row: 58 };

/** The q-quantile of sorted numbers, linear between neighbours. */
function quantile(sorted: readonly number[], q: number): number {
  const position = q * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (position - below) * (sorted[above] - sorted[below]);
}

/** Mean and 10–90 % band at every step of a fan of paths. */
export function fanStatistics(paths: readonly (readonly number[])[]): {
  mean: number[];
  low: number[];
  high: number[];
} {
  const steps = paths[0]?.length ?? 0;
  const columns = Array.from({ length: steps }, (_, t) => paths.map((path) => path[t]).sort((a, b) => a - b));
  return {
    mean: columns.map((column) => column.reduce((sum, v) => sum + v, 0) / column.length),
    low: columns.map((column) => quantile(column, 0.1)),
    high: columns.map((column) => quantile(column, 0.9)),
  };
}

/** A grid of windows, each with context, truth, the policy's sample fan, band and mean, and the reference. */
export function forecastChart(options: ForecastChartOptions): Chart {
  const { windows, title, yLabel, xLabel = 'steps after the last observed point' } = options;
  const names = { ...NAMES, ...options.names };
  const columns = Math.max(1, options.columns ?? Math.min(3, Math.ceil(Math.sqrt(windows.length))));
  const cell = windows.length === 1 ? ONLY_CELL : CELL;
  const rows = Math.max(1, Math.ceil(windows.length / columns));

  const ranges = windows.map((window) => niceRange(allValues(window)));
  const labelWidth = Math.max(...ranges.map(tickLabelWidth), 0);
  const left = MARGIN + TEXT_SIZE + 12 + labelWidth;
  const columnStep = cell.width + GAP.column + labelWidth + 8;
  const width = left + columnStep * (columns - 1) + cell.width + MARGIN;
  const used = usedNames(windows, names);
  const top = LEGEND_TOP + LEGEND_ROW * legendRows(used, width - 2 * MARGIN) + 34;
  const height = top + rows * cell.height + (rows - 1) * GAP.row + 46 + MARGIN;

  const place = (index: number) => ({
    left: left + (index % columns) * columnStep,
    top: top + Math.floor(index / columns) * (cell.height + GAP.row),
  });
  const steps = windows.map((window) => stepRange(window));

  return {
    width,
    height,
    option: {
      title: [
        titleOption(title, MARGIN, MARGIN),
        ...windows.map((window, index) =>
          titleOption(window.title, place(index).top - 22, place(index).left, TEXT_SIZE),
        ),
      ],
      legend: legendOption(used, [names.band]),
      grid: windows.map((_, index) => ({
        ...place(index),
        width: cell.width,
        height: cell.height,
        outerBoundsMode: 'none' as const,
      })),
      xAxis: windows.map((_, index) => ({
        ...valueAxis(index + columns >= windows.length ? xLabel : '', steps[index]),
        gridIndex: index,
        nameGap: 28,
        splitLine: { show: false },
      })),
      yAxis: windows.map((_, index) => ({
        ...valueAxis(index % columns === 0 ? yLabel : '', ranges[index]),
        gridIndex: index,
        nameGap: labelWidth + 14,
      })),
      series: windows.flatMap((window, index) => windowSeries(window, index, names)),
    },
  };
}

function allValues(window: ForecastWindow): number[] {
  const { context, truth, samples = [], mean = [], reference = [] } = window;
  return [...context, ...truth, ...samples.flat(), ...mean, ...reference];
}

/** Steps from before the context to the horizon, with whole ticks, one of which is 0. */
function stepRange({ context, truth }: ForecastWindow): NiceRange {
  const { min, max, interval } = niceRange([1 - context.length, truth.length]);
  return { min, max, interval: Math.max(1, Math.round(interval)) };
}

function usedNames(windows: readonly ForecastWindow[], names: typeof NAMES): string[] {
  const hasSamples = windows.some(({ samples }) => samples && samples.length > 0);
  return [
    names.context,
    names.truth,
    ...(hasSamples ? [names.samples, names.band] : []),
    ...(hasSamples || windows.some(({ mean }) => mean) ? [names.mean] : []),
    ...(windows.some(({ reference }) => reference) ? [names.reference] : []),
  ];
}

function windowSeries(window: ForecastWindow, index: number, names: typeof NAMES): LineSeriesOption[] {
  const { context, truth, samples = [], reference } = window;
  const last = context[context.length - 1];
  const line = (name: string, color: string, data: unknown[], more: object = {}): LineSeriesOption => ({
    type: 'line',
    name,
    xAxisIndex: index,
    yAxisIndex: index,
    symbol: 'none',
    silent: true,
    color,
    data: data as LineSeriesOption['data'],
    ...more,
  });
  /** A forecast starts at the last observed point. */
  const path = (values: readonly number[]): number[][] => [[0, last], ...values.map((v, t) => [t + 1, v])];
  const series: LineSeriesOption[] = [];
  const fan = samples.length > 0 ? fanStatistics(samples) : undefined;
  if (fan) {
    // The band is the distance between two stacked lines, the lower of which is not seen.
    const band = { stack: `band-${index}`, stackStrategy: 'all', lineStyle: { width: 0 }, z: 1 };
    const spread = fan.high.map((high, t) => high - fan.low[t]);
    series.push(
      line('', 'transparent', path(fan.low), band),
      line(names.band, COLOURS.policy, [[0, 0], ...spread.map((v, t) => [t + 1, v])], {
        ...band,
        areaStyle: { color: COLOURS.policy, opacity: 0.22 },
        itemStyle: { color: COLOURS.policy, opacity: 0.3 },
      }),
      line(
        names.samples,
        COLOURS.samples,
        samples.flatMap((sample) => [...path(sample), [sample.length, null]]),
        { lineStyle: { width: 0.7, opacity: 0.55 }, z: 2 },
      ),
    );
  }
  series.push(
    line(
      names.context,
      COLOURS.context,
      context.map((v, i) => [i + 1 - context.length, v]),
      {
        lineStyle: { width: 1.5 },
        z: 3,
        markLine: {
          silent: true,
          symbol: 'none',
          label: { show: false },
          lineStyle: { color: MUTED, type: 'dotted', width: 1 },
          data: [{ xAxis: 0 }],
        },
      },
    ),
    line(names.truth, COLOURS.truth, path(truth), { lineStyle: { width: 1.8 }, z: 4 }),
  );
  if (reference) {
    const style = { width: 2, type: [6, 3] };
    series.push(line(names.reference, COLOURS.reference, path(reference), { lineStyle: style, z: 5 }));
  }
  const mean = window.mean ?? fan?.mean;
  if (mean) series.push(line(names.mean, COLOURS.policy, path(mean), { lineStyle: { width: 2 }, z: 6 }));
  return series;
}
