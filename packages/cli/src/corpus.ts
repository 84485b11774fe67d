/** A corpus file: several data sets and simulators for one run, with weights; docs/pretraining.md has the format. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

import { ConfigError, resolveOptions, type ConfigIssue } from '@rollcast/core';
import { augmentOptions, dataOptions } from '@rollcast/envs';
import { z } from 'zod';

import { corpusOptions, simulatedOptions, type Corpus, type CorpusSet } from './data-source.js';
import { parseOptions } from './flags.js';
import { refuseUnknownSets } from './windows.js';

/** Names go into file names and metrics. */
const SET_NAME = /^[A-Za-z0-9][\w.-]*$/;

const common = {
  name: z.string().regex(SET_NAME, {
    error: 'expected a name of letters, digits, "_", "-" and "." that begins with a letter or digit',
  }),
  weight: z.number().gt(0).default(1).describe('how often its windows are drawn, beside the other sets'),
  leaveOut: z.boolean().default(false).describe('not trained on; rollcast evaluate --only NAME judges on it'),
};
const fileSet = z.strictObject({ ...common, ...dataOptions.shape });
const simulatedSet = z.strictObject({ ...common, simulated: simulatedOptions });
/** What a corpus file holds; a set is looked at by itself, so that messages can name it. */
const corpusFile = z.strictObject({
  sets: z.array(z.record(z.string(), z.unknown())).min(1, { error: 'expected at least one set' }),
  augment: augmentOptions.prefault({}),
});

/** What the command line says of a corpus. */
export interface CorpusFlags {
  corpus?: string;
  dataRoot?: string;
  leaveOut?: string[];
  augment?: string[];
}

/**
 * The corpus that the flags name: paths made absolute, sets that are left out marked.
 *
 * @returns undefined without `--corpus`
 * @throws {ConfigError} listing everything that is wrong with the file, each with the name of its set
 */
export function corpusSource(flags: CorpusFlags): Corpus | undefined {
  const { corpus: file, dataRoot, leaveOut = [], augment: changes = [] } = flags;
  if (file === undefined) {
    const given = {
      '--data-root': dataRoot !== undefined,
      '--leave-out': leaveOut.length,
      '--augment': changes.length,
    };
    for (const [flag, isGiven] of Object.entries(given))
      if (isGiven) throw new ConfigError(`${flag} needs --corpus FILE.`);
    return undefined;
  }
  const { sets: written, augment: writtenAugment } = checked(corpusFile, readJson(file), file);
  const augment = resolveOptions(
    augmentOptions,
    { ...writtenAugment, ...parseOptions('--augment', 'halfTurn=0.5', changes) },
    '--augment',
  );
  const folder = resolve(dataRoot ?? dirname(file));
  const issues: ConfigIssue[] = [];
  const sets = written.flatMap((set, i) => {
    try {
      return [resolveSet(set, i, folder, file)];
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      issues.push(...error.issues);
      return [];
    }
  });
  const names = written.map(({ name }) => name);
  for (const [i, name] of names.entries()) {
    if (name !== undefined && names.indexOf(name) < i)
      issues.push(issue(file, '', `two sets are called ${JSON.stringify(name)}; rename one.`));
  }
  if (issues.length > 0) throw configError(issues);
  refuseUnknownSets('--leave-out', leaveOut, sets);
  const marked = sets.map((set) => ({ ...set, leaveOut: set.leaveOut || leaveOut.includes(set.name) }));
  if (marked.every((set) => set.leaveOut))
    throw new ConfigError(`${file}: every set is left out; at least one is needed to train on.`);
  return resolveOptions(corpusOptions, { sets: marked, augment }, 'corpus');
}

/** One set as it is written → as the run keeps it. */
function resolveSet(
  written: Readonly<Record<string, unknown>>,
  index: number,
  folder: string,
  file: string,
): CorpusSet {
  const place =
    typeof written['name'] === 'string' ? `set ${JSON.stringify(written['name'])}` : `set ${index + 1}`;
  if ('files' in written === 'simulated' in written) {
    const got = 'files' in written ? 'both' : 'neither';
    throw configError([issue(file, place, `expected either files or simulated; got ${got}.`)]);
  }
  if ('simulated' in written) {
    const { simulated, ...set } = checked(simulatedSet, written, file, place);
    return { ...set, source: { simulated } };
  }
  const { name, weight, leaveOut, ...files } = checked(fileSet, written, file, place);
  const absolute = files.files.map((path) => resolve(folder, path));
  return { name, weight, leaveOut, source: { files: { ...files, files: absolute } } };
}

/** `resolveOptions` with the file, and the set, in front of each message. */
function checked<S extends z.ZodType>(schema: S, value: unknown, file: string, place = ''): z.output<S> {
  try {
    return resolveOptions(schema, value, '');
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw configError(
      error.issues.map(({ path, message }) =>
        issue(file, [place, path.replace(/^\./, '')].filter(Boolean).join(', '), message),
      ),
    );
  }
}

function issue(file: string, path: string, message: string): ConfigIssue {
  return { path: [file, path].filter(Boolean).join(': '), message };
}

function configError(issues: ConfigIssue[]): ConfigError {
  return new ConfigError(issues.map(({ path, message }) => `${path}: ${message}`).join('\n'), issues);
}

function readJson(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError(`--corpus ${file}: the file cannot be read (${(error as Error).message}).`);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ConfigError(`--corpus ${file}: not JSON (${(error as Error).message}).`);
  }
}
