import type { LineSeriesOption } from 'echarts';

import type { Chart } from './chart.js';
import {
  INK,
  LEGEND_TOP,
  MARGIN,
  MUTED,
  PALETTE,
  TEXT_SIZE,
  niceRange,
  textWidth,
  titleOption,
  valueAxis,
} from './style.js';

/** An estimate and the ends of its interval; null where there is none. */
export interface ChartInterval {
  estimate: number;
  low: number | null;
  high: number | null;
}

/** One quantity, one interval a row. */
export interface IntervalPanel {
  /** May be empty where there is only one. */
  title: string;
  /** What the horizontal axis counts. */
  xLabel: string;
  intervals: readonly ChartInterval[];
  /** Draws a dotted line at this value. */
  reference?: number;
}

/** Estimates with intervals, side by side in panels. */
export interface IntervalChartOptions {
  title: string;
  /** One a row, from top to bottom. */
  rows: readonly string[];
  /** Side by side, two in a line. */
  panels: readonly IntervalPanel[];
  /** Pixels. @defaultValue 760 */
  width?: number;
  /** One a row; the palette in order where it is left out. */
  colors?: readonly string[];
}

const ROW_HEIGHT = 30;
const PANEL_TITLE = 26;
const AXIS_HEIGHT = 46;
const GAP = { column: 48, row: 22 };

/** Estimates as upright marks on bars that are their intervals, one row a method, one panel a quantity. */
export function intervalChart(options: IntervalChartOptions): Chart {
  const { title, rows, panels, width = 760, colors = [] } = options;
  const columns = Math.min(2, panels.length);
  const lines = Math.ceil(panels.length / columns);
  const labelWidth = Math.ceil(Math.max(...rows.map((row) => textWidth(row, `${TEXT_SIZE}px`)), 0));
  const left = MARGIN + labelWidth + 10;
  const panelWidth = (width - left - MARGIN - 8 - (columns - 1) * GAP.column) / columns;
  const titleHeight = panels.some((panel) => panel.title !== '') ? PANEL_TITLE : 0;
  const panelHeight = Math.max(1, rows.length) * ROW_HEIGHT;
  const lineHeight = titleHeight + panelHeight + AXIS_HEIGHT + GAP.row;
  const place = (index: number) => ({
    left: left + (index % columns) * (panelWidth + GAP.column),
    top: LEGEND_TOP + titleHeight + Math.floor(index / columns) * lineHeight,
  });
  return {
    width,
    height: LEGEND_TOP + lines * lineHeight - GAP.row + MARGIN,
    option: {
      title: [
        titleOption(title, MARGIN, MARGIN),
        ...panels.map((panel, index) =>
          titleOption(panel.title, place(index).top - 20, place(index).left, TEXT_SIZE),
        ),
      ],
      grid: panels.map((_, index) => ({
        ...place(index),
        width: panelWidth,
        height: panelHeight,
        outerBoundsMode: 'none' as const,
      })),
      xAxis: panels.map((panel, index) => ({
        ...valueAxis(panel.xLabel, panelRange(panel)),
        gridIndex: index,
        nameGap: 28,
      })),
      yAxis: panels.map((_, index) => ({
        type: 'category' as const,
        gridIndex: index,
        inverse: true,
        data: [...rows],
        axisLabel: { show: index % columns === 0, color: INK, fontSize: TEXT_SIZE, interval: 0 },
        axisLine: { show: true, onZero: false, lineStyle: { color: MUTED } },
        axisTick: { show: false },
      })),
      series: panels.flatMap((panel, index) =>
        panel.intervals.flatMap((interval, row) =>
          rowSeries(interval, row, index, colors[row] ?? PALETTE[row % PALETTE.length], panel.reference),
        ),
      ),
    },
  };
}

function panelRange({ intervals, reference }: IntervalPanel) {
  const values = intervals.flatMap(({ estimate, low, high }) => [
    estimate,
    low ?? estimate,
    high ?? estimate,
  ]);
  return niceRange(reference === undefined ? values : [...values, reference], 4);
}

function rowSeries(
  { estimate, low, high }: ChartInterval,
  row: number,
  panel: number,
  color: string,
  reference: number | undefined,
): LineSeriesOption[] {
  const common = { type: 'line' as const, xAxisIndex: panel, yAxisIndex: panel, silent: true, color };
  const bar: LineSeriesOption = {
    ...common,
    symbol: 'none',
    lineStyle: { width: 12, opacity: 0.35, cap: 'butt' },
    data: [
      [low ?? estimate, row],
      [high ?? estimate, row],
    ],
  };
  const mark: LineSeriesOption = {
    ...common,
    symbol: 'rect',
    symbolSize: [3, 18],
    data: [[estimate, row]],
    z: 4,
    ...(row === 0 &&
      reference !== undefined && {
        markLine: {
          silent: true,
          symbol: 'none',
          label: { show: false },
          lineStyle: { color: MUTED, type: 'dotted', width: 1 },
          data: [{ xAxis: reference }],
        },
      }),
  };
  return low === null || high === null ? [mark] : [bar, mark];
}
