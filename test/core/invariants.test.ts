import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';

import {
  DegradationTransformer,
  EnvironmentError,
  type InvariantError,
  Trainer,
  tf,
  type Algorithm,
  type Callback,
  type Rollout,
  type SequenceBatch,
  type SequenceReward,
  type SequenceTrainerOptions,
} from '@rollcast/core';
import { PPO } from '@rollcast/algos';

import { useBackend } from '../support/backends.js';
import { RepeatEnvironment } from '../support/repeat-environment.js';

beforeAll(() => useBackend('wasm'));

const small = { vocabularySize: 6, width: 8, layers: 1, heads: 2 };
const BATCH = 4;

let model: DegradationTransformer;
beforeEach(() => {
  model = new DegradationTransformer(small, 3);
});

/** Does what it is told to in `update`, and keeps no state. */
function algorithm(
  act: (rollout: Rollout, update: number) => Record<string, number> = () => ({}),
): Algorithm {
  let update = 0;
  return {
    name: 'test',
    update: (rollout) => act(rollout, update++),
    state: () => ({ arrays: {}, values: {} }),
    restore: () => undefined,
    dispose: () => undefined,
  };
}

const newPpo = (policy: DegradationTransformer): PPO =>
  new PPO(policy, { klControl: { coefficient: 0 } }, { updates: 20, batchSize: BATCH, seed: 0 });

type Violation = Parameters<NonNullable<Callback['onViolation']>>[0];

/** Runs until something breaks; gives the error and what callbacks heard of it. */
async function broken(
  changes: Partial<SequenceTrainerOptions>,
): Promise<{ error: InvariantError; heard: Violation[] }> {
  const heard: Violation[] = [];
  const callbacks = [{ onViolation: (event: Violation) => void heard.push(event) }];
  const trainer = new Trainer({
    environment: new RepeatEnvironment(),
    policy: model,
    algorithm: algorithm(),
    batchSize: BATCH,
    updates: 20,
    seed: 1,
    callbacks,
    ...changes,
  });
  const error = await trainer.run().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return { error: error as InvariantError, heard };
}

describe('each invariant, broken on purpose, stops the run and says what broke and where', () => {
  test('a sampler that is not the scorer', async () => {
    const generate = model.generate.bind(model);
    model.generate = (options) => {
      const generation = generate(options);
      generation.logProbs[2] -= 0.5; // of row 0, which is the first to be scored again
      return generation;
    };
    const { error, heard } = await broken({});
    expect(error).toMatchObject({ invariant: 'sampler-is-scorer', values: { place: '[0, 2]' } });
    expect(error.message).toMatch(/^Update 1: at step \[0, 2\] the sampler gave its action/);
    expect(heard).toHaveLength(1);
  });

  test('a sampler that is not the scorer in one row is found when the turn comes to that row', async () => {
    const generate = model.generate.bind(model);
    model.generate = (options) => {
      const generation = generate(options);
      generation.logProbs[3 * 4] += 0.1; // row 3, step 0
      return generation;
    };
    const { error } = await broken({});
    expect(error.message).toMatch(/^Update 4: at step \[3, 0\]/);
  });

  test('a ratio on the first minibatch that is not 1', async () => {
    const { error } = await broken({ algorithm: algorithm(() => ({ firstRatioDeviation: 0.5, loss: 2 })) });
    expect(error).toMatchObject({
      invariant: 'ratio-at-first-minibatch',
      values: { firstRatioDeviation: 0.5, loss: 2 },
    });
  });

  test('a reference that is not a copy of the policy', async () => {
    const { error } = await broken({ referencePolicy: new DegradationTransformer(small, 4) });
    expect(error.invariant).toBe('reference-kl-at-start');
    expect(error.message).toMatch(/must be 0; it is \S+ nats at step \[\d, \d\]/);
  });

  test('a reference that is changed, in the update in which it is', async () => {
    const referencePolicy = model.clone({ trainable: false });
    const before = referencePolicy.parameters.save();
    const meddling = algorithm((_, update) => {
      if (update === 2) {
        const bias = referencePolicy.parameters.variable('head.bias');
        const moved = tf.tidy(() => tf.add(bias, 1e-7));
        bias.assign(moved);
        moved.dispose();
      }
      return {};
    });
    const { error, heard } = await broken({ referencePolicy, algorithm: meddling });
    expect(error).toMatchObject({ invariant: 'reference-unchanged', values: { parameter: 'head.bias' } });
    expect(error.message).toMatch(/^Update 3: .*"head\.bias" went from 0 to 1\.0\d+e-7 at position 0/);
    expect(heard[0].update).toBe(2);
    expect(referencePolicy.parameters.save()).toEqual(before); // undone
  });

  test('an algorithm that leaves a tensor behind each time', async () => {
    const leaked: tf.Tensor[] = [];
    const leaking = algorithm(() => {
      leaked.push(tf.scalar(1));
      return {};
    });
    const { error } = await broken({ algorithm: leaking });
    expect(error.invariant).toBe('no-tensor-growth');
    expect(error.message).toMatch(/^Update 5: .*5 of the last 5 updates did/);
    tf.dispose(leaked);
  });

  test('one that leaves a tensor behind in every other update is found too; a few constants are none', async () => {
    const leaked: tf.Tensor[] = [];
    const now = (which: (update: number) => boolean) =>
      algorithm((_, update) => {
        if (which(update)) leaked.push(tf.scalar(1));
        return {};
      });
    expect((await broken({ algorithm: now((update) => update % 2 === 0) })).error.message).toMatch(
      /^Update 9: .*5 of the last 9/,
    );
    expect((await broken({ algorithm: now((update) => update < 4) })).error).toBeUndefined();
    tf.dispose(leaked);
  });

  test('a loss that is not a number', async () => {
    const { error } = await broken({ algorithm: algorithm(() => ({ loss: NaN, gradNorm: 3 })) });
    expect(error).toMatchObject({ invariant: 'finite-update', values: { loss: 'NaN', gradNorm: 3 } });
    expect(error.message).toMatch(/^Update 1: loss is NaN/);
  });

  test('a weight that overflows', async () => {
    const overflowing = algorithm(() => {
      const value = model.parameters.variable('value.bias');
      const infinite = tf.tensor1d([Infinity]);
      value.assign(infinite);
      infinite.dispose();
      return {};
    });
    const { error } = await broken({ algorithm: overflowing });
    expect(error).toMatchObject({
      invariant: 'finite-parameters',
      values: { parameter: 'value.bias', at: 0, value: 'Infinity' },
    });
    expect(model.parameters.save()['value.bias'].data[0]).toBe(0); // undone
  });

  test('a value head that says NaN', async () => {
    const generate = model.generate.bind(model);
    model.generate = (options) => {
      const generation = generate(options);
      generation.values[9] = NaN;
      return generation;
    };
    const { error, heard } = await broken({});
    expect(error.invariant).toBe('finite-rollout');
    // 4 steps a row: number 9 is the second step of the third
    expect(error.message).toMatch(/^Update 1: values\[2, 1\] of the rollout is NaN \(around it: .*NaN.*\)/);
    expect(heard[0].rollout?.values[9]).toBeNaN();
  });

  test('a reward that is NaN breaks the contract of the environment, and is a violation all the same', async () => {
    class Undefined extends RepeatEnvironment {
      private calls = 0;
      override reward(batch: SequenceBatch, generated: Int32Array): SequenceReward {
        const reward = super.reward(batch, generated);
        if (this.calls++ === 1) reward.reward[5] = NaN;
        return reward;
      }
    }
    const { error, heard } = await broken({ environment: new Undefined() });
    expect(error).toBeInstanceOf(EnvironmentError);
    expect(error.message).toMatch(/must be finite; got NaN at position 5/);
    expect(heard).toMatchObject([{ update: 1, rollout: undefined }]);
  });
});

test('a violation in the third update of PPO leaves weights, moments and counters of after the second', async () => {
  const ppo = newPpo(model);
  const update = ppo.update.bind(ppo);
  let done = 0;
  ppo.update = (rollout) => ({ ...update(rollout), ...(done++ === 2 && { loss: NaN }) });
  let after: unknown;
  const state = () => ({ weights: model.parameters.save(), algorithm: ppo.state() });
  const { error } = await broken({
    algorithm: ppo,
    callbacks: [{ onUpdateEnd: ({ update: u }) => void (u === 2 && (after = state())) }],
  });
  expect(error.message).toMatch(/^Update 3: loss is NaN/);
  expect(state()).toEqual(after);
  ppo.dispose();
});

test('a run of 20 updates breaks nothing, and watching leaves no tensor behind', async () => {
  const before = tf.memory().numTensors;
  const { error } = await broken({});
  expect(error).toBeUndefined();
  expect(tf.memory().numTensors).toBe(before);
});

test('watching changes nothing: the same weights with and without, bit for bit', async () => {
  const train = async (invariants: boolean) => {
    const policy = new DegradationTransformer(small, 3);
    const ppo = newPpo(policy);
    await broken({ policy, algorithm: ppo, updates: 3, invariants });
    ppo.dispose();
    return policy.parameters.save();
  };
  expect(await train(true)).toEqual(await train(false));
});

test('with invariants: false nothing is watched', async () => {
  const { error } = await broken({ algorithm: algorithm(() => ({ loss: NaN })), invariants: false });
  expect(error).toBeUndefined();
});

test('an error that is no violation is handed on as it is', async () => {
  const { error, heard } = await broken({
    algorithm: algorithm(() => {
      throw new TypeError('a bug');
    }),
  });
  expect(error).toBeInstanceOf(TypeError);
  expect(heard).toEqual([]);
});
