import { expect, test } from '@jest/globals';

import { medianPath, towardsLine } from '@rollcast/envs';

const context = [0, 1, 2, 3]; // goes on as 4, 5
const paths = [
  [4, 9],
  [5, 11],
  [8, 7],
]; // median 5, 9

test('all paths move alike: their median by the share of its way to the line', () => {
  expect(towardsLine(paths, context, 0.25).map((path) => [...path])).toEqual([
    [3.75, 8],
    [4.75, 10],
    [7.75, 6],
  ]);
});

test('share 1 puts the median on the line, share 0 leaves copies', () => {
  expect([...medianPath(towardsLine(paths, context, 1))]).toEqual([4, 5]);
  const same = towardsLine(paths, context, 0);
  expect(same.map((path) => [...path])).toEqual(paths);
  expect(same[0]).not.toBe(paths[0]);
});

test('one path is its own median', () => {
  expect([...towardsLine([[6, 6]], context, 0.5)[0]]).toEqual([5, 5.5]);
});
