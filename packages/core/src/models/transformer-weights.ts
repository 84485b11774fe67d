import type { Projections } from '../nn/attention.js';
import { embed, foldNorm, linear, logSoftmax, normalise, silu, type Affine } from '../nn/ops.js';
import type { ParameterStore } from '../nn/parameters.js';
import { tf } from '../tf.js';

/** The constant of the sigmoid form of GELU, x · σ(1.702 x) (Hendrycks and Gimpel 2016, section 2, arXiv:1606.08415). */
const GELU_SLOPE = 1.702;

/** One block as it is computed with: on rows that are normalised without gain and bias. */
export interface LayerWeights {
  /** To queries, keys and values side by side, [D, 3D]; the scale 1/√d of attention is in the queries. */
  readonly project: Affine;
  readonly out: Affine;
  readonly inner: Affine;
  readonly outer: Affine;
}

/** Everything that a forward pass multiplies with; gradients flow through it to the parameters. */
export interface TransformerWeights {
  /** [V, D] */
  readonly embedding: tf.Tensor2D;
  readonly layers: readonly LayerWeights[];
  /** To logits, [D, V]. */
  readonly head: Affine;
  /** To values, [D, 1]. */
  readonly value: Affine;
}

export interface TransformerShape {
  readonly width: number;
  readonly heads: number;
  readonly layers: number;
  readonly temperature: number;
}

/**
 * Gains, biases and constant factors folded into the weights next to them, so that they cost nothing per row: those of the
 * normalisations, 1/√d of attention, and the slope of GELU, whose sigmoid form is silu(1.702 x) / 1.702.
 *
 * @returns tensors that the caller disposes (parameters themselves among them, so call it inside `tf.tidy`)
 */
export function transformerWeights(
  parameters: ParameterStore,
  { width, heads, layers }: TransformerShape,
): TransformerWeights {
  const affine = (name: string): Affine => ({
    weight: parameters.get(`${name}.weight`),
    bias: parameters.get(`${name}.bias`),
  });
  const normed = (norm: string, map: Affine): Affine =>
    foldNorm(parameters.get(`${norm}.norm.gain`), parameters.get(`${norm}.norm.bias`), map);
  const scaled = ({ weight, bias }: Affine, factor: tf.Tensor | number): Affine => ({
    weight: tf.mul<tf.Tensor2D>(weight, factor),
    bias: tf.mul<tf.Tensor1D>(bias, factor),
  });
  const queryScale = tf.tensor1d(
    Float32Array.from({ length: 3 * width }, (_, i) => (i < width ? 1 / Math.sqrt(width / heads) : 1)),
  );
  const embedding = parameters.get<tf.Rank.R2>('embedding');
  const head = { weight: tf.transpose(embedding), bias: parameters.get<tf.Rank.R1>('head.bias') };
  return {
    embedding,
    layers: Array.from({ length: layers }, (_, i) => {
      const at = `layers.${i}`;
      const outer = affine(`${at}.mlp.out`);
      return {
        project: scaled(normed(`${at}.attention`, affine(`${at}.attention.qkv`)), queryScale),
        out: affine(`${at}.attention.out`),
        inner: scaled(normed(`${at}.mlp`, affine(`${at}.mlp.in`)), GELU_SLOPE),
        outer: { weight: tf.div<tf.Tensor2D>(outer.weight, GELU_SLOPE), bias: outer.bias },
      };
    }),
    head: normed('final', head),
    value: normed('final', affine('value')),
  };
}

export function affine(x: tf.Tensor2D, { weight, bias }: Affine): tf.Tensor2D {
  return linear(x, weight, bias);
}

/** x plus its feed-forward branch: x + W₂ gelu(W₁ norm(x)). */
export function feedForward(x: tf.Tensor2D, { inner, outer }: LayerWeights): tf.Tensor2D {
  return tf.add(x, affine(silu(affine(normalise(x), inner)), outer));
}

/** What the first block projects of each token: it depends on nothing but the token, so that it is a table, [V, 3D]. */
export function tokenProjections({ embedding, layers }: TransformerWeights): tf.Tensor2D {
  return affine(normalise(embedding), layers[0].project);
}

/**
 * What a block projects of rows. One product for each of the three: cutting a product of all three apart, and putting its
 * gradient together again, would cost more than they do.
 *
 * @param x - [B·T, D] the rows, not normalised yet
 * @param asking - picks the rows that attend
 */
export function projections(
  x: tf.Tensor2D,
  { project }: LayerWeights,
  asking: (rows: tf.Tensor2D) => tf.Tensor2D = (rows) => rows,
): Projections {
  const normal = normalise(x);
  const [query, key, value] = thirds(project);
  return { query: affine(asking(normal), query), key: affine(normal, key), value: affine(normal, value) };
}

/**
 * The projections of the first block for some tokens: rows of the table of all tokens where there are more rows than tokens.
 *
 * @param ids - [N] int32
 * @param x - [N, D] their embeddings
 */
export function firstProjections(ids: tf.Tensor1D, x: tf.Tensor2D, weights: TransformerWeights): Projections {
  const { embedding, layers } = weights;
  if (ids.shape[0] <= embedding.shape[0]) return projections(x, layers[0]);
  const { query, key, value } = projections(embedding, layers[0]);
  return { query: embed(ids, query), key: embed(ids, key), value: embed(ids, value) };
}

/** The maps to queries, to keys and to values. */
function thirds({ weight, bias }: Affine): Affine[] {
  const biases = tf.split<tf.Tensor1D>(bias, 3);
  return tf.split<tf.Tensor2D>(weight, 3, 1).map((part, i) => ({ weight: part, bias: biases[i] }));
}

/**
 * Log-probabilities of all tokens, [N, V].
 *
 * @param normal - [N, D] hidden states behind the last normalisation
 */
export function predictTokens(
  normal: tf.Tensor2D,
  { head }: TransformerWeights,
  temperature: number,
): tf.Tensor2D {
  const logits = affine(normal, head);
  return logSoftmax(temperature === 1 ? logits : tf.div<tf.Tensor2D>(logits, temperature));
}

/**
 * Values, [N].
 *
 * @param normal - [N, D] hidden states behind the last normalisation
 */
export function predictValues(normal: tf.Tensor2D, { value }: TransformerWeights): tf.Tensor1D {
  return tf.reshape(affine(normal, value), [normal.shape[0]]);
}
