import { beforeAll, describe, expect, test } from '@jest/globals';

import {
  DegradationTransformer,
  NumericalError,
  Trainer,
  type Algorithm,
  type Callback,
  type TrainerOptions,
} from '@rollcast/core';

import { useBackend } from '../support/backends.js';
import { RepeatEnvironment } from '../support/repeat-environment.js';

beforeAll(() => useBackend('wasm'));

const small = { vocabularySize: 6, width: 8, layers: 1, heads: 2 };
const model = (seed = 0, temperature = 1): DegradationTransformer =>
  new DegradationTransformer({ ...small, temperature }, seed);

/** Changes nothing and reports what it is told to. */
function idle(stats: Record<string, number> = { firstRatioDeviation: 0 }): Algorithm {
  return {
    name: 'idle',
    update: () => stats,
    state: () => ({ arrays: {}, values: {} }),
    restore: () => undefined,
    dispose: () => undefined,
  };
}

function trainer(changes: Partial<TrainerOptions> = {}): Trainer {
  return new Trainer({
    environment: new RepeatEnvironment(),
    policy: model(),
    algorithm: idle(),
    batchSize: 4,
    updates: 3,
    seed: 1,
    ...changes,
  });
}

/** Writes down every event. */
function recorder(name: string, log: string[]): Callback {
  return {
    onTrainingStart: ({ update }) => void log.push(`${name} start ${update}`),
    onRolloutEnd: async ({ update }) => {
      await Promise.resolve();
      log.push(`${name} rollout ${update}`);
    },
    onUpdateEnd: ({ update }) => void log.push(`${name} update ${update}`),
    onTrainingEnd: ({ update, reason }) => void log.push(`${name} end ${update} ${reason}`),
  };
}

test('callbacks hear every event in order, each awaited before the next', async () => {
  const log: string[] = [];
  const result = await trainer({ updates: 2, callbacks: [recorder('a', log), recorder('b', log)] }).run();
  const events = ['start 0', 'rollout 0', 'update 1', 'rollout 1', 'update 2', 'end 2 finished'];
  expect(log).toEqual(events.flatMap((event) => [`a ${event}`, `b ${event}`]));
  expect(result).toMatchObject({ updates: 2, reason: 'finished' });
});

test('a resumed run counts on from where it was', async () => {
  const log: string[] = [];
  await trainer({ startUpdate: 2, callbacks: [recorder('a', log)] }).run();
  expect(log).toEqual(['a start 2', 'a rollout 2', 'a update 3', 'a end 3 finished']);
});

test("a callback that returns 'stop' ends the run cleanly", async () => {
  const log: string[] = [];
  const stopper: Callback = { onUpdateEnd: ({ update }) => (update === 2 ? 'stop' : undefined) };
  const result = await trainer({ updates: 9, callbacks: [stopper, recorder('a', log)] }).run();
  expect(result).toMatchObject({ updates: 2, reason: 'stopped' });
  expect(log.slice(-2)).toEqual(['a update 2', 'a end 2 stopped']);
});

test('stop() ends the run after the update in progress', async () => {
  const log: string[] = [];
  const running: Trainer = trainer({
    updates: 9,
    callbacks: [{ onRolloutEnd: () => running.stop() }, recorder('a', log)],
  });
  expect(await running.run()).toMatchObject({ updates: 1, reason: 'stopped' });
  expect(log).toContain('a update 1');
});

test('metrics: reward per sequence, components, KL with both units, what the algorithm says', async () => {
  const policy = model();
  const referencePolicy = policy.clone();
  const algorithm = idle({ firstRatioDeviation: 0, loss: 7 });
  const { lastMetrics } = await trainer({ policy, referencePolicy, algorithm, updates: 1 }).run();
  // the reward of a sequence is the sum over its 4 steps; `totals` has it as a component
  expect(lastMetrics['reward/mean']).toBeAllClose(lastMetrics['reward/totals'], { atol: 1e-6 });
  expect(lastMetrics['reward/hits'] * 4).toBeAllClose(lastMetrics['reward/totals'], { atol: 1e-6 });
  expect(lastMetrics['kl/exactPerSequence']).toBeAllClose(4 * lastMetrics['kl/exactPerToken'], {
    atol: 1e-9,
  });
  expect(lastMetrics['idle/loss']).toBe(7);
  expect(Object.values(lastMetrics).every(Number.isFinite)).toBe(true);
});

test('a reference that shares weights with the policy is refused', () => {
  const policy = model();
  expect(() => trainer({ policy, referencePolicy: policy })).toThrow(
    'policy and referencePolicy share weights; clone the policy before training',
  );
});

describe('what must hold is checked', () => {
  test('a reference that is no copy of the policy is caught before the first update', async () => {
    // fresh models of one seed say the same; the tied embedding of another says something else
    await expect(trainer({ policy: model(0), referencePolicy: model(1) }).run()).rejects.toThrow(
      'Before the first update the KL to the reference must be 0',
    );
  });

  test('a reference with another temperature is caught too', async () => {
    await expect(trainer({ policy: model(0), referencePolicy: model(0, 2) }).run()).rejects.toThrow(
      NumericalError,
    );
  });

  test('a run that goes on has moved away from its reference, and may', async () => {
    const options = { policy: model(0), referencePolicy: model(1), startUpdate: 1, updates: 2 };
    await expect(trainer(options).run()).resolves.toMatchObject({ reason: 'finished' });
  });

  test.each([0.5, NaN])(
    'a ratio that is off by %p on the first minibatch ends the run',
    async (deviation) => {
      const algorithm = idle({ firstRatioDeviation: deviation });
      await expect(trainer({ algorithm }).run()).rejects.toThrow(
        `Update 1: the ratio on the first minibatch must be 1; it is off by ${deviation}.`,
      );
    },
  );
});
