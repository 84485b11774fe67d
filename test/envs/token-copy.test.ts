import { expect, test } from '@jest/globals';

import { RandomStream, ShapeError } from '@rollcast/core';
import { TokenCopy, tokenCopyValues } from '@rollcast/envs';

const sum = (values: Float32Array) => values.reduce((total, x) => total + x, 0);

test('each token that repeats the context is worth 1, from its start again when the context is over', () => {
  const environment = new TokenCopy({ vocabularySize: 4, contextLength: 2, horizon: 3 });
  const batch = { size: 2, contextTokens: Int32Array.of(1, 2, 3, 0) };
  const { reward, components } = environment.reward(batch, Int32Array.of(1, 2, 1, 0, 0, 3));
  expect([...reward]).toEqual([1, 1, 1, 0, 1, 1]);
  expect(components['right']).toEqual(reward);
});

test('copying earns the horizon, guessing the horizon over the vocabulary', () => {
  const environment = new TokenCopy({ vocabularySize: 5, contextLength: 4, horizon: 4 });
  const random = new RandomStream(1, 'copy');
  const batch = environment.sample(2000, random);
  const { optimal, uniform } = tokenCopyValues(5, 4);
  expect(sum(environment.reward(batch, batch.contextTokens).reward) / 2000).toBe(optimal);
  const guesses = Int32Array.from({ length: 8000 }, () => random.integer(5));
  // standard deviation of the mean: √(4 · 0.16/2000) ≈ 0.018
  expect(sum(environment.reward(batch, guesses).reward) / 2000).toBeAllClose(uniform, { atol: 0.08 });
});

test('contexts are uniform over the vocabulary and by the stream alone', () => {
  const environment = new TokenCopy({ vocabularySize: 4 });
  const draw = () => environment.sample(500, new RandomStream(2, 'contexts')).contextTokens;
  expect(draw()).toEqual(draw());
  const counts = [0, 0, 0, 0];
  draw().forEach((token) => counts[token]++);
  expect(counts).toBeAllClose([750, 750, 750, 750], { atol: 100 }); // standard deviation √(3000 · 3/16) ≈ 24
});

test('a batch size below one and another number of tokens are refused', () => {
  const environment = new TokenCopy();
  expect(() => environment.sample(0, new RandomStream(0, 'x'))).toThrow(
    'batchSize must be an integer ≥ 1; got 0.',
  );
  const batch = environment.sample(2, new RandomStream(0, 'x'));
  expect(() => environment.reward(batch, new Int32Array(5))).toThrow(
    new ShapeError('expected 2 × 6 = 12 generated tokens; got 5.'),
  );
});
