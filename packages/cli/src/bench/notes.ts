/** What a reader of a benchmark must know to judge its numbers. */
import { combinations } from 'mathjs/number';

import type { Normalisation } from './reference-scores.js';
import { isFailed, isSkipped, type BenchRun } from './result.js';

/** Fewer seeds get a note. */
const ADVISED_SEEDS = 10;
/** Fewer have no interval. */
const LEAST_SEEDS = 3;

/** @param judged - the algorithms that statistics over all environments were made of, with the seeds they use */
export function notesOn(
  runs: readonly BenchRun[],
  normalisations: readonly Normalisation[],
  judged: readonly { readonly algorithm: string; readonly seeds: readonly number[] }[],
): string[] {
  const algorithms = [...new Set(runs.map(({ algorithm }) => algorithm))];
  const seedsOf = (name: string): number =>
    judged.find(({ algorithm }) => algorithm === name)?.seeds.length ?? 0;
  return [
    ...notesOnSeeds(runs),
    ...normalisations.filter(({ observed }) => observed).map(noteOnScores),
    ...notesOnSkipped(runs),
    ...algorithms.flatMap((name) =>
      notesOnFailed(
        name,
        runs.filter((run) => run.algorithm === name),
        seedsOf(name),
      ),
    ),
  ];
}

function notesOnSeeds(runs: readonly BenchRun[]): string[] {
  const seeds = new Set(runs.map(({ seed }) => seed)).size;
  if (seeds === 0 || seeds >= ADVISED_SEEDS) return [];
  if (seeds < LEAST_SEEDS) {
    const few = seeds === 1 ? 'One seed has' : 'Two seeds have';
    return [
      `${few} no interval: nothing here says how sure the numbers are. Use ${ADVISED_SEEDS} seeds or more.`,
    ];
  }
  const resamples = combinations(2 * seeds - 1, seeds);
  return [
    `${seeds} seeds allow only ${resamples} distinct resamples a task, so the intervals are coarse and too narrow. Use ${ADVISED_SEEDS} seeds or more.`,
  ];
}

function noteOnScores({ environment, random, solved }: Normalisation): string {
  const round = (value: number): string => String(Number(value.toPrecision(4)));
  return `No reference returns are known for ${environment}: its scores run from the lowest (${round(random)}) to the highest (${round(solved)}) final return seen here, and cannot be compared with other reports.`;
}

/** One note for all algorithms that cannot act on the same environments. */
function notesOnSkipped(runs: readonly BenchRun[]): string[] {
  const skipped = new Map<string, Set<string>>(); // environments, joined → algorithms
  for (const algorithm of new Set(runs.filter(isSkipped).map((run) => run.algorithm))) {
    const there = runs.filter((run) => run.algorithm === algorithm && isSkipped(run));
    const environments = [...new Set(there.map(({ environment }) => environment))].join(', ');
    skipped.set(environments, (skipped.get(environments) ?? new Set()).add(algorithm));
  }
  return [...skipped].map(
    ([environments, algorithms]) =>
      `Skipped on ${environments}, which takes another kind of algorithm: ${[...algorithms].join(', ')}. Statistics over all environments leave out what was skipped somewhere; the table by environment and the probability of improvement have it.`,
  );
}

/** @param runs - of this algorithm */
function notesOnFailed(algorithm: string, runs: readonly BenchRun[], seedsLeft: number): string[] {
  const failed = runs.filter(isFailed).length;
  if (failed === 0) return [];
  const seeds = new Set(runs.map(({ seed }) => seed)).size;
  const count = `${algorithm}: ${failed} failed ${failed === 1 ? 'run' : 'runs'}`;
  if (runs.some(isSkipped))
    return [`${count}; it is compared by the seeds that finished, which flatters it.`];
  return [
    seedsLeft === 0
      ? `${count}; no seed finished on every environment, so there are no statistics over environments.`
      : `${count}; statistics over environments use the ${seedsLeft} of ${seeds} seeds that finished everywhere, which flatters it.`,
  ];
}
