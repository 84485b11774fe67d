/** Copy the context: the smallest task that a sequence policy can only do by looking back. */
import {
  ConfigError,
  resolveOptions,
  ShapeError,
  type RandomStream,
  type SequenceBatch,
  type SequenceEnvironment,
  type SequenceReward,
} from '@rollcast/core';
import { z } from 'zod';

export const tokenCopyOptions = z.strictObject({
  vocabularySize: z.int().min(2).max(65_536).default(8).describe('tokens V'),
  contextLength: z.int().min(1).max(65_536).default(6).describe('tokens of context W, drawn uniformly'),
  horizon: z
    .int()
    .min(1)
    .max(65_536)
    .default(6)
    .describe('tokens to generate L; beyond W the context starts again'),
});
export type TokenCopyOptions = z.input<typeof tokenCopyOptions>;

/** Expected sum of rewards: L for the policy that copies, L/V for one that chooses uniformly. */
export function tokenCopyValues(
  vocabularySize: number,
  horizon: number,
): { optimal: number; uniform: number } {
  return { optimal: horizon, uniform: horizon / vocabularySize };
}

/** Generate the context again: step t is worth 1 if its token is context[t mod W], otherwise 0. */
export class TokenCopy implements SequenceEnvironment {
  readonly name = 'token-copy-v1';
  readonly vocabularySize: number;
  readonly contextLength: number;
  readonly horizon: number;

  /** @throws {ConfigError} when an option is wrong */
  constructor(options: TokenCopyOptions = {}) {
    const resolved = resolveOptions(tokenCopyOptions, options, 'tokenCopy');
    this.vocabularySize = resolved.vocabularySize;
    this.contextLength = resolved.contextLength;
    this.horizon = resolved.horizon;
  }

  sample(batchSize: number, random: RandomStream): SequenceBatch {
    if (!Number.isInteger(batchSize) || batchSize < 1)
      throw new ConfigError(`batchSize must be an integer ≥ 1; got ${batchSize}.`);
    const draw = () => random.integer(this.vocabularySize);
    return {
      size: batchSize,
      contextTokens: Int32Array.from({ length: batchSize * this.contextLength }, draw),
    };
  }

  reward({ size, contextTokens }: SequenceBatch, generated: Int32Array): SequenceReward {
    const { contextLength, horizon } = this;
    if (generated.length !== size * horizon) {
      throw new ShapeError(
        `expected ${size} × ${horizon} = ${size * horizon} generated tokens; got ${generated.length}.`,
      );
    }
    const right = Float32Array.from(generated, (token, i) => {
      const row = Math.floor(i / horizon);
      return token === contextTokens[row * contextLength + ((i % horizon) % contextLength)] ? 1 : 0;
    });
    return { reward: right, components: { right } };
  }
}
