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
  return [
    ...notesOnSeeds(runs),
    ...normalisations.filter(({ observed }) => observed).map(noteOnScores),
    ...algorithms.flatMap((algorithm) =>
      notesOnAlgorithm(
        algorithm,
        runs.filter((run) => run.algorithm === algorithm),
        judged.find((one) => one.algorithm === algorithm)?.seeds.length ?? 0,
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

function notesOnAlgorithm(algorithm: string, runs: readonly BenchRun[], seedsLeft: number): string[] {
  const skipped = [...new Set(runs.filter(isSkipped).map(({ environment }) => environment))];
  const failed = runs.filter(isFailed).length;
  const seeds = new Set(runs.map(({ seed }) => seed)).size;
  const notes: string[] = [];
  if (skipped.length > 0)
    notes.push(
      `${algorithm} cannot act on ${skipped.join(', ')} and was skipped there, so statistics over all environments leave it out; the table by environment and the probability of improvement have it.`,
    );
  else if (failed > 0)
    notes.push(
      seedsLeft === 0
        ? `${algorithm}: no seed finished on every environment, so there are no statistics over environments.`
        : `${algorithm}: ${failed} failed ${failed === 1 ? 'run' : 'runs'}; statistics over environments use the ${seedsLeft} of ${seeds} seeds that finished everywhere, which flatters it.`,
    );
  return notes;
}
