/**
 * Distributions over actions, made from what a network says about N states. Log-probabilities and entropies are in nats;
 * random numbers are handed in, so that a sample is a function of its inputs.
 */
import { ConfigError } from '../errors.js';
import { exactKl, gaussianKl } from '../math/kl.js';
import { entropy } from '../math/losses.js';
import { sampleTokens } from '../models/decoder.js';
import type { Space } from '../spaces.js';
import { tf } from '../tf.js';
import { logSoftmax, takeColumns } from './ops.js';

/** What can be asked about the actions in N states; the caller disposes all tensors. */
export interface ActionDistribution {
  /** [N, A] (discrete: [N]) actions drawn by given random numbers. */
  sample(draws: tf.Tensor2D): tf.Tensor;
  /** The most likely actions. */
  mode(): tf.Tensor;
  /** [N] log-probabilities of actions. */
  logProbs(actions: tf.Tensor): tf.Tensor1D;
  /** [N] */
  entropy(): tf.Tensor1D;
  /** [N, V] log-probabilities of all actions, where an action is one of V. */
  readonly logDistribution?: tf.Tensor2D;
  /** [N, P] the numbers that it is made of: log-probabilities of all choices, or means and logarithms of deviations. */
  parameters(): tf.Tensor2D;
  /** [N] exact KL to another of its kind in nats, given the parameters of that one, which are constant. */
  klTo(parameters: tf.Tensor2D): tf.Tensor1D;
}

/** How actions of a space are distributed: what the network must say, and what a sample costs. */
export interface DistributionKind {
  /** Numbers that the network gives for each state. */
  readonly outputs: number;
  /** Random numbers that a sample takes, and their law. */
  readonly draws: number;
  readonly drawnFrom: 'uniform' | 'normal';
  /** A, numbers of an action. */
  readonly actionSize: number;
  readonly integers: boolean;
  /**
   * The distribution in N states, from what the network says.
   *
   * @param outputs - [N, outputs] of the network
   * @param logStd - [A], of Gaussian kinds
   */
  of(outputs: tf.Tensor2D, logStd?: tf.Tensor1D): ActionDistribution;
}

export interface DistributionOptions {
  /** Boxes: actions are tanh of a normal number, so that they stay within ±1. */
  readonly squash: boolean;
}

/** @throws {ConfigError} when actions are to be squashed that are integers or have no bounds */
export function distributionKind(space: Space, { squash }: DistributionOptions): DistributionKind {
  const squashable = space.kind === 'box' && [...space.low, ...space.high].every(Number.isFinite);
  if (squash && !squashable) {
    throw new ConfigError(
      `policy.squash needs actions that are numbers between bounds; an action is ${space.describe()}. Leave squash out.`,
    );
  }
  switch (space.kind) {
    case 'discrete':
      return {
        outputs: space.n,
        draws: 1,
        drawnFrom: 'uniform',
        actionSize: 1,
        integers: true,
        of: (logits) => categorical(logits),
      };
    case 'multiDiscrete':
      return {
        outputs: space.flatSize,
        draws: space.size,
        drawnFrom: 'uniform',
        actionSize: space.size,
        integers: true,
        of: (logits) => multiCategorical(logits, space.sizes),
      };
    case 'box':
      return {
        outputs: space.size,
        draws: space.size,
        drawnFrom: 'normal',
        actionSize: space.size,
        integers: false,
        of: (mean, logStd) => diagonalGaussian(mean, logStd!, squash),
      };
  }
}

/** One of V actions: π(a|s) = softmax(logits)ₐ. */
function categorical(logits: tf.Tensor2D): ActionDistribution {
  const logDistribution = logSoftmax(logits);
  return {
    logDistribution,
    sample: (draws) => sampleTokens(logDistribution, tf.reshape(draws, [-1])),
    mode: () => tf.cast(tf.argMax(logDistribution, 1), 'int32'),
    logProbs: (actions) => takeColumns(logDistribution, tf.reshape(actions, [-1])),
    entropy: () => entropy(logDistribution),
    parameters: () => logDistribution,
    klTo: (reference) => {
      const [rows, choices] = logDistribution.shape;
      const asSteps = (x: tf.Tensor2D): tf.Tensor3D => tf.reshape(x, [rows, 1, choices]);
      return tf.reshape(exactKl(asSteps(logDistribution), asSteps(reference)), [rows]);
    },
  };
}

/** Several independent choices: log-probabilities and entropies add up. */
function multiCategorical(logits: tf.Tensor2D, sizes: readonly number[]): ActionDistribution {
  const parts = tf.split<tf.Tensor2D>(logits, [...sizes], 1).map((part) => categorical(part));
  const sum = (terms: tf.Tensor1D[]): tf.Tensor1D => terms.reduce((a, b) => tf.add<tf.Tensor1D>(a, b));
  return {
    sample: (draws) =>
      tf.stack(
        tf.split<tf.Tensor2D>(draws, sizes.length, 1).map((draw, i) => parts[i].sample(draw)),
        1,
      ),
    mode: () =>
      tf.stack(
        parts.map((part) => part.mode()),
        1,
      ),
    logProbs: (actions) =>
      sum(tf.split(actions, sizes.length, 1).map((action, i) => parts[i].logProbs(action))),
    entropy: () => sum(parts.map((part) => part.entropy())),
    parameters: () =>
      tf.concat(
        parts.map((part) => part.parameters()),
        1,
      ),
    klTo: (reference) =>
      sum(tf.split<tf.Tensor2D>(reference, [...sizes], 1).map((part, i) => parts[i].klTo(part))),
  };
}

const HALF_LOG_2PI = 0.5 * Math.log(2 * Math.PI);
/** Keeps atanh and the logarithm of the slope finite at ±1. */
const SQUASH_MARGIN = 1e-6;

/**
 * Independent normal numbers with a standard deviation that does not depend on the state:
 *
 *   log π(a|s) = −Σ ½((a − μ)/σ)² + log σ + ½ log 2π
 *
 * Squashed, a = tanh(u) with u normal: log π(a|s) = log N(u) − Σ log(1 − a²) (Haarnoja et al. 2018, appendix C,
 * arXiv:1812.05905); the entropy is that of u, since there is no closed form for a.
 */
function diagonalGaussian(mean: tf.Tensor2D, logStd: tf.Tensor1D, squash: boolean): ActionDistribution {
  const everywhere = (): tf.Tensor2D => tf.mul(logStd, tf.ones(mean.shape)); // [N, A]
  // clipped, because a backend's tanh may pass 1 by its last digit
  const bend = (u: tf.Tensor): tf.Tensor => (squash ? tf.clipByValue(tf.tanh(u), -1, 1) : u);
  return {
    sample: (draws) => bend(tf.add(mean, tf.mul(draws, tf.exp(logStd)))),
    mode: () => bend(tf.clone(mean)),
    logProbs: (actions) => {
      const inside = squash ? tf.clipByValue(actions, -1 + SQUASH_MARGIN, 1 - SQUASH_MARGIN) : actions;
      const u = squash ? tf.atanh(inside) : inside;
      const z = tf.mul(tf.sub(u, mean), tf.exp(tf.neg(logStd)));
      const terms = tf.add(tf.add(tf.mul(tf.square(z), 0.5), logStd), HALF_LOG_2PI);
      const normal = tf.neg(tf.sum(terms, 1));
      if (!squash) return normal as tf.Tensor1D;
      return tf.sub(normal, tf.sum(tf.log(tf.sub(1, tf.square(inside))), 1));
    },
    entropy: () => {
      const each = tf.sum(tf.add(logStd, 0.5 + HALF_LOG_2PI));
      return tf.mul(tf.ones([mean.shape[0]]), each);
    },
    parameters: () => tf.concat([mean, everywhere()], 1),
    klTo: (reference) => {
      const [referenceMean, referenceLogStd] = tf.split<tf.Tensor2D>(reference, 2, 1);
      return gaussianKl(mean, everywhere(), referenceMean, referenceLogStd);
    },
  };
}
