import { expect, test } from '@jest/globals';

import { linearSchedule, stageOf, warmupCosine } from '@rollcast/core';

test('the rate rises to its peak over the warm-up, then falls along half a cosine to its floor', () => {
  const rate = (step: number): number => warmupCosine(step, 110, 2, 10, 0.1);
  expect([0, 4, 9, 10].map(rate)).toBeAllClose([0.2, 1, 2, 2]);
  // half way down: 2 · (.1 + .9/2); the end: 2 · .1
  expect([60, 110].map(rate)).toBeAllClose([1.1, 0.2]);
});

test('without a warm-up it starts at the peak', () => {
  expect(warmupCosine(0, 100, 2, 0)).toBeAllClose(2);
});

test('a linear schedule goes from one value to the other and stops there', () => {
  expect([-1, 0, 0.25, 1, 2].map((p) => linearSchedule(4, 0, p))).toEqual([4, 4, 3, 0, 0]);
});

test('stages have equal shares of a run', () => {
  const of = (updates: number) =>
    Array.from({ length: updates }, (_, u) => stageOf([10, 20, 40], u / updates));
  expect(of(6)).toEqual([10, 10, 20, 20, 40, 40]);
  expect(of(4)).toEqual([10, 10, 20, 40]);
  expect(stageOf([10, 20], 1)).toBe(20);
});
