import { describe, expect, test } from '@jest/globals';

import {
  actionArray,
  box,
  ConfigError,
  discrete,
  multiDiscrete,
  RandomStream,
  spaceFromSpec,
  type Space,
} from '@rollcast/core';

const spaces: Record<string, Space> = {
  discrete: discrete(3),
  multiDiscrete: multiDiscrete([2, 5]),
  box: box([-1, 0.07], [1, 0.6]),
  'box of a shape': box(-2, 2, [2, 3]),
};

describe.each(Object.entries(spaces))('%s', (_, space) => {
  test('contains what it samples, and samples by the stream alone', () => {
    const draw = () => {
      const random = new RandomStream(1, 'space');
      return Array.from({ length: 200 }, () => space.sample(random));
    };
    expect(draw().every((value) => space.contains(value))).toBe(true);
    expect(draw()).toEqual(draw());
  });

  test('is the same after a trip as plain data', () => {
    const spec: unknown = JSON.parse(JSON.stringify(space.spec()));
    expect(spaceFromSpec(spec as ReturnType<Space['spec']>)).toEqual(space);
  });
});

test('a discrete space holds the integers from 0 to n − 1 and draws them alike', () => {
  const space = discrete(3);
  expect([0, 1, 2].every((value) => space.contains(value))).toBe(true);
  for (const value of [-1, 3, 0.5, NaN, [1]]) expect(space.contains(value)).toBe(false);
  const counts = [0, 0, 0];
  const random = new RandomStream(2, 'space');
  for (let i = 0; i < 3000; i++) counts[space.sample(random)]++;
  expect(counts).toBeAllClose([1000, 1000, 1000], { atol: 110 }); // standard deviation √(3000 · 2/9) ≈ 26
});

test('rows of integers are checked by place', () => {
  const space = multiDiscrete([2, 5]);
  expect(space.contains([1, 4])).toBe(true);
  for (const value of [[2, 0], [0, 5], [0], [0, 0, 0], 1]) expect(space.contains(value)).toBe(false);
  expect(space.outside([9, 9, 1, 5], 2)).toBe(1);
});

test('a box includes its bounds, as float32, and refuses NaN', () => {
  const space = box([0.7], [0.7]); // the float32 nearest to 0.7 is smaller
  expect(space.contains([0.7])).toBe(true);
  expect(space.contains([Math.fround(0.7)])).toBe(true);
  expect(space.contains([0.7001])).toBe(false);
  expect(box(-Infinity, Infinity).contains([NaN])).toBe(false);
  expect(box(-Infinity, Infinity).contains([1e30])).toBe(true);
});

test('a box without bounds is sampled on the open sides', () => {
  const space = box([-Infinity, 3, -Infinity], [Infinity, Infinity, -3]);
  const random = new RandomStream(3, 'space');
  const draws = Array.from({ length: 500 }, () => space.sample(random));
  expect(draws.every(([, above, below]) => above >= 3 && below <= -3)).toBe(true);
  const mean = (i: number) => draws.reduce((sum, row) => sum + row[i], 0) / draws.length;
  expect([mean(0), mean(1), mean(2)]).toBeAllClose([0, 4, -4], { atol: 0.2 }); // standard deviation 1/√500 ≈ 0.045
});

test('a network sees integers one-hot and boxes as they are', () => {
  const flat = (space: Space, value: number | number[]) => {
    const out = new Float32Array(space.flatSize + 1).fill(9);
    space.flatten(value, out, 1);
    return [...out];
  };
  expect(flat(discrete(3), 1)).toEqual([9, 0, 1, 0]);
  expect(flat(multiDiscrete([2, 3]), [1, 2])).toEqual([9, 0, 1, 0, 0, 1]);
  expect(flat(box(-1, 1, [2]), [0.5, -0.5])).toEqual([9, 0.5, -0.5]);
});

test('actions are integers for discrete spaces and float32 for boxes', () => {
  expect(actionArray(multiDiscrete([2, 2]), 3)).toEqual(new Int32Array(6));
  expect(actionArray(box(-1, 1), 3)).toEqual(new Float32Array(3));
});

test('a space says what its values are', () => {
  expect(discrete(3).describe()).toBe('an integer from 0 to 2');
  expect(multiDiscrete([4, 4]).describe()).toBe('2 integers from 0 to 3');
  expect(multiDiscrete([2, 5]).describe()).toBe('2 integers ≥ 0 below [2, 5]');
  expect(box(-2, 2).describe()).toBe('numbers of the shape [1] from -2 to 2');
  expect(box([0, -0.07], [1, 0.6]).describe()).toBe('numbers of the shape [2] from [0, -0.07] to [1, 0.6]');
});

test('what is no space is refused with what was expected', () => {
  expect(() => discrete(0)).toThrow(new ConfigError('discrete(n) needs an integer n ≥ 1; got 0.'));
  expect(() => multiDiscrete([2, 0])).toThrow('multiDiscrete(sizes) needs integers ≥ 1; got [2, 0].');
  expect(() => box([0, 0], [1, 1], [3])).toThrow(
    'needs 3 bounds on each side, or one number for all; got 2 and 2.',
  );
  expect(() => box(1, -1)).toThrow('must be ≤ its high bound; got 1 and -1 at 0.');
  expect(() => box(0, 1, [0])).toThrow('made of integers ≥ 1; got [0].');
});
