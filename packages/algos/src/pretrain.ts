/**
 * Teacher-forced pre-training: the next token of the future given all true tokens before it, by cross-entropy. Only the
 * L future positions count, because only they are ever generated; the context is read, not predicted.
 */
import {
  Adam,
  GradientSteps,
  RandomStream,
  resolveOptions,
  tf,
  warmupCosine,
  type AlgorithmState,
  type RowArray,
  type SequencePolicy,
  type TokenSource,
  type TokenWindows,
} from '@rollcast/core';
import { z } from 'zod';

import { packState, unpackState } from './optimiser-state.js';

/** Schema of the options of `Pretrainer`: ranges, defaults, and what each one is. */
export const pretrainOptions = z.strictObject({
  steps: z.int().min(1).default(600).describe('gradient steps'),
  batchSize: z.int().min(1).max(65_536).default(64).describe('windows a step'),
  learningRate: z.number().gt(0).default(1e-3).describe('peak step size of AdamW'),
  warmupSteps: z
    .int()
    .min(0)
    .default(50)
    .describe('steps over which the rate rises; it then falls along a cosine'),
  weightDecay: z.number().min(0).default(0.01).describe('decoupled weight decay of matrices'),
  maxGradNorm: z.number().gt(0).default(1).describe('gradients are scaled down to this global norm'),
});
/** Options of `Pretrainer` as a user writes them. */
export type PretrainOptions = z.input<typeof pretrainOptions>;
/** Options of `Pretrainer` with everything filled in. */
export type ResolvedPretrainOptions = z.output<typeof pretrainOptions>;

/** One step of pre-training. */
export interface PretrainStats {
  /** Cross-entropy of the future tokens, in nats a token. */
  loss: number;
  gradNorm: number;
  learningRate: number;
}

/** Turns a model into a next-token predictor, a step at a time. It owns its optimiser: `dispose` frees it. */
export class Pretrainer {
  readonly options: ResolvedPretrainOptions;
  private readonly optimizer: Adam;
  private readonly gradientSteps: GradientSteps;
  private done = 0;

  /** @throws {ConfigError} listing every option that is wrong */
  constructor(
    model: SequencePolicy,
    private readonly windows: TokenSource,
    options: PretrainOptions,
    private readonly seed: number,
  ) {
    this.options = resolveOptions(pretrainOptions, options, 'pretrain');
    this.optimizer = new Adam(model.parameters, {
      beta2: 0.95,
      epsilon: 1e-8,
      weightDecay: this.options.weightDecay,
    });
    this.gradientSteps = new GradientSteps({
      parameters: model.parameters,
      optimizer: this.optimizer,
      maxGradNorm: this.options.maxGradNorm,
      name: 'pretrain',
      rowsPerPass: model.rowsPerPass?.(windows.contextLength + windows.horizon),
      loss: ({ contexts, futures }) => ({
        loss: tf.neg(tf.mean(model.score(contexts as tf.Tensor2D, futures as tf.Tensor2D).logProbs)),
      }),
    });
  }

  /** Steps finished. */
  get stepsDone(): number {
    return this.done;
  }

  /** One gradient step on windows drawn at random. */
  step(): PretrainStats {
    const { steps, batchSize, learningRate, warmupSteps } = this.options;
    const random = new RandomStream(this.seed, `pretrain/windows/${this.done}`);
    const chosen = Array.from({ length: batchSize }, () => this.windows.draw(random));
    const rate = warmupCosine(this.done, steps, learningRate, warmupSteps);
    const { stats } = this.gradientSteps.step({
      rows: windowRows(chosen, this.windows.contextLength),
      learningRate: rate,
    });
    this.done += 1;
    return { loss: stats['loss'], gradNorm: stats['gradNorm'], learningRate: rate };
  }

  /** Optimiser and number of steps. */
  state(): AlgorithmState {
    return packState(this.optimizer, { algorithm: 'pretrain', stepsDone: this.done });
  }

  /** @throws {CheckpointError} when the state does not fit the model */
  restore(state: AlgorithmState): void {
    this.done = unpackState(this.optimizer, state, pretrainState, 'pre-training').stepsDone;
  }

  /** Frees the optimiser; the model stays. */
  dispose(): void {
    this.gradientSteps.dispose();
    this.optimizer.dispose();
  }
}

const pretrainState = z.object({ algorithm: z.literal('pretrain'), stepsDone: z.int().min(0) });

/**
 * Teacher-forced cross-entropy of given windows, in nats a token. Leaves no tensor behind.
 *
 * @param indices - which windows
 * @param batchSize - how many at a time
 */
export function crossEntropy(
  model: SequencePolicy,
  windows: TokenWindows,
  indices: readonly number[],
  batchSize = 64,
): number {
  let sum = 0;
  for (let start = 0; start < indices.length; start += batchSize) {
    const { contexts, futures } = windowRows(
      indices.slice(start, start + batchSize).map((index) => windows.tokens(index)),
      windows.contextLength,
    );
    sum -= tf.tidy(() => {
      const tokens = ({ data, shape }: RowArray): tf.Tensor2D =>
        tf.tensor2d(data, shape as [number, number], 'int32');
      return tf.sum(model.score(tokens(contexts), tokens(futures)).logProbs).dataSync()[0];
    });
  }
  return sum / (indices.length * windows.horizon);
}

/** Windows of W + L tokens as the rows of a batch. */
function windowRows(
  windows: readonly Int32Array[],
  contextLength: number,
): { contexts: RowArray; futures: RowArray } {
  const horizon = windows[0].length - contextLength;
  const contexts = new Int32Array(windows.length * contextLength);
  const futures = new Int32Array(windows.length * horizon);
  windows.forEach((tokens, row) => {
    contexts.set(tokens.subarray(0, contextLength), row * contextLength);
    futures.set(tokens.subarray(contextLength), row * horizon);
  });
  return {
    contexts: { data: contexts, shape: [windows.length, contextLength] },
    futures: { data: futures, shape: [windows.length, horizon] },
  };
}
