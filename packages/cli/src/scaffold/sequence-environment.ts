import type { Scaffold } from './scaffold.js';

/** Counting: small, yet it can only be done by looking at the token before. */
export const sequenceEnvironmentScaffold: Scaffold = ({ name, className }) => ({
  source: `import {
  defineSequenceEnvironment,
  type RandomStream,
  type SequenceBatch,
  type SequenceEnvironment,
  type SequenceReward,
} from '@rollcast/core';
import { z } from 'zod';

const options = z.strictObject({
  vocabularySize: z.int().min(2).default(6).describe('tokens V'),
  horizon: z.int().min(1).default(6).describe('tokens to generate L'),
});

/** Go on counting: each token is to be the one before plus 1, and 0 follows the last. */
class ${className} implements SequenceEnvironment {
  readonly name = '${name}';
  readonly vocabularySize: number;
  readonly contextLength = 3;
  readonly horizon: number;

  constructor({ vocabularySize, horizon }: z.output<typeof options>) {
    this.vocabularySize = vocabularySize;
    this.horizon = horizon;
  }

  /** B contexts of W tokens, row by row: here W numbers in a row from a random start. All randomness comes from \`random\`. */
  sample(batchSize: number, random: RandomStream): SequenceBatch {
    const { contextLength, vocabularySize } = this;
    const contextTokens = new Int32Array(batchSize * contextLength);
    for (let b = 0; b < batchSize; b++) {
      const start = random.integer(vocabularySize);
      for (let w = 0; w < contextLength; w++)
        contextTokens[b * contextLength + w] = (start + w) % vocabularySize;
    }
    return { size: batchSize, contextTokens };
  }

  /** Rewards of B × L generated tokens, row by row: one number a step, or one a sequence. Components are logged by name. */
  reward({ size, contextTokens }: SequenceBatch, generated: Int32Array): SequenceReward {
    const { contextLength, horizon, vocabularySize } = this;
    const right = new Float32Array(size * horizon);
    const length = new Float32Array(size);
    for (let b = 0; b < size; b++) {
      let before = contextTokens[(b + 1) * contextLength - 1]!;
      for (let t = 0; t < horizon; t++) {
        const token = generated[b * horizon + t]!;
        if (token === (before + 1) % vocabularySize) right[b * horizon + t] = 1;
        if (right[b * horizon + t] === 1 && length[b] === t) length[b] = t + 1;
        before = token;
      }
    }
    return { reward: right, components: { right, length } };
  }
}

export default defineSequenceEnvironment({
  description: 'go on counting; optimum: the horizon',
  options,
  create: (given) => new ${className}(given),
});
`,
  test: `import assert from 'node:assert/strict';
import test from 'node:test';

import { loadEnvironment } from '@rollcast/cli';
import { checkEnvironment } from '@rollcast/core';

const environment = await loadEnvironment(new URL('./${name}.ts', import.meta.url));

test('it keeps the contract of sequence environments', () => {
  assert.deepEqual(checkEnvironment(() => environment.create()).findings, []);
});

test('each token that is the one before plus 1 is worth 1', () => {
  const counting = environment.create({ vocabularySize: 6, horizon: 4 });
  const batch = { size: 1, contextTokens: Int32Array.from([2, 3, 4]) };
  // 5 follows 4 and 0 follows 5; then 3 does not follow 0, and 4 follows 3
  const { reward, components } = counting.reward(batch, Int32Array.from([5, 0, 3, 4]));
  assert.deepEqual([...reward], [1, 1, 0, 1]);
  assert.deepEqual([...components.length], [2]);
});
`,
  expect: 'The return starts at about 1 of 6; PPO gets above 5 in 40 000 tokens.',
  commands: [
    `npx rollcast check ./${name}.ts`,
    `node --test ${name}.test.mjs`,
    `npx rollcast train --env ./${name}.ts --algo ppo --steps 40000 --seed 1 --out runs/${name}-ppo`,
    `npx rollcast train --env ./${name}.ts --algo reinforce --steps 40000 --seed 1 --out runs/${name}-reinforce`,
    `npx rollcast bench --envs ./${name}.ts --algos ppo,reinforce --seeds 3 --steps 20000 --out runs/${name}-bench`,
  ],
});
