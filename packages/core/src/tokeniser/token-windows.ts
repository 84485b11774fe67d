import type { RandomStream } from '../random.js';

/** Where token windows to learn from are drawn. */
export interface TokenSource {
  /** W, tokens of context. */
  readonly contextLength: number;
  /** L, tokens to predict. */
  readonly horizon: number;
  /** The W + L tokens of a random window. */
  draw(random: RandomStream): Int32Array;
}

/** Token windows that can be counted and looked at one by one. */
export interface TokenWindows extends TokenSource {
  /** How many windows there are. */
  readonly length: number;
  /** The W + L tokens of one window. */
  tokens(index: number): Int32Array;
}
