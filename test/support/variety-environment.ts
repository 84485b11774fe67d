import type { RandomStream, SequenceBatch, SequenceEnvironment, SequenceReward } from '@rollcast/core';

/** Contexts of one token that are told apart by which draw they came from. */
export interface VarietyBatch extends SequenceBatch {
  readonly draws: readonly number[];
}

/** A reward that compares: a sequence is worth the share of its tokens that the others of its context do not have there. */
export class VarietyEnvironment implements SequenceEnvironment<VarietyBatch> {
  readonly name = 'variety';
  readonly vocabularySize = 4;
  readonly contextLength = 1;
  readonly horizon = 2;
  readonly minSamplesPerContext: number = 2;

  sample(size: number, random: RandomStream): VarietyBatch {
    const contextTokens = Int32Array.from({ length: size }, () => random.integer(this.vocabularySize));
    return { size, contextTokens, draws: Array.from({ length: size }, () => random.uint32()) };
  }

  repeat({ size, contextTokens, draws }: VarietyBatch, times: number): VarietyBatch {
    const rows = Array.from({ length: size * times }, (_, i) => Math.floor(i / times));
    return {
      size: rows.length,
      contextTokens: Int32Array.from(rows, (row) => contextTokens[row]),
      draws: rows.map((row) => draws[row]),
    };
  }

  reward({ size, draws }: VarietyBatch, generated: Int32Array): SequenceReward {
    const { horizon } = this;
    const reward = Float32Array.from({ length: size }, (_, b) => {
      const others = [...draws.keys()].filter((c) => c !== b && draws[c] === draws[b]);
      if (others.length === 0) throw new Error('there is nothing to compare with');
      const differing = others.flatMap((c) =>
        Array.from({ length: horizon }, (__, t): number =>
          generated[b * horizon + t] === generated[c * horizon + t] ? 0 : 1,
        ),
      );
      return differing.reduce((sum, one) => sum + one, 0) / differing.length;
    });
    return { reward, components: {} };
  }
}
