import type { RandomStream, SequenceBatch, SequenceEnvironment, SequenceReward } from '@rollcast/core';

export interface RepeatOptions {
  vocabularySize?: number;
  contextLength?: number;
  horizon?: number;
  /** `step`: 1 for every repetition; `sequence`: their number, once. */
  credit?: 'step' | 'sequence';
}

/** The toy task: repeat the last token of the context. A blind policy gets horizon / vocabulary, a perfect one the horizon. */
export class RepeatEnvironment implements SequenceEnvironment {
  readonly name = 'repeat';
  readonly vocabularySize: number;
  readonly contextLength: number;
  readonly horizon: number;
  private readonly credit: 'step' | 'sequence';

  constructor({ vocabularySize = 6, contextLength = 3, horizon = 4, credit = 'step' }: RepeatOptions = {}) {
    this.vocabularySize = vocabularySize;
    this.contextLength = contextLength;
    this.horizon = horizon;
    this.credit = credit;
  }

  sample(batchSize: number, random: RandomStream): SequenceBatch {
    const contextTokens = Int32Array.from({ length: batchSize * this.contextLength }, () =>
      random.integer(this.vocabularySize),
    );
    return { size: batchSize, contextTokens };
  }

  reward({ size, contextTokens }: SequenceBatch, generated: Int32Array): SequenceReward {
    const hits = Float32Array.from(generated, (token, i) => {
      const row = Math.floor(i / this.horizon);
      return token === contextTokens[(row + 1) * this.contextLength - 1] ? 1 : 0;
    });
    const totals = Float32Array.from({ length: size }, (_, b) =>
      hits.slice(b * this.horizon, (b + 1) * this.horizon).reduce((x, y) => x + y, 0),
    );
    return { reward: this.credit === 'step' ? hits : totals, components: { hits, totals } };
  }
}
