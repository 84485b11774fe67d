/** How forecasts are told: tables as CSV, a table for people, JSON, a picture. */
import { fanChart, type Chart, type FanPanel } from '@rollcast/core';
import { orient, type SeriesSet, type SkippedUnit } from '@rollcast/envs';

import { DECILES, type CrossingForecast, type ForecastUnit, type UnitForecast } from '../forecasting.js';
import { counted, formatNumber, type Cell, type Table } from './table.js';

/** Units in the picture and rows in the table on the screen, at most; the files hold all. */
export const DRAWN_UNITS = 12;
export const SHOWN_ROWS = 40;

/** Everything that a forecast was made with and came to. */
export interface ForecastReport {
  readonly set: SeriesSet;
  readonly horizon: number;
  readonly paths: number;
  readonly seed: number;
  readonly threshold?: number;
  /** Whether the paths were moved by the run's calibration. */
  readonly calibrated: boolean;
  readonly units: readonly ForecastUnit[];
  /** Of those units, in their order. */
  readonly forecasts: readonly UnitForecast[];
  readonly leftOut: readonly SkippedUnit[];
  readonly notes: readonly string[];
}

/** What times count. */
export function timeName({ timeLabel }: SeriesSet): string {
  return timeLabel ?? 'row';
}

/** One row a unit and step: mean, median, deciles, and with a threshold the share of paths that have crossed. */
export function forecastCsv({ forecasts, threshold }: ForecastReport): string {
  const header = ['unit', 'step', 'time', 'mean', 'median', ...DECILES.map((percent) => `q${percent}`)];
  if (threshold !== undefined) header.push('crossed_share');
  return csv(
    header,
    forecasts.flatMap(({ unit, times, mean, deciles, crossing }) =>
      times.map((time, t) => [
        unit,
        t + 1,
        time,
        mean[t],
        deciles[4][t],
        ...deciles.map((decile) => decile[t]),
        ...(crossing ? [crossing.crossedBy[t]] : []),
      ]),
    ),
  );
}

/** One row a unit: its remaining useful life. Cells beyond the horizon are blank. */
export function crossingCsv({ forecasts, threshold, horizon }: ForecastReport): string {
  return csv(
    ['unit', 'last_time', 'last_value', 'threshold', 'rul_median', 'rul_q10', 'rul_q90', 'censored_share', 'censored_after'], // prettier-ignore
    forecasts.map(({ unit, lastTime, lastValue, timeStep, crossing }) => {
      const { median, low, high, censoredShare } = crossing!;
      return [unit, lastTime, lastValue, threshold!, median, low, high, censoredShare, horizon * timeStep];
    }),
  );
}

/** One row a unit and step, one column a sampled path. */
export function pathsCsv({ forecasts, paths: count }: ForecastReport): string {
  return csv(
    ['unit', 'step', 'time', ...Array.from({ length: count }, (_, i) => `path${i + 1}`)],
    forecasts.flatMap(({ unit, times, paths }) =>
      times.map((time, t) => [unit, t + 1, time, ...paths!.map((path) => path[t])]),
    ),
  );
}

function csv(header: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const cell = (value: Cell): string => {
    if (value === null) return '';
    if (typeof value === 'number') return String(Number(value.toPrecision(10)));
    return /[",\n\r]/.test(value) || value.trim() !== value ? `"${value.replaceAll('"', '""')}"` : value;
  };
  return [header, ...rows].map((row) => `${row.map(cell).join(',')}\n`).join('');
}

/** For `--json`. */
export function forecastJson(report: ForecastReport, run: string): object {
  const { set, horizon, paths, seed, threshold, calibrated, forecasts, leftOut, notes } = report;
  const { name, valueLabel, direction } = set;
  return {
    run,
    dataset: name,
    valueLabel,
    timeLabel: timeName(set),
    direction,
    horizon,
    paths,
    seed,
    calibrated,
    ...(threshold !== undefined && {
      threshold: { value: threshold, crossedWhen: direction === 'falls' ? 'at or below' : 'at or above' },
    }),
    units: forecasts.map(({ deciles, ...forecast }) => ({
      ...forecast,
      median: deciles[4],
      deciles: Object.fromEntries(DECILES.map((percent, k) => [`q${percent}`, deciles[k]])),
    })),
    leftOut,
    notes,
  };
}

/** One row a unit: the last point, the end of the forecast, and with a threshold the remaining useful life. */
export function forecastTable(report: ForecastReport): Table {
  const { set, horizon, paths, threshold, forecasts } = report;
  const time = timeName(set);
  const shown = forecasts.slice(0, SHOWN_ROWS);
  return {
    title: `${set.name}: ${set.valueLabel} of ${counted(forecasts.length, 'unit')}, ${horizon} steps ahead, ${paths} sampled paths each`,
    columns: [
      { label: 'unit', align: 'left' },
      { label: `last ${time}` },
      { label: 'last value' },
      { label: `median +${horizon}` },
      { label: '10 %' },
      { label: '90 %' },
      ...(threshold === undefined
        ? []
        : [
            { label: `RUL median (${time})`, align: 'right' as const },
            { label: 'RUL 10 %', align: 'right' as const },
            { label: 'RUL 90 %', align: 'right' as const },
            { label: 'censored', align: 'right' as const },
          ]),
    ],
    rows: shown.map(({ unit, lastTime, lastValue, timeStep, deciles, crossing }) => [
      unit,
      lastTime,
      lastValue,
      ...[4, 0, 8].map((k) => deciles[k][horizon - 1]),
      ...(crossing ? crossingCells(crossing, horizon * timeStep) : []),
    ]),
  };
}

function crossingCells({ median, low, high, censoredShare }: CrossingForecast, end: number): string[] {
  const told = (time: number | null): string =>
    time === null ? `> ${formatNumber(end, 3)}` : formatNumber(time, 3);
  return [told(median), told(low), told(high), `${(100 * censoredShare).toFixed(0)} %`];
}

/** The units that a picture shows: with a threshold those that cross soonest, otherwise the first. */
function drawn({ forecasts, threshold }: ForecastReport): number[] {
  const order = forecasts.map((_, i) => i);
  if (threshold !== undefined) {
    const sooner = (of: number | null): number => of ?? Infinity;
    order.sort((a, b) => {
      const [left, right] = [forecasts[a].crossing!, forecasts[b].crossing!];
      const byMedian = sooner(left.median) - sooner(right.median);
      return byMedian || left.censoredShare - right.censoredShare || a - b;
    });
  }
  return order.slice(0, DRAWN_UNITS);
}

/** Fans of deciles behind their history; at most `DRAWN_UNITS` units. */
export function forecastPicture(report: ForecastReport): Chart {
  const { set, horizon, threshold, forecasts, units } = report;
  const chosen = drawn(report);
  const left = forecasts.length - chosen.length;
  const which =
    threshold === undefined ? `the first ${chosen.length} of` : `the ${chosen.length} that cross soonest, of`;
  return fanChart({
    title: `${set.name}: forecast ${horizon} steps ahead${left > 0 ? `; ${which} ${forecasts.length} units` : ''}`,
    yLabel: set.valueLabel,
    xLabel: `${timeName(set)}, from the last observed point`,
    threshold,
    panels: chosen.map((i) => panel(set, units[i], forecasts[i])),
  });
}

/** The history in a picture is as long as the context or the horizon, whichever is longer. */
function panel(set: SeriesSet, { series, context }: ForecastUnit, forecast: UnitForecast): FanPanel {
  const { unit, lastTime, timeStep, times, deciles, crossing } = forecast;
  const since = lastTime - timeStep * Math.max(context.values.length - 1, times.length);
  const raw = orient(series.values, set.sign);
  const history = Array.from(raw, (value, i) => [series.times[i], value] as const);
  return {
    title: unit,
    ...(crossing && { subtitle: crossingText(crossing, times.length * timeStep, timeName(set)) }),
    history: history.filter(([time]) => time >= since).map(([time, value]) => [time - lastTime, value]),
    times: times.map((time) => time - lastTime),
    deciles,
    crossing,
  };
}

/** `RUL 35.1 row, 80 %: 9.59 to 48.8`. */
function crossingText(crossing: CrossingForecast, end: number, time: string): string {
  const [median, low, high, never] = crossingCells(crossing, end);
  return crossing.low === null
    ? `RUL ${low} ${time}, ${never} of the paths do not cross`
    : `RUL ${median} ${time}, 80 %: ${low} to ${high}`;
}
