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
import { logSoftmax, stopGradient, takeColumns } from './ops.js';

/** What can be asked about the actions in N states; the caller disposes all tensors. */
export interface ActionDistribution {
  /** [N, A] (discrete: [N]) actions made from given random numbers, [N, draws]. */
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
  /** Shape of the parameter with the logarithms of standard deviations; of Gaussian kinds. */
  readonly logStdShape?: readonly number[];
  /**
   * The distribution in N states, from what the network says.
   *
   * @param outputs - [N, outputs] of the network
   * @param logStd - [logStdShape], of Gaussian kinds
   * @param features - [N, F] what the network's last layer saw, of state-dependent exploration
   */
  of(outputs: tf.Tensor2D, logStd?: tf.Tensor, features?: tf.Tensor2D): ActionDistribution;
}

export interface DistributionOptions {
  /** Boxes: actions are tanh of a normal number, so that they stay within ±1. */
  readonly squash: boolean;
  /** Boxes: generalised state-dependent exploration in place of independent noise. */
  readonly gsde?: {
    /** F, numbers that the noise is a function of. */
    readonly features: number;
    /** A standard deviation for each feature and action, not for each feature alone. */
    readonly fullStd: boolean;
  };
}

/** @throws {ConfigError} when Gaussian options are asked for actions that are integers, or to squash what has no bounds */
export function distributionKind(space: Space, { squash, gsde }: DistributionOptions): DistributionKind {
  if (gsde && space.kind !== 'box') {
    throw new ConfigError(
      `policy.gsde needs actions that are numbers; an action is ${space.describe()}. Leave gsde out.`,
    );
  }
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
    case 'box': {
      const common = {
        outputs: space.size,
        drawnFrom: 'normal',
        actionSize: space.size,
        integers: false,
      } as const;
      if (!gsde) {
        return {
          ...common,
          draws: space.size,
          logStdShape: [space.size],
          of: (mean, logStd) => diagonalGaussian(mean, logStd as tf.Tensor1D, squash),
        };
      }
      return {
        ...common,
        draws: gsde.features * space.size,
        logStdShape: [gsde.features, gsde.fullStd ? space.size : 1],
        of: (mean, logStd, features) =>
          stateDependentGaussian(mean, logStd as tf.Tensor2D, features!, squash),
      };
    }
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
 * Normal numbers, independent given the state:
 *
 *   log π(a|s) = −Σ ½((a − μ)/σ)² + log σ + ½ log 2π
 *
 * Squashed, a = tanh(u) with u normal: log π(a|s) = log N(u) − Σ log(1 − a²) (Haarnoja et al. 2018, appendix C,
 * arXiv:1812.05905); the entropy is that of u, since there is no closed form for a.
 *
 * @param mean - [N, A] μ
 * @param logStd - [A] or [N, A] log σ
 * @param noise - [N, A] what a sample adds to the mean, from the draws
 */
function gaussian(
  mean: tf.Tensor2D,
  logStd: tf.Tensor,
  noise: (draws: tf.Tensor2D) => tf.Tensor,
  squash: boolean,
): ActionDistribution {
  const everywhere = (): tf.Tensor2D => tf.mul(logStd, tf.ones(mean.shape)); // [N, A]
  // clipped, because a backend's tanh may pass 1 by its last digit
  const bend = (u: tf.Tensor): tf.Tensor => (squash ? tf.clipByValue(tf.tanh(u), -1, 1) : u);
  return {
    sample: (draws) => bend(tf.add(mean, noise(draws))),
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
    entropy: () => tf.mul(tf.ones([mean.shape[0]]), tf.sum(tf.add(logStd, 0.5 + HALF_LOG_2PI), -1)),
    parameters: () => tf.concat([mean, everywhere()], 1),
    klTo: (reference) => {
      const [referenceMean, referenceLogStd] = tf.split<tf.Tensor2D>(reference, 2, 1);
      return gaussianKl(mean, everywhere(), referenceMean, referenceLogStd);
    },
  };
}

/** Normal numbers with a standard deviation that does not depend on the state, [A], and noise that is new at every step. */
function diagonalGaussian(mean: tf.Tensor2D, logStd: tf.Tensor1D, squash: boolean): ActionDistribution {
  return gaussian(mean, logStd, (draws) => tf.mul(draws, tf.exp(logStd)), squash);
}

/** Added to the variance, so that its logarithm is finite where all features are 0. */
const VARIANCE_FLOOR = 1e-6;

/**
 * Generalised state-dependent exploration (Raffin et al. 2021, arXiv:2005.05719): the noise is a linear function of the
 * features φ(s), with a random matrix that is kept for several steps, so that it changes smoothly along a trajectory.
 *
 *   a = μ(s) + φ(s) E,   E = σ ∘ ε,   ε ~ N(0, 1)
 *
 * An action by itself is then normal with mean μ and variance φ² σ² + 10⁻⁶, which is what log-probabilities and entropy are
 * of. As in Stable-Baselines3, the variance teaches σ and not the features.
 *
 * @param logStd - [F, A], or [F, 1] for the same in all actions: log σ
 * @param features - [N, F] φ(s)
 */
function stateDependentGaussian(
  mean: tf.Tensor2D,
  logStd: tf.Tensor2D,
  features: tf.Tensor2D,
  squash: boolean,
): ActionDistribution {
  const [rows, actions] = mean.shape;
  const count = features.shape[1];
  const phi = stopGradient(features);
  const std = tf.mul(tf.exp(logStd), tf.ones([count, actions])); // [F, A]
  const variance = tf.add(tf.matMul(tf.square(phi), tf.square(std)), VARIANCE_FLOOR); // [N, A]
  const noise = (draws: tf.Tensor2D): tf.Tensor => {
    const matrices = tf.mul(tf.reshape(draws, [rows, count, actions]), std); // [N, F, A]
    return tf.sum(tf.mul(tf.reshape(phi, [rows, count, 1]), matrices), 1);
  };
  return gaussian(mean, tf.mul(tf.log(variance), 0.5), noise, squash);
}
