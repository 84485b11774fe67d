/** Contexts and rewards of a sequence environment, everything in them looked at. */
import type { SequenceBatch, SequenceEnvironment, SequenceReward } from '../environment.js';
import type { RandomStream } from '../random.js';
import { type Findings, shown, thrown } from './rules.js';

/** Contexts that can be used; undefined otherwise. */
export function drawnContexts(
  environment: SequenceEnvironment,
  size: number,
  random: RandomStream,
  findings: Findings,
): SequenceBatch | undefined {
  const { contextLength, vocabularySize } = environment;
  let batch: Partial<SequenceBatch> | undefined;
  try {
    batch = environment.sample(size, random);
  } catch (error) {
    findings.add(
      'sample',
      `sample(${size}, random) failed: ${thrown(error)}`,
      'Let it draw any number of contexts.',
    );
    return undefined;
  }
  const tokens = batch?.contextTokens;
  if (!tokens || batch?.size !== size || tokens.length !== size * contextLength) {
    findings.add(
      'sample-size',
      `sample(${size}, random) gave ${shown(batch?.size)} contexts and ${shown(tokens?.length)} tokens instead of ${size} × ${contextLength}.`,
      'Return { size: batchSize, contextTokens } with contextLength tokens for each context.',
    );
    return undefined;
  }
  if (!(tokens instanceof Int32Array)) {
    findings.add(
      'sample-dtype',
      `contextTokens is ${shown(tokens)}.`,
      'Make it an Int32Array, for example by Int32Array.from.',
    );
    return undefined;
  }
  const wrong = tokens.findIndex((token) => token < 0 || token >= vocabularySize);
  if (wrong >= 0) {
    findings.add(
      'token-range',
      `token ${wrong} of the contexts is ${tokens[wrong]}; the vocabulary has ${vocabularySize}.`,
      `Draw tokens from 0 to ${vocabularySize - 1}, or make vocabularySize larger.`,
    );
    return undefined;
  }
  return batch as SequenceBatch;
}

/** A reward that can be used; undefined otherwise. */
export function scoredTokens(
  environment: SequenceEnvironment,
  batch: SequenceBatch,
  tokens: Int32Array,
  findings: Findings,
): SequenceReward | undefined {
  const before = JSON.stringify([Array.from(batch.contextTokens), Array.from(tokens)]);
  let result: Partial<SequenceReward> | undefined;
  try {
    result = environment.reward(batch, tokens);
  } catch (error) {
    findings.add(
      'reward-call',
      `reward failed on ${batch.size} random sequences: ${thrown(error)}`,
      environment.repeat && environment.minSamplesPerContext === undefined
        ? 'Let it score every sequence of tokens; bad ones get a low reward. If it compares several sequences of a context, say how many it needs: minSamplesPerContext.'
        : 'Let it score every sequence of tokens; bad ones get a low reward.',
    );
    return undefined;
  }
  if (JSON.stringify([Array.from(batch.contextTokens), Array.from(tokens)]) !== before) {
    findings.add(
      'inputs-kept',
      'reward changed the contexts or the generated tokens that it was given.',
      'Work on copies: what is learned from are the tokens as they are after reward.',
    );
    return undefined;
  }
  if (!isNumbers(result?.reward) || typeof result.components !== 'object' || result.components === null) {
    findings.add(
      'reward-form',
      `reward returned ${result instanceof Promise ? 'a promise' : shown(result)}.`,
      'Return { reward, components }: a Float32Array, and an object with a Float32Array for each name.',
    );
    return undefined;
  }
  const { reward, components } = result as SequenceReward;
  const { size } = batch;
  const lengths = [size, size * environment.horizon];
  const way = `Return one number for each of ${size} sequences, or one for each of ${size} × ${environment.horizon} steps, row by row.`;
  if (!lengths.includes(reward.length))
    findings.add('reward-length', `the reward of ${size} sequences has ${reward.length} numbers.`, way);
  const bad = reward.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0)
    findings.add(
      'reward-finite',
      `number ${bad} of the reward is ${reward[bad]}.`,
      'Look for a division by zero, the logarithm of 0 or an undefined value.',
    );
  for (const [name, values] of Object.entries(components)) {
    if (!/^[A-Za-z][\w-]*$/.test(name) || name === 'mean' || name === 'greedyMean')
      findings.add(
        'components-named',
        `a component is called ${JSON.stringify(name)}.`,
        'Use letters, digits, _ and -, a letter first; "mean" and "greedyMean" are taken by the reward itself.',
      );
    if (!isNumbers(values) || !lengths.includes(values.length)) {
      const got = isNumbers(values) ? `${values.length} numbers` : shown(values);
      findings.add('component-length', `the component "${name}" of ${size} sequences has ${got}.`, way);
      continue;
    }
    const infinite = values.findIndex((value) => !Number.isFinite(value));
    if (infinite >= 0)
      findings.add(
        'component-finite',
        `number ${infinite} of the component "${name}" is ${values[infinite]}.`,
        'Look for a division by zero or an undefined value.',
      );
  }
  return findings.broken ? undefined : { reward, components };
}

function isNumbers(value: unknown): value is Float32Array {
  return value instanceof Float32Array;
}
