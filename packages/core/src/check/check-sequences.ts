/** The checks of sequence environments, cheapest first; what is broken is not checked further. */
import type { SequenceBatch, SequenceEnvironment, SequenceReward } from '../environment.js';
import { RandomStream } from '../random.js';
import { repeatBatch } from '../rollout/repeat-batch.js';
import { rowsOf, takeRows } from './batches.js';
import { MEASURED_MILLISECONDS, type CheckLimits } from './check-steps.js';
import { type Findings, shown, thrown } from './rules.js';
import { drawnContexts, scoredTokens } from './score-sequences.js';

/** Sequences of a batch that is looked at. */
const BATCH = 16;
/** Batches that are scored. */
const BATCHES = 4;
/** Batches, at most, over which speed is measured. */
const MEASURED_BATCHES = 200;
/** Rewards of a sequence above this are huge, below its inverse tiny. */
const HUGE = 1e3;
/** What rounding may change where sums are made in another order. */
const TOLERANCE = 1e-5;

/** A batch, random tokens for it, and what they are worth. */
interface Scored {
  readonly batch: SequenceBatch;
  readonly tokens: Int32Array;
  readonly result: SequenceReward;
}

/** @returns tokens a second, NaN when it did not come to that */
export function checkSequences(
  make: () => SequenceEnvironment,
  { seed, now, seconds, leastPerSecond }: CheckLimits,
  findings: Findings,
): number {
  const environment = make();
  checkSizes(environment, findings);
  if (findings.broken) return NaN;
  const started = now();
  const scored: Scored[] = [];
  for (const [i, size] of [BATCH, 1, ...new Array<number>(BATCHES - 2).fill(BATCH)].entries()) {
    if (i > 0 && now() - started > 1000 * seconds) break;
    const batch = drawnContexts(environment, size, stream(seed + i), findings);
    if (!batch) return NaN;
    const tokens = randomTokens(environment, size, seed + i);
    const result = scoredTokens(environment, batch, tokens, findings);
    if (!result) return NaN;
    scored.push({ batch, tokens, result });
  }
  const [first] = scored;
  checkSampling(make, seed, first, findings);
  if (!findings.broken) checkRepetition(environment, first, findings);
  if (!findings.broken) checkOrder(environment, first, findings);
  if (!findings.broken) checkRepeat(environment, first, findings);
  if (!findings.broken) checkView(environment, first, findings);
  checkScale(scored, findings);
  if (findings.broken) return NaN;
  const perSecond = tokensPerSecond(environment, seed, now);
  if (perSecond < leastPerSecond)
    findings.add(
      'speed',
      `it samples and scores ${Math.round(perSecond)} tokens a second.`,
      'Compute once what does not change, and use typed arrays.',
    );
  return perSecond;
}

function tokensPerSecond(environment: SequenceEnvironment, seed: number, now: () => number): number {
  const tokens = randomTokens(environment, BATCH, seed);
  const started = now();
  let scored = 0;
  for (let i = 0; i < MEASURED_BATCHES && (i === 0 || now() - started < MEASURED_MILLISECONDS); i++) {
    environment.reward(environment.sample(BATCH, stream(seed + i)), tokens);
    scored += tokens.length;
  }
  return (1000 * scored) / Math.max(now() - started, 1e-3);
}

const stream = (seed: number): RandomStream => new RandomStream(seed, 'check/contexts');

function randomTokens(
  { vocabularySize, horizon }: SequenceEnvironment,
  size: number,
  seed: number,
): Int32Array {
  const random = new RandomStream(seed, 'check/tokens');
  return Int32Array.from({ length: size * horizon }, () => random.integer(vocabularySize));
}

function checkSizes(environment: SequenceEnvironment, findings: Findings): void {
  const { name } = environment;
  if (typeof name !== 'string' || name.trim() === '')
    findings.add(
      'name',
      `the name is ${shown(name)}.`,
      'Give the environment a name, for logs and messages.',
    );
  for (const [what, least] of [
    ['vocabularySize', 2],
    ['contextLength', 1],
    ['horizon', 1],
  ] as const) {
    const value = environment[what];
    if (Number.isInteger(value) && value >= least) continue;
    findings.add('sizes', `${what} is ${shown(value)}.`, `Make it an integer ≥ ${least}.`);
  }
}

/** The same stream, the same contexts; on a new instance and on a used one. */
function checkSampling(
  make: () => SequenceEnvironment,
  seed: number,
  { batch }: Scored,
  findings: Findings,
): void {
  const environment = make();
  for (const when of ['a new instance', 'the same instance again']) {
    const { contextTokens } = environment.sample(BATCH, stream(seed));
    if (contextTokens.every((token, i) => token === batch.contextTokens[i])) continue;
    findings.add(
      'sample-deterministic',
      `${when} draws other contexts from the same random stream.`,
      'Take every random number from the stream that sample is given; no Math.random, nothing kept between calls.',
    );
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

const all = (size: number): number[] => Array.from({ length: size }, (_, i) => i);

function checkRepetition(
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

/** The batch in another order, then each of its rows alone. */
function checkOrder(environment: SequenceEnvironment, scored: Scored, findings: Findings): void {
  const { batch, tokens, result } = scored;
  const { size } = batch;
  const order = Array.from(new RandomStream(0, 'check/order').permutation(size));
  const difference = differenceOfRows(environment, scored, order);
  if (difference) {
    findings.add(
      'permutation',
      `in another order of the batch, ${difference}.`,
      'Score row b from row b of the batch and of the tokens: row b starts at b × contextLength and at b × horizon.',
    );
    return;
  }
  for (const row of all(size)) {
    const alone = differenceOfRows(environment, { batch, tokens, result }, [row]);
    if (!alone) continue;
    findings.add(
      'rows-independent',
      `sequence ${row} scored by itself is worth something else than in a batch of ${size}: ${alone}.`,
      'Score each sequence by itself; to standardise over the batch is the business of the algorithm.',
    );
    return;
  }
}

function differenceOfRows(
  environment: SequenceEnvironment,
  { batch, tokens, result }: Scored,
  rows: readonly number[],
): string | undefined {
  try {
    const got = environment.reward(rowsOf(batch, rows), takeRows(tokens, batch.size, rows));
    return firstDifference(result, batch.size, rows, got);
  } catch (error) {
    return `reward failed: ${thrown(error)}`;
  }
}

function checkRepeat(
  environment: SequenceEnvironment,
  { batch, tokens, result }: Scored,
  findings: Findings,
): void {
  const times = 2;
  const rows = all(times * batch.size).map((row) => Math.floor(row / times));
  if (!environment.repeat) {
    const more = Object.keys(batch).filter((key) => key !== 'size' && key !== 'contextTokens');
    if (more.length > 0)
      findings.add(
        'repeat-missing',
        `its batches also hold ${more.join(', ')}, and it has no repeat(batch, times): rloo and grpo cannot use it.`,
        'Add repeat(batch, times), which gives each row `times` times, one after the other.',
      );
    return;
  }
  let difference: string | undefined;
  try {
    const repeated = repeatBatch(environment, batch, times);
    difference = firstDifference(
      result,
      batch.size,
      rows,
      environment.reward(repeated, takeRows(tokens, batch.size, rows)),
    );
  } catch (error) {
    difference = thrown(error);
  }
  if (difference)
    findings.add(
      'repeat',
      `repeat(batch, ${times}) does not give each row ${times} times: ${difference}.`,
      'Repeat everything that the batch holds: row 0, row 0, row 1, row 1, …',
    );
}

function checkView(environment: SequenceEnvironment, { batch, tokens }: Scored, findings: Findings): void {
  if (!environment.view) return;
  const { contextLength, horizon } = environment;
  let problem: string | undefined;
  try {
    const view = environment.view(batch, batch.size - 1, tokens);
    const lengths = { context: contextLength, target: horizon, predicted: horizon } as const;
    for (const [name, length] of Object.entries(lengths) as ['context', number][]) {
      const values = view[name];
      if (values?.length === length && values.every(Number.isFinite)) continue;
      problem = `${name} must be ${length} finite numbers; got ${shown(values)}`;
    }
  } catch (error) {
    problem = `view failed: ${thrown(error)}`;
  }
  if (problem)
    findings.add(
      'view',
      `${problem}.`,
      'Return title, context, target, predicted and valueLabel, or leave view out.',
    );
}

function checkScale(scored: readonly Scored[], findings: Findings): void {
  const sums = scored.flatMap(({ batch: { size }, result: { reward } }) =>
    all(size).map((row) => takeRows(reward, size, [row]).reduce((sum, value) => sum + value, 0)),
  );
  if (sums.every((sum) => sum === sums[0])) {
    findings.add(
      'reward-varies',
      `all of ${sums.length} random sequences are worth ${sums[0]}.`,
      'Give some reward for being nearly right: from equal rewards there is nothing to learn.',
    );
    return;
  }
  const most = sums.reduce((largest, sum) => Math.max(largest, Math.abs(sum)), 0);
  if (most > HUGE || most < 1 / HUGE)
    findings.add(
      'reward-scale',
      `the largest reward of ${sums.length} random sequences is ${most.toPrecision(3)} in size.`,
      `Rewards of about 1 learn best: ${most > HUGE ? 'divide' : 'multiply'} them.`,
    );
}
