import { z } from 'zod';

import { ConfigError, ShapeError } from '../errors.js';
import { selfAttention, type Projections } from '../nn/attention.js';
import { embed, normalise, takeColumns } from '../nn/ops.js';
import { ParameterStore } from '../nn/parameters.js';
import { rotaryTable } from '../nn/rotary.js';
import { resolveOptions } from '../options.js';
import { exactKl } from '../math/kl.js';
import { entropy } from '../math/losses.js';
import type { GenerateOptions, Generation, SequenceScores, SoftSequencePolicy } from '../policy.js';
import { RandomStream } from '../random.js';
import type { Uniforms } from '../stratified-uniforms.js';
import { tf } from '../tf.js';
import { Decoder } from './decoder.js';
import { smoothEmbedding } from './smooth-embedding.js';
import {
  affine,
  feedForward,
  firstProjections,
  predictTokens,
  predictValues,
  projections,
  transformerWeights,
  type TransformerWeights,
} from './transformer-weights.js';

/** Numbers in the widest array of one pass: enough to make a pass worth its while, few enough that a batch has several. */
const PASS_ELEMENTS = 409_600;

/** Schema of the options of `DegradationTransformer`: ranges, defaults, and what each one is. */
export const degradationTransformerOptions = z.strictObject({
  vocabularySize: z.int().min(2).max(65_536).default(256).describe('V, number of tokens'),
  width: z.int().min(2).max(4096).default(48).describe('D, width of the hidden state'),
  layers: z.int().min(1).max(64).default(2).describe('number of blocks'),
  heads: z.int().min(1).max(64).default(4).describe('attention heads; D / heads must be even'),
  mlpRatio: z.int().min(1).max(16).default(4).describe('width of the inner layer over D'),
  attentionWindow: z.int().min(2).default(100).describe('how many positions a query sees, itself included'),
  rotaryBase: z.number().gt(1).default(10_000).describe('base of the rotary wavelengths'),
  temperature: z
    .number()
    .gt(0)
    .default(1)
    .describe('divides the logits wherever a probability is formed: sampling, scoring and reference alike'),
});
/** Options of `DegradationTransformer` as a user writes them. */
export type DegradationTransformerOptions = z.input<typeof degradationTransformerOptions>;
/** Options of `DegradationTransformer` with everything filled in. */
export type ResolvedDegradationTransformerOptions = z.output<typeof degradationTransformerOptions>;

/**
 * Decoder-only transformer over tokens of degradation values: pre-LayerNorm, causal attention limited to a window,
 * rotary positions, output head tied to the embedding, value head.
 *
 * Sampler and scorer are the same function: the scorer computes all positions at once, the sampler (`Decoder`) first the
 * context and then one position at a time against cached keys and values. Attention is limited to a window and positions are
 * relative, so that generation may run past the trained horizon with a rolling cache.
 *
 * It owns its parameters: `dispose` frees them.
 */
export class DegradationTransformer implements SoftSequencePolicy {
  readonly config: ResolvedDegradationTransformerOptions;
  readonly parameters = new ParameterStore();
  private readonly decoder: Decoder;

  /**
   * @param options - see `degradationTransformerOptions`
   * @param seed - of the initial weights
   * @param trainable - false for a frozen reference
   * @throws {ConfigError} when D is no multiple of the heads or the width of a head is odd
   */
  constructor(options: DegradationTransformerOptions = {}, seed = 0, trainable = true) {
    this.config = resolveOptions(degradationTransformerOptions, options, 'model');
    const { width, heads, layers, mlpRatio, vocabularySize } = this.config;
    if (width % heads !== 0 || (width / heads) % 2 !== 0) {
      throw new ConfigError(
        `model.width must be an even multiple of model.heads; got width ${width} with ${heads} heads. Try width ${heads * 16}.`,
      );
    }
    const add = (name: string, shape: number[], data: Float32Array): void =>
      this.parameters.add(name, shape, data, trainable);
    const constant = (name: string, size: number, value: number): void =>
      add(name, [size], new Float32Array(size).fill(value));
    const matrix = (name: string, inputs: number, outputs: number, gain: number): void => {
      const normals = new RandomStream(seed, `model/${name}`).normals(inputs * outputs);
      add(
        `${name}.weight`,
        [inputs, outputs],
        normals.map((x) => (x * gain) / Math.sqrt(inputs)),
      );
      constant(`${name}.bias`, outputs, 0);
    };
    // residual branches start small so that the sum over layers keeps its variance (Radford et al. 2019, section 2.3)
    const residualGain = 1 / Math.sqrt(2 * layers);
    add(
      'embedding',
      [vocabularySize, width],
      smoothEmbedding(vocabularySize, width, new RandomStream(seed, 'model/embedding')),
    );
    for (let layer = 0; layer < layers; layer++) {
      const at = `layers.${layer}`;
      constant(`${at}.attention.norm.gain`, width, 1);
      constant(`${at}.attention.norm.bias`, width, 0);
      matrix(`${at}.attention.qkv`, width, 3 * width, 1);
      matrix(`${at}.attention.out`, width, width, residualGain);
      constant(`${at}.mlp.norm.gain`, width, 1);
      constant(`${at}.mlp.norm.bias`, width, 0);
      matrix(`${at}.mlp.in`, width, mlpRatio * width, 1);
      matrix(`${at}.mlp.out`, mlpRatio * width, width, residualGain);
    }
    constant('final.norm.gain', width, 1);
    constant('final.norm.bias', width, 0);
    constant('head.bias', vocabularySize, 0);
    matrix('value', width, 1, 0);
    this.decoder = new Decoder(this.parameters, this.config);
  }

  /** V, number of tokens. */
  get vocabularySize(): number {
    return this.config.vocabularySize;
  }

  /** A copy with weights of its own; `trainable: false` gives the frozen reference. The caller disposes it. */
  clone({ trainable = true }: { trainable?: boolean } = {}): DegradationTransformer {
    const copy = new DegradationTransformer(this.config, 0, trainable);
    copy.parameters.load(this.parameters.save());
    return copy;
  }

  /** {@inheritDoc SequencePolicy.score} @throws {ShapeError} when the two differ in rows */
  score(contextTokens: tf.Tensor2D, actions: tf.Tensor2D): SequenceScores {
    const batch = contextTokens.shape[0];
    const horizon = actions.shape[1];
    if (actions.shape[0] !== batch) {
      throw new ShapeError(
        `score needs as many rows of actions as contexts; got ${actions.shape[0]} and ${batch}.`,
      );
    }
    const scores = tf.tidy(() => {
      const weights = transformerWeights(this.parameters, this.config);
      // the prediction of token t is read at position t − 1, so that the last token is not read
      const seen =
        horizon === 1
          ? contextTokens
          : tf.concat([contextTokens, tf.slice(actions, [0, 0], [batch, horizon - 1])], 1);
      const ids = tf.reshape<tf.Rank.R1>(seen, [-1]);
      const x = embed(ids, weights.embedding);
      const hidden = this.lastHidden(x, firstProjections(ids, x, weights), batch, horizon, weights);
      const normal = normalise(hidden);
      const logProbs = predictTokens(normal, weights, this.config.temperature);
      const values = predictValues(normal, weights);
      const rows = tf.reshape<tf.Rank.R1>(actions, [batch * horizon]);
      const logDistribution = tf.reshape<tf.Rank.R3>(logProbs, [batch, horizon, this.vocabularySize]);
      return {
        logProbs: tf.reshape<tf.Rank.R2>(takeColumns(logProbs, rows), [batch, horizon]),
        logDistribution,
        values: tf.reshape<tf.Rank.R2>(values, [batch, horizon]),
      };
    });
    const { logDistribution } = scores;
    return {
      ...scores,
      entropy: () => entropy(logDistribution),
      distribution: () => logDistribution,
      klTo: (reference) => exactKl(logDistribution, reference),
    };
  }

  /** {@inheritDoc SoftSequencePolicy.predictAfterMixtures} */
  predictAfterMixtures(contextTokens: tf.Tensor2D, mixtures: tf.Tensor3D): tf.Tensor3D {
    const [batch, horizon, vocabulary] = mixtures.shape;
    const { width, temperature } = this.config;
    return tf.tidy(() => {
      const weights = transformerWeights(this.parameters, this.config);
      const context = embed(tf.reshape<tf.Rank.R1>(contextTokens, [-1]), weights.embedding);
      const read = tf.slice(mixtures, [0, 0, 0], [batch, horizon - 1, vocabulary]);
      const mixed = tf.matMul(tf.reshape(read, [-1, vocabulary]), weights.embedding);
      const rows = [context, mixed].map((part) => tf.reshape(part, [batch, -1, width]));
      const x = tf.reshape<tf.Rank.R2>(tf.concat(rows, 1), [-1, width]);
      const hidden = this.lastHidden(x, projections(x, weights.layers[0]), batch, horizon, weights);
      const logProbs = predictTokens(normalise(hidden), weights, temperature);
      return tf.reshape(logProbs, [batch, horizon, vocabulary]);
    });
  }

  /** {@inheritDoc SequencePolicy.scoreRows} */
  scoreRows({ contextTokens, actions }: Readonly<Record<string, tf.Tensor>>): SequenceScores {
    return this.score(contextTokens as tf.Tensor2D, actions as tf.Tensor2D);
  }

  /** {@inheritDoc SequencePolicy.rowsPerPass} */
  rowsPerPass(length: number): number {
    const { mlpRatio, width } = this.config;
    return Math.max(1, Math.floor(PASS_ELEMENTS / (length * mlpRatio * width)));
  }

  /**
   * {@inheritDoc SequencePolicy.generate}
   *
   * @throws {ShapeError} when the context is not B × W tokens
   */
  generate(options: Omit<GenerateOptions, 'random'> & { random?: Uniforms }): Generation {
    const { contextTokens, batchSize, trim = 0, withDistribution = false } = options;
    const context = contextTokens.length / batchSize;
    if (!Number.isInteger(context) || context < 1) {
      throw new ShapeError(
        `generate needs ${batchSize} rows of context tokens; got ${contextTokens.length} tokens in all.`,
      );
    }
    if (!(trim >= 0 && trim < 0.5)) throw new ConfigError(`trim must be in [0, 0.5); got ${trim}.`);
    return this.decoder.generate({ ...options, trim, withDistribution });
  }

  /** Frees the parameters and what was compiled. */
  dispose(): void {
    this.decoder.dispose();
    this.parameters.dispose();
  }

  /**
   * The hidden states of the last positions, before the last normalisation. In the last block only these positions attend
   * and go on.
   *
   * @param embedded - [B·T, D] what is read
   * @param first - what the first block projects of it, queries of all positions
   * @param batch - B
   * @param count - how many of the last positions, Q
   * @returns [B·Q, D]
   */
  private lastHidden(
    embedded: tf.Tensor2D,
    first: Projections,
    batch: number,
    count: number,
    weights: TransformerWeights,
  ): tf.Tensor2D {
    const length = embedded.shape[0] / batch;
    const { width, heads, attentionWindow: window, rotaryBase } = this.config;
    const rotary = rotaryTable(0, length, width / heads, rotaryBase);
    let x = embedded;
    weights.layers.forEach((layer, i) => {
      const asking = (rows: tf.Tensor2D): tf.Tensor2D =>
        i === weights.layers.length - 1 ? lastRows(rows, batch, count) : rows;
      const projected = i === 0 ? { ...first, query: asking(first.query) } : projections(x, layer, asking);
      const mixed = selfAttention(projected, { batch, heads, window, rotary });
      x = feedForward(tf.add(asking(x), affine(mixed, layer.out)), layer);
    });
    return x;
  }
}

/** The last rows of every sequence: [B·T, D] → [B·count, D]. */
function lastRows(x: tf.Tensor2D, batch: number, count: number): tf.Tensor2D {
  const [rowCount, width] = x.shape;
  const length = rowCount / batch;
  if (count === length) return x;
  const rows = tf.reshape(x, [batch, length, width]);
  return tf.reshape(tf.slice(rows, [0, length - count, 0], [-1, count, -1]), [batch * count, width]);
}
