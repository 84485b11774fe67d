/** The checks of sequence environments, cheapest first; what is broken is not checked further. */
import type { SequenceBatch, SequenceEnvironment } from '../environment.js';
import { RandomStream } from '../random.js';
import { repeatBatch } from '../rollout/repeat-batch.js';
import { takeRows } from './batches.js';
import { MEASURED_MILLISECONDS, type CheckLimits } from './check-steps.js';
import { all, checkOrder, checkRepeat, checkRepetition, type Scored } from './compare-batches.js';
import { type Findings, shown, thrown } from './rules.js';
import { drawnContexts, scoredTokens } from './score-sequences.js';

/** Contexts of a batch that is looked at. */
const BATCH = 16;
/** Batches that are scored. */
const BATCHES = 4;
/** Batches, at most, over which speed is measured. */
const MEASURED_BATCHES = 200;
/** Rewards of a sequence above this are huge, below its inverse tiny. */
const HUGE = 1e3;
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
    const contexts = drawnContexts(environment, size, stream(seed + i), findings);
    const batch = contexts && withSamples(environment, contexts, findings);
    if (!batch) return NaN;
    const tokens = randomTokens(environment, batch.size, seed + i);
    const result = scoredTokens(environment, batch, tokens, findings);
    if (!result) return NaN;
    scored.push({ contexts, samples: samplesOf(environment), batch, tokens, result });
  }
  const [first] = scored;
  checkSampling(make, seed, first, findings);
  if (!findings.broken) checkRepetition(environment, first, findings);
  const repeated = findings.broken ? undefined : checkRepeat(environment, first, findings);
  if (!findings.broken) checkOrder(environment, first, findings);
  if (!findings.broken && repeated) checkOrder(environment, repeated, findings);
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
  const samples = samplesOf(environment);
  const tokens = randomTokens(environment, BATCH * samples, seed);
  const started = now();
  let scored = 0;
  for (let i = 0; i < MEASURED_BATCHES && (i === 0 || now() - started < MEASURED_MILLISECONDS); i++) {
    const contexts = environment.sample(BATCH, stream(seed + i));
    environment.reward(repeatBatch(environment, contexts, samples), tokens);
    scored += tokens.length;
  }
  return (1000 * scored) / Math.max(now() - started, 1e-3);
}

/** k, how often each context is continued at least. */
const samplesOf = ({ minSamplesPerContext = 1 }: SequenceEnvironment): number => minSamplesPerContext;

/** The contexts as often as the reward needs them; undefined when they cannot be repeated. */
function withSamples(
  environment: SequenceEnvironment,
  contexts: SequenceBatch,
  findings: Findings,
): SequenceBatch | undefined {
  try {
    return repeatBatch(environment, contexts, samplesOf(environment));
  } catch (error) {
    findings.add(
      'repeat',
      `its reward needs ${samplesOf(environment)} sequences of each context: ${thrown(error)}`,
      'Add repeat(batch, times), which gives each row `times` times, one after the other, with all that the batch holds.',
    );
    return undefined;
  }
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
  const samples: unknown = samplesOf(environment);
  if (!Number.isInteger(samples) || (samples as number) < 1)
    findings.add(
      'sizes',
      `minSamplesPerContext is ${shown(samples)}.`,
      'Make it an integer ≥ 1, or leave it out.',
    );
}

/** The same stream, the same contexts; on a new instance and on a used one. */
function checkSampling(
  make: () => SequenceEnvironment,
  seed: number,
  { contexts }: Scored,
  findings: Findings,
): void {
  const environment = make();
  for (const when of ['a new instance', 'the same instance again']) {
    const { contextTokens } = environment.sample(BATCH, stream(seed));
    if (contextTokens.every((token, i) => token === contexts.contextTokens[i])) continue;
    findings.add(
      'sample-deterministic',
      `${when} draws other contexts from the same random stream.`,
      'Take every random number from the stream that sample is given; no Math.random, nothing kept between calls.',
    );
  }
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
