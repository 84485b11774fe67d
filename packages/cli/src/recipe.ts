/** A recipe: the flags of the commands that make a forecaster, one after the other; docs/recipe.md has the format. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { ConfigError, RegistryError, resolveOptions, suggestion } from '@rollcast/core';
import { z } from 'zod';

/** Recipes that come with Rollcast. */
const FOLDER = fileURLToPath(new URL('../recipes/', import.meta.url));

/** Flags by their long names; `true` stands alone, a list is a flag that comes several times. */
const flags = z.record(
  z.string(),
  z.union([z.string(), z.number(), z.literal(true), z.array(z.union([z.string(), z.number()]))]),
);

/** The flags in which a part of a recipe differs from the whole. */
const changes = { pretrain: flags.default({}), train: flags.default({}) };

const recipeFile = z.strictObject({
  description: z.string(),
  extends: z
    .string()
    .min(1)
    .optional()
    .describe('the recipe that this one differs from: its name, or its file, relative to this one'),
  corpus: z.string().min(1).optional().describe('the corpus file, relative to the recipe'),
  pretrain: flags.default({}),
  train: flags.default({}),
  members: z
    .array(z.strictObject(changes))
    .min(1)
    .optional()
    .describe('models that forecast together: of each, the flags in which it differs'),
  calibrate: flags.default({}),
  newKinds: z
    .strictObject({ ...changes, calibrate: flags.default({}) })
    .optional()
    .describe('a second forecaster, for kinds that are not trained on: the flags in which it differs'),
});

/** A recipe with everything that it extends filled in; `corpus` is an absolute path. */
export type Recipe = Required<Omit<z.output<typeof recipeFile>, 'extends' | 'newKinds'>> &
  Pick<z.output<typeof recipeFile>, 'newKinds'>;

/** One command of a recipe. */
export interface Stage {
  readonly command: 'pretrain' | 'train' | 'ensemble' | 'calibrate';
  /** After the name of the command. */
  readonly args: readonly string[];
}

/** What is chosen beside the recipe. */
export interface FitChoices {
  readonly out: string;
  readonly seed: number;
  readonly dataRoot?: string;
  readonly leaveOut?: readonly string[];
  readonly force?: boolean;
  /** Go on with the run folders that are there. */
  readonly resume?: boolean;
  /** Flags of every command: backend, device, threads. */
  readonly everywhere: readonly string[];
}

/** Names of the recipes that come with Rollcast. */
export function recipeNames(): string[] {
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith('.json') && !name.endsWith('-corpus.json'))
    .map((name) => name.slice(0, -'.json'.length))
    .sort();
}

/**
 * @param name - of a recipe that comes with Rollcast, or the path of a JSON file
 * @param readBefore - files that extend it
 * @throws {RegistryError} for an unknown name
 * @throws {ConfigError} when the file is not a recipe
 */
export function readRecipe(name: string, readBefore: readonly string[] = []): Recipe {
  const known = recipeNames();
  const file = known.includes(name) ? `${FOLDER}${name}.json` : name;
  if (!file.endsWith('.json')) {
    throw new RegistryError(
      `Unknown recipe "${name}". Known: ${known.join(', ')}, or a JSON file of your own.${suggestion(name, known)}`,
    );
  }
  let written: unknown;
  try {
    written = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new ConfigError(`--recipe ${file} cannot be read (${(error as Error).message}).`);
  }
  const { extends: other, corpus, ...own } = resolveOptions(recipeFile, written, 'recipe');
  const beside = (path: string): string => resolve(dirname(file), path);
  if (other === undefined) {
    if (corpus === undefined)
      throw new ConfigError(`--recipe ${file}: expected corpus, a file, or extends, another recipe.`);
    return {
      ...own,
      members: own.members ?? [{ pretrain: {}, train: {} }],
      corpus: beside(corpus),
    };
  }
  const files = [...readBefore, resolve(file)];
  const base = known.includes(other) ? other : beside(other);
  if (files.includes(base)) throw new ConfigError(`--recipe ${file}: it extends itself.`);
  const { pretrain, train, calibrate, ...rest } = readRecipe(base, files);
  return {
    description: own.description,
    corpus: corpus === undefined ? rest.corpus : beside(corpus),
    pretrain: { ...pretrain, ...own.pretrain },
    train: { ...train, ...own.train },
    members: own.members ?? rest.members,
    calibrate: { ...calibrate, ...own.calibrate },
    newKinds: own.newKinds ?? rest.newKinds,
  };
}

/** The folder of the pre-trained model. */
export function pretrainedFolder(out: string): string {
  return besideFolder(out, 'pretrained');
}

function besideFolder(folder: string, name: string): string {
  return `${folder.replace(/[/\\]+$/, '')}-${name}`;
}

/**
 * The commands of a recipe. With `resume` a run folder that is there goes on, and one that is not is begun. All members hold out
 * the same units; the seeds of the others are 10 · seed + 1, 10 · seed + 2, … The forecaster for new kinds is made in the same way
 * in OUT-new, from the same seeds.
 */
export function stages({ newKinds, ...recipe }: Recipe, choices: FitChoices): Stage[] {
  const { out, everywhere } = choices;
  const calibrated: Stage = {
    command: 'calibrate',
    args: ['--run', out, ...asArguments(recipe.calibrate), ...everywhere],
  };
  if (!newKinds) return [...trained(recipe, choices), ...ensembled(recipe, out), calibrated];
  const broad: Recipe = {
    ...recipe,
    pretrain: { ...recipe.pretrain, ...newKinds.pretrain },
    train: { ...recipe.train, ...newKinds.train },
    calibrate: { ...recipe.calibrate, ...newKinds.calibrate },
  };
  const folder = besideFolder(out, 'new');
  return [
    ...trained(recipe, choices),
    ...stages(broad, { ...choices, out: folder }),
    ...ensembled(recipe, out, folder),
    calibrated,
  ];
}

/** Folders of the runs of the members, the first one's that of the forecaster. */
function memberFolders({ members }: Pick<Recipe, 'members'>, out: string): string[] {
  return members.map((_, i) => (i === 0 ? out : besideFolder(out, String(i + 1))));
}

/** Pre-training and fine-tuning of each member. */
function trained(
  recipe: Recipe,
  { out, seed, dataRoot, leaveOut, force, resume, everywhere }: FitChoices,
): Stage[] {
  const run = (command: 'pretrain' | 'train', folder: string, begin: readonly string[]): Stage => {
    const goesOn = resume && existsSync(folder);
    const rest = goesOn ? ['--resume'] : [...begin, ...(force ? ['--force'] : [])];
    return { command, args: ['--out', folder, ...rest, ...everywhere] };
  };
  const folders = memberFolders(recipe, out);
  return recipe.members.flatMap((member, i) => {
    const pretrained = pretrainedFolder(folders[i]);
    const own = i === 0 ? seed : 10 * seed + i;
    return [
      run('pretrain', pretrained, [
        ...['--corpus', recipe.corpus],
        ...(dataRoot === undefined ? [] : ['--data-root', dataRoot]),
        ...(leaveOut === undefined ? [] : ['--leave-out', leaveOut.join(',')]),
        ...['--seed', String(own)],
        ...(i === 0 ? [] : ['--split-seed', String(seed)]),
        ...asArguments({ ...recipe.pretrain, ...member.pretrain }),
      ]),
      run('train', folders[i], [
        ...['--init', pretrained, '--seed', String(own)],
        ...asArguments({ ...recipe.train, ...member.train }),
      ]),
    ];
  });
}

/** Tells the run of a forecaster of the others, if there are any. */
function ensembled(recipe: Pick<Recipe, 'members'>, out: string, newKinds?: string): Stage[] {
  const others = memberFolders(recipe, out).slice(1);
  const flags = [
    ...(others.length > 0 ? ['--with', others.join(',')] : []),
    ...(newKinds === undefined ? [] : ['--new-kinds', newKinds]),
  ];
  return flags.length > 0 ? [{ command: 'ensemble', args: ['--run', out, ...flags] }] : [];
}

function asArguments(given: Recipe['train']): string[] {
  return Object.entries(given).flatMap(([name, value]) => {
    if (value === true) return [`--${name}`];
    return (Array.isArray(value) ? value : [value]).flatMap((one) => [`--${name}`, String(one)]);
  });
}
