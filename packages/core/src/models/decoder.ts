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
  predictTokens,
  predictValues,
  projections,
  tokenProjections,
  transformerWeights,
  type TransformerWeights,
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

/** What is compiled once for a chunk of steps. */
interface ChunkKind {
  readonly steps: number;
  readonly greedy: boolean;
  readonly withDistribution: boolean;
  /** Whether another chunk follows, which needs the caches. */
  readonly goesOn: boolean;
  /** Of the first chunk, which reads the context: how many rows after one another share one. */
  readonly sharedBy?: number;
}

/** Where a part of the batch is between two chunks. */
type State = {
  /** [B] the token that the next step reads. */
  readonly last: tf.Tensor1D;
  /** The tokens of the context before it, or, once they are read, the caches. */
  readonly before: tf.Tensor[];
};

/** What a chunk of steps goes on from. */
interface ChunkInputs {
  /** [B] the token that the first step reads. */
  readonly last: tf.Tensor1D;
  /** [d, d] each, the rotation of every step. */
  readonly turns: readonly tf.Tensor[];
  /** [B] each, uniform numbers; the most likely token is taken without them. */
  readonly draws?: readonly tf.Tensor[];
  /** Keys and values of every layer, [B, H, P, d] each, or none where nothing came before. */
  readonly caches: readonly tf.Tensor[];
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
  /** None where no chunk follows. */
  readonly caches: tf.Tensor[];
};

/**
 * Generates tokens with cached keys and values. The context but its last token is read in one pass, once where several rows
 * share it; then every step reads one token and writes its keys and values into the cache. Steps are compiled in chunks, the
 * first with the reading of the context; between chunks the cache drops what no later query sees, so that its size is bounded
 * by the attention window.
 *
 * It owns what it compiled: `dispose` frees it.
 */
export class Decoder {
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
    const generation: Generation = {
      tokens: new Int32Array(batchSize * horizon),
      logProbs: new Float32Array(batchSize * horizon),
      values: new Float32Array(batchSize * horizon),
      ...(withDistribution && {
        logDistribution: new Float32Array(batchSize * horizon * vocabularySize),
      }),
    };
    const parts = partsOf(batchSize, PART_ROWS);
    const sharedBy = parts
      .map((part) => equalNeighbours(contextTokens, part, context))
      .reduce(greatestCommonDivisor);
    const kind = { steps, greedy: !uniforms, withDistribution, goesOn: steps < horizon };
    let states = this.start(parts, contextTokens, { context, sharedBy });
    for (let start = 0; start < horizon; start += steps) {
      const results = tf.tidy(() => {
        const turns = rotationMatrices(context - 1 + start, steps, width / heads, rotaryBase);
        return this.chunk(start > 0 ? kind : { ...kind, sharedBy }).map(
          parts.map((part, i) => {
            const cut = { length: horizon, from: start, count: steps };
            const draws = uniforms ? [columns(uniforms, part, cut)] : [];
            return [states[i].last, turns, ...draws, ...states[i].before];
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
      states = results.map(({ last, caches }) => ({ last, before: caches }));
    }
    tf.dispose(states);
    return generation;
  }

  dispose(): void {
    for (const chunk of this.chunks.values()) chunk.dispose();
    this.chunks.clear();
  }

  /** What the first chunk goes on from: the last token of every context, and the tokens before it, of contexts that rows share once. */
  private start(
    parts: readonly Part[],
    contextTokens: Int32Array,
    { context, sharedBy }: { context: number; sharedBy: number },
  ): State[] {
    return tf.tidy(() =>
      parts.map((part) => {
        // cut on the host: a slice of tensors would be a graph of its own
        const cut = (from: number, count: number, every = 1): tf.Tensor2D =>
          columns(contextTokens, part, { length: context, from, count, every });
        return {
          last: tf.reshape<tf.Rank.R1>(cut(context - 1, 1), [part.rows]),
          before: context > 1 ? [cut(0, context - 1, sharedBy)] : [],
        };
      }),
    );
  }

  private chunk(kind: ChunkKind): CompiledFunction<tf.Tensor[], ChunkResult> {
    const { steps, greedy, withDistribution, goesOn, sharedBy } = kind;
    const key = [steps, greedy, withDistribution, goesOn, sharedBy].join();
    let chunk = this.chunks.get(key);
    if (!chunk) {
      chunk = compile((last: tf.Tensor, turns: tf.Tensor, ...rest: tf.Tensor[]) => {
        const weights = transformerWeights(this.parameters, this.config);
        const draws = greedy ? undefined : tf.unstack(rest[0], 1);
        const before = greedy ? rest : rest.slice(1);
        const caches =
          sharedBy === undefined
            ? before
            : before
                .flatMap((tokens) => this.readContext(tokens as tf.Tensor2D, weights))
                .map((cache) => repeatEach(cache, sharedBy));
        return this.decode(
          { last: last as tf.Tensor1D, turns: tf.unstack(turns), draws, caches },
          weights,
          kind,
        );
      });
      this.chunks.set(key, chunk);
    }
    return chunk;
  }

  /** Keys and values of every layer for all tokens, as far as the next token sees them: [B, H, P, d] each. */
  private readContext(tokens: tf.Tensor2D, weights: TransformerWeights): tf.Tensor4D[] {
    const [batch, length] = tokens.shape;
    const { width, heads, attentionWindow, rotaryBase } = this.config;
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

  /** A chunk of steps. */
  private decode(
    { last, turns, draws, caches }: ChunkInputs,
    weights: TransformerWeights,
    { withDistribution, goesOn }: ChunkKind,
  ): ChunkResult {
    const { heads, attentionWindow, temperature } = this.config;
    const batch = last.shape[0];
    const past = caches.length > 0 ? caches[0].shape[2]! : 0;
    const table = tokenProjections(weights);
    const size = past + turns.length;
    const headWidth = turns[0].shape[0];
    const rows = Array.from(
      { length: 2 * weights.layers.length },
      (_, i) => new RowCache(caches[i] as tf.Tensor4D | undefined, [batch, heads, size, headWidth]),
    );
    const taken: { token: tf.Tensor1D; logProb: tf.Tensor1D; logProbs: tf.Tensor2D; normal: tf.Tensor2D }[] =
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
      const normal = normalise(x);
      const logProbs = predictTokens(normal, weights, temperature);
      token = draws
        ? sampleTokens(logProbs, draws[t] as tf.Tensor1D)
        : tf.cast<tf.Tensor1D>(tf.argMax(logProbs, 1), 'int32');
      taken.push({ token, logProb: takeColumns(logProbs, token), logProbs, normal });
    });
    const collect = <T extends tf.Tensor>(parts: tf.Tensor[]): T => tf.stack(parts, 1) as T;
    // values once for all steps: a product with one column costs as much for one step as for many
    const values = predictValues(tf.concat(taken.map((step) => step.normal)), weights);
    return {
      tokens: collect(taken.map((step) => step.token)),
      logProbs: collect(taken.map((step) => step.logProb)),
      values: tf.transpose(tf.reshape(values, [turns.length, batch])),
      distributions: withDistribution ? [collect(taken.map((step) => step.logProbs))] : [],
      last: tf.clone(token),
      caches: goesOn ? rows.map((cache) => cache.last(attentionWindow - 1)) : [],
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
