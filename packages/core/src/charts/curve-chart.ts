import type { LineSeriesOption } from 'echarts';

import type { Chart } from './chart.js';
import {
  LEGEND_ROW,
  LEGEND_TOP,
  MARGIN,
  PALETTE,
  TEXT_SIZE,
  legendOption,
  legendRows,
  niceRange,
  roundTicks,
  tickLabelWidth,
  titleOption,
  valueAxis,
} from './style.js';

/** One curve of a panel. */
export interface CurveSeries {
  name: string;
  /** Horizontal and vertical position; ascending horizontally. */
  points: readonly (readonly [x: number, y: number])[];
  /** Draws the points thin, and their moving average over this many points on each side thick. @defaultValue 0 */
  smoothing?: number;
  /** Shades the space between two lines, one value a point. */
  band?: { low: readonly number[]; high: readonly number[] };
  color?: string;
  dashed?: boolean;
}

/** One panel: series that share a unit. */
export interface CurvePanel {
  /** With unit, for example `KL to the reference [nats per token]`. */
  yLabel: string;
  series: readonly CurveSeries[];
}

/** Curves in panels that share their horizontal axis. */
export interface CurveChartOptions {
  title: string;
  /** Drawn one below the other over the same horizontal axis. */
  panels: readonly CurvePanel[];
  /** @defaultValue 'update' */
  xLabel?: string;
  /** Pixels. @defaultValue 760 */
  width?: number;
  /** Pixels of one panel's data area. @defaultValue 250 */
  panelHeight?: number;
}

const PANEL_GAP = 28;

/** Centred moving average over `reach` points on each side, fewer at the ends. */
export function movingAverage(values: readonly number[], reach: number): number[] {
  return values.map((_, i) => {
    const near = values.slice(Math.max(0, i - reach), i + reach + 1);
    return near.reduce((sum, v) => sum + v, 0) / near.length;
  });
}

/** Curves over a common horizontal axis: training metrics against updates, errors against the horizon. */
export function curveChart(options: CurveChartOptions): Chart {
  const { title, panels, xLabel = 'update', width = 760, panelHeight = 250 } = options;
  const names = [...new Set(panels.flatMap(({ series }) => series.map(({ name }) => name)))];
  const colours = new Map(names.map((name, i) => [name, PALETTE[i % PALETTE.length]]));

  const xValues = panels.flatMap(({ series }) => series.flatMap(({ points }) => points.map(([x]) => x)));
  const xRange = horizontalRange(xValues);
  const yRanges = panels.map(({ series }) =>
    niceRange(
      series.flatMap(({ points, band }) => [
        ...points.map(([, y]) => y),
        ...(band?.low ?? []),
        ...(band?.high ?? []),
      ]),
    ),
  );
  const labelWidth = Math.max(...yRanges.map(tickLabelWidth), 0);
  const left = MARGIN + TEXT_SIZE + 12 + labelWidth;
  const top = LEGEND_TOP + LEGEND_ROW * legendRows(names, width - 2 * MARGIN) + 12;
  const step = panelHeight + PANEL_GAP;
  const height = top + panels.length * step - PANEL_GAP + 46 + MARGIN;

  return {
    width,
    height,
    option: {
      title: titleOption(title, MARGIN, MARGIN),
      legend: legendOption(names),
      grid: panels.map((_, index) => ({
        left,
        right: MARGIN + 8,
        top: top + index * step,
        height: panelHeight,
        outerBoundsMode: 'none' as const,
      })),
      xAxis: panels.map((_, index) => {
        const isLast = index === panels.length - 1;
        const axis = valueAxis(isLast ? xLabel : '', xRange);
        return {
          ...axis,
          gridIndex: index,
          nameGap: 28,
          splitLine: { show: false },
          // ECharts counts from the start of the axis, wherever that is
          axisLabel: { ...axis.axisLabel, show: isLast, customValues: roundTicks(xRange) },
        };
      }),
      yAxis: panels.map(({ yLabel }, index) => ({
        ...valueAxis(yLabel, yRanges[index]),
        gridIndex: index,
        nameGap: labelWidth + 14,
      })),
      series: panels.flatMap(({ series }, index) =>
        series.flatMap((one, i) =>
          curveSeries(one, index, one.color ?? colours.get(one.name) ?? PALETTE[0], `band-${index}-${i}`),
        ),
      ),
    },
  };
}

/** From the first to the last value exactly, with round ticks between. */
function horizontalRange(values: readonly number[]): { min: number; max: number; interval: number } {
  const range = niceRange(values, 6);
  if (values.length === 0) return range;
  const [first, last] = values.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
  if (first === last) return range;
  return { min: first <= 0.1 * last && first >= 0 ? 0 : first, max: last, interval: range.interval };
}

function curveSeries(
  series: CurveSeries,
  panel: number,
  color: string,
  bandName: string,
): LineSeriesOption[] {
  const { name, points, smoothing = 0, band, dashed = false } = series;
  const type = dashed ? 'dashed' : 'solid';
  const line = (y: readonly number[], lineStyle: object): LineSeriesOption => ({
    type: 'line',
    name,
    color,
    xAxisIndex: panel,
    yAxisIndex: panel,
    silent: true,
    symbol: points.length === 1 ? 'circle' : 'none',
    data: points.map(([x], i) => [x, y[i]]),
    lineStyle: { type, ...lineStyle },
  });
  const raw = points.map(([, y]) => y);
  const lines =
    smoothing === 0
      ? [line(raw, { width: 1.8 })]
      : [line(movingAverage(raw, smoothing), { width: 2 }), line(raw, { width: 0.8, opacity: 0.4 })];
  if (!band) return lines;
  // the band is the distance between two stacked lines that are not seen
  const stacked = { stack: bandName, stackStrategy: 'all' as const, z: 1 };
  const spread = band.high.map((high, i) => high - band.low[i]);
  return [
    ...lines,
    { ...line(band.low, { width: 0 }), ...stacked },
    { ...line(spread, { width: 0 }), ...stacked, areaStyle: { color, opacity: 0.18 } },
  ];
}
