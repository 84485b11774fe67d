import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from '@jest/globals';

import {
  ConfigError,
  MetricsCallback,
  RLHFCallback,
  RandomStream,
  type MetricsRecord,
  type Rollout,
  type SequenceEnvironment,
  type SequencePolicy,
} from '@rollcast/core';

import { temporaryFolder } from '../../support/temporary.js';

const HORIZON = 3;

/** Values are the tokens themselves; what was asked of it is kept. */
const environment: SequenceEnvironment = {
  name: 'toy',
  vocabularySize: 10,
  contextLength: 2,
  horizon: HORIZON,
  sample: (size, random) => ({
    size,
    contextTokens: Int32Array.from({ length: 2 * size }, () => random.integer(10)),
  }),
  reward: (batch) => ({ reward: new Float32Array(batch.size), components: {} }),
  view: (batch, index, generated) => ({
    title: `window ${index}`,
    context: [...batch.contextTokens.subarray(2 * index, 2 * index + 2)],
    target: [1, 2, 3],
    predicted: [...generated.subarray(HORIZON * index, HORIZON * (index + 1))],
    valueLabel: 'height [m]',
  }),
};

/** Continues with context + uniform noise. */
function toyPolicy(calls: { contextTokens: number[]; first: number }[] = []): SequencePolicy {
  return {
    vocabularySize: 10,
    parameters: undefined as never,
    score: undefined as never,
    scoreRows: undefined as never,
    generate: ({ contextTokens, batchSize, horizon, random }) => {
      const tokens = Int32Array.from({ length: batchSize * horizon }, () => random!.integer(10));
      calls.push({ contextTokens: [...contextTokens], first: tokens[0] });
      return { tokens, logProbs: new Float32Array(), values: new Float32Array() };
    },
  };
}

const rollout = (rewards: number[], mask: number[], batchSize: number) =>
  ({ rewards: Float32Array.from(rewards), mask: Float32Array.from(mask), batchSize }) as unknown as Rollout;
const totalUpdates = 4;
const options = (folder: string) => ({
  folder,
  environment,
  policy: toyPolicy(),
  random: new RandomStream(1, 'plots'),
  every: 2,
  windows: 2,
  samples: 3,
});

async function train(callback: RLHFCallback, updates: number, metrics: Record<string, number> = {}) {
  await callback.onTrainingStart({ update: 0, totalUpdates });
  for (let update = 1; update <= updates; update++) {
    callback.onRolloutEnd({ rollout: rollout([update, 0, 1, 5], [1, 1, 1, 0], 2) });
    await callback.onUpdateEnd({ update, totalUpdates, metrics });
  }
  await callback.onTrainingEnd({ update: updates, totalUpdates });
}

test('forecasts are drawn at the start, every N updates and at the end; the reward once', async () => {
  const folder = join(temporaryFolder(), 'plots');
  await train(new RLHFCallback({ ...options(folder), referencePolicy: toyPolicy() }), 3, {
    'kl/exactPerToken': 0.01,
  });
  const names = ['forecast-000000', 'forecast-000002', 'forecast-000003', 'reward'];
  expect(readdirSync(folder).sort()).toEqual(names.flatMap((name) => [`${name}.png`, `${name}.svg`]));
  const forecast = readFileSync(join(folder, 'forecast-000002.svg'), 'utf8');
  for (const text of ['after 2 updates', 'window 1', 'height [m]', 'reference, mean of 3'])
    expect(forecast).toContain(text);
  expect(readFileSync(join(folder, 'reward.svg'), 'utf8')).toContain('KL [nats per token]');
});

test('the mean reward of a batch is the mean of the sums over real steps', async () => {
  const callback = new RLHFCallback(options(temporaryFolder()));
  await train(callback, 2, { 'kl/exactPerToken': 0.5 });
  // two sequences of two steps, the last step padded: (update + 0 + 1) / 2
  expect(callback.rewards).toEqual([
    { update: 1, meanReward: 1, kl: 0.5 },
    { update: 2, meanReward: 1.5, kl: 0.5 },
  ]);
});

test('every picture shows the same windows with the same random numbers', async () => {
  const calls: { contextTokens: number[]; first: number }[] = [];
  await train(new RLHFCallback({ ...options(temporaryFolder()), policy: toyPolicy(calls) }), 2);
  expect(calls).toHaveLength(2);
  expect(calls[1]).toEqual(calls[0]);
  expect(calls[0].contextTokens.slice(0, 4)).toEqual(calls[0].contextTokens.slice(4, 8));
});

test('drawing leaves the random stream that it was given where it was', async () => {
  const random = new RandomStream(1, 'plots');
  await train(new RLHFCallback({ ...options(temporaryFolder()), random }), 1);
  expect(random.state().counter).toBe(0);
});

test('a resumed run continues the curve of its history', async () => {
  const callback = new RLHFCallback({
    ...options(temporaryFolder()),
    history: [{ update: 0, meanReward: -1 }],
  });
  await train(callback, 1);
  expect(callback.rewards.map(({ update }) => update)).toEqual([0, 1]);
});

test('an environment without view and counts below 1 are refused', () => {
  const blind = { ...environment, view: undefined };
  expect(() => new RLHFCallback({ ...options('x'), environment: blind })).toThrow(ConfigError);
  expect(() => new RLHFCallback({ ...options('x'), environment: blind })).toThrow('"toy" has no view()');
  expect(() => new RLHFCallback({ ...options('x'), samples: 0 })).toThrow(
    'RLHFCallback.samples is an integer ≥ 1; got 0.',
  );
});

test('the metrics of every update go to the run folder', () => {
  const written: MetricsRecord[] = [];
  const callback = new MetricsCallback({ appendMetrics: (record) => void written.push(record) });
  callback.onUpdateEnd({ update: 7, totalUpdates, metrics: { 'reward/mean': -1 } });
  expect(written).toEqual([{ update: 7, 'reward/mean': -1 }]);
});
