import type { RandomStream } from './random.js';

/** Contexts to continue; environments add what their reward needs. */
export interface SequenceBatch {
  /** B, the number of sequences. */
  readonly size: number;
  /** [B, W] token ids, row by row. */
  readonly contextTokens: Int32Array;
}

/** What an environment says about B generated sequences of L tokens. */
export interface SequenceReward {
  /**
   * The reward as optimised: [B] one number per sequence (credited to its last step) or [B, L] one number per step.
   * The score of a sequence is the sum over its steps.
   */
  readonly reward: Float32Array;
  /** Named quantities with their natural sign, each [B] or [B, L]; logged, not optimised by themselves. */
  readonly components: Readonly<Record<string, Float32Array>>;
}

/** One generated continuation in the data's own units, for pictures. */
export interface TrajectoryView {
  readonly title: string;
  /** W observed values. */
  readonly context: readonly number[];
  /** L true values. */
  readonly target: readonly number[];
  /** L generated values. */
  readonly predicted: readonly number[];
  /** What the values are, with unit, for the axis. */
  readonly valueLabel: string;
}

/**
 * A batch of token sequences to continue plus a reward on what was generated. The policy generates all L steps itself;
 * the reward sees whole trajectories.
 */
export interface SequenceEnvironment<Batch extends SequenceBatch = SequenceBatch> {
  readonly name: string;
  /** V, the number of tokens. */
  readonly vocabularySize: number;
  /** W, tokens of context. */
  readonly contextLength: number;
  /** L, tokens to generate. */
  readonly horizon: number;
  /** Draws B contexts; all randomness comes from `random`. */
  sample(batchSize: number, random: RandomStream): Batch;
  /**
   * Scores whole trajectories.
   *
   * @param generated - [B, L] token ids, row by row
   * @throws {ShapeError} when `generated` is not B × L tokens
   */
  reward(batch: Batch, generated: Int32Array): SequenceReward;
  /** The generated continuation of row `index` in the data's own units; an environment without pictures omits it. */
  view?(batch: Batch, index: number, generated: Int32Array): TrajectoryView;
}
