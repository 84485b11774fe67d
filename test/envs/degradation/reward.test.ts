import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { ConfigError, EnvironmentError, ShapeError } from '@rollcast/core';
import {
  createReward,
  expressionReward,
  forecastQuantities,
  parseReward,
  windowScale,
  type RewardFunction,
  type RewardOptions,
} from '@rollcast/envs';

import { errorOf, windowOf } from './support.js';

// Context 0 … 2 (range 2 = s), truth 3, 4, 5; forecast 4, 3, 5: errors/s 0.5, −0.5, 0; steps from 2: +2, −1, +2.
const context = Float64Array.of(0, 1, 2);
const future = Float64Array.of(3, 4, 5);
const predicted = Float64Array.of(4, 3, 5);
const window = { ...windowOf(context, future), unit: 'a', start: 4 };
const turned = { ...windowOf(context, future, { direction: 'falls' }), unit: 'a', start: 4 };

const score = (options: RewardOptions) => createReward(options).score(window, [predicted])[0].reward;

describe('quantities', () => {
  const got = forecastQuantities(predicted, future, 2, 2);

  test('are errors and penalties per step, in units of the scale', () => {
    expect(got.mse).toBeAllClose([0.25, 0.25, 0]);
    expect(got.mae).toBeAllClose([0.5, 0.5, 0]);
    expect(got.nonMonotonicity).toBeAllClose([0, 0.5, 0]);
    expect(got.finalError).toBe(0);
  });

  test('the first step is judged against the last context value', () => {
    expect(forecastQuantities([1], [3], 2, 2).nonMonotonicity[0]).toBe(0.5);
  });
});

describe('the scale of a window', () => {
  test('is the range of its context', () => {
    expect(windowScale([1, 4, 3], [9, 9])).toBe(3);
  });

  test('of a flat context is a small share of the whole range, and never zero', () => {
    expect(windowScale([1, 1], [1, 3])).toBeAllClose(0.002);
    expect(windowScale([1, 1], [1, 1])).toBeGreaterThan(0);
  });

  test('makes the reward the same in every unit of measurement', () => {
    const value = fc.array(fc.double({ min: -10, max: 10, noNaN: true }), { minLength: 3, maxLength: 3 });
    fc.assert(
      fc.property(value, value, fc.double({ min: 1e-3, max: 1e3, noNaN: true }), (path, truth, factor) => {
        const at = (k: number) =>
          createReward({ reward: '-mse - nonMonotonicity - finalError', credit: 'sequence' }).score(
            { ...window, context: context.map((x) => k * x), future: Float64Array.from(truth, (x) => k * x) },
            [Float64Array.from(path, (x) => k * x)],
          )[0].reward;
        expect(at(factor) as number).toBeAllClose(at(1), { rtol: 1e-9, atol: 1e-12 });
      }),
    );
  });
});

describe('expressions', () => {
  test('by step, a per-step term is divided by L', () => {
    expect(score({})).toBeAllClose([-0.25 / 3, -0.25 / 3, 0]);
  });

  // finalError is 0 here, so take a forecast that ends 1 too high: 0.5 on the last step, times −2.
  test('by step, a per-sequence term lands on the last step', () => {
    const path = Float64Array.of(3, 4, 6);
    const values = forecastQuantities(path, future, 2, 2);
    const series = { predicted: path, target: future, context };
    expect(expressionReward(parseReward('-mae - 2*finalError'), values, series, 'step')).toBeAllClose([
      0,
      0,
      -0.5 / 3 - 1,
    ]);
  });

  // mean mae 1/3, finalError 0: one product, evaluated once.
  test('by step, a mixed product is evaluated once with averages', () => {
    expect(score({ reward: '-mae*(1 + finalError)' })).toBeAllClose([0, 0, -1 / 3]);
  });

  test('by sequence, the whole expression is evaluated with averages', () => {
    expect(score({ credit: 'sequence' })).toBeAllClose(-0.5 / 3);
    expect(score({ reward: '-sqrt(mse)', credit: 'sequence' })).toBeAllClose(-Math.sqrt(0.5 / 3));
    expect(score({ reward: '-sqrt(mse)' })).toBeAllClose([-0.5 / 3, -0.5 / 3, 0]); // another reward
  });

  test('the steps of a linear expression add up to its sequence value', () => {
    const coefficient = fc.double({ min: -3, max: 3, noNaN: true }).map((x) => x.toFixed(3));
    fc.assert(
      fc.property(fc.tuple(coefficient, coefficient, coefficient, coefficient), ([a, b, c, d]) => {
        const reward = `${a}*mse - (${b})*nonMonotonicity + (${c})*finalError - (${d})`;
        const steps = score({ reward }) as Float64Array;
        const sum = steps.reduce((total, value) => total + value, 0);
        expect(sum).toBeAllClose(score({ reward, credit: 'sequence' }), { atol: 1e-12 });
      }),
    );
  });

  // s = 2: ŷ/s = 2, 1.5, 2.5, y/s = 1.5, 2, 2.5; |difference| 0.5, 0.5, 0; the last context value is 2/2 = 1.
  test('by step, a term of the series has its value at each step, divided by L', () => {
    expect(score({ reward: '-abs(predicted - target)' })).toBeAllClose([-0.5 / 3, -0.5 / 3, 0]);
    expect(score({ reward: '-mae*(step > 1)' })).toBeAllClose([0, -0.5 / 3, 0]);
    expect(score({ reward: '-max(0, predicted - 2*last(context))' })).toBeAllClose([0, 0, -0.5 / 3]);
  });

  test('by sequence, a term of the series is averaged after it is evaluated', () => {
    expect(score({ reward: '-square(predicted - target)', credit: 'sequence' })).toBeAllClose(-0.5 / 3);
    expect(score({ reward: '-abs(predicted - target)*(step > 1) - 1', credit: 'sequence' })).toBeAllClose(
      -0.5 / 3 - 1,
    );
  });

  test('a reduction makes one number of a path, which lands on the last step', () => {
    expect(score({ reward: '-max(mae)' })).toBeAllClose([0, 0, -0.5]);
    expect(score({ reward: '-abs(last(predicted) - mean(target))' })).toBeAllClose([0, 0, -0.5]);
    expect(score({ reward: '-max(mse) - sum(context)', credit: 'sequence' })).toBeAllClose(-0.25 - 1.5);
  });

  test('of series agree with the quantities that they spell', () => {
    const spelled: [string, string][] = [
      ['-mse', '-square(predicted - target)'],
      ['-2*mae', '-2*abs(target - predicted)'],
      ['-finalError', '-abs(last(predicted) - last(target))'],
    ];
    for (const [name, series] of spelled)
      for (const credit of ['step', 'sequence'] as const)
        expect(score({ reward: series, credit })).toBeAllClose(score({ reward: name, credit }));
  });

  test('raw scale leaves the units of the data', () => {
    expect(score({ rewardScale: 'raw', credit: 'sequence' })).toBeAllClose(-2 / 3);
  });

  test('a result that is not finite names the expression and the window', () => {
    const error = errorOf(() => score({ reward: 'log(mse)' }));
    expect(error).toBeInstanceOf(EnvironmentError);
    expect(error.message).toMatch(
      /"log\(mse\)" is -Infinity for the window of unit "a" that starts at point 5/,
    );
  });

  test('unknown options and values are a ConfigError', () => {
    expect(errorOf(() => createReward({ credits: 'step' } as RewardOptions)).message).toContain('credit');
    expect(errorOf(() => createReward({ credit: 'token' as 'step' }))).toBeInstanceOf(ConfigError);
  });
});

describe('functions', () => {
  test('see series divided by the scale, and what they were divided by', () => {
    let seen: unknown;
    const reward: RewardFunction = (...given) => {
      seen = given;
      return 0;
    };
    createReward({ reward }).score(turned, [predicted]);
    expect(seen).toEqual([
      Float64Array.of(2, 1.5, 2.5),
      Float64Array.of(1.5, 2, 2.5),
      Float64Array.of(0, 0.5, 1),
      { sign: -1, scale: 2, unit: 'a' },
    ]);
    createReward({ reward, rewardScale: 'raw' }).score(window, [predicted]);
    expect(seen).toEqual([predicted, future, context, { sign: 1, scale: 1, unit: 'a' }]);
  });

  test('return one number a sequence or one a step', () => {
    expect(score({ reward: () => 7 })).toBe(7);
    expect(score({ reward: () => [1, 2, 3] })).toBeAllClose([1, 2, 3]);
    expect(score({ reward: () => [1, 2, 3], credit: 'sequence' })).toBe(6);
  });

  test('that return something else are refused by name', () => {
    function tooFew(): number[] {
      return [1, 2];
    }
    const error = errorOf(() => score({ reward: tooFew }));
    expect(error).toBeInstanceOf(ShapeError);
    expect(error.message).toContain('tooFew must return one number a step (3); got 2');
    expect(errorOf(() => score({ reward: (() => 'high') as unknown as RewardFunction }))).toBeInstanceOf(
      EnvironmentError,
    );
    expect(errorOf(() => score({ reward: () => NaN })).message).toContain(
      'is NaN for the window of unit "a"',
    );
  });
});
