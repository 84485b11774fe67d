import { z } from 'zod';

import { ConfigError, ShapeError } from '../errors.js';
import { attend, attentionMask } from '../nn/attention.js';
import { embed, gelu, layerNorm, linear, oneHotRows } from '../nn/ops.js';
import { ParameterStore } from '../nn/parameters.js';
import { applyRotary, rotaryTable } from '../nn/rotary.js';
import { resolveOptions } from '../options.js';
import type { GenerateOptions, Generation, PolicyScores, SequencePolicy } from '../policy.js';
import { RandomStream } from '../random.js';
import { tf } from '../tf.js';
import { smoothEmbedding } from './smooth-embedding.js';

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
export type DegradationTransformerOptions = z.input<typeof degradationTransformerOptions>;
export type ResolvedDegradationTransformerOptions = z.output<typeof degradationTransformerOptions>;

/** Keys and values of one layer for the positions that are still in the window, each [B, H, S, d]. */
type LayerCache = { keys: tf.Tensor4D; values: tf.Tensor4D };

/** The whole cache: one entry a layer, and the absolute position of its first key. */
type Cache = { layers: LayerCache[]; firstPosition: number };

/**
 * Decoder-only transformer over tokens of degradation values: pre-LayerNorm, causal attention limited to a window,
 * rotary positions, output head tied to the embedding, value head.
 *
 * Sampler and scorer are the same function, `forward`: the scorer runs it on all positions at once, the sampler first on
 * the context and then on one position at a time against the cached keys and values. Attention is limited to a window and
 * positions are relative, so that generation may run past the trained horizon with a rolling cache.
 *
 * It owns its parameters: `dispose` frees them.
 */
export class DegradationTransformer implements SequencePolicy {
  readonly config: ResolvedDegradationTransformerOptions;
  readonly parameters = new ParameterStore();

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
  }

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
  score(contextTokens: tf.Tensor2D, actions: tf.Tensor2D): PolicyScores {
    const [batch, context] = contextTokens.shape;
    const horizon = actions.shape[1];
    if (actions.shape[0] !== batch) {
      throw new ShapeError(
        `score needs as many rows of actions as contexts; got ${actions.shape[0]} and ${batch}.`,
      );
    }
    return tf.tidy(() => {
      const seen = tf.concat([contextTokens, tf.slice(actions, [0, 0], [batch, horizon - 1])], 1);
      const { hidden } = this.forward(seen);
      // the prediction of token t is read at position t − 1
      const predicting = tf.slice(hidden, [0, context - 1, 0], [batch, horizon, this.config.width]);
      const { logProbs, values } = this.heads(tf.reshape(predicting, [batch * horizon, this.config.width]));
      return {
        logProbs: tf.reshape<tf.Rank.R2>(this.taken(logProbs, tf.reshape(actions, [batch * horizon])), [
          batch,
          horizon,
        ]),
        logDistribution: tf.reshape<tf.Rank.R3>(logProbs, [batch, horizon, this.vocabularySize]),
        values: tf.reshape<tf.Rank.R2>(values, [batch, horizon]),
      };
    });
  }

  /** {@inheritDoc SequencePolicy.generate} @throws {ShapeError} when the context is not B × W tokens */
  generate(options: GenerateOptions): Generation {
    const { contextTokens, batchSize, horizon, random, withDistribution = false } = options;
    const context = contextTokens.length / batchSize;
    if (!Number.isInteger(context) || context < 1) {
      throw new ShapeError(
        `generate needs ${batchSize} rows of context tokens; got ${contextTokens.length} tokens in all.`,
      );
    }
    const uniforms = random?.uniforms(batchSize * horizon);
    let generation: Generation | undefined;
    // not returned through tidy, which would look for tensors in every element of the arrays
    tf.tidy(() => {
      const steps: { token: tf.Tensor1D; logProb: tf.Tensor1D; value: tf.Tensor1D; logProbs: tf.Tensor2D }[] =
        [];
      let tokens = tf.tensor2d(contextTokens, [batchSize, context], 'int32');
      let cache: Cache | undefined;
      for (let t = 0; t < horizon; t++) {
        const before = cache;
        const step = tf.tidy(() => {
          const draw = uniforms && tf.tensor1d(uniforms.filter((_, i) => i % horizon === t));
          const next = this.forward(tokens, before);
          const last = tf.slice(next.hidden, [0, tokens.shape[1] - 1, 0], [batchSize, 1, this.config.width]);
          const { logProbs, values } = this.heads(tf.reshape(last, [batchSize, this.config.width]));
          const token = draw ? sampleTokens(logProbs, draw) : tf.cast(tf.argMax(logProbs, 1), 'int32');
          return {
            token: token as tf.Tensor1D,
            logProb: this.taken(logProbs, token as tf.Tensor1D),
            value: values,
            logProbs,
            cache: next.cache,
          };
        });
        if (before) tf.dispose(before.layers);
        cache = step.cache;
        tokens = tf.reshape(step.token, [batchSize, 1]);
        if (!withDistribution) step.logProbs.dispose();
        steps.push(step);
      }
      const collect = (parts: tf.Tensor1D[]): tf.TypedArray => tf.stack(parts, 1).dataSync();
      generation = {
        tokens: collect(steps.map((s) => s.token)) as Int32Array,
        logProbs: collect(steps.map((s) => s.logProb)) as Float32Array,
        values: collect(steps.map((s) => s.value)) as Float32Array,
        ...(withDistribution && {
          logDistribution: tf
            .stack(
              steps.map((s) => s.logProbs),
              1,
            )
            .dataSync() as Float32Array,
        }),
      };
    });
    return generation!;
  }

  dispose(): void {
    this.parameters.dispose();
  }

  /**
   * The hidden states of new positions, given the cache of earlier ones.
   *
   * @param tokens - [B, T] int32, the new positions
   * @returns hidden [B, T, D] after the last normalisation, and the cache that the next call needs
   */
  private forward(tokens: tf.Tensor2D, cache?: Cache): { hidden: tf.Tensor3D; cache: Cache } {
    const [batch, length] = tokens.shape;
    const { width, heads, layers, attentionWindow, rotaryBase } = this.config;
    const headWidth = width / heads;
    const cached = cache ? cache.layers[0].keys.shape[2] : 0;
    const firstKey = cache?.firstPosition ?? 0;
    const firstQuery = firstKey + cached;
    const mask = attentionMask(firstQuery, length, firstKey, cached + length, attentionWindow);
    const rotary = rotaryTable(firstQuery, length, headWidth, rotaryBase);
    // a key leaves when no later query can see it
    const dropped = Math.max(0, cached + length - (attentionWindow - 1));
    const kept: LayerCache[] = [];
    let x = embed(tf.reshape(tokens, [batch * length]), this.matrix('embedding'));
    for (let layer = 0; layer < layers; layer++) {
      const at = `layers.${layer}`;
      const qkv = this.affine(`${at}.attention.qkv`, this.normed(`${at}.attention`, x));
      const split = tf.transpose(tf.reshape(qkv, [batch, length, 3 * heads, headWidth]), [0, 2, 1, 3]); // [B, 3H, T, d]
      const part = (stacked: tf.Tensor, i: number): tf.Tensor4D =>
        tf.slice(stacked, [0, i * heads, 0, 0], [-1, heads, -1, -1]) as tf.Tensor4D;
      const turned = applyRotary(tf.slice(split, [0, 0, 0, 0], [-1, 2 * heads, -1, -1]), rotary);
      let keys = part(turned, 1);
      let values = part(split, 2);
      if (cache) {
        keys = tf.concat([cache.layers[layer].keys, keys], 2);
        values = tf.concat([cache.layers[layer].values, values], 2);
      }
      const mixed = attend(part(turned, 0), keys, values, mask); // [B, H, T, d]
      const joined = tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [batch * length, width]);
      x = tf.add(x, this.affine(`${at}.attention.out`, joined as tf.Tensor2D));
      const inner = gelu(this.affine(`${at}.mlp.in`, this.normed(`${at}.mlp`, x)));
      x = tf.add(x, this.affine(`${at}.mlp.out`, inner));
      const recent = (all: tf.Tensor4D): tf.Tensor4D =>
        dropped > 0 ? tf.slice(all, [0, 0, dropped, 0], [-1, -1, -1, -1]) : all;
      kept.push({ keys: recent(keys), values: recent(values) });
    }
    return {
      hidden: tf.reshape(this.normed('final', x), [batch, length, width]),
      cache: { layers: kept, firstPosition: firstKey + dropped },
    };
  }

  /** Log-probabilities of all tokens [N, V] and values [N], from hidden states [N, D]. */
  private heads(hidden: tf.Tensor2D): { logProbs: tf.Tensor2D; values: tf.Tensor1D } {
    const logits = linear(hidden, tf.transpose(this.matrix('embedding')), this.parameters.get('head.bias'));
    return {
      logProbs: tf.logSoftmax(tf.div(logits, this.config.temperature)),
      values: tf.reshape(this.affine('value', hidden), [hidden.shape[0]]),
    };
  }

  /** The entries of the taken tokens: [N, V] by [N] → [N]. */
  private taken(logProbs: tf.Tensor2D, tokens: tf.Tensor1D): tf.Tensor1D {
    return tf.sum(tf.mul(logProbs, oneHotRows(tokens, this.vocabularySize)), 1);
  }

  private matrix(name: string): tf.Tensor2D {
    return this.parameters.get(name);
  }

  private affine(name: string, x: tf.Tensor2D): tf.Tensor2D {
    return linear(x, this.matrix(`${name}.weight`), this.parameters.get(`${name}.bias`));
  }

  private normed(name: string, x: tf.Tensor2D): tf.Tensor2D {
    return layerNorm(x, this.parameters.get(`${name}.norm.gain`), this.parameters.get(`${name}.norm.bias`));
  }
}

/**
 * Inverse-transform sampling: the first token whose cumulative probability exceeds the uniform number.
 *
 * @param logProbs - [B, V]
 * @param uniforms - [B] in [0, 1)
 * @returns [B] int32; the caller disposes it
 */
export function sampleTokens(logProbs: tf.Tensor2D, uniforms: tf.Tensor1D): tf.Tensor1D {
  return tf.tidy(() => {
    const [batch, vocabulary] = logProbs.shape;
    const cumulative = tf.cumsum(tf.exp(logProbs), 1);
    const total = tf.slice(cumulative, [0, vocabulary - 1], [batch, 1]); // 1 up to rounding
    // 1 where the cumulative probability exceeds the number; a difference and a step, because comparisons that
    // broadcast are slow in WebAssembly
    const exceeds = tf.step(tf.sub(cumulative, tf.mul(tf.reshape(uniforms, [batch, 1]), total)));
    const passed = tf.sub(vocabulary, tf.sum(exceeds, 1));
    return tf.cast<tf.Tensor1D>(tf.minimum(passed, vocabulary - 1), 'int32');
  });
}
