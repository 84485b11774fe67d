/** Losses of policy-gradient methods as pure functions of tensors. Shapes: B trajectories, T steps. */
import { tf } from '../tf.js';
import { sameShape } from './shapes.js';

/**
 * Mean over the real steps: Σ x·m / Σ m.
 *
 * @param x - any shape; gradients flow through it
 * @param mask - the same shape, 1 for real steps
 * @returns scalar; the caller disposes it
 */
export function maskedMean(x: tf.Tensor, mask: tf.Tensor): tf.Scalar {
  sameShape('maskedMean', { x, mask });
  return tf.tidy(() => tf.div(tf.sum(tf.mul(x, mask)), tf.sum(mask)));
}

/**
 * Score-function loss of REINFORCE (Williams 1992, Machine Learning 8): L = −Σ mₜ log π(aₜ|sₜ) Âₜ / Σ mₜ.
 *
 * @param logProbs - [B, T] in nats; gradients flow through it
 * @param advantages - [B, T], constant
 * @param mask - [B, T], 1 for real steps
 * @returns scalar; the caller disposes it
 * @throws {ShapeError} when the tensors differ in shape
 */
export function scoreFunctionLoss(logProbs: tf.Tensor, advantages: tf.Tensor, mask: tf.Tensor): tf.Scalar {
  sameShape('scoreFunctionLoss', { logProbs, advantages, mask });
  return tf.tidy(() => tf.neg(maskedMean(tf.mul(logProbs, advantages), mask)));
}

/**
 * Clipped surrogate loss of PPO (Schulman et al. 2017, eq. 7, arXiv:1707.06347), averaged over real steps.
 *
 *   L(θ) = −Σ mₜ · min(ρₜ Âₜ, clip(ρₜ, 1−ε, 1+ε) Âₜ) / Σ mₜ,   ρₜ = exp(log π_θ − log π_old)
 *
 * @param logProbs - [B, T] log π_θ(aₜ|sₜ) in nats; gradients flow through it
 * @param oldLogProbs - [B, T] log-probabilities at collection time; constant
 * @param advantages - [B, T] Âₜ; constant
 * @param mask - [B, T] 1 for real steps, 0 for padding
 * @param clipRange - ε, in (0, 1)
 * @returns scalar loss; the caller disposes it
 * @throws {ShapeError} when the four tensors differ in shape
 */
export function clippedSurrogateLoss(
  logProbs: tf.Tensor,
  oldLogProbs: tf.Tensor,
  advantages: tf.Tensor,
  mask: tf.Tensor,
  clipRange: number,
): tf.Scalar {
  sameShape('clippedSurrogateLoss', { logProbs, oldLogProbs, advantages, mask });
  return tf.tidy(() => {
    const ratio = tf.exp(tf.sub(logProbs, oldLogProbs));
    const clipped = tf.clipByValue(ratio, 1 - clipRange, 1 + clipRange);
    return tf.neg(maskedMean(tf.minimum(tf.mul(ratio, advantages), tf.mul(clipped, advantages)), mask));
  });
}

/**
 * Squared error of the value head, ½ (V − R)², averaged over real steps; with `clipRange` the larger of it and the error
 * of the value moved at most that far from the old one, ½ max((V − R)², (clip(V, V_old ± c) − R)²).
 *
 * @param values - [B, T]; gradients flow through it
 * @param returns - [B, T], constant
 * @param mask - [B, T], 1 for real steps
 * @param clip - old values [B, T] and c > 0; without it values are not clipped
 * @returns scalar; the caller disposes it
 * @throws {ShapeError} when the tensors differ in shape
 */
export function valueLoss(
  values: tf.Tensor,
  returns: tf.Tensor,
  mask: tf.Tensor,
  clip?: { oldValues: tf.Tensor; range: number },
): tf.Scalar {
  sameShape('valueLoss', { values, returns, mask, ...(clip && { oldValues: clip.oldValues }) });
  return tf.tidy(() => {
    const error = tf.square(tf.sub(values, returns));
    if (!clip) return tf.mul(maskedMean(error, mask), 0.5);
    const moved = tf.clipByValue(tf.sub(values, clip.oldValues), -clip.range, clip.range);
    const clippedError = tf.square(tf.sub(tf.add(clip.oldValues, moved), returns));
    return tf.mul(maskedMean(tf.maximum(error, clippedError), mask), 0.5);
  });
}

/**
 * Entropy of every step's distribution, −Σ_v π(v) log π(v).
 *
 * @param logDistribution - [B, T, V] in nats; gradients flow through it
 * @returns [B, T] in nats; the caller disposes it
 */
export function entropy(logDistribution: tf.Tensor3D): tf.Tensor2D {
  return tf.tidy(() => tf.neg(tf.sum(tf.mul(tf.exp(logDistribution), logDistribution), 2)));
}
