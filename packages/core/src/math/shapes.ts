import { ShapeError } from '../errors.js';
import type { tf } from '../tf.js';

/**
 * Refuses tensors that would only fit together by broadcasting: [N, 1] minus [N] is [N, N], and nobody notices.
 *
 * @param name - the function that was called, for the message
 * @throws {ShapeError} when the shapes are not all equal
 */
export function sameShape(name: string, tensors: Record<string, tf.Tensor>): void {
  const shapes = Object.entries(tensors).map(([key, tensor]) => `${key} [${tensor.shape.join(', ')}]`);
  const first = Object.values(tensors)[0].shape.join();
  if (Object.values(tensors).some((tensor) => tensor.shape.join() !== first)) {
    throw new ShapeError(`${name} needs tensors of one shape; got ${shapes.join(', ')}.`);
  }
}
