/** What must stay the same when a batch is put into another order, cut, or repeated. */
import type { SequenceBatch, SequenceEnvironment, SequenceReward } from '../environment.js';
import { RandomStream } from '../random.js';
import { repeatBatch } from '../rollout/repeat-batch.js';
import { rowsOf, takeRows } from './batches.js';
import { type Findings, thrown } from './rules.js';

/** What rounding may change where sums are made in another order. */
const TOLERANCE = 1e-5;
/** Continuations of a context that are compared, unless the environment needs more. */
const SAMPLES = 4;

/** Contexts, each continued k times by random tokens, and what those are worth. */
export interface Scored {
  readonly contexts: SequenceBatch;
  /** k, rows of a context, one after the other. */
  readonly samples: number;
  /** The contexts k times each. */
  readonly batch: SequenceBatch;
  /** [contexts.size · k, L] */
  readonly tokens: Int32Array;
  readonly result: SequenceReward;
}

/** The same batch once more. */
export function checkRepetition(
  environment: SequenceEnvironment,
  { batch, tokens, result }: Scored,
  findings: Findings,
): void {
  const difference = firstDifference(result, batch.size, all(batch.size), environment.reward(batch, tokens));
  if (difference)
    findings.add(
      'reward-deterministic',
      `the same tokens are worth something else the second time: ${difference}.`,
      'Let the reward depend on the batch and the tokens alone; draw what is random in sample and keep it in the batch.',
    );
}

/** The contexts in another order, then each of them alone; rows of one context stay together. */
export function checkOrder(environment: SequenceEnvironment, scored: Scored, findings: Findings): void {
  const { size } = scored.contexts;
  const grouped = scored.samples > 1;
  const order = Array.from(new RandomStream(0, 'check/order').permutation(size));
  const difference = differenceOfContexts(environment, scored, order);
  if (difference) {
    findings.add(
      'permutation',
      `${grouped ? `with ${scored.samples} sequences a context and the contexts in another order` : 'in another order of the batch'}, ${difference}.`,
      'Score row b from row b of the batch and of the tokens: row b starts at b × contextLength and at b × horizon.',
    );
    return;
  }
  for (const context of all(size)) {
    const alone = differenceOfContexts(environment, scored, [context]);
    if (!alone) continue;
    const [what, mend] = grouped
      ? [
          `the ${scored.samples} sequences of context ${context} scored by themselves are worth something else than in a batch of ${size} contexts`,
          'Compare a sequence with those of its own context at most',
        ]
      : [
          `sequence ${context} scored by itself is worth something else than in a batch of ${size}`,
          environment.repeat
            ? 'Score each sequence by itself, or compare it with those of its own context at most'
            : 'Score each sequence by itself',
        ];
    findings.add(
      'rows-independent',
      `${what}: ${alone}.`,
      `${mend}; to standardise over the batch is the business of the algorithm.`,
    );
    return;
  }
}

/**
 * Whether `repeat` repeats everything that a batch holds: against rows that are repeated here.
 *
 * @returns several continuations of each context, scored, whose order can be checked; undefined without a sound `repeat`
 */
export function checkRepeat(
  environment: SequenceEnvironment,
  { contexts, samples: fewest, tokens: few }: Scored,
  findings: Findings,
): Scored | undefined {
  if (!environment.repeat) {
    const more = Object.keys(contexts).filter((key) => !['size', 'contextTokens', 'targets'].includes(key));
    if (more.length > 0)
      findings.add(
        'repeat-missing',
        `its batches also hold ${more.join(', ')}, and it has no repeat(batch, times): rloo and grpo cannot use it.`,
        'Add repeat(batch, times), which gives each row `times` times, one after the other.',
      );
    return undefined;
  }
  const samples = Math.max(SAMPLES, fewest);
  let problem: string;
  try {
    const batch = repeatBatch(environment, contexts, samples);
    const rows = all(batch.size).map((row) => Math.floor(row / samples));
    // again and again the few that there are, which differ within a context
    const tokens = Int32Array.from(
      { length: batch.size * environment.horizon },
      (_, i) => few[i % few.length],
    );
    const result = environment.reward(batch, tokens);
    const byHand = environment.reward(withRowsOf(batch, contexts, rows), tokens);
    const difference = firstDifference(byHand, batch.size, all(batch.size), result);
    if (!difference) return { contexts, samples, batch, tokens, result };
    problem = difference;
  } catch (error) {
    problem = thrown(error);
  }
  findings.add(
    'repeat',
    `repeat(batch, ${samples}) does not give each row ${samples} times: ${problem}.`,
    'Repeat everything that the batch holds: row 0, row 0, row 1, row 1, …',
  );
  return undefined;
}

/** A repeated batch in which everything that has entries by row is taken from the rows of what was repeated. */
function withRowsOf(
  repeated: SequenceBatch,
  contexts: SequenceBatch,
  rows: readonly number[],
): SequenceBatch {
  const taken = Object.entries(rowsOf(contexts, rows)).filter(
    ([key, value]: [string, unknown]) => value !== contexts[key as keyof SequenceBatch],
  );
  return Object.assign(
    Object.create(Object.getPrototypeOf(repeated) as object) as SequenceBatch,
    repeated,
    Object.fromEntries(taken),
  );
}

/** What differs when only these contexts are scored, in this order. */
function differenceOfContexts(
  environment: SequenceEnvironment,
  { contexts, samples, tokens, result }: Scored,
  order: readonly number[],
): string | undefined {
  try {
    const batch = repeatBatch(environment, rowsOf(contexts, order), samples);
    const got = environment.reward(batch, takeRows(tokens, contexts.size, order));
    return firstDifference(result, contexts.size, order, got);
  } catch (error) {
    return `reward failed: ${thrown(error)}`;
  }
}

/** All numbers of a reward by name: the reward itself, then the components. */
function allNumbers({ reward, components }: SequenceReward): [name: string, values: Float32Array][] {
  return [
    ['the reward', reward],
    ...Object.entries(components).map(([name, values]): [string, Float32Array] => [
      `the component "${name}"`,
      values,
    ]),
  ];
}

/** What differs between rows of one reward and another, if anything does. */
function firstDifference(
  expected: SequenceReward,
  size: number,
  rows: readonly number[],
  got: SequenceReward,
): string | undefined {
  const other = new Map(allNumbers(got));
  for (const [name, values] of allNumbers(expected)) {
    const wanted = takeRows(values, size, rows);
    const numbers = other.get(name);
    if (numbers?.length !== wanted.length)
      return `${name} has ${numbers?.length ?? 'no'} numbers instead of ${wanted.length}`;
    const wrong = wanted.findIndex(
      (value, i) => Math.abs(value - numbers[i]) > TOLERANCE * Math.max(1, Math.abs(value)),
    );
    if (wrong >= 0) return `number ${wrong} of ${name} is ${numbers[wrong]} instead of ${wanted[wrong]}`;
  }
  return undefined;
}

/** 0 … size − 1. */
export const all = (size: number): number[] => Array.from({ length: size }, (_, i) => i);
