import { NumericalError } from '../errors.js';
import { tf } from '../tf.js';
import type { Adam } from './adam.js';
import type { ParameterStore } from './parameters.js';

/** A loss and what else is worth reading from the same pass; all scalars. */
export interface LossParts {
  readonly loss: tf.Scalar;
  readonly stats: Readonly<Record<string, tf.Scalar>>;
}

export interface GradientStepOptions {
  parameters: ParameterStore;
  optimizer: Adam;
  learningRate: number;
  /** Gradients are scaled down to this global norm (Pascanu et al. 2013, arXiv:1211.5063). */
  maxGradNorm: number;
  /** What the loss is called in an error message. */
  name: string;
  /**
   * Told the statistics before the step is taken; returning false leaves the parameters as they are (an update that
   * strayed too far stops here).
   */
  accept?: (stats: Readonly<Record<string, number>>) => boolean;
  /** Builds the loss; runs inside `tf.tidy`. */
  loss: () => LossParts;
}

/**
 * One step down the gradient of a loss. Leaves no tensor behind.
 *
 * @returns the statistics, `loss` and `gradNorm` (before clipping) among them, and whether the step was taken
 * @throws {NumericalError} when the loss, a statistic or the gradient is not finite; the parameters are untouched then
 */
export function gradientStep(options: GradientStepOptions): {
  stats: Record<string, number>;
  taken: boolean;
} {
  const { parameters, optimizer, learningRate, maxGradNorm, name } = options;
  const trainable = parameters.entries().filter(([, variable]) => variable.trainable);
  let parts: LossParts | undefined;
  const { value, grads } = tf.variableGrads(
    () => {
      parts = options.loss();
      for (const scalar of Object.values(parts.stats)) tf.keep(scalar);
      return parts.loss;
    },
    trainable.map(([, variable]) => variable),
  );
  try {
    const stats: Record<string, number> = { loss: value.dataSync()[0] };
    for (const [key, scalar] of Object.entries(parts!.stats)) stats[key] = scalar.dataSync()[0];
    const squaredNorm = tf.tidy(
      () => tf.addN(Object.values(grads).map((g) => tf.sum(tf.square(g)))).dataSync()[0],
    );
    stats['gradNorm'] = Math.sqrt(squaredNorm);
    for (const [key, number] of Object.entries(stats)) {
      if (!Number.isFinite(number)) {
        throw new NumericalError(
          `${name}: ${key} became ${number}. Lower the learning rate or look for extreme rewards; the parameters are those from before this step.`,
        );
      }
    }
    if (options.accept && !options.accept(stats)) return { stats, taken: false };
    const byName = Object.fromEntries(
      trainable.flatMap(([key, v]) => (grads[v.name] ? [[key, grads[v.name]]] : [])),
    );
    optimizer.step(byName, learningRate, Math.min(1, maxGradNorm / (stats['gradNorm'] + 1e-6)));
    return { stats, taken: true };
  } finally {
    tf.dispose([value, grads, parts?.stats ?? {}]);
  }
}
