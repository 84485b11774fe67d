/** From flags to histories: the recipe is saved with a run, so that every later command splits the same way. */
import { ConfigError, DataError, resolveOptions, type RunDirectory } from '@rollcast/core';
import {
  augmentOptions,
  dataFormats,
  dataOptions,
  datasetOptions,
  loadSeries,
  physicalLaws,
  simulate,
  simulatorOptions,
  simulators,
  type DataOptions,
  type SeriesSet,
} from '@rollcast/envs';
import { Option, type Command } from 'commander';
import { resolve } from 'node:path';
import { z } from 'zod';

import { integer, list } from './flags.js';

export const simulatedOptions = z.strictObject({
  laws: z.array(z.string()).min(1),
  ...simulatorOptions.shape,
});

/** Where the histories of one set come from. */
export const dataSource = z.union([
  z.strictObject({ files: dataOptions }),
  z.strictObject({ simulated: simulatedOptions }),
]);
export type DataSource = z.output<typeof dataSource>;

/** Several sets for one run; `corpus.ts` reads it from a file. */
export const corpusOptions = z.strictObject({
  sets: z
    .array(
      z.strictObject({
        name: z.string(),
        weight: z.number().gt(0),
        leaveOut: z.boolean(),
        source: dataSource,
      }),
    )
    .min(1),
  augment: augmentOptions,
});
export type Corpus = z.output<typeof corpusOptions>;
export type CorpusSet = Corpus['sets'][number];

/** Where the histories come from, what a window is, and which units are held out. */
export const dataRecipe = z.strictObject({
  source: z.union([...dataSource.options, z.strictObject({ corpus: corpusOptions })]),
  windows: datasetOptions,
  holdoutShare: z.number().gt(0).lt(1).default(0.2),
  splitSeed: z.int().min(0).default(0),
});
export type DataRecipe = z.output<typeof dataRecipe>;

/** The flags that say where data come from. */
export interface DataFlags {
  data?: string[];
  format?: (typeof dataFormats)[number];
  unitColumn?: string;
  timeColumn?: string;
  valueColumn?: string;
  sensor?: string;
  healthIndex?: boolean | string;
  direction?: 'auto' | 'rises' | 'falls';
  points?: number;
}

/** Flags that only mean something beside `--data`. */
const FILE_FLAGS = [
  'format',
  'unitColumn',
  'timeColumn',
  'valueColumn',
  'sensor',
  'healthIndex',
  'direction',
  'points',
] as const;
/** All of them. */
export const DATA_FLAGS = ['data', ...FILE_FLAGS] as const;

export function addDataFlags(command: Command): Command {
  return command
    .option('--data <files>', 'data files, separated by commas (long or wide CSV, C-MAPSS text)', list)
    .addOption(new Option('--format <format>', 'how to read them').choices(dataFormats))
    .option('--unit-column <name>', 'long CSV: column that names the unit')
    .option('--time-column <name>', 'CSV: column of times')
    .option('--value-column <name>', 'long CSV: column of the degrading quantity')
    .option('--sensor <name>', 'C-MAPSS: one sensor, s1 to s21')
    .option(
      '--health-index [sensors]',
      'C-MAPSS: mean standard score of the usual ten sensors, or of a list such as s2,s3,-s7',
    )
    .addOption(
      new Option('--direction <way>', 'which way raw values go with wear (default: auto)').choices([
        'auto',
        'rises',
        'falls',
      ]),
    )
    .option(
      '--points <count>',
      'resample each unit to this many points, evenly spaced in its time (default: as they are)',
      integer(2, 1_000_000),
    );
}

export function addWindowFlags(command: Command): Command {
  return command
    .option('--context <points>', 'W, points seen before each forecast', integer(2), 40)
    .option('--horizon <points>', 'L, points to forecast', integer(1), 60)
    .option('--stride <points>', 'points between the starts of neighbouring training windows', integer(1), 1);
}

/** The options of `loadSeries` that the flags ask for, or undefined without `--data`. */
export function fileSource(flags: DataFlags): DataOptions | undefined {
  if (!flags.data) {
    const stray = FILE_FLAGS.find((name) => flags[name] !== undefined);
    if (stray)
      throw new ConfigError(`--${stray.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)} needs --data FILE.`);
    return undefined;
  }
  const { data, ...how } = flags;
  const chosen = Object.fromEntries(
    FILE_FLAGS.filter((name) => how[name] !== undefined).map((name) => [name, how[name]]),
  );
  return { files: data.map((file) => resolve(file)), ...chosen };
}

/** Loads or simulates what one set is made of. */
export function loadSource(source: DataSource): SeriesSet {
  if ('files' in source) return loadSeries(source.files);
  const { laws, ...options } = source.simulated;
  const names = laws.includes('all') ? [...physicalLaws] : laws;
  const sets = names.map((name) => simulate(name, options));
  return sets.length === 1 ? sets[0] : mixLaws(sets);
}

/** Several laws in one set: each in shares of its nominal wear over a life, which is what they have in common. */
function mixLaws(sets: readonly SeriesSet[]): SeriesSet {
  const units = sets.flatMap((set) => {
    const { wear } = simulators[set.name as keyof typeof simulators];
    return set.units.map((unit) => ({ ...unit, values: unit.values.map((value) => value / wear) }));
  });
  return {
    name: `${sets.length} simulated laws`,
    valueLabel: 'wear (share of a nominal life)',
    direction: 'rises',
    sign: 1,
    units,
    notes: [
      `simulated: ${sets.map(({ name }) => name).join(', ')}; ${units.length} units in all, each in shares of its nominal wear.`,
    ],
    skipped: sets.flatMap(({ skipped }) => skipped),
  };
}

/** Checks a recipe read from a file. @throws {DataError} when it is not one */
export function parseRecipe(value: unknown): DataRecipe {
  try {
    return resolveOptions(dataRecipe, value, 'data');
  } catch (error) {
    throw new DataError(
      `The run's data recipe cannot be read: ${(error as Error).message.replaceAll('\n', '; ')}`,
    );
  }
}

/** The sets that a run on a corpus was trained on, by name; none for a run that is on one data set. */
export function knownKinds({ config }: RunDirectory): string[] {
  const { source } = parseRecipe(config['data']);
  if (!('corpus' in source)) return [];
  return source.corpus.sets.filter(({ leaveOut }) => !leaveOut).map(({ name }) => name);
}
