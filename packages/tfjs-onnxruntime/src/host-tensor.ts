import { engine, tensor, type Tensor } from '@tensorflow/tfjs-core';

import { OnnxBackend } from './backend.js';
import { sizeOf } from './graph.js';

/**
 * A tensor over memory that stays the caller's: nothing is copied, so the array must not change as long as the tensor lives.
 * (`tf.tensor` copies on this backend, which reads a tensor only when its graph runs; tfjs's own backends do not.)
 *
 * @param values - float32 for a Float32Array, int32 for an Int32Array
 * @param shape - of as many elements as there are values
 * @returns a tensor; the caller disposes it
 * @throws {Error} as `tf.tensor` does, when values and shape differ in size
 */
export function tensorOver(values: Float32Array | Int32Array, shape: readonly number[]): Tensor {
  const dtype = values instanceof Int32Array ? 'int32' : 'float32';
  const { backend } = engine();
  if (!(backend instanceof OnnxBackend) || sizeOf(shape) !== values.length)
    return tensor(values, [...shape], dtype);
  return engine().makeTensorFromTensorInfo(backend.makeHost(values, [...shape], dtype), backend);
}
