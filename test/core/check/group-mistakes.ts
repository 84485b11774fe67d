/** Mistakes in an environment whose reward compares the sequences of a context. */
import { VarietyEnvironment, type VarietyBatch } from '../../support/variety-environment.js';
import type { Mistake } from './mistakes.js';

const sound = VarietyEnvironment.prototype;
const varietyWith = (wrong: Readonly<Record<string, unknown>>) => (): VarietyEnvironment =>
  Object.assign(new VarietyEnvironment(), wrong);

export const groupMistakes: readonly Mistake[] = [
  {
    rule: 'rows-independent',
    what: 'a comparison with all of the batch',
    says: /the 2 sequences of context 0 scored by themselves are worth something else than in a batch of 16 contexts: .* its own context at most/,
    make: varietyWith({
      reward: (batch: VarietyBatch, tokens: Int32Array) =>
        sound.reward.call(new VarietyEnvironment(), { ...batch, draws: batch.draws.map(() => 0) }, tokens),
    }),
  },
  {
    rule: 'rows-independent',
    what: 'a comparison with the batch as soon as contexts are repeated',
    says: /the 4 sequences of context 0 scored by themselves/,
    make: varietyWith({
      minSamplesPerContext: 1,
      reward: (batch: VarietyBatch, tokens: Int32Array) => {
        const { size, draws } = batch;
        if (new Set(draws).size === size)
          return { reward: Float32Array.from(draws, (_, b) => tokens[2 * b]), components: {} };
        return sound.reward.call(new VarietyEnvironment(), { ...batch, draws: draws.map(() => 0) }, tokens);
      },
    }),
  },
  {
    rule: 'permutation',
    what: 'a comparison that is worth more further down',
    says: /with 2 sequences a context and the contexts in another order, .*row b starts at/,
    make: varietyWith({
      reward: (batch: VarietyBatch, tokens: Int32Array) => ({
        reward: sound.reward.call(new VarietyEnvironment(), batch, tokens).reward.map((r, b) => r * b),
        components: {},
      }),
    }),
  },
  {
    rule: 'repeat',
    what: 'draws that are forgotten in repeat',
    says: /repeat\(batch, 4\) does not give each row 4 times: number/,
    make: varietyWith({
      repeat: (batch: VarietyBatch, times: number) => {
        const repeated = sound.repeat(batch, times);
        return { ...repeated, draws: repeated.draws.map(() => 7) };
      },
    }),
  },
  {
    rule: 'repeat',
    what: 'a comparison without repeat',
    says: /its reward needs 2 sequences of each context: .* its batches also hold draws, .*Add repeat/,
    make: varietyWith({ repeat: undefined }),
  },
  {
    rule: 'reward-call',
    what: 'a comparison that is not declared',
    says: /nothing to compare with .*say how many it needs: minSamplesPerContext/,
    make: varietyWith({ minSamplesPerContext: undefined }),
  },
  {
    rule: 'sizes',
    what: 'no sequence of a context',
    says: /minSamplesPerContext is 0/,
    make: varietyWith({ minSamplesPerContext: 0 }),
  },
];
