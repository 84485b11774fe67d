/**
 * An environment of your own in which the policy writes whole sequences: after a few letters, write brackets that close.
 * The reward is a rule, made of named components.
 *
 *     npx tsx examples/03-custom-sequence-environment.ts [updates, 150]
 *
 * Expect: half a minute on two cores; the share of sequences whose brackets close rises from a few percent to over 80 %.
 */
import { RLHFLearner } from '@rollcast/algos';
import {
  DegradationTransformer,
  type RandomStream,
  selectBackend,
  type SequenceBatch,
  type SequenceEnvironment,
  type SequenceReward,
} from '@rollcast/core';

const TOKENS = ['(', ')', 'x'];

class Brackets implements SequenceEnvironment {
  readonly name = 'brackets';
  readonly vocabularySize = TOKENS.length;
  readonly contextLength = 2;
  readonly horizon = 8;

  /** Contexts that open zero to two brackets. */
  sample(batchSize: number, random: RandomStream): SequenceBatch {
    const contextTokens = Int32Array.from({ length: batchSize * this.contextLength }, () =>
      random.integer(2) === 0 ? 0 : 2,
    );
    return { size: batchSize, contextTokens };
  }

  /** 1 for brackets that close, minus 0.05 for each x: writing nothing but x is no way out. */
  reward({ size, contextTokens }: SequenceBatch, generated: Int32Array): SequenceReward {
    const reward = new Float32Array(size);
    const closed = new Float32Array(size);
    const fillers = new Float32Array(size);
    for (let b = 0; b < size; b++) {
      const context = contextTokens.subarray(b * this.contextLength, (b + 1) * this.contextLength);
      const written = generated.subarray(b * this.horizon, (b + 1) * this.horizon);
      closed[b] = closes([...context, ...written]) ? 1 : 0;
      fillers[b] = written.filter((token) => token === 2).length;
      reward[b] = closed[b] - 0.05 * fillers[b];
    }
    return { reward, components: { closed, fillers } };
  }
}

function closes(tokens: readonly number[]): boolean {
  let open = 0;
  for (const token of tokens) {
    if (token === 0) open += 1;
    if (token === 1) open -= 1;
    if (open < 0) return false;
  }
  return open === 0;
}

const updates = Number(process.argv[2] ?? 150);

await selectBackend('auto');
const environment = new Brackets();
const policy = new DegradationTransformer(
  { vocabularySize: environment.vocabularySize, width: 32, layers: 2, heads: 2, attentionWindow: 10 },
  1,
);
const learner = new RLHFLearner({
  policy,
  environment,
  algorithm: 'ppo',
  algorithmOptions: { learningRate: 2e-3, entropyCoef: 0.01, klControl: { kind: 'fixed', coefficient: 0 } },
  updates,
  batchSize: 64,
  seed: 1,
  callbacks: [
    {
      onUpdateEnd({ update, metrics }) {
        if (update === 1 || update % 25 === 0 || update === updates)
          console.log(
            `update ${update}: ${(100 * metrics['reward/closed']).toFixed(0)} % close, ${metrics['reward/fillers'].toFixed(1)} x a sequence`,
          );
      },
    },
  ],
});
await learner.fitRl();

const contextTokens = Int32Array.of(0, 0, 2, 0, 2, 2);
const { tokens } = policy.generate({ contextTokens, batchSize: 3, horizon: environment.horizon });
for (let b = 0; b < 3; b++) {
  const letters = (row: Int32Array, length: number): string =>
    [...row.subarray(b * length, (b + 1) * length)].map((token) => TOKENS[token]).join('');
  console.log(`${letters(contextTokens, 2)} → ${letters(tokens, environment.horizon)}`);
}

learner.dispose();
policy.dispose();
