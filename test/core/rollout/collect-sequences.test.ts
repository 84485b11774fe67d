import { beforeAll, describe, expect, test } from '@jest/globals';

import {
  ConfigError,
  DegradationTransformer,
  EnvironmentError,
  collectSequences,
  type CollectOptions,
  type SequenceBatch,
  type SequenceEnvironment,
} from '@rollcast/core';

import { useBackend } from '../../support/backends.js';
import { RepeatEnvironment } from '../../support/repeat-environment.js';
import { VarietyEnvironment } from '../../support/variety-environment.js';
import { expectNoTensorLeft } from '../../support/tensors.js';

const [B, L] = [5, 4];
const model = (vocabularySize = 6): DegradationTransformer =>
  new DegradationTransformer({ vocabularySize, width: 8, layers: 1, heads: 2 });

beforeAll(() => useBackend('wasm'));

function collect(environment: SequenceEnvironment, policy = model(), update = 0) {
  const referencePolicy = policy.clone({ trainable: false });
  return collectSequences({ environment, policy, referencePolicy, batchSize: B, seed: 1, update });
}

test('a rollout holds what was sampled, rewarded and scored', () => {
  const environment = new RepeatEnvironment();
  const { rollout, batch } = collect(environment);
  expect(rollout.inputs).toEqual({ contextTokens: batch.contextTokens, contextLength: 3 });
  const { reward, components } = environment.reward(batch, rollout.actions as Int32Array);
  expect(rollout.rewards).toEqual(reward);
  expect(rollout.components).toEqual(components);
  expect([rollout.batchSize, rollout.steps]).toEqual([B, L]);
  // every sequence ends in its last step: nothing to bootstrap from
  expect(Array.from(rollout.terminated)).toEqual(Array.from({ length: B }, () => [0, 0, 0, 1]).flat());
  expect(Math.max(...rollout.truncated)).toBe(0);
  expect(Math.min(...rollout.mask)).toBe(1);
});

test('a copy as reference: the KL is 0 and the log-probabilities are the same', () => {
  const { rollout } = collect(new RepeatEnvironment());
  const { exactKl, logProbs, distribution } = rollout.reference!;
  expect(exactKl).toBeAllClose(new Array(B * L).fill(0), { atol: 1e-6 });
  expect(logProbs).toBeAllClose(rollout.logProbs, { atol: 1e-5 });
  expect(distribution).toHaveLength(B * L * 6);
});

test('a reward of one number a sequence sits on its last step', () => {
  const { rollout } = collect(new RepeatEnvironment({ credit: 'sequence' }));
  const { totals } = rollout.components;
  rollout.rewards.forEach((r, i) => expect(r).toBe((i + 1) % L === 0 ? totals[Math.floor(i / L)] : 0));
});

test('the same seed and update give the same rollout, another update another', () => {
  const [environment, policy] = [new RepeatEnvironment(), model()];
  expect(collect(environment, policy)).toEqual(collect(environment, policy));
  expect(collect(environment, policy, 1).batch).not.toEqual(collect(environment, policy).batch);
  expect(collect(environment, policy, 1).rollout.actions).not.toEqual(
    collect(environment, policy).rollout.actions,
  );
});

test('without a reference there are no reference scores', () => {
  const options = { environment: new RepeatEnvironment(), policy: model(), batchSize: B, seed: 1, update: 0 };
  expect(collectSequences(options).rollout.reference).toBeUndefined();
});

test('collecting leaves no tensor behind', () => {
  const [environment, policy] = [new RepeatEnvironment(), model()];
  const referencePolicy = policy.clone();
  expectNoTensorLeft(() =>
    collectSequences({ environment, policy, referencePolicy, batchSize: B, seed: 1, update: 0 }),
  );
});

describe('an environment that breaks its contract is named, with what it did', () => {
  const broken = (changes: Partial<SequenceEnvironment>): SequenceEnvironment =>
    Object.assign(new RepeatEnvironment(), changes);
  const rewarding = (reward: number[], components: Record<string, Float32Array> = {}) =>
    broken({ reward: () => ({ reward: Float32Array.from(reward), components }) });
  const sampling = (size: number, contextTokens: number[]) =>
    broken({ sample: () => ({ size, contextTokens: Int32Array.from(contextTokens) }) });
  const zeros = (n: number): number[] => new Array<number>(n).fill(0);

  test.each<[string, SequenceEnvironment, string]>([
    [
      'a reward that is not finite',
      rewarding([0, NaN, 0, 0, 0]),
      '"repeat" must be finite; got NaN at position 1',
    ],
    ['a reward of another size', rewarding(zeros(7)), 'one number a sequence (5) or one a step (20); got 7'],
    [
      'a component that is not finite',
      rewarding(zeros(5), { mse: Float32Array.of(1, 2, 3, 4, Infinity) }),
      'component "mse" of the environment "repeat" must be finite; got Infinity at position 4',
    ],
    ['a component of another size', rewarding(zeros(5), { mse: new Float32Array(3) }), 'got 3'],
    [
      'contexts of another size',
      sampling(B, zeros(10)),
      '5 contexts of 3 tokens; got 5 contexts and 10 tokens',
    ],
    ['another number of contexts', sampling(10, zeros(30)), 'got 10 contexts and 30 tokens'],
    [
      'a token beyond the vocabulary',
      sampling(B, [...zeros(14), 6]),
      'token 6 at position 14; tokens are 0 … 5',
    ],
  ])('%s', (_what, environment, message) => {
    expect(() => collect(environment)).toThrow(message);
    expect(() => collect(environment)).toThrow(EnvironmentError);
  });

  test('another vocabulary than the policy', () => {
    expect(() => collect(new RepeatEnvironment(), model(7))).toThrow('speaks 6 tokens and the policy 7');
  });
});

describe('several samples of each context', () => {
  const collectGroups = (environment: SequenceEnvironment, changes: Partial<CollectOptions> = {}) =>
    collectSequences({
      environment,
      policy: model(),
      batchSize: 6,
      samplesPerContext: 3,
      seed: 1,
      update: 0,
      ...changes,
    });

  test('each context is sampled once and continued k times in neighbouring rows', () => {
    const environment = new RepeatEnvironment();
    const { rollout, batch } = collectGroups(environment);
    expect(rollout.samplesPerContext).toBe(3);
    const alone = collectSequences({ environment, policy: model(), batchSize: 2, seed: 1, update: 0 }).batch;
    const rows = Array.from({ length: 6 }, (_, i) => Array.from(batch.contextTokens.slice(3 * i, 3 * i + 3)));
    const [first, second] = [0, 1].map((i) => Array.from(alone.contextTokens.slice(3 * i, 3 * i + 3)));
    expect(rows).toEqual([first, first, first, second, second, second]);
    // the continuations are not copies
    const actions = Array.from({ length: 6 }, (_, i) => rollout.actions.slice(L * i, L * i + L).join());
    expect(new Set(actions.slice(0, 3)).size).toBeGreaterThan(1);
    expect(rollout.rewards).toEqual(environment.reward(batch, rollout.actions as Int32Array).reward);
  });

  test('one sample of each context is the plain rollout', () => {
    const environment = new RepeatEnvironment();
    const plain = collectSequences({ environment, policy: model(), batchSize: 6, seed: 1, update: 0 });
    expect(collectGroups(environment, { samplesPerContext: 1 })).toEqual(plain);
    expect(plain.rollout.samplesPerContext).toBeUndefined();
  });

  /** A batch that knows more than its contexts. */
  class Labelled extends RepeatEnvironment {
    override sample(batchSize: number, random: Parameters<RepeatEnvironment['sample']>[1]) {
      const batch = super.sample(batchSize, random);
      return { ...batch, labels: Array.from({ length: batchSize }, (_, i) => `row ${i}`) };
    }
  }

  test('what really followed is repeated with the contexts, and the rollout has it', () => {
    class Knowing extends RepeatEnvironment {
      readonly tokenValues = [-1, 0, 1, 2, 3, 4];
      override sample(batchSize: number, random: Parameters<RepeatEnvironment['sample']>[1]) {
        const batch = super.sample(batchSize, random);
        const targets = Int32Array.from({ length: batchSize * L }, (_, i) => i % 6);
        return { ...batch, targets };
      }
    }
    const { rollout } = collectGroups(new Knowing());
    const row = (b: number) => Array.from(rollout.targets!.slice(L * b, L * b + L));
    expect(rollout.targets).toHaveLength(6 * L);
    expect([row(1), row(2)]).toEqual([row(0), row(0)]);
    expect(row(3)).toEqual(Array.from({ length: L }, (_, i) => (L + i) % 6));
    expect(Array.from(rollout.tokenValues!)).toEqual([-1, 0, 1, 2, 3, 4]);
  });

  test('an environment may change with the update', () => {
    const [short, long] = [2, 4].map((horizon) => new RepeatEnvironment({ horizon }));
    const environmentAt = (update: number) => (update < 3 ? short : long);
    const at = (update: number) =>
      collectGroups(long, { environmentAt, update, greedyBaseline: true }).rollout;
    expect([at(2).steps, at(3).steps]).toEqual([2, 4]);
    expect(at(2).greedyRewards).toHaveLength(6 * 2);
    expect(at(3)).toEqual(collectGroups(long, { update: 3, greedyBaseline: true }).rollout);
  });

  test('an environment whose batches hold more says how to repeat them', () => {
    const repeating = Object.assign(new Labelled(), {
      repeat: ({ size, contextTokens, labels }: SequenceBatch & { labels: string[] }, times: number) => ({
        size: size * times,
        contextTokens: Int32Array.from({ length: contextTokens.length * times }, (_, i) => {
          const row = Math.floor(i / 3 / times);
          return contextTokens[3 * row + (i % 3)];
        }),
        labels: labels.flatMap((label) => new Array<string>(times).fill(label)),
      }),
    });
    const { batch } = collectGroups(repeating);
    expect((batch as unknown as { labels: string[] }).labels).toEqual(
      ['row 0', 'row 1'].flatMap((label) => [label, label, label]),
    );
  });

  test('one that does not is named, with what its batches hold', () => {
    expect(() => collectGroups(new Labelled())).toThrow(
      'The environment "repeat" cannot continue a context 3 times: its batches also hold labels, and it has no repeat(batch, times).',
    );
  });

  test('one that repeats in another order is refused', () => {
    const wrong = Object.assign(new RepeatEnvironment(), {
      repeat: ({ size, contextTokens }: SequenceBatch, times: number) => ({
        size: size * times,
        contextTokens: Int32Array.from(
          { length: contextTokens.length * times },
          (_, i) => contextTokens[i % 6],
        ),
      }),
    });
    expect(() => collectGroups(wrong)).toThrow(EnvironmentError);
  });

  test('samples that do not divide the batch are refused', () => {
    const groups = () => collectGroups(new RepeatEnvironment(), { samplesPerContext: 4 });
    expect(groups).toThrow(
      'samplesPerContext must be an integer that divides the batch (6 trajectories); got 4.',
    );
    expect(groups).toThrow(ConfigError);
  });

  test('a reward that compares them is refused fewer than it needs, and greedy ones', () => {
    const changes = { batchSize: 6, policy: model(4) };
    const variety = (samplesPerContext: number, greedyBaseline = false) =>
      collectGroups(new VarietyEnvironment(), { ...changes, samplesPerContext, greedyBaseline });
    expect(variety(2).rollout.rewards).toHaveLength(6 * 2);
    expect(() => variety(1)).toThrow(
      'The reward of the environment "variety" compares the trajectories of a context with each other, 2 or more of them; got 1. Ask for more, for example --algo rloo --set rloo.samplesPerContext=4.',
    );
    expect(() => variety(2, true)).toThrow(ConfigError);
  });
});

describe('the greedy baseline', () => {
  test('is the reward of the most likely continuation of each context, on the rows of that context', () => {
    const [environment, policy] = [new RepeatEnvironment({ credit: 'sequence' }), model()];
    const options = { environment, policy, batchSize: 6, seed: 1, update: 0, greedyBaseline: true };
    const { rollout, batch, metrics } = collectSequences({ ...options, samplesPerContext: 2 });
    const { tokens } = policy.generate({ contextTokens: batch.contextTokens, batchSize: 6, horizon: L });
    const totals = environment.reward(batch, tokens).reward;
    expect(rollout.greedyRewards).toBeAllClose(Array.from(totals).flatMap((total) => [0, 0, 0, total]));
    expect(metrics['reward/greedyMean']).toBeAllClose(totals.reduce((a, b) => a + b, 0) / 6);
  });

  test('changes nothing else', () => {
    const options = {
      environment: new RepeatEnvironment(),
      policy: model(),
      batchSize: B,
      seed: 1,
      update: 0,
    };
    const { greedyRewards, ...rest } = collectSequences({ ...options, greedyBaseline: true }).rollout;
    expect(greedyRewards).toHaveLength(B * L);
    expect(rest).toEqual(collectSequences(options).rollout);
  });
});
