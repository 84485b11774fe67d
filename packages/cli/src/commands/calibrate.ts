import { CheckpointError, ConfigError, RandomStream, type RunDirectory } from '@rollcast/core';
import {
  INTERVALS,
  calibratePaths,
  distributionMetrics,
  fitCalibration,
  listNames,
  meanPath,
  weightsTowards,
  type Calibration,
  type CalibrationSet,
  type DegradationWindow,
} from '@rollcast/envs';
import { Option, type Command } from 'commander';

import { guaranteeOf, shapeOf, splitWindows, writeCalibration } from '../calibration.js';
import { addDataFlags, type DataFlags } from '../data-source.js';
import {
  openForecaster,
  readForecaster,
  type ForecasterChoice,
  type ForecastingRun,
  type LoadedForecaster,
} from '../ensemble.js';
import { evaluationSets } from '../evaluation-sets.js';
import { integer, list, number } from '../flags.js';
import { addLikeFlag, forecasterNotes, forecasterOf, memberWeights, weighted } from '../kinds.js';
import { refuseOtherWindows, weightsDigest } from '../model-files.js';
import { samplePaths, type ForecastShape, type PathModel } from '../paths.js';
import { progress } from '../progress.js';
import { counted, renderTextTable, type Table } from '../report/table.js';
import type { JudgedSet } from '../windows.js';
import {
  addBackendFlags,
  addForecasterFlags,
  prepareFile,
  startBackend,
  addShapeFlags,
  withLogger,
  type BackendFlags,
} from './shared.js';

interface CalibrateFlags extends DataFlags, BackendFlags, Partial<ForecastShape>, ForecasterChoice {
  run: string;
  only?: string[];
  like?: string;
  windowsPerUnit: number;
  samples: number;
  share: number;
  guarantee: boolean;
  seed: number;
}

export function addCalibrate(program: Command): void {
  const command = program
    .command('calibrate')
    .description(
      'Make the intervals of a run hold their share of the truths: conformal calibration on some of its held-out units, or on other data.',
    )
    .requiredOption(
      '--run <folder>',
      'run whose forecasts are calibrated; calibration.json is written there',
    );
  addForecasterFlags(command)
    .option('--windows-per-unit <count>', 'evenly spaced windows of each unit', integer(1), 40)
    .option('--samples <paths>', 'sampled paths a window', integer(20, 10_000), 99)
    .option(
      '--share <share>',
      'share of the units that calibrate; the others judge the result (1: all calibrate)',
      number({ above: 0 }),
      0.5,
    )
    .option(
      '--no-guarantee',
      'leave out the correction for few units: narrower, right on average over many units, guaranteed for none',
    )
    .addOption(
      new Option('--only <sets>', 'runs on a corpus: these sets (default: each that was trained on)')
        .argParser(list)
        .conflicts('data'),
    )
    .option('--seed <number>', 'seed of the sampled paths and of which units calibrate', integer(0), 0);
  addBackendFlags(addLikeFlag(addDataFlags(addShapeFlags(command))))
    .addHelpText('after', HELP)
    .action(runCalibrate);
}

const HELP = `
Coverage and width are shown on the units that did not calibrate: as they were, guaranteed, and plain
(--no-guarantee). Of few units the guaranteed intervals are too wide on purpose, and hold more than their level.

rollcast forecast then uses the calibration by itself (--no-calibrated turns it off; of several sets for a kind
that calibrated, --like SET), and rollcast evaluate --calibrated judges it, on units that did not calibrate.

Units count, not windows: for a guarantee, 50 % intervals need 3 calibrating units, 80 % ones 9, 90 % ones
19. What is guaranteed, and what is not: docs/evaluation.md.

Example:
  rollcast calibrate --run runs/pre
`;

/** A set of a corpus with fewer held-out units does not calibrate where another has as many. */
const FEWEST_UNITS = 3;

async function runCalibrate(flags: CalibrateFlags): Promise<void> {
  if (flags.share > 1)
    throw new ConfigError(`--share is a share of the units, at most 1; got ${flags.share}.`);
  const own = openForecaster(flags.run, flags);
  const { sets, notes } = evaluationSets(flags, own.run);
  const forecasting = forecasterOf(own, onlyKind(own, sets));
  const { run } = forecasting;
  const shape = shapeAsBefore(flags, run);
  prepareFile('--run', run.calibrationFile);
  const backend = await startBackend(flags);
  await withLogger(run, (logger) => {
    const kinds = sets.map(({ kind }) => kind);
    for (const note of [backend, ...notes, ...forecasterNotes(own, kinds)]) logger.info(note);
    const loaded = readForecaster(forecasting, shape);
    try {
      refuseOtherWindows(loaded, sets[0].dataset);
      return Promise.resolve(calibrate({ own, forecasting, loaded, shape, sets }, flags));
    } finally {
      loaded.dispose();
    }
  });
}

/**
 * A kind of the sets, undefined where they are of none that the run knows.
 *
 * @throws {ConfigError} where another run forecasts some of them: a calibration is of one run
 */
function onlyKind({ newKinds }: ForecastingRun, sets: readonly JudgedSet[]): string | undefined {
  const known = sets.filter(({ kind }) => kind !== undefined);
  if (newKinds !== undefined && known.length > 0 && known.length < sets.length)
    throw new ConfigError(
      `--only names sets that were trained on and sets that were left out; ${newKinds.forecasting.run.path} forecasts the latter. Calibrate one after the other.`,
    );
  return known.at(0)?.kind;
}

/** What is calibrated, on what. */
interface CalibrateParts {
  /** The run that was named. */
  own: ForecastingRun;
  /** What forecasts the sets. */
  forecasting: ForecastingRun;
  loaded: LoadedForecaster;
  shape: ForecastShape;
  sets: readonly JudgedSet[];
}

/** Finds and writes the calibration, and says what it does to units that did not calibrate. */
function calibrate({ own, forecasting, loaded, shape, sets }: CalibrateParts, flags: CalibrateFlags): void {
  const { samples, share, seed, guarantee, windowsPerUnit } = flags;
  const speaks = ({ dataset }: JudgedSet): boolean => dataset.units.length >= FEWEST_UNITS;
  const small = sets.some(speaks) ? sets.filter((set) => !speaks(set)) : [];
  const split = sets.map((set) => {
    const windows = set.dataset.evenlySpacedWindows(windowsPerUnit);
    const parts = small.includes(set)
      ? { calibrating: [], judging: windows }
      : splitWindows(windows, share, seed);
    const members = weighted(loaded.members, memberWeights(own, set.kind));
    return { name: set.name, members, ...parts };
  });
  const { horizon } = loaded.description;
  const paths = sampled(
    split.map(({ members, calibrating, judging }) => ({ members, windows: [...calibrating, ...judging] })),
    { samples, seed, shape, horizon },
  );
  const parts = split.map(({ name, calibrating, judging }, i) => ({
    name,
    calibrating: { windows: calibrating, paths: paths[i].slice(0, calibrating.length) },
    judging: { windows: judging, paths: paths[i].slice(calibrating.length) },
  }));
  const made = split
    .map((part) => ({
      name: part.name,
      units: unitsOf(part.calibrating),
      windows: part.calibrating.length,
    }))
    .filter(({ units }) => units.length > 0);
  const found = calibrations(
    made,
    parts.map((part) => part.calibrating).filter(({ windows }) => windows.length > 0),
  );
  const kind = guarantee ? 'guaranteed' : 'plain';
  const calibration = found.together[kind];
  const bySet = Object.fromEntries([...found.bySet].map(([name, ofSet]) => [name, ofSet[kind]]));
  const { run, checkpoint, checkpoints } = forecasting;
  writeCalibration(run, {
    update: checkpoint.update,
    sets: made,
    samples,
    models: checkpoints.length,
    weights: checkpoints.map(weightsDigest),
    shape,
    seed,
    calibration,
    bySet,
  });
  for (const { name, judging } of parts) {
    console.log(
      judging.windows.length > 0
        ? `\n${renderTextTable(coverageTable(name, judging, found.bySet.get(name) ?? found.together))}`
        : `\n${name}: all units calibrated, none is left to judge the result on.\n`,
    );
  }
  for (const { name, units, windows } of made) {
    console.log(
      `Calibrated on ${counted(windows, 'window')} of ${counted(units.length, 'unit')} of ${name} (${listNames(units)}).`,
    );
  }
  if (small.length > 0) {
    console.log(
      `Not calibrated on ${listNames(small.map(({ name }) => name))}: fewer than ${FEWEST_UNITS} units do not speak for their kind, beside sets that have more.`,
    );
  }
  if (found.bySet.size > 0) {
    console.log(
      'Each set has factors of its own, which forecast --like SET takes; those of all sets together serve other kinds where --calibrated asks for them.',
    );
  }
  if (guarantee)
    for (const [name, ofSet] of Object.entries(bySet)) console.log(`${name}: ${guaranteeOf(ofSet)}`);
  console.log(
    found.bySet.size > 0 && guarantee ? `together: ${guaranteeOf(calibration)}` : guaranteeOf(calibration),
  );
  const which = guarantee ? 'guaranteed one; --no-guarantee writes the plain one' : 'plain one';
  console.log(`Written: ${run.calibrationFile}, the ${which}.`);
}

/** As an earlier calibration has it, unless asked otherwise; one that is damaged is written anew. */
function shapeAsBefore(asked: Partial<ForecastShape>, run: RunDirectory): ForecastShape {
  try {
    return shapeOf(asked, run);
  } catch (error) {
    if (error instanceof CheckpointError) return shapeOf(asked);
    throw error;
  }
}

/** The factors with and without the correction for few units. */
interface Found {
  readonly guaranteed: Calibration;
  readonly plain: Calibration;
}

/**
 * Factors of all sets together, and of each where there are several: guaranteed ones of its units alone, plain ones with some
 * weight of the others.
 */
function calibrations(
  made: readonly { name: string; units: readonly string[] }[],
  sets: readonly CalibrationSet[],
): { together: Found; bySet: ReadonlyMap<string, Found> } {
  const together = { guaranteed: fitCalibration(sets), plain: fitCalibration(sets, { finiteSample: false }) };
  const several = made.length > 1 ? made : [];
  const bySet = several.map(({ name, units }, i): [string, Found] => {
    const setWeights = weightsTowards(i, units.length, sets.length);
    return [
      name,
      {
        guaranteed: fitCalibration([sets[i]]),
        plain: fitCalibration(sets, { finiteSample: false, setWeights }),
      },
    ];
  });
  return { together, bySet: new Map(bySet) };
}

/** Paths of the windows of each set, from its models. */
function sampled(
  sets: readonly { members: readonly PathModel[]; windows: readonly DegradationWindow[] }[],
  { samples, seed, shape, horizon }: { samples: number; seed: number; shape: ForecastShape; horizon: number },
): Float64Array[][][] {
  const total = sets.reduce((sum, { windows }) => sum + windows.length * samples, 0);
  const bar = progress({ label: 'calibrating', total, unit: 'sequences' });
  let done = 0;
  const onBatch = (count: number): void => bar.tick((done += count));
  try {
    return sets.map(({ members, windows }) =>
      samplePaths(
        {
          members,
          contexts: windows.map(({ context }) => context),
          horizon,
          trainedHorizon: horizon,
          ...shape,
          onBatch,
        },
        samples,
        (w) => new RandomStream(seed, `calibration/sample/${windows[w].unit}/${windows[w].start}`),
      ),
    );
  } finally {
    bar.done();
  }
}

function unitsOf(windows: readonly DegradationWindow[]): string[] {
  return [...new Set(windows.map(({ unit }) => unit))];
}

/** Coverage and width of the central intervals on units that did not calibrate, as they were and as each calibration makes them. */
function coverageTable(name: string, { windows, paths }: CalibrationSet, found: Found): Table {
  const scores = [
    paths,
    ...[found.guaranteed, found.plain].map((calibration) =>
      paths.map((ofWindow, w) => calibratePaths(ofWindow, windows[w].context, calibration)),
    ),
  ].map((of) => distributionMetrics(windows, { points: of.map(meanPath), paths: of }).intervals!);
  const columns = (quantity: string) =>
    [quantity, 'guaranteed', 'plain'].map((label) => ({ label, digits: 3 }));
  return {
    title: `${name}: ${counted(windows.length, 'window')} of ${counted(unitsOf(windows).length, 'unit')} that did not calibrate`,
    columns: [{ label: 'interval', align: 'left' }, ...columns('coverage'), ...columns('width')],
    rows: INTERVALS.map((level) => [
      `${level} %`,
      ...scores.map((intervals) => intervals[level].coverage),
      ...scores.map((intervals) => intervals[level].width),
    ]),
  };
}
