import { extname, resolve } from 'node:path';

import { ConfigError, showControls, writeFileAtomically, writePicture } from '@rollcast/core';
import { MOST_STEPS_MISSING, loadSeries, type Calibration, type SeriesSet } from '@rollcast/envs';
import type { Command } from 'commander';

import { calibrationOf, chooseCalibration, shapeOf } from '../calibration.js';
import { addDataFlags, fileSource, type DataFlags } from '../data-source.js';
import { openForecaster, readForecaster, type ForecasterChoice, type LoadedForecaster } from '../ensemble.js';
import { integer, number } from '../flags.js';
import { crossingRule, forecastUnit, forecastUnits, type UnitForecast } from '../forecasting.js';
import { addLikeFlag, forecasterNotes, forecasterOf, kindOf, memberWeights, weighted } from '../kinds.js';
import type { ForecastShape, PathModel } from '../paths.js';
import { progress } from '../progress.js';
import {
  DRAWN_UNITS,
  SHOWN_ROWS,
  crossingCsv,
  forecastCsv,
  forecastJson,
  forecastPicture,
  forecastTable,
  pathsCsv,
  type ForecastReport,
} from '../report/forecast-report.js';
import { renderTextTable } from '../report/table.js';
import {
  addBackendFlags,
  addForecasterFlags,
  prepareFile,
  startBackend,
  addShapeFlags,
  type BackendFlags,
} from './shared.js';

interface ForecastFlags extends DataFlags, BackendFlags, Partial<ForecastShape>, ForecasterChoice {
  run: string;
  horizon?: number;
  paths: number;
  threshold?: number;
  seed: number;
  calibrated?: boolean;
  like?: string;
  samplePaths?: boolean;
  out: string;
  plot?: string;
  json?: string;
}

/** Units were left out. */
const EXIT_LEFT_OUT = 1;

export function addForecast(program: Command): void {
  const command = program
    .command('forecast')
    .description('Forecast each unit of a file from its last points, and when it will cross a threshold.')
    .requiredOption('--run <folder>', 'run whose model forecasts: of pretrain, or of train on forecasts');
  addForecasterFlags(command);
  addLikeFlag(addDataFlags(command))
    .option(
      '--horizon <steps>',
      'steps to forecast (default: those that the model was trained for)',
      integer(1, 10_000),
    )
    .option('--paths <count>', 'sampled paths a unit', integer(10, 100_000), 200)
    .option(
      '--threshold <value>',
      'in the units of the data: also say when it is crossed, in the direction of wear',
      number({}),
    )
    .option('--seed <number>', 'seed of the sampled paths', integer(0), 0)
    .option(
      '--calibrated',
      'calibrate the intervals (default: where rollcast calibrate was run on their kind, or on one data set)',
    )
    .option('--no-calibrated', 'leave the paths as the model made them')
    .requiredOption('--out <file>', 'CSV to write: mean, median and deciles, one row a unit and step')
    .option('--sample-paths', 'also write the sampled paths, to OUT-paths.csv')
    .option('--plot <file>', 'also draw the forecasts, to a .svg or .png')
    .option('--json <file>', 'also write everything as JSON');
  addBackendFlags(addShapeFlags(command)).addHelpText('after', HELP).action(runForecast);
}

const HELP = `
With --threshold, OUT-crossing.csv has the remaining useful life of each unit: median, 10 and 90 %
quantile, and the share of its paths that do not cross within the horizon.

A unit is forecast from its last points, as many as the model reads; points that lie unevenly in
time are resampled to their median time step. A unit is left out when it has too few points, a point
that cannot be read, a gap of more than ${MOST_STEPS_MISSING} median time steps, or has crossed the threshold already; the
others are forecast, and the command ends with exit code 1 and the list of what was left out.

Example:
  rollcast forecast --run runs/pre --data cells.csv --threshold 0.88 --out forecast.csv --plot forecast.svg
`;

async function runForecast(flags: ForecastFlags): Promise<void> {
  const files = prepareFiles(flags);
  const source = fileSource(flags);
  if (!source) throw new ConfigError('--data FILE is needed: the histories to forecast.');
  const own = openForecaster(flags.run, flags);
  const kind = kindOf(flags.like, own.run);
  const forecasting = forecasterOf(own, kind);
  const shape = shapeOf(flags, forecasting.run);
  const { file, note } = chooseCalibration(forecasting, flags.calibrated, { shape, kind });
  const set = loadSeries(source, { leaveOutBadUnits: true });
  console.error(await startBackend(flags));
  const loaded = readForecaster(forecasting, shape);
  try {
    const report = forecastAll(flags, {
      set,
      members: weighted(loaded.members, memberWeights(own, kind)),
      description: loaded.description,
      shape,
      calibration: file && calibrationOf(file, kind),
      notes: [...forecasterNotes(own, [kind]), ...(note ? [note] : [])],
    });
    if (report.forecasts.length > 0) await write(files, report, forecasting.run.path);
    tell(files, report);
  } finally {
    loaded.dispose();
  }
}

/** What is to be written, by purpose. */
type Files = Partial<Record<'out' | 'crossing' | 'samplePaths' | 'plot' | 'json', string>>;

/** Refuses files that cannot be written, before minutes of work. @throws {ConfigError} */
function prepareFiles({ out, plot, json, threshold, samplePaths, data = [] }: ForecastFlags): Files {
  const beside = (what: string): string => {
    const end = extname(out);
    return `${out.slice(0, out.length - end.length)}-${what}${end || '.csv'}`;
  };
  if (plot !== undefined && !/\.(svg|png)$/i.test(plot)) {
    throw new ConfigError(`--plot names a picture that ends in .svg or .png; got ${plot}.`);
  }
  const files: Files = {
    out,
    ...(threshold !== undefined && { crossing: beside('crossing') }),
    ...(samplePaths && { samplePaths: beside('paths') }),
    ...(plot !== undefined && { plot }),
    ...(json !== undefined && { json }),
  };
  const taken = new Map(data.map((file) => [resolve(file), 'data']));
  for (const [purpose, file] of Object.entries(files)) {
    const flag = `--${purpose === 'plot' || purpose === 'json' ? purpose : 'out'}`;
    const other = taken.get(resolve(file));
    if (other) throw new ConfigError(`${flag} ${file} is the same file as that of --${other}.`);
    taken.set(resolve(file), flag.slice(2));
    prepareFile(flag, file);
  }
  return files;
}

/** What is forecast, and with what. */
interface ForecastParts {
  set: SeriesSet;
  members: readonly PathModel[];
  description: LoadedForecaster['description'];
  shape: ForecastShape;
  calibration?: Calibration;
  /** What is to be said about models and calibration. */
  notes: readonly string[];
}

function forecastAll(
  flags: ForecastFlags,
  { set, members, description, shape, calibration, notes: ofModel }: ForecastParts,
): ForecastReport {
  const { contextLength } = description;
  const { horizon = description.horizon, paths, seed, threshold } = flags;
  const { units, leftOut, notes } = forecastUnits(set, { contextLength, threshold });
  const told = [...notes];
  if (threshold !== undefined) told.push(`${crossingRule(set, threshold)}.`);
  if (horizon > description.horizon) {
    told.push(
      `the horizon of ${horizon} steps goes beyond the ${description.horizon} that the model was trained for: beyond them a path goes on from its own last ${contextLength} points.`,
    );
  }
  told.push(...ofModel);
  for (const note of told) console.error(showControls(note));
  const bar = progress({ label: 'forecasting', total: units.length * paths, unit: 'paths' });
  const forecasts: UnitForecast[] = [];
  let done = 0;
  const onBatch = (count: number): void => bar.tick((done += count));
  const keepPaths = flags.samplePaths ?? false;
  try {
    for (const unit of units) {
      const options = {
        members,
        horizon,
        trainedHorizon: description.horizon,
        paths,
        shape,
        seed,
        threshold,
        keepPaths,
        calibration,
        onBatch,
      };
      forecasts.push(forecastUnit(unit, set, options));
    }
  } finally {
    bar.done();
  }
  return {
    ...{ set, horizon, paths, seed, threshold, calibrated: calibration !== undefined },
    ...{ units, forecasts, leftOut, notes: told },
  };
}

async function write(
  { out, crossing, samplePaths, plot, json }: Files,
  report: ForecastReport,
  run: string,
): Promise<void> {
  writeFileAtomically(out!, forecastCsv(report));
  if (crossing) writeFileAtomically(crossing, crossingCsv(report));
  if (samplePaths) writeFileAtomically(samplePaths, pathsCsv(report));
  if (json) writeFileAtomically(json, `${JSON.stringify(forecastJson(report, run), null, 2)}\n`);
  if (plot) await writePicture(plot, forecastPicture(report));
}

/** The table, where the files are, and what was left out; sets the exit code. */
function tell(files: Files, report: ForecastReport): void {
  const { forecasts, leftOut, horizon, threshold } = report;
  if (forecasts.length > 0) {
    console.log(renderTextTable(forecastTable(report)));
    if (forecasts.length > SHOWN_ROWS) {
      console.log(`The first ${SHOWN_ROWS} of ${forecasts.length} units; the files hold all.`);
    }
    const never = forecasts.filter(({ crossing }) => crossing?.censoredShare === 1).length;
    if (never > 0) {
      console.log(
        `${never} of ${forecasts.length} units cross the threshold ${threshold} on no path within ${horizon} steps: their crossing is censored.`,
      );
    }
    if (files.plot && forecasts.length > DRAWN_UNITS) {
      console.log(`The picture shows ${DRAWN_UNITS} of ${forecasts.length} units.`);
    }
    console.log(`Written: ${Object.values(files).join(', ')}`);
  } else {
    console.error('No unit could be forecast; nothing was written.');
  }
  if (leftOut.length === 0) return;
  console.error(`\nLeft out, ${leftOut.length} of ${leftOut.length + forecasts.length} units:`);
  for (const { unit, reason } of leftOut) console.error(showControls(`  ${unit}: ${reason}.`));
  process.exitCode = EXIT_LEFT_OUT;
}
