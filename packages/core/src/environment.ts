import type { RandomStream } from './random.js';
import type { Space, SpaceValue } from './spaces.js';

/** Contexts to continue; environments add what their reward needs. */
export interface SequenceBatch {
  /** B, the number of sequences. */
  readonly size: number;
  /** [B, W] token ids, row by row. */
  readonly contextTokens: Int32Array;
  /** [B, L] what really followed, where it is known; for algorithms that learn from it. */
  readonly targets?: Int32Array;
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
  /**
   * [V] what tokens stand for, where they stand for values: up to a shift and a scale, which may differ from row to row and the
   * shift from step to step.
   */
  readonly tokenValues?: ArrayLike<number>;
  /** Draws B contexts; all randomness comes from `random`. */
  sample(batchSize: number, random: RandomStream): Batch;
  /**
   * Scores whole trajectories.
   *
   * @param generated - [B, L] token ids, row by row
   * @throws {ShapeError} when `generated` is not B × L tokens
   */
  reward(batch: Batch, generated: Int32Array): SequenceReward;
  /**
   * The batch with each of its rows k times, one after the other; for algorithms that compare several continuations of one
   * context. An environment whose batches hold nothing but `size` and `contextTokens` may leave it out.
   */
  repeat?(batch: Batch, times: number): Batch;
  /**
   * Fewest continuations of a context that the reward can score, where it compares those of one context with each other.
   *
   * @defaultValue 1: each sequence can be scored by itself
   */
  readonly minSamplesPerContext?: number;
  /** The generated continuation of row `index` in the data's own units; an environment without pictures omits it. */
  view?(batch: Batch, index: number, generated: Int32Array): TrajectoryView;
}

/** Named quantities beside the reward; logged, never learned from. */
export type Info = Readonly<Record<string, number>>;

/** What one step of an environment gives. */
export interface StepResult<Observation extends SpaceValue = SpaceValue> {
  readonly observation: Observation;
  readonly reward: number;
  /** The episode has ended: no reward can follow. */
  readonly terminated: boolean;
  /** The episode was cut, for example by a time limit: rewards would have followed. */
  readonly truncated: boolean;
  readonly info?: Info;
}

/**
 * One instance of a step environment: Gymnasium's contract. `vectorise` makes many instances into a batch.
 *
 * An episode is a pure function of the seed given to `reset` and of the actions that follow; random numbers come from
 * `new RandomStream(seed, name)`. That is what makes results independent of the number of instances and threads.
 */
export interface Environment<
  Observation extends SpaceValue = SpaceValue,
  Action extends SpaceValue = SpaceValue,
> {
  readonly name: string;
  readonly observationSpace: Space;
  readonly actionSpace: Space;
  /** Steps after which `vectorise` cuts an episode; without it episodes end by themselves. */
  readonly maxEpisodeSteps?: number;
  /** Starts an episode and returns its first observation. */
  reset(seed: number): Observation;
  /** Takes one action; not called again after the end until `reset`. */
  step(action: Action): StepResult<Observation>;
  /**
   * The episode in progress as plain JSON, so that a run can continue bit for bit. An environment without `state` and
   * `restore` is continued by replaying the actions of the episode.
   */
  state?(): unknown;
  /** Goes on from what `state` gave. */
  restore?(state: unknown): void;
  /** Frees what the instance holds. */
  close?(): void;
}

/**
 * Where a batch of N instances keeps its numbers, row by row. An environment that reads and writes them in place allocates
 * nothing in a step.
 */
export interface StepBuffers {
  /** [N, A] */
  readonly actions: Int32Array | Float32Array;
  /** [N, O], O = `observationSpace.flatSize`. */
  readonly observations: Float32Array;
  /** [N] */
  readonly rewards: Float64Array;
  /** [N] 1 where the episode ended in this step. */
  readonly terminated: Uint8Array;
  /** [N] 1 where the episode was cut after this step. */
  readonly truncated: Uint8Array;
}

/**
 * The fast path of an environment, optional: row `index` of the buffers instead of result objects. Who calls it has
 * checked the action and starts an episode before the first step and after each end.
 */
export interface InPlaceSteps {
  /** Starts an episode; writes the observation. */
  resetInto(seed: number, buffers: StepBuffers, index: number): void;
  /** Reads the action; writes observation, reward, terminated and truncated. */
  stepInto(buffers: StepBuffers, index: number): Info | undefined;
}
