/**
 * Losses of policy-gradient methods as pure functions of tensors. Shapes: B trajectories, T steps.
 *
 * Where tfjs's own gradient takes many small steps (minima, clips), it is written out: a small network spends most of an update
 * on the number of operations, not on their size.
 */
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
  // the shares of the steps are the same for every mean over a mask, so that they are computed once in a compiled loss
  return tf.tidy(() => tf.sum(tf.mul(x, tf.div(mask, tf.sum(mask)))));
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

/**
 * o = min(ρ Â, clip(ρ, 1−ε, 1+ε) Â) of every step; ε is a tensor where it changes from step to step.
 *
 * ∂o/∂ log π_θ is ρ Â where that is the smaller one, and 0 where the clipped one is.
 */
function clippedObjective(
  logProbs: tf.Tensor,
  oldLogProbs: tf.Tensor,
  advantages: tf.Tensor,
  clipRange: number | tf.Scalar,
): tf.Tensor {
  return withSlope(logProbs, (current) => {
    const ratio = tf.exp(tf.sub(current, oldLogProbs));
    const clipped =
      typeof clipRange === 'number'
        ? tf.clipByValue(ratio, 1 - clipRange, 1 + clipRange)
        : tf.maximum(tf.minimum(ratio, tf.add(clipRange, 1)), tf.sub(1, clipRange));
    const plain = tf.mul(ratio, advantages);
    const bound = tf.mul(clipped, advantages);
    return { value: tf.minimum(plain, bound), slope: tf.mul(plain, isTrue(tf.lessEqual(plain, bound))) };
  });
}

/** A function of every entry by itself whose derivative is known: the gradient is `slope` times what comes from above. */
function withSlope(
  x: tf.Tensor,
  of: (x: tf.Tensor) => { readonly value: tf.Tensor; readonly slope: tf.Tensor },
): tf.Tensor {
  const operation = tf.customGrad((...args: (tf.Tensor | tf.GradSaveFunc)[]) => {
    const [input, save] = args as [tf.Tensor, tf.GradSaveFunc];
    const { value, slope } = of(input);
    save([slope]);
    return { value, gradFunc: (dy: tf.Tensor, [slopeSaved]: tf.Tensor[]) => tf.mul(dy, slopeSaved) };
  });
  return operation(x);
}

/** 1 where a condition holds, 0 elsewhere. */
function isTrue(condition: tf.Tensor): tf.Tensor {
  return tf.cast(condition, 'float32');
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
    if (!clip) return tf.mul(maskedMean(tf.square(tf.sub(values, returns)), mask), 0.5);
    const squares = withSlope(values, (current) => {
      const move = tf.sub(current, clip.oldValues);
      // what the move goes beyond the range by: exactly 0 within it, where both errors are the same and the gradient is the plain one
      const excess = tf.sub(move, tf.clipByValue(move, -clip.range, clip.range));
      const plainError = tf.sub(current, returns);
      const plain = tf.square(plainError);
      const clipped = tf.square(tf.sub(plainError, excess));
      const larger = isTrue(tf.greaterEqual(plain, clipped));
      return { value: tf.maximum(plain, clipped), slope: tf.mul(tf.mul(plainError, 2), larger) };
    });
    return tf.mul(maskedMean(squares, mask), 0.5);
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
  const operation = tf.customGrad((...args: (tf.Tensor | tf.GradSaveFunc)[]) => {
    const [logs, save] = args as [tf.Tensor, tf.GradSaveFunc];
    const probabilities = tf.exp(logs);
    const information = tf.mul(probabilities, logs);
    save([probabilities, information]);
    return {
      value: tf.neg(tf.sum(information, -1)),
      // of −Σ eˡ l by l: −eˡ (l + 1)
      gradFunc: (dy: tf.Tensor, [p, pLogP]: tf.Tensor[]) =>
        tf.mul(tf.neg(tf.expandDims(dy, -1)), tf.add(pLogP, p)),
    };
  });
  return operation(logDistribution);
}
