import { attend, attentionMask, mergeHeads, splitHeads } from '../nn/attention.js';
import { embed, normalise, takeColumns } from '../nn/ops.js';
import type { ParameterStore } from '../nn/parameters.js';
import { RowCache } from '../nn/row-cache.js';
import { rotaryTable, rotate, rotationMatrices } from '../nn/rotary.js';
import type { Generation } from '../policy.js';
import type { Uniforms } from '../stratified-uniforms.js';
import { compile, readValues, tf, type CompiledFunction } from '../tf.js';
import {
  columns,
  copyColumns,
  equalNeighbours,
  greatestCommonDivisor,
  partsOf,
  type Part,
} from './batch-parts.js';
import type { ResolvedDegradationTransformerOptions } from './degradation-transformer.js';
import {
  affine,
  feedForward,
  firstProjections,
  predict,
  projections,
  tokenProjections,
  transformerWeights,
} from './transformer-weights.js';

/** Tokens that one compiled call generates: enough to make the call cheap, few enough to compile quickly. */
const CHUNK_STEPS = 60;
/** Compiled calls for one generation, at most, however long it is: each may have a cache of another length. */
const MOST_CHUNKS = 12;

/** Rows that are generated together: enough for matrix products, few enough that a batch keeps several threads busy. */
const PART_ROWS = 32;

export interface DecodeOptions {
  /** [B, W] */
  readonly contextTokens: Int32Array;
  readonly batchSize: number;
  readonly horizon: number;
  /** Without it the most likely token is taken. */
  readonly random?: Uniforms;
  /** See `GenerateOptions.trim`. */
  readonly trim: number;
  readonly withDistribution: boolean;
}

/** What a chunk of steps gives back. */
type ChunkResult = {
  /** [B, C] */
  readonly tokens: tf.Tensor2D;
  readonly logProbs: tf.Tensor2D;
  readonly values: tf.Tensor2D;
  /** [B, C, V], where asked for. */
  readonly distributions: tf.Tensor[];
  /** [B] the last token. */
  readonly last: tf.Tensor1D;
  readonly caches: tf.Tensor[];
};

/**
 * Generates tokens with cached keys and values. The context but its last token is read in one pass; then every step reads
 * one token and writes its keys and values into the cache. Steps are compiled in chunks; between chunks the cache drops what
 * no later query sees, so that its size is bounded by the attention window.
 *
 * It owns what it compiled: `dispose` frees it.
 */
export class Decoder {
  /** By how many rows share each context. */
  private readonly prefills = new Map<number, CompiledFunction<[tf.Tensor2D], tf.Tensor[]>>();
  private readonly chunks = new Map<string, CompiledFunction<tf.Tensor[], ChunkResult>>();

  constructor(
    private readonly parameters: ParameterStore,
    private readonly config: ResolvedDegradationTransformerOptions,
  ) {}

  /** Leaves no tensor behind. */
  generate({ contextTokens, batchSize, horizon, random, trim, withDistribution }: DecodeOptions): Generation {
    const { vocabularySize, width, heads, rotaryBase } = this.config;
    const context = contextTokens.length / batchSize;
    const uniforms = random?.uniforms(batchSize * horizon).map((u) => trim + (1 - 2 * trim) * u);
    const chunkCount = Math.min(MOST_CHUNKS, Math.ceil(horizon / CHUNK_STEPS));
    const steps = Math.ceil(horizon / chunkCount);
    const chunk = this.chunk(steps, random === undefined, withDistribution);
    const generation: Generation = {
      tokens: new Int32Array(batchSize * horizon),
      logProbs: new Float32Array(batchSize * horizon),
      values: new Float32Array(batchSize * horizon),
      ...(withDistribution && {
        logDistribution: new Float32Array(batchSize * horizon * vocabularySize),
      }),
    };
    const parts = partsOf(batchSize, PART_ROWS);
    let states = this.start(parts, contextTokens, context);
    for (let start = 0; start < horizon; start += steps) {
      const results = tf.tidy(() => {
        const turns = rotationMatrices(context - 1 + start, steps, width / heads, rotaryBase);
        return chunk.map(
          parts.map((part, i) => {
            const cut = { length: horizon, from: start, count: steps };
            const draws = uniforms ? [columns(uniforms, part, cut)] : [];
            return [states[i].last, turns, ...draws, ...states[i].caches];
          }),
        );
      });
      tf.dispose(states);
      results.forEach((result, i) => {
        const copy = (from: tf.Tensor, into: Float32Array | Int32Array, width = 1): void =>
          readValues(from, (values) =>
            copyColumns(values, into, { ...parts[i], columns: horizon, start, steps, width }),
          );
        copy(result.tokens, generation.tokens);
        copy(result.logProbs, generation.logProbs);
        copy(result.values, generation.values);
        if (withDistribution) copy(result.distributions[0], generation.logDistribution!, vocabularySize);
        tf.dispose([result.tokens, result.logProbs, result.values, result.distributions]);
      });
      states = results.map(({ last, caches }) => ({ last, caches }));
    }
    tf.dispose(states);
    return generation;
  }

  dispose(): void {
    for (const compiled of [this.prefills, this.chunks]) {
      for (const one of compiled.values()) one.dispose();
      compiled.clear();
    }
  }

  /**
   * Reads the context: its last token, and the caches of what comes before it, for every part. A context that several rows in a
   * row share is read once.
   */
  private start(
    parts: readonly Part[],
    contextTokens: Int32Array,
    context: number,
  ): { last: tf.Tensor1D; caches: tf.Tensor[] }[] {
    const times = parts
      .map((part) => equalNeighbours(contextTokens, part, context))
      .reduce(greatestCommonDivisor);
    return tf.tidy(() => {
      // cut on the host: a slice of tensors would be a graph of its own
      const cut = (part: Part, from: number, count: number, every = 1): tf.Tensor2D =>
        columns(contextTokens, part, { length: context, from, count, every });
      const caches =
        context > 1
          ? this.prefill(times).map(parts.map((part) => [cut(part, 0, context - 1, times)]))
          : parts.map(() => []);
      return parts.map((part, i) => ({
        last: tf.reshape<tf.Rank.R1>(cut(part, context - 1, 1), [part.rows]),
        caches: caches[i],
      }));
    });
  }

  private prefill(times: number): CompiledFunction<[tf.Tensor2D], tf.Tensor[]> {
    let prefill = this.prefills.get(times);
    if (!prefill) {
      prefill = compile((tokens) => this.readContext(tokens).map((cache) => repeatEach(cache, times)));
      this.prefills.set(times, prefill);
    }
    return prefill;
  }

  /** Keys and values of every layer for all tokens, as far as the next token sees them: [B, H, P, d] each. */
  private readContext(tokens: tf.Tensor2D): tf.Tensor4D[] {
    const [batch, length] = tokens.shape;
    const { width, heads, attentionWindow, rotaryBase } = this.config;
    const weights = transformerWeights(this.parameters, this.config);
    const rotary = rotaryTable(0, length, width / heads, rotaryBase);
    const ids = tf.reshape<tf.Rank.R1>(tokens, [batch * length]);
    let x = embed(ids, weights.embedding);
    return weights.layers.flatMap((layer, i) => {
      const { query, key, value } = i === 0 ? firstProjections(ids, x, weights) : projections(x, layer);
      const [q, k, v] = [query, key, value].map((part) => splitHeads(part, batch, heads));
      const [turnedQ, turnedK] = [q, k].map((part) => rotate(part, rotary) as tf.Tensor4D);
      if (i < weights.layers.length - 1) {
        x = tf.add(x, affine(mergeHeads(attend(turnedQ, turnedK, v, attentionWindow)), layer.out));
        x = feedForward(x, layer);
      }
      return [recent(turnedK, attentionWindow), recent(v, attentionWindow)];
    });
  }

  private chunk(
    steps: number,
    greedy: boolean,
    withDistribution: boolean,
  ): CompiledFunction<tf.Tensor[], ChunkResult> {
    const key = [steps, greedy, withDistribution].join();
    let chunk = this.chunks.get(key);
    if (!chunk) {
      chunk = compile((last: tf.Tensor, turns: tf.Tensor, ...rest: tf.Tensor[]) => {
        const draws = greedy ? undefined : tf.unstack(rest[0], 1);
        const caches = greedy ? rest : rest.slice(1);
        return this.decode(last as tf.Tensor1D, tf.unstack(turns), draws, caches, withDistribution);
      });
      this.chunks.set(key, chunk);
    }
    return chunk;
  }

  /**
   * A chunk of steps.
   *
   * @param last - [B] the token that the first step reads
   * @param turns - [d, d] each, the rotation of every step
   * @param draws - [B] each, uniform numbers; the most likely token is taken without them
   * @param caches - keys and values of every layer, [B, H, P, d] each, or none where nothing came before
   */
  private decode(
    last: tf.Tensor1D,
    turns: readonly tf.Tensor[],
    draws: readonly tf.Tensor[] | undefined,
    caches: readonly tf.Tensor[],
    withDistribution: boolean,
  ): ChunkResult {
    const { heads, attentionWindow, temperature } = this.config;
    const batch = last.shape[0];
    const past = caches.length > 0 ? caches[0].shape[2]! : 0;
    const weights = transformerWeights(this.parameters, this.config);
    const table = tokenProjections(weights);
    const size = past + turns.length;
    const headWidth = turns[0].shape[0];
    const rows = Array.from(
      { length: 2 * weights.layers.length },
      (_, i) => new RowCache(caches[i] as tf.Tensor4D | undefined, [batch, heads, size, headWidth]),
    );
    const taken: { token: tf.Tensor1D; logProb: tf.Tensor1D; value: tf.Tensor1D; logProbs: tf.Tensor2D }[] =
      [];
    let token = last;
    turns.forEach((turn, t) => {
      let x = embed(token, weights.embedding);
      weights.layers.forEach((layer, i) => {
        const projected = i === 0 ? embed(token, table) : affine(normalise(x), layer.project);
        const heads3 = tf.reshape(projected, [batch, 3 * heads, 1, headWidth]);
        const [queriesAndKeys, v] = tf.split<tf.Tensor4D>(heads3, [2 * heads, heads], 1);
        const [q, k] = tf.split<tf.Tensor4D>(tf.matMul(queriesAndKeys, turn), 2, 1);
        const keys = rows[2 * i].add(k);
        const values = rows[2 * i + 1].add(v);
        const mask = attentionMask(past + t, 1, 0, keys.shape[2], attentionWindow);
        const scores = tf.add<tf.Tensor4D>(tf.matMul(q, keys, false, true), mask); // [B, H, 1, S]
        const mixed = tf.matMul<tf.Tensor4D>(tf.softmax(scores), values);
        x = tf.add(x, affine(tf.reshape(mixed, [batch, heads * headWidth]), layer.out));
        x = feedForward(x, layer);
      });
      const { logProbs, values } = predict(x, weights, temperature);
      token = draws
        ? sampleTokens(logProbs, draws[t] as tf.Tensor1D)
        : tf.cast<tf.Tensor1D>(tf.argMax(logProbs, 1), 'int32');
      taken.push({ token, logProb: takeColumns(logProbs, token), value: values, logProbs });
    });
    const collect = <T extends tf.Tensor>(parts: tf.Tensor[]): T => tf.stack(parts, 1) as T;
    return {
      tokens: collect(taken.map((step) => step.token)),
      logProbs: collect(taken.map((step) => step.logProb)),
      values: collect(taken.map((step) => step.value)),
      distributions: withDistribution ? [collect(taken.map((step) => step.logProbs))] : [],
      last: tf.clone(token),
      caches: rows.map((cache) => cache.last(attentionWindow - 1)),
    };
  }
}

/** Every row so many times, one after the other: [B, …] → [B · times, …]. */
function repeatEach(cache: tf.Tensor4D, times: number): tf.Tensor4D {
  if (times === 1) return cache;
  const [batch, ...shape] = cache.shape;
  const repeated = tf.tile(tf.reshape(cache, [batch, 1, -1]), [1, times, 1]);
  return tf.reshape(repeated, [batch * times, ...shape]);
}

/** The rows of a cache that the next query can see. */
function recent(cache: tf.Tensor4D, attentionWindow: number): tf.Tensor4D {
  const dropped = cache.shape[2] - (attentionWindow - 1);
  return dropped > 0 ? tf.slice(cache, [0, 0, dropped, 0], [-1, -1, -1, -1]) : tf.clone(cache);
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
    const passed = tf.lessEqual(cumulative, tf.mul(tf.reshape(uniforms, [batch, 1]), total));
    return tf.minimum<tf.Tensor1D>(tf.sum(tf.cast(passed, 'int32'), 1), tf.scalar(vocabulary - 1, 'int32'));
  });
}
