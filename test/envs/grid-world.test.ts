import { expect, test } from '@jest/globals';

import { EnvironmentError } from '@rollcast/core';
import { GridWorld, gridWorldOptimalReturn, gridWorldValue } from '@rollcast/envs';

const range = (n: number) => [...Array(n).keys()];

/** A cell reached from the goal's corner or beside a wall, by hand: 3 × 3 cells, numbered row by row. */
const at = (cell: number): GridWorld => {
  const world = new GridWorld({ size: 3 });
  for (let seed = 0; ; seed++) if (world.reset(seed) === cell) return world;
};

test('moves lead up, right, down and left, and walls stop them', () => {
  const next = (cell: number) => range(4).map((move) => at(cell).step(move).observation);
  expect(next(4)).toEqual([1, 5, 7, 3]); // the middle
  expect(next(0)).toEqual([0, 1, 3, 0]);
  expect(next(2)).toEqual([2, 2, 5, 1]);
  expect(next(6)).toEqual([3, 7, 6, 6]);
});

test('every step costs 1, and the far corner ends the episode', () => {
  expect(at(7).step(1)).toEqual({ observation: 8, reward: -1, terminated: true, truncated: false });
  expect(at(7).step(0)).toEqual({ observation: 4, reward: -1, terminated: false, truncated: false });
});

/** Value iteration on the environment itself, as a model: what the formula must agree with. */
function valueIteration(size: number, gamma: number): number[] {
  const goal = size ** 2 - 1;
  const clamp = (x: number) => Math.max(0, Math.min(size - 1, x));
  let values = range(size ** 2).map(() => 0);
  for (let sweep = 0; sweep < 4 * size; sweep++) {
    values = values.map((_, cell) => {
      if (cell === goal) return 0;
      const [row, column] = [Math.floor(cell / size), cell % size];
      const reached = [
        [row - 1, column],
        [row, column + 1],
        [row + 1, column],
        [row, column - 1],
      ].map(([r, c]) => values[clamp(r) * size + clamp(c)]);
      return -1 + gamma * Math.max(...reached);
    });
  }
  return values;
}

test('the formula gives the values that value iteration finds', () => {
  for (const [size, gamma] of [
    [2, 1],
    [5, 1],
    [5, 0.9],
    [4, 0],
  ] as const) {
    const formula = range(size ** 2).map((cell) => gridWorldValue(cell, size, gamma));
    expect(formula).toBeAllClose(valueIteration(size, gamma), { atol: 1e-12 });
  }
});

test('walking right, then down, earns the optimal value from every start, and its mean is the closed form', () => {
  for (const size of [3, 5]) {
    const world = new GridWorld({ size });
    const returns = new Map<number, number>();
    for (let seed = 0; returns.size < size ** 2 - 1; seed++) {
      const start = world.reset(seed);
      let [cell, sum, done] = [start, 0, false];
      while (!done) {
        const result = world.step(cell % size < size - 1 ? 1 : 2);
        [cell, sum, done] = [result.observation, sum + result.reward, result.terminated];
      }
      expect(sum).toBe(gridWorldValue(start, size));
      returns.set(start, sum);
    }
    const mean = [...returns.values()].reduce((sum, x) => sum + x, 0) / returns.size;
    expect(mean).toBeAllClose(gridWorldOptimalReturn(size), { atol: 1e-12 }); // −25/6 for 5 × 5
  }
});

test('a step before reset, after the goal, or of no move is refused', () => {
  expect(() => new GridWorld().step(0)).toThrow(EnvironmentError);
  const world = at(7);
  expect(() => world.step(4)).toThrow('grid-world-v1: an action is an integer from 0 to 3; got 4.');
  world.step(1);
  expect(() => world.step(1)).toThrow('it has ended. Call reset(seed) first.');
});
