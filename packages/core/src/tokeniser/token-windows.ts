import type { RandomStream } from '../random.js';

/** Token windows to learn from. */
export interface TokenWindows {
  /** W, tokens of context. */
  readonly contextLength: number;
  /** L, tokens to predict. */
  readonly horizon: number;
  /** How many windows there are. */
  readonly length: number;
  /** The index of a random window. */
  draw(random: RandomStream): number;
  /** The W + L tokens of one window. */
  tokens(index: number): Int32Array;
}
