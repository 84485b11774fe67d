import { tf } from '../tf.js';

/** Added to the scores of forbidden pairs: e to this power is 0 in float32, and no NaN can arise from it. */
const FORBIDDEN = -1e9;

/**
 * The causal, windowed attention mask: query i may see key j when j ≤ i and i − j < window, in absolute positions.
 *
 * @param firstQuery - absolute position of the first query
 * @param queries - number of queries
 * @param firstKey - absolute position of the first key
 * @param keys - number of keys
 * @param window - how many positions a query sees, itself included
 * @returns [queries, keys], 0 or a very negative number; the caller disposes it
 */
export function attentionMask(
  firstQuery: number,
  queries: number,
  firstKey: number,
  keys: number,
  window: number,
): tf.Tensor2D {
  const mask = new Float32Array(queries * keys);
  for (let i = 0; i < queries; i++) {
    for (let j = 0; j < keys; j++) {
      const distance = firstQuery + i - (firstKey + j);
      if (distance < 0 || distance >= window) mask[i * keys + j] = FORBIDDEN;
    }
  }
  return tf.tensor2d(mask, [queries, keys]);
}

/**
 * Scaled dot-product attention (Vaswani et al. 2017, eq. 1, arXiv:1706.03762): softmax(q kᵀ / √d + mask) v.
 *
 * @param q - [B, H, Q, d]
 * @param k - [B, H, K, d]
 * @param v - [B, H, K, d]
 * @param mask - [Q, K], added to the scores
 * @returns [B, H, Q, d]; the caller disposes it
 */
export function attend(q: tf.Tensor4D, k: tf.Tensor4D, v: tf.Tensor4D, mask: tf.Tensor2D): tf.Tensor4D {
  return tf.tidy(() => {
    const scaled = tf.mul(q, 1 / Math.sqrt(q.shape[3]));
    const scores = tf.add(tf.matMul(scaled, k, false, true), mask); // [B, H, Q, K]
    return tf.matMul<tf.Tensor4D>(tf.softmax(scores), v);
  });
}
