import { tf } from '../tf.js';

/**
 * Runs a kernel that only some backends have, such as the fused ones of the engine.
 *
 * @returns its outputs, or undefined where the backend in use lacks it and the caller must compose the same from tfjs's own
 *   operations; it has no gradient, so it belongs inside `tf.customGrad`
 */
export function fusedKernel(
  name: string,
  inputs: Record<string, tf.Tensor>,
  attributes: Record<string, number> = {},
): tf.Tensor[] | undefined {
  if (!tf.getKernel(name, tf.getBackend())) return undefined;
  const outputs = tf.engine().runKernel<tf.Tensor | tf.Tensor[]>(name, inputs, attributes);
  return Array.isArray(outputs) ? outputs : [outputs];
}
