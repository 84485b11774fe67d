/**
 * The KL divergence between a policy and the frozen reference, exact and estimated. With p = π(a|s), q = π_ref(a|s) and
 * a ~ π (Schulman, "Approximating KL divergence", joschu.net/blog/kl-approx):
 *
 *   k1 = log p − log q,   k2 = ½ (log p − log q)²,   k3 = q/p − 1 − log(q/p),   exact = Σ_v π(v) (log π(v) − log π_ref(v))
 *
 * The value of an estimator is not its gradient. In the *reward*, k1 gives the policy gradient of the reverse KL. In the
 * *loss*, the exact KL is right, k2 is right on-policy, k3 is biased and k1 has zero expected gradient.
 */
import { ShapeError } from '../errors.js';
import { tf } from '../tf.js';
import { sameShape } from './shapes.js';

/** The estimators of the KL: exact over all actions, or from the sampled one; formulas in the head of this file. */
export const klEstimators = ['exact', 'k1', 'k2', 'k3'] as const;
/** How the KL to the reference is estimated. */
export type KlEstimator = (typeof klEstimators)[number];
/** The estimators that need the sampled action alone. */
export type SampledKlEstimator = Exclude<KlEstimator, 'exact'>;

/** One estimate from one action, in nats; see the head of this file. */
export function sampledKl(estimator: SampledKlEstimator, logProb: number, referenceLogProb: number): number {
  const logRatio = logProb - referenceLogProb;
  switch (estimator) {
    case 'k1':
      return logRatio;
    case 'k2':
      return 0.5 * logRatio * logRatio;
    case 'k3':
      return Math.expm1(-logRatio) + logRatio;
  }
}

/**
 * The same estimates as tensors, for a loss.
 *
 * @param logProbs - any shape, gradients flow through it
 * @param referenceLogProbs - the same shape, constant
 * @returns the same shape, in nats; the caller disposes it
 * @throws {ShapeError} when the two differ in shape
 */
export function sampledKlTensor(
  estimator: SampledKlEstimator,
  logProbs: tf.Tensor,
  referenceLogProbs: tf.Tensor,
): tf.Tensor {
  sameShape('sampledKlTensor', { logProbs, referenceLogProbs });
  return tf.tidy(() => {
    const logRatio = tf.sub(logProbs, referenceLogProbs);
    switch (estimator) {
      case 'k1':
        return logRatio;
      case 'k2':
        return tf.mul(tf.square(logRatio), 0.5);
      case 'k3':
        return tf.add(tf.sub(tf.exp(tf.neg(logRatio)), 1), logRatio);
    }
  });
}

/**
 * Exact KL(π ‖ π_ref) at every step.
 *
 * @param logDistribution - [B, T, V] log π, gradients flow through it
 * @param referenceLogDistribution - [B, T, V] log π_ref, constant
 * @returns [B, T] in nats; the caller disposes it
 * @throws {ShapeError} when the two differ in shape
 */
export function exactKl(logDistribution: tf.Tensor3D, referenceLogDistribution: tf.Tensor3D): tf.Tensor2D {
  sameShape('exactKl', { logDistribution, referenceLogDistribution });
  const operation = tf.customGrad((...args: (tf.Tensor | tf.GradSaveFunc)[]) => {
    const [logProbs, save] = args as [tf.Tensor3D, tf.GradSaveFunc];
    const probs = tf.exp(logProbs);
    const logRatio = tf.sub(logProbs, referenceLogDistribution);
    const terms = tf.mul(probs, logRatio);
    save([probs, terms]);
    return {
      value: tf.sum(terms, 2),
      // d/d log π of Σ e^{log π} (log π − log π_ref), written out because it takes half the memory traffic
      gradFunc: (dy: tf.Tensor, [probsSaved, termsSaved]: tf.Tensor[]) =>
        tf.mul(tf.add(termsSaved, probsSaved), tf.expandDims(dy, 2)),
    };
  });
  return operation(logDistribution) as tf.Tensor2D;
}

/**
 * Exact KL between independent normal numbers, in closed form (Kullback and Leibler 1951 for the normal law):
 *
 *   KL(π ‖ π_ref) = Σ_a log σ_ref − log σ + (σ² + (μ − μ_ref)²) / (2 σ_ref²) − ½
 *
 * It is that of squashed actions too: tanh is one to one, which leaves the KL as it is.
 *
 * @param mean - [N, A] μ, gradients flow through it
 * @param logStd - [N, A] log σ, gradients flow through it
 * @param referenceMean - [N, A] constant
 * @param referenceLogStd - [N, A] constant
 * @returns [N] in nats; the caller disposes it
 * @throws {ShapeError} when the four differ in shape
 */
export function gaussianKl(
  mean: tf.Tensor2D,
  logStd: tf.Tensor2D,
  referenceMean: tf.Tensor2D,
  referenceLogStd: tf.Tensor2D,
): tf.Tensor1D {
  sameShape('gaussianKl', { mean, logStd, referenceMean, referenceLogStd });
  return tf.tidy(() => {
    const logRatio = tf.sub(logStd, referenceLogStd);
    const distance = tf.mul(tf.sub(mean, referenceMean), tf.exp(tf.neg(referenceLogStd)));
    const squares = tf.add(tf.exp(tf.mul(logRatio, 2)), tf.square(distance));
    return tf.sum<tf.Tensor1D>(tf.sub(tf.mul(tf.sub(squares, 1), 0.5), logRatio), 1);
  });
}

/**
 * Exact KL on the host, one number a step.
 *
 * @param logDistribution - [N, V], row by row
 * @param referenceLogDistribution - [N, V], row by row
 * @returns [N] in nats
 * @throws {ShapeError} when the two differ in length
 */
export function exactKlOnHost(
  logDistribution: ArrayLike<number>,
  referenceLogDistribution: ArrayLike<number>,
  vocabulary: number,
): Float32Array {
  if (logDistribution.length !== referenceLogDistribution.length) {
    throw new ShapeError(
      `exactKlOnHost needs two distributions of one size; got ${logDistribution.length} and ${referenceLogDistribution.length} numbers.`,
    );
  }
  const kl = new Float32Array(logDistribution.length / vocabulary);
  for (let n = 0; n < kl.length; n++) {
    let sum = 0;
    for (let i = n * vocabulary; i < (n + 1) * vocabulary; i++) {
      sum += Math.exp(logDistribution[i]) * (logDistribution[i] - referenceLogDistribution[i]);
    }
    kl[n] = sum;
  }
  return kl;
}
