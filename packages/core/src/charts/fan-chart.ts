import type { LineSeriesOption } from 'echarts';

import type { Chart } from './chart.js';
import {
  LEGEND_ROW,
  LEGEND_TOP,
  MARGIN,
  MUTED,
  PALETTE,
  TEXT_SIZE,
  legendOption,
  legendRows,
  niceRange,
  roundTicks,
  textWidth,
  tickLabelWidth,
  titleOption,
  valueAxis,
  type NiceRange,
} from './style.js';

/** One unit: what was seen, and the distribution of what comes. In the data's own units; times count from the last point seen. */
export interface FanPanel {
  title: string;
  /** Below the title, for example when the threshold is crossed. */
  subtitle?: string;
  /** Observed (time, value), ascending; the last is at time 0. */
  history: readonly (readonly [time: number, value: number])[];
  /** [L] times of the forecast, > 0. */
  times: readonly number[];
  /** [9][L] the deciles at those times, from the lowest to the highest. */
  deciles: readonly (readonly number[])[];
  /** When the paths reach the threshold. */
  crossing?: {
    /** Quantiles of the time of crossing; null beyond the horizon. */
    low: number | null;
    median: number | null;
    high: number | null;
    /** [L] share of the paths that have crossed by each time. */
    crossedBy: readonly number[];
  };
}

/** A forecast as a fan of quantiles behind its context. */
export interface FanChartOptions {
  title: string;
  panels: readonly FanPanel[];
  /** With unit, for example `capacity [Ah]`. */
  yLabel: string;
  xLabel: string;
  /** Draws a line at this value, and with it the crossings. */
  threshold?: number;
  /** Panels side by side. @defaultValue as many as make the picture about 4 : 3, at most 3 */
  columns?: number;
}

const NAMES = {
  history: 'history',
  median: 'median',
  band: 'deciles, 10–90 %',
  threshold: 'threshold',
  crossing: 'crossing, 10–90 % and median',
  crossed: 'share that has crossed',
};
const COLOURS = { history: MUTED, forecast: PALETTE[0], threshold: PALETTE[1], crossing: PALETTE[2] };
const CELL = { width: 330, height: 210 };
const ONLY_CELL = { width: 580, height: 320 };
const STRIP = { height: 46, gap: 12 };
const GAP = { column: 26, row: 92 };
/** A threshold that no path crosses is drawn up to this many ranges of the values away: the fan comes first. */
const FAR = 2;
/** Opacity of the eight areas between neighbouring deciles. */
const SHADES = [0.14, 0.24, 0.34, 0.46, 0.46, 0.34, 0.24, 0.14];

/**
 * Forecasts as fans of deciles behind their history, one panel a unit; with a threshold also when it is crossed: an interval
 * on its line, and below each panel the share of the paths that have crossed.
 */
export function fanChart(options: FanChartOptions): Chart {
  const { title, panels, yLabel, xLabel, threshold } = options;
  const columns = Math.max(1, options.columns ?? Math.min(3, Math.ceil(Math.sqrt(panels.length))));
  const cell = panels.length === 1 ? ONLY_CELL : CELL;
  const rows = Math.max(1, Math.ceil(panels.length / columns));
  const strip = threshold === undefined ? 0 : STRIP.height + STRIP.gap;
  const times = panels.map((panel) => timeRange(panel));
  const ranges = panels.map((panel) => niceRange(allValues(panel, threshold), 4));
  const labelWidth = Math.max(...ranges.map(tickLabelWidth), Math.ceil(textWidth('100 %', '11px')));
  const left = MARGIN + TEXT_SIZE + 12 + labelWidth;
  const columnStep = cell.width + GAP.column + labelWidth + 8;
  const rowStep = cell.height + strip + GAP.row;
  const width = left + columnStep * (columns - 1) + cell.width + MARGIN;
  const used = [
    NAMES.history,
    NAMES.median,
    NAMES.band,
    ...(threshold === undefined ? [] : [NAMES.threshold, NAMES.crossing, NAMES.crossed]),
  ];
  const top = LEGEND_TOP + LEGEND_ROW * legendRows(used, width - 2 * MARGIN) + 52;
  const place = (index: number) => ({
    left: left + (index % columns) * columnStep,
    top: top + Math.floor(index / columns) * rowStep,
  });
  // grids, and the axes that belong to them: the fans first, then the strips in the same order
  const strips = threshold === undefined ? [] : panels.map((_, index) => index);
  const lowest = (index: number): boolean => index + columns >= panels.length;
  return {
    width,
    height: top + rows * rowStep - GAP.row + 46 + MARGIN,
    option: {
      title: [
        titleOption(title, MARGIN, MARGIN),
        ...panels.map((panel, index) => panelTitle(panel, place(index))),
      ],
      legend: legendOption(used, [NAMES.band, NAMES.crossed]),
      grid: [
        ...panels.map((_, index) => ({ ...place(index), ...cell, outerBoundsMode: 'none' as const })),
        ...strips.map((index) => ({
          left: place(index).left,
          top: place(index).top + cell.height + STRIP.gap,
          width: cell.width,
          height: STRIP.height,
          outerBoundsMode: 'none' as const,
        })),
      ],
      xAxis: [
        ...panels.map((_, index) => {
          const axis = timeAxis(lowest(index) && strip === 0 ? xLabel : '', times[index]);
          return { ...axis, gridIndex: index, axisLabel: { ...axis.axisLabel, show: strip === 0 } };
        }),
        ...strips.map((index) => ({
          ...timeAxis(lowest(index) ? xLabel : '', times[index]),
          gridIndex: panels.length + index,
        })),
      ],
      yAxis: [
        ...panels.map((_, index) => ({
          ...valueAxis(index % columns === 0 ? yLabel : '', ranges[index]),
          gridIndex: index,
          nameGap: labelWidth + 14,
        })),
        ...strips.map((index) => {
          const axis = valueAxis('', { min: 0, max: 1, interval: 0.5 });
          const formatter = (share: number): string => `${Math.round(100 * share)} %`;
          return {
            ...axis,
            gridIndex: panels.length + index,
            axisLabel: { ...axis.axisLabel, formatter },
          };
        }),
      ],
      series: panels.flatMap((panel, index) => [
        ...fanSeries(panel, index),
        ...(threshold === undefined
          ? []
          : crossingSeries(panel, threshold, {
              fan: index,
              strip: panels.length + index,
              x: times[index],
              y: ranges[index],
            })),
      ]),
    },
  };
}

function panelTitle({ title, subtitle = '' }: FanPanel, { left, top }: { left: number; top: number }) {
  return {
    ...titleOption(title, top - (subtitle === '' ? 22 : 38), left, TEXT_SIZE),
    subtext: subtitle,
    subtextStyle: { color: MUTED, fontSize: TEXT_SIZE - 1 },
    itemGap: 8,
  };
}

/** With round ticks; ECharts alone would count from the start of the axis, wherever that is. */
function timeAxis(name: string, range: NiceRange) {
  const axis = valueAxis(name, range);
  return {
    ...axis,
    nameGap: 28,
    splitLine: { show: false },
    axisLabel: { ...axis.axisLabel, customValues: roundTicks(range) },
  };
}

/** From the first point shown to the horizon. */
function timeRange({ history, times }: FanPanel): NiceRange {
  const [first, last] = [history[0][0], times[times.length - 1]];
  return { min: first, max: last, interval: niceRange([first, last]).interval };
}

/** The values of a panel; the threshold among them where some path crosses it, or it is not far away. */
function allValues({ history, deciles, crossing }: FanPanel, threshold: number | undefined): number[] {
  const values = [...history.map(([, value]) => value), ...deciles.flat()];
  if (threshold === undefined) return values;
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const away = Math.max(low - threshold, threshold - high);
  const crosses = crossing?.crossedBy.at(-1) ?? 0;
  return crosses > 0 || away <= FAR * (high - low) ? [...values, threshold] : values;
}

/** A line of the panel's own grid. */
function line(
  name: string,
  color: string,
  axis: number,
  data: readonly (readonly number[])[],
  more: LineSeriesOption = {},
): LineSeriesOption {
  return {
    type: 'line',
    name,
    color,
    xAxisIndex: axis,
    yAxisIndex: axis,
    symbol: 'none',
    silent: true,
    data: data.map((point) => [...point]),
    ...more,
  };
}

function fanSeries({ history, times, deciles }: FanPanel, axis: number): LineSeriesOption[] {
  const [, last] = history[history.length - 1];
  // the areas are distances between stacked lines that are not seen; all of them start at the last observed point
  const stack: LineSeriesOption = {
    stack: `fan-${axis}`,
    stackStrategy: 'all',
    lineStyle: { width: 0 },
    z: 1,
  };
  const heights = deciles.slice(1).map((upper, k) => upper.map((value, t) => value - deciles[k][t]));
  const from = (start: number, values: readonly number[]): number[][] => [
    [0, start],
    ...values.map((value, t) => [times[t], value]),
  ];
  return [
    line('', 'transparent', axis, from(last, deciles[0]), stack),
    ...heights.map((height, k) =>
      line(k === 3 ? NAMES.band : '', COLOURS.forecast, axis, from(0, height), {
        ...stack,
        areaStyle: { color: COLOURS.forecast, opacity: SHADES[k] },
        itemStyle: { color: COLOURS.forecast, opacity: 0.3 },
      }),
    ),
    line(NAMES.history, COLOURS.history, axis, history, {
      lineStyle: { width: 1.5 },
      z: 3,
      markLine: {
        silent: true,
        symbol: 'none',
        label: { show: false },
        lineStyle: { color: MUTED, type: 'dotted', width: 1 },
        data: [{ xAxis: 0 }],
      },
    }),
    line(NAMES.median, COLOURS.forecast, axis, from(last, deciles[4]), { lineStyle: { width: 2 }, z: 4 }),
  ];
}

function crossingSeries(
  { times, crossing }: FanPanel,
  threshold: number,
  axis: { fan: number; strip: number; x: NiceRange; y: NiceRange },
): LineSeriesOption[] {
  const within = threshold >= axis.y.min && threshold <= axis.y.max;
  const ends = within ? [axis.x.min, axis.x.max].map((time) => [time, threshold]) : [];
  const drawn = [
    line(NAMES.threshold, COLOURS.threshold, axis.fan, ends, {
      lineStyle: { width: 1.4, type: [6, 3] },
      z: 5,
    }),
  ];
  if (!crossing) return drawn;
  const { low, median, high, crossedBy } = crossing;
  const horizon = times[times.length - 1];
  // without points where there is nothing to draw: the legend wants a series of its name
  const interval = low === null ? [] : [low, high ?? horizon].map((time) => [time, threshold]);
  drawn.push(
    line(NAMES.crossing, COLOURS.crossing, axis.fan, interval, {
      lineStyle: { width: 7, opacity: 0.6, cap: 'butt' },
      z: 6,
    }),
  );
  if (median !== null) {
    drawn.push(
      line(NAMES.crossing, COLOURS.crossing, axis.fan, [[median, threshold]], {
        symbol: 'rect',
        symbolSize: [3, 17],
        z: 7,
      }),
    );
  }
  drawn.push(
    line(
      NAMES.crossed,
      COLOURS.crossing,
      axis.strip,
      [[0, 0], ...times.map((time, t) => [time, crossedBy[t]])],
      {
        lineStyle: { width: 1.5 },
        areaStyle: { color: COLOURS.crossing, opacity: 0.25 },
        z: 2,
      },
    ),
  );
  return drawn;
}
