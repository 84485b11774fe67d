import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { CheckpointError, decodeRollout, encodeRollout, type Rollout } from '@rollcast/core';

/** Two trajectories of two tokens, or two instances that take two steps with two numbers each. */
function rollout(kind: 'tokens' | 'steps'): Rollout {
  const four = (first: number): Float32Array => Float32Array.of(first, 0.1, -2, 3e-8);
  return {
    batchSize: 2,
    steps: 2,
    actions: kind === 'tokens' ? Int32Array.of(5, 0, 255, 3) : Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8),
    logProbs: four(-1),
    values: four(NaN),
    rewards: four(Infinity),
    components: { mse: four(1), finalError: Float32Array.of(1, 2) },
    terminated: Uint8Array.of(0, 1, 0, 0),
    truncated: Uint8Array.of(0, 0, 0, 1),
    bootstrapValues: four(0),
    mask: Float32Array.of(1, 1, 1, 0),
    inputs:
      kind === 'tokens'
        ? { contextTokens: Int32Array.of(1, 2, 3, 4, 5, 6), contextLength: 3 }
        : { observations: four(9), observationSize: 1 },
    ...(kind === 'tokens' && {
      samplesPerContext: 2,
      greedyRewards: four(2),
      targets: Int32Array.of(1, 2, 255, 0),
      tokenValues: four(5),
      reference: { logProbs: four(1), distribution: four(2), exactKl: four(3) },
    }),
  };
}

const files = (of: Rollout): Record<string, Uint8Array> =>
  Object.fromEntries(
    Object.entries(encodeRollout(of)).map(([name, content]) => [name, Buffer.from(content)]),
  );

test.each(['tokens', 'steps'] as const)('a rollout of %s comes back as it was, NaN included', (kind) => {
  expect(decodeRollout(files(rollout(kind)), 'dump')).toEqual(rollout(kind));
});

test('a component may be called __proto__', () => {
  const named = { ...rollout('tokens'), components: { ['__proto__']: Float32Array.of(1, 2) } };
  expect(Object.keys(decodeRollout(files(named), 'dump').components)).toEqual(['__proto__']);
});

test('so does one of any size and any bits', () => {
  const sizes = fc.record({
    batchSize: fc.integer({ min: 1, max: 4 }),
    steps: fc.integer({ min: 1, max: 5 }),
    observationSize: fc.integer({ min: 1, max: 3 }),
  });
  const numbers = (length: number) => fc.float32Array({ minLength: length, maxLength: length });
  const flags = (length: number) => fc.uint8Array({ minLength: length, maxLength: length, max: 1 });
  const any = sizes.chain(({ batchSize, steps, observationSize }) => {
    const size = batchSize * steps;
    return fc.record({
      batchSize: fc.constant(batchSize),
      steps: fc.constant(steps),
      actions: fc.int32Array({ minLength: size, maxLength: size, min: 0, max: 2 ** 24 }),
      ...{ logProbs: numbers(size), values: numbers(size), rewards: numbers(size), mask: numbers(size) },
      ...{ bootstrapValues: numbers(size), terminated: flags(size), truncated: flags(size) },
      components: fc.dictionary(fc.string({ minLength: 1 }), numbers(batchSize), { noNullPrototype: true }),
      inputs: fc.record({
        observations: numbers(size * observationSize),
        observationSize: fc.constant(observationSize),
      }),
    });
  });
  fc.assert(fc.property(any, (random) => expect(decodeRollout(files(random), 'dump')).toEqual(random)));
});

test('a missing or damaged file is named', () => {
  const whole = files(rollout('tokens'));
  const without = (name: string) => Object.fromEntries(Object.entries(whole).filter(([n]) => n !== name));
  expect(() => decodeRollout(without('rollout.json'), 'dump')).toThrow('dump has no rollout.json.');
  expect(() => decodeRollout(without('rollout.safetensors'), 'dump')).toThrow(
    'dump has no rollout.safetensors.',
  );
  const broken = { ...whole, 'rollout.json': Buffer.from('{') };
  expect(() => decodeRollout(broken, 'dump')).toThrow(CheckpointError);
  expect(() => decodeRollout(broken, 'dump')).toThrow('dump/rollout.json is damaged');
});
