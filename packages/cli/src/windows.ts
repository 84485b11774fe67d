/** From a recipe to windows: those to train on, and those of the units that are held out. */
import { ConfigError, DataError, RollcastError, suggestion } from '@rollcast/core';
import { AugmentedWindows, RLDataset, WindowMixture, splitUnits, type WindowSource } from '@rollcast/envs';

import { loadSource, type CorpusSet, type DataRecipe, type DataSource } from './data-source.js';

/** One data set, split by unit. */
export interface WindowSet {
  readonly name: string;
  readonly weight: number;
  /** None where the set is left out of training. */
  readonly train?: RLDataset;
  /** None where the set has one unit, which is trained on; all units where it is left out of training. */
  readonly heldOut?: RLDataset;
  readonly notes: readonly string[];
}

/** What a run learns from, and the sets that this was made of. */
export interface LoadedWindows {
  readonly train: WindowSource;
  readonly sets: readonly (WindowSet & { train: RLDataset })[];
  readonly notes: readonly string[];
}

/**
 * Training and held-out windows of a recipe.
 *
 * @throws {DataError} naming the set of a corpus that cannot be read
 */
export function loadWindows(recipe: DataRecipe): LoadedWindows {
  const { source } = recipe;
  if (!('corpus' in source)) {
    const set = onlySet(source, recipe);
    return { train: set.train, sets: [set], notes: set.notes };
  }
  const { sets, augment } = source.corpus;
  const loaded = sets
    .filter(({ leaveOut }) => !leaveOut)
    .map((set) => corpusSet(set, recipe) as WindowSet & { train: RLDataset });
  const { stretch, halfTurn, mix, noise } = augment;
  const augmented = stretch !== undefined || Math.max(halfTurn, mix, noise) > 0;
  const parts = loaded.map(({ weight, train }) => ({
    weight,
    source: augmented ? new AugmentedWindows(train, augment) : train,
  }));
  return { train: new WindowMixture(parts), sets: loaded, notes: loaded.flatMap(({ notes }) => notes) };
}

/** Windows to judge on. */
export interface JudgedSet {
  readonly name: string;
  readonly dataset: RLDataset;
  /** The set whose kind they are of, one that the run was trained on; none where they are of another kind. */
  readonly kind?: string;
}

/**
 * The held-out windows of a recipe, set by set: of each that takes part in training, simulated ones beside real data excepted, or
 * of those that are named. A set that was left out of training is held out as a whole.
 *
 * @param only - names of sets of a corpus
 * @throws {ConfigError} for a name that the corpus does not have, or a recipe of one set
 */
export function heldOutSets(
  recipe: DataRecipe,
  only?: readonly string[],
): { sets: JudgedSet[]; notes: string[] } {
  const { source } = recipe;
  if (!('corpus' in source)) {
    if (only) throw new ConfigError('--only names sets of a corpus; this run has one data set.');
    const { name, heldOut, notes } = onlySet(source, recipe);
    return { sets: [{ name, dataset: heldOut, kind: name }], notes: [...notes] };
  }
  const { sets } = source.corpus;
  if (only) refuseUnknownSets('--only', only, sets);
  // what is simulated beside real data is there to learn from
  const real = sets.some(({ source }) => 'files' in source);
  const loaded = sets
    .filter(({ name, leaveOut, source }) =>
      only ? only.includes(name) : !leaveOut && ('files' in source || !real),
    )
    .map((set) => corpusSet(set, recipe));
  const judged = loaded.flatMap(({ name, train, heldOut }) =>
    heldOut ? [{ name, dataset: heldOut, ...(train && { kind: name }) }] : [],
  );
  if (judged.length === 0)
    throw new DataError(
      `no unit of ${loaded.map(({ name }) => name).join(', ')} is held out: a set of one unit is trained on. Judge on other data with --data FILE.`,
    );
  return { sets: judged, notes: loaded.flatMap(({ notes }) => notes) };
}

/** @throws {ConfigError} naming the first set that there is not, and the nearest */
export function refuseUnknownSets(
  flag: string,
  names: readonly string[],
  sets: readonly { readonly name: string }[],
): void {
  const known = sets.map(({ name }) => name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new ConfigError(
      `${flag} ${unknown}: the corpus has no such set. Sets: ${known.join(', ')}.${suggestion(unknown, known)}`,
    );
}

/** The set of a recipe that is no corpus. */
function onlySet(
  source: DataSource,
  recipe: DataRecipe,
): WindowSet & { train: RLDataset; heldOut: RLDataset } {
  const set = loadSource(source);
  // units too short for a window leave before the split, so that neither side is left without any
  const usable = new RLDataset(set, recipe.windows);
  const { train, heldOut } = splitUnits({ ...set, units: usable.units }, splitOf(recipe));
  return {
    name: set.name,
    weight: 1,
    train: new RLDataset(train, recipe.windows),
    heldOut: new RLDataset(heldOut, recipe.windows),
    notes: usable.notes,
  };
}

/** A set of a corpus: its units are called NAME/UNIT, and whatever is said of it begins with its name. */
function corpusSet({ name, weight, leaveOut, source }: CorpusSet, recipe: DataRecipe): WindowSet {
  try {
    const loaded = loadSource(source);
    const renamed = loaded.units.map((unit) => ({ ...unit, unit: `${name}/${unit.unit}` }));
    const usable = new RLDataset({ ...loaded, name, units: renamed }, recipe.windows);
    const set = { ...usable.set, units: usable.units };
    const notes = usable.notes.map((note) => `${name}: ${note}`);
    const windows = (units: typeof set): RLDataset => new RLDataset(units, recipe.windows);
    if (leaveOut) return { name, weight, heldOut: windows(set), notes };
    if (set.units.length === 1) {
      notes.push(`${name}: its one unit is trained on; nothing of it is held out.`);
      return { name, weight, train: windows(set), notes };
    }
    const { train, heldOut } = splitUnits(set, splitOf(recipe));
    return { name, weight, train: windows(train), heldOut: windows(heldOut), notes };
  } catch (error) {
    if (!(error instanceof RollcastError)) throw error;
    throw new DataError(`set "${name}" of the corpus: ${error.message.replaceAll('\n', '; ')}`, {
      cause: error,
    });
  }
}

function splitOf({ holdoutShare, splitSeed }: DataRecipe): { holdoutShare: number; seed: number } {
  return { holdoutShare, seed: splitSeed };
}
