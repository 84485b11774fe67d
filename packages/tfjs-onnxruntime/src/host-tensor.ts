import { engine, tensor, type Tensor } from '@tensorflow/tfjs-core';

import { OnnxBackend } from './backend.js';
import { sizeOf, type HostArray } from './graph.js';

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

/**
 * Lets a function read the numbers of a tensor and not keep the array: its memory may be used again once the tensor is gone,
 * which what `dataSync` gave never is.
 *
 * @returns what the function returns
 */
export function readValues<T>(tensor: Tensor, read: (values: HostArray) => T): T {
  const { backend } = engine();
  if (backend instanceof OnnxBackend) return read(backend.feed(tensor.dataId));
  return read(tensor.dataSync<'float32'>());
}
