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
 * @param clipRange - ε, in (0, 1); a scalar where it changes from step to step
 * @returns scalar loss; the caller disposes it
 * @throws {ShapeError} when the four tensors differ in shape
 */
export function clippedSurrogateLoss(
  logProbs: tf.Tensor,
  oldLogProbs: tf.Tensor,
  advantages: tf.Tensor,
  mask: tf.Tensor,
  clipRange: number | tf.Scalar,
): tf.Scalar {
  sameShape('clippedSurrogateLoss', { logProbs, oldLogProbs, advantages, mask });
  return tf.tidy(() =>
    tf.neg(maskedMean(clippedObjective(logProbs, oldLogProbs, advantages, clipRange), mask)),
  );
}

/**
 * Clipped surrogate loss with a second bound where the advantage is negative (Ye et al. 2020, eq. 5, arXiv:1912.09729): a
 * ratio that has grown large no longer pulls without limit.
 *
 *   L(θ) = −Σ mₜ · oₜ / Σ mₜ,   oₜ = min(ρₜ Âₜ, clip(ρₜ, 1−ε, 1+ε) Âₜ) where Âₜ ≥ 0, and max(that, c Âₜ) where Âₜ < 0
 *
 * @param logProbs - [B, T] log π_θ(aₜ|sₜ) in nats; gradients flow through it
 * @param oldLogProbs - [B, T] log-probabilities at collection time; constant
 * @param advantages - [B, T] Âₜ; constant
 * @param mask - [B, T] 1 for real steps, 0 for padding
 * @param clipRange - ε, in (0, 1)
 * @param dualClip - c > 1, such as 3
 * @returns scalar loss; the caller disposes it
 * @throws {ShapeError} when the four tensors differ in shape
 */
export function dualClippedSurrogateLoss(
  logProbs: tf.Tensor,
  oldLogProbs: tf.Tensor,
  advantages: tf.Tensor,
  mask: tf.Tensor,
  clipRange: number | tf.Scalar,
  dualClip: number,
): tf.Scalar {
  sameShape('dualClippedSurrogateLoss', { logProbs, oldLogProbs, advantages, mask });
  return tf.tidy(() => {
    const clipped = clippedObjective(logProbs, oldLogProbs, advantages, clipRange);
    const bounded = tf.maximum(clipped, tf.mul(advantages, dualClip));
    return tf.neg(maskedMean(tf.where(tf.less(advantages, 0), bounded, clipped), mask));
  });
}

/** min(ρ Â, clip(ρ, 1−ε, 1+ε) Â) of every step; ε is a tensor where it changes from step to step. */
function clippedObjective(
  logProbs: tf.Tensor,
  oldLogProbs: tf.Tensor,
  advantages: tf.Tensor,
  clipRange: number | tf.Scalar,
): tf.Tensor {
  const ratio = tf.exp(tf.sub(logProbs, oldLogProbs));
  const clipped =
    typeof clipRange === 'number'
      ? tf.clipByValue(ratio, 1 - clipRange, 1 + clipRange)
      : tf.maximum(tf.minimum(ratio, tf.add(clipRange, 1)), tf.sub(1, clipRange));
  return tf.minimum(tf.mul(ratio, advantages), tf.mul(clipped, advantages));
}

/**
 * Surrogate loss with a penalty instead of a clip (Schulman et al. 2017, eq. 8, arXiv:1707.06347):
 *
 *   L(θ) = Σ mₜ · (−ρₜ Âₜ + β kₜ) / Σ mₜ,   kₜ = (ρₜ − 1) − log ρₜ
 *
 * kₜ is the k3 estimate of KL(π_old ‖ π_θ) from actions of π_old. Unlike k3 of the KL to a reference, its gradient is right,
 * too: the actions are drawn from the fixed one of the two, so E ∇ρ = ∇ E ρ = 0 and −E ∇ log ρ is left, the gradient of the KL.
 *
 * @param logProbs - [B, T] log π_θ(aₜ|sₜ) in nats; gradients flow through it
 * @param oldLogProbs - [B, T] log-probabilities at collection time; constant
 * @param advantages - [B, T] Âₜ; constant
 * @param mask - [B, T] 1 for real steps, 0 for padding
 * @param coefficient - β ≥ 0
 * @returns scalar loss; the caller disposes it
 * @throws {ShapeError} when the four tensors differ in shape
 */
export function klPenalisedSurrogateLoss(
  logProbs: tf.Tensor,
  oldLogProbs: tf.Tensor,
  advantages: tf.Tensor,
  mask: tf.Tensor,
  coefficient: number | tf.Scalar,
): tf.Scalar {
  sameShape('klPenalisedSurrogateLoss', { logProbs, oldLogProbs, advantages, mask });
  return tf.tidy(() => {
    const logRatio = tf.sub(logProbs, oldLogProbs);
    const ratio = tf.exp(logRatio);
    const kl = tf.sub(tf.sub(ratio, 1), logRatio);
    return maskedMean(tf.sub(tf.mul(kl, coefficient), tf.mul(ratio, advantages)), mask);
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
 * Entropy of every distribution, −Σ_v π(v) log π(v).
 *
 * @param logDistribution - [B, T, V] or [N, V] in nats; gradients flow through it
 * @returns [B, T] or [N] in nats; the caller disposes it
 */
export function entropy(logDistribution: tf.Tensor3D): tf.Tensor2D;
export function entropy(logDistribution: tf.Tensor2D): tf.Tensor1D;
export function entropy(logDistribution: tf.Tensor): tf.Tensor {
  return tf.tidy(() => tf.neg(tf.sum(tf.mul(tf.exp(logDistribution), logDistribution), -1)));
}
