import { describe, expect, test } from '@jest/globals';

import { ConfigError, EnvironmentError, RandomStream, Registry, ShapeError } from '@rollcast/core';
import {
  DegradationEnvironment,
  registerEnvironments,
  RLDataset,
  saturationShare,
  windowTokens,
  type EnvironmentEntry,
  type ForecastEnvironmentEntry,
  type RewardOptions,
} from '@rollcast/envs';

import { errorOf, ramp, seriesSet, stepTokeniser } from './support.js';

const shape = { contextLength: 3, horizon: 2 };
const falling = seriesSet({ a: [9, 8, 7, 6, 5, 4], b: [20, 20, 19, 17, 14, 10] }, 'falls');
const dataset = new RLDataset(falling, shape); // a and b have two windows each

const make = (options: RewardOptions = {}) => new DegradationEnvironment(dataset, stepTokeniser(), options);
const windows = ramp(dataset.length, (i) => dataset.window(i));

describe('sampling', () => {
  test('gives B contexts as tokens', () => {
    const batch = make().batch([dataset.window(0)]);
    expect(batch.size).toBe(1);
    expect(Array.from(batch.contextTokens)).toEqual([10, 11, 12]); // −9, −8, −7 from −9
  });

  test('draws units alike, however many windows they have', () => {
    const uneven = seriesSet({ long: ramp(100, (i) => i), short: ramp(5, (i) => i) });
    const environment = new DegradationEnvironment(new RLDataset(uneven, shape), stepTokeniser());
    const { windows: drawn } = environment.sample(2000, new RandomStream(1, 'test'));
    const share = drawn.filter(({ unit }) => unit === 'short').length / drawn.length;
    expect(share).toBeAllClose(0.5, { atol: 0.05 });
  });

  test('is uniform over all windows', () => {
    const counts: Record<string, number> = {};
    const random = new RandomStream(2, 'test');
    for (let i = 0; i < 2000; i++)
      for (const { unit, start } of make().sample(2, random).windows)
        counts[`${unit}${start}`] = (counts[`${unit}${start}`] ?? 0) + 1;
    // each in half of the draws: 1000, standard deviation √500 ≈ 22
    expect(Object.values(counts)).toBeAllClose([1000, 1000, 1000, 1000], { atol: 110 });
  });

  test('the same stream gives the same batch', () => {
    const draw = () => make().sample(3, new RandomStream(7, 'test')).contextTokens;
    expect(draw()).toEqual(draw());
  });

  test('a repeated batch is the batch of each window repeated, one after the other', () => {
    const environment = make();
    const repeated = environment.repeat(environment.batch([windows[0], windows[3]]), 2);
    expect(repeated).toEqual(environment.batch([windows[0], windows[0], windows[3], windows[3]]));
  });

  test('a batch size below one is refused', () => {
    expect(errorOf(() => make().sample(0, new RandomStream(0, 'test')))).toBeInstanceOf(ConfigError);
  });
});

describe('reward', () => {
  // Window a0: context −9, −8, −7 (s = 2), truth −6, −5. Tokens 13, 12 → −6, −7: errors 0, −2; the second step goes back by 1.
  test('compares the decoded path with what happened', () => {
    const environment = make({ reward: '-mse - finalError' });
    const { reward, components } = environment.reward(environment.batch([windows[0]]), Int32Array.of(13, 12));
    expect(reward).toBeAllClose([0, -1 / 2 - 1]);
    expect(Object.keys(components).sort()).toEqual(['finalError', 'mse', 'nonMonotonicity']);
    expect(components.mse).toBeAllClose([0, 1]);
    expect(components.nonMonotonicity).toBeAllClose([0, 0.5]);
    expect(components.finalError).toBeAllClose([1]);
  });

  test('the true tokens get the best reward of all, zero', () => {
    const environment = make();
    const batch = environment.batch(windows);
    const truth = windows.flatMap((w) => Array.from(windowTokens(w, environment.tokeniser).subarray(3)));
    expect(environment.reward(batch, Int32Array.from(truth)).reward).toBeAllClose(ramp(8, () => 0));
  });

  test.each(['step', 'sequence'] as const)('permuting the batch permutes the rewards, by %s', (credit) => {
    const environment = make({ credit, reward: '-mse - 0.2*nonMonotonicity - finalError' });
    const generated = [13, 12, 10, 10, 5, 20, 11, 17];
    const order = [2, 0, 3, 1];
    const straight = environment.reward(environment.batch(windows), Int32Array.from(generated));
    const permuted = environment.reward(
      environment.batch(order.map((i) => windows[i])),
      Int32Array.from(order.flatMap((i) => generated.slice(2 * i, 2 * i + 2))),
    );
    const rows = (values: Float32Array) => {
      const width = values.length / 4;
      return order.map((_, i) => Array.from(values.subarray(i * width, (i + 1) * width)));
    };
    const reorder = (values: Float32Array) => order.map((i) => rows(values)[i]);
    expect(straight.reward).toHaveLength(credit === 'step' ? 8 : 4);
    expect(rows(permuted.reward)).toEqual(reorder(straight.reward));
    for (const [name, values] of Object.entries(straight.components))
      expect(rows(permuted.components[name])).toEqual(reorder(values));
  });

  test('a function decides whether there is one reward a sequence or one a step', () => {
    const reward = (options: RewardOptions) => {
      const environment = make(options);
      return environment.reward(environment.batch(windows), new Int32Array(8).fill(12)).reward;
    };
    expect(reward({ reward: (predicted) => -predicted.length })).toBeAllClose([-2, -2, -2, -2]);
    expect(reward({ reward: () => [1, 2] })).toBeAllClose([1, 2, 1, 2, 1, 2, 1, 2]);
    const mixed = (_: unknown, __: unknown, ___: unknown, { unit }: { unit: string }) =>
      unit === 'a' ? 1 : [1, 2];
    expect(errorOf(() => reward({ reward: mixed })).message).toContain('return the same kind for all');
  });

  test('too few tokens and tokens outside the vocabulary are refused', () => {
    const environment = make();
    const batch = environment.batch(windows);
    expect(errorOf(() => environment.reward(batch, new Int32Array(7)))).toBeInstanceOf(ShapeError);
    const error = errorOf(() => environment.reward(batch, new Int32Array(8).fill(21)));
    expect(error).toBeInstanceOf(EnvironmentError);
    expect(error.message).toContain('token 21 is outside the vocabulary of 21');
  });
});

test('a view is in the units of the data: a falling column falls again', () => {
  const environment = make();
  const batch = environment.batch([windows[2], windows[0]]);
  expect(environment.view(batch, 1, Int32Array.of(10, 10, 13, 12))).toEqual({
    title: 'a, from point 1',
    context: [9, 8, 7],
    target: [6, 5],
    predicted: [6, 7],
    valueLabel: 'wear (mm)',
  });
});

describe('teacher forcing', () => {
  test('gives context and future as one sequence under one scaling', () => {
    expect(Array.from(windowTokens(dataset.window(0), stepTokeniser()))).toEqual([10, 11, 12, 13, 14]);
  });

  // Tokens reach 10 steps up from the first context value; futures reach 3 and 30, 31: half of the points saturate.
  test('the saturated share counts future points beyond the range of the tokens', () => {
    const data = new RLDataset(seriesSet({ a: [0, 1, 2, 3, 10.4], b: [0, 1, 2, 30, 31] }), shape);
    expect(saturationShare(data, stepTokeniser())).toBe(0.5);
    expect(saturationShare([data.window(0)], stepTokeniser())).toBe(0);
    expect(saturationShare([data.window(1)], stepTokeniser())).toBe(1);
  });
});

test('the package registers the degradation environment when asked, not when imported', () => {
  const registry = new Registry<EnvironmentEntry>('environment');
  expect(registry.names()).toEqual([]);
  registerEnvironments(registry);
  const entry = registry.get('degradation') as ForecastEnvironmentEntry;
  const environment = entry.create({ dataset, tokeniser: stepTokeniser() }, { credit: 'sequence' });
  expect([environment.name, environment.horizon, environment.vocabularySize]).toEqual(['degradation', 2, 21]);
});
