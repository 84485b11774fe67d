/**
 * C-MAPSS text (A. Saxena, K. Goebel, D. Simon, N. Eklund 2008, "Damage Propagation Modeling for Aircraft Engine
 * Run-to-Failure Simulation", PHM08): 26 whitespace-separated columns without a header: unit, cycle, three operating
 * settings, sensors s1 to s21.
 */
import { ConfigError, DataError, suggestion } from '@rollcast/core';

import { type ResolvedDataOptions } from './data-options.js';
import { type RawSeries } from './series.js';
import { parseNumber, readTextFile } from './text-file.js';
import { type UnitGuard } from './unit-guard.js';

const COLUMNS = 26;
const SENSORS = 21;
const FIRST_SENSOR = 5;
const COLUMN_NAMES = ['unit', 'cycle', 'setting1', 'setting2', 'setting3'];

/** Sensors with a clear trend in FD001, signed by the way they go. */
export const DEFAULT_HEALTH_SENSORS = 's2,s3,s4,s11,s15,s17,-s7,-s12,-s20,-s21';

/** Cycles at the start of every engine that count as healthy. */
const HEALTHY_CYCLES = 20;

interface SignedSensor {
  readonly name: string;
  readonly column: number;
  readonly sign: 1 | -1;
}

/** Rows of one engine, in the order of the file; each row is the 26 numbers. */
type Engines = Map<string, Float64Array[]>;

/**
 * Reads a C-MAPSS file: one sensor (`sensor: 's11'`) or a health index, which is the default.
 *
 * @throws {ConfigError} when both are asked for
 * @throws {DataError} with file and line for a row of another width, a cell that is not a number, repeated or unsorted
 *   cycles; for an unknown sensor, or one without spread in a health index
 */
export function loadCmapss(
  file: string,
  options: ResolvedDataOptions,
  guard: UnitGuard,
  text = readTextFile(file),
): RawSeries {
  const { sensor, healthIndex } = options;
  if (sensor !== undefined && healthIndex !== undefined && healthIndex !== false)
    throw new ConfigError('Give --sensor or --health-index, not both.');
  if (sensor === undefined && healthIndex === false)
    throw new ConfigError('Without a health index, name one sensor with --sensor, for example s11.');
  const notes: string[] = [];
  const engines = readEngines(file, text, guard);
  const common = { name: file, timeLabel: 'cycle', notes, skipped: guard.skipped };
  if (sensor !== undefined) {
    const { column, name } = parseSensor(file, sensor);
    return { ...common, valueLabel: name, units: toUnits(engines, (row) => row[column]) };
  }
  const list = typeof healthIndex === 'string' ? healthIndex : DEFAULT_HEALTH_SENSORS;
  const sensors = list.split(',').map((item) => parseSensor(file, item));
  notes.push(
    `${file}: health index = mean standard score of ${list.replaceAll(',', ', ')} (mean and standard deviation of the first ${HEALTHY_CYCLES} cycles of all engines in this file).`,
  );
  if (!sameRegime(engines))
    notes.push(
      `${file}: the engines change operating regime (setting 3); the health index is not corrected for it.`,
    );
  return {
    ...common,
    valueLabel: 'health index',
    units: engines.size === 0 ? [] : toUnits(engines, healthScore(file, engines, sensors)),
  };
}

/**
 * Mean over k signed sensors of their standard score, h(row) = 1/k Σⱼ ±(xⱼ − μⱼ)/σⱼ, where μⱼ and σⱼ (divisor n, not
 * n − 1) are taken over the first 20 cycles of all engines.
 */
function healthScore(file: string, engines: Engines, sensors: SignedSensor[]): (row: Float64Array) => number {
  const healthy = [...engines.values()].flatMap((rows) => rows.filter((row) => row[1] <= HEALTHY_CYCLES));
  if (healthy.length === 0)
    throw new DataError(
      `${file}: a health index needs the first ${HEALTHY_CYCLES} cycles of the engines; there are none.`,
    );
  const scales = sensors.map(({ column, name, sign }) => {
    const mean = healthy.reduce((sum, row) => sum + row[column], 0) / healthy.length;
    const variance = healthy.reduce((sum, row) => sum + (row[column] - mean) ** 2, 0) / healthy.length;
    const deviation = Math.sqrt(variance);
    if (!(deviation > 1e-12 * Math.abs(mean)))
      throw new DataError(
        `${file}: sensor ${name} does not vary in the first ${HEALTHY_CYCLES} cycles, so it has no standard score. Leave it out of --health-index.`,
      );
    return { column, mean, factor: sign / deviation };
  });
  return (row) =>
    scales.reduce((sum, { column, mean, factor }) => sum + (row[column] - mean) * factor, 0) / scales.length;
}

function readEngines(file: string, text: string, guard: UnitGuard): Engines {
  const engines: Engines = new Map();
  text.split(/\r\n|\r|\n/).forEach((content, i) => {
    const tokens = content.trim().split(/\s+/);
    if (tokens[0] === '') return;
    const place = `${file}:${i + 1}`;
    if (tokens.length !== COLUMNS)
      throw new DataError(
        `${place}: expected ${COLUMNS} whitespace-separated columns (C-MAPSS: unit, cycle, 3 settings, 21 sensors); got ${tokens.length}.`,
      );
    const unit = tokens[0];
    const good = guard.try(unit, () => {
      const row = Float64Array.from(tokens, (token, j) =>
        parseNumber(token, () => `${place}, column "${columnName(j)}"`),
      );
      const rows = engines.get(unit);
      const last = rows?.at(-1)?.[1];
      if (last !== undefined && row[1] === last)
        throw new DataError(`${place}, column "cycle": engine ${unit} has cycle ${last} twice.`);
      if (last !== undefined && row[1] < last)
        throw new DataError(
          `${place}, column "cycle": cycles of engine ${unit} are not sorted: ${row[1]} follows ${last}.`,
        );
      if (rows) rows.push(row);
      else engines.set(unit, [row]);
    });
    if (!good) engines.delete(unit);
  });
  return engines;
}

function parseSensor(file: string, text: string): SignedSensor {
  const match = /^\s*([+-]?)\s*(s(\d+))\s*$/.exec(text);
  const number = Number(match?.[3]);
  if (match && number >= 1 && number <= SENSORS)
    return { name: match[2], column: FIRST_SENSOR + number - 1, sign: match[1] === '-' ? -1 : 1 };
  const known = Array.from({ length: SENSORS }, (_, i) => `s${i + 1}`);
  throw new DataError(
    `${file}: unknown sensor "${text.trim()}". Known: s1 to s${SENSORS}.${suggestion(text.trim(), known)}`,
  );
}

function toUnits(engines: Engines, value: (row: Float64Array) => number): RawSeries['units'] {
  return [...engines].map(([unit, rows]) => ({
    unit,
    times: Float64Array.from(rows, (row) => row[1]),
    values: Float64Array.from(rows, value),
  }));
}

function sameRegime(engines: Engines): boolean {
  const setting = COLUMN_NAMES.indexOf('setting3');
  const first = engines.values().next().value?.[0][setting];
  return [...engines.values()].every((rows) => rows.every((row) => row[setting] === first));
}

function columnName(index: number): string {
  return COLUMN_NAMES[index] ?? `s${index - FIRST_SENSOR + 1}`;
}
