import { beforeAll, expect, test } from '@jest/globals';

import { DegradationTransformer, RegistryError } from '@rollcast/core';
import { RLHFLearner, builtInAlgorithms, type RLHFLearnerOptions } from '@rollcast/algos';

import { useBackend } from '../support/backends.js';
import { RepeatEnvironment } from '../support/repeat-environment.js';
import { expectNoTensorLeft } from '../support/tensors.js';

beforeAll(() => useBackend('wasm'));

const policy = (): DegradationTransformer =>
  new DegradationTransformer({ vocabularySize: 6, width: 8, layers: 1, heads: 2 });

function learner({ policy: given = policy(), ...changes }: Partial<RLHFLearnerOptions> = {}): RLHFLearner {
  return new RLHFLearner({
    policy: given,
    environment: new RepeatEnvironment(),
    algorithmOptions: { learningRate: 0.01 },
    batchSize: 4,
    updates: 2,
    ...changes,
  });
}

test('fitRl fine-tunes the policy against a frozen copy of what it was', async () => {
  const tuned = policy();
  const before = tuned.parameters.save();
  const learning = learner({ policy: tuned });
  expect(await learning.fitRl()).toMatchObject({ updates: 2, reason: 'finished' });
  expect(tuned.parameters.save()['embedding']).not.toEqual(before['embedding']);
  expect(learning.referencePolicy.parameters.save()).toEqual(before);
});

test('the algorithm is picked by name', () => {
  expect(builtInAlgorithms().names()).toEqual([
    ...['a2c', 'grpo', 'ppo', 'reinforce', 'rloo'],
    ...['scheduled-sampling', 'soft-unrolling', 'teacher-forcing'],
  ]);
  expect(learner({ algorithm: 'ppo', algorithmOptions: { minibatchSize: 2 } }).algorithm.name).toBe('ppo');
  expect(learner().algorithm.name).toBe('reinforce');
});

test('an algorithm gets the rollouts that it compares: groups of one context, or the greedy one', async () => {
  for (const [algorithm, algorithmOptions] of [
    ['rloo', { samplesPerContext: 2 }],
    ['grpo', { samplesPerContext: 4 }],
    ['reinforce', { baseline: 'self-critical' }],
  ] as const)
    expect(await learner({ algorithm, algorithmOptions }).fitRl()).toMatchObject({ reason: 'finished' });
});

test('an unknown algorithm suggests the nearest', () => {
  expect(() => learner({ algorithm: 'reinforec' })).toThrow(
    'Unknown algorithm "reinforec". Known: a2c, grpo, ppo, reinforce, rloo, scheduled-sampling, soft-unrolling, teacher-forcing. Did you mean "reinforce"?',
  );
  expect(() => learner({ algorithm: 'ppoo' })).toThrow(RegistryError);
});

test('dispose frees the reference of its own and the optimiser, not what it was given', () => {
  const [tuned, reference] = [policy(), policy()];
  expectNoTensorLeft(() => learner({ policy: tuned }).dispose());
  expectNoTensorLeft(() => learner({ policy: tuned, referencePolicy: reference }).dispose());
});

test('a policy that is its own reference is refused and leaves no tensor behind', () => {
  const tuned = policy();
  expectNoTensorLeft(() =>
    expect(() => learner({ policy: tuned, referencePolicy: tuned })).toThrow('share weights'),
  );
});
