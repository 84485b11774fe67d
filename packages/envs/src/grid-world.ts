/**
 * A square of cells: walk to the far corner in as few steps as possible. Each step costs 1, walls stop a move.
 *
 * It is written in the plain form of the contract, without `state`: `vectorise` continues it by replaying its actions.
 */
import {
  discrete,
  EnvironmentError,
  RandomStream,
  resolveOptions,
  type DiscreteSpace,
  type Environment,
  type StepResult,
} from '@rollcast/core';
import { z } from 'zod';

export const gridWorldOptions = z.strictObject({
  size: z.int().min(2).max(256).default(5).describe('cells on a side, n'),
});
export type GridWorldOptions = z.input<typeof gridWorldOptions>;

/** Row and column steps of the actions 0 up, 1 right, 2 down, 3 left. */
const MOVES = [
  [-1, 0],
  [0, 1],
  [1, 0],
  [0, -1],
] as const;

/**
 * Value of a cell under the best policy, d steps (Manhattan distance) from the goal:
 *
 *   V*(cell) = −(1 + γ + … + γ^(d−1)) = −(1 − γ^d)/(1 − γ),   and −d for γ = 1
 *
 * @param cell - row · n + column; the goal is n² − 1
 */
export function gridWorldValue(cell: number, size: number, gamma = 1): number {
  const distance = 2 * (size - 1) - Math.floor(cell / size) - (cell % size);
  if (distance === 0) return 0; // nothing is left to pay
  return gamma === 1 ? -distance : -(1 - gamma ** distance) / (1 - gamma);
}

/**
 * Mean return of the best policy over the starts, which are uniform over all cells but the goal.
 *
 * The distances of all n² cells add up to n²(n − 1), so the mean over n² − 1 starts is n²/(n + 1).
 */
export function gridWorldOptimalReturn(size: number): number {
  return -(size ** 2) / (size + 1);
}

export class GridWorld implements Environment<number, number> {
  readonly name = 'grid-world-v1';
  readonly observationSpace: DiscreteSpace;
  readonly actionSpace = discrete(MOVES.length);
  readonly maxEpisodeSteps: number;
  private readonly size: number;
  private readonly goal: number;
  private cell?: number;

  /** @throws {ConfigError} when an option is wrong */
  constructor(options: GridWorldOptions = {}) {
    this.size = resolveOptions(gridWorldOptions, options, 'gridWorld').size;
    this.observationSpace = discrete(this.size ** 2);
    this.goal = this.size ** 2 - 1;
    this.maxEpisodeSteps = 4 * this.size ** 2;
  }

  reset(seed: number): number {
    this.cell = new RandomStream(seed, this.name).integer(this.goal); // the goal itself is the one cell left out
    return this.cell;
  }

  /** @throws {EnvironmentError} before `reset`, after the goal, and for a move that does not exist */
  step(move: number): StepResult<number> {
    if (this.cell === undefined || this.cell === this.goal) {
      throw new EnvironmentError(
        `${this.name}: step needs a running episode; there is none yet or it has ended. Call reset(seed) first.`,
      );
    }
    if (!this.actionSpace.contains(move))
      throw new EnvironmentError(`${this.name}: an action is ${this.actionSpace.describe()}; got ${move}.`);
    const [rows, columns] = MOVES[move];
    const within = (position: number) => Math.max(0, Math.min(this.size - 1, position));
    const row = within(Math.floor(this.cell / this.size) + rows);
    const column = within((this.cell % this.size) + columns);
    this.cell = row * this.size + column;
    return { observation: this.cell, reward: -1, terminated: this.cell === this.goal, truncated: false };
  }
}
