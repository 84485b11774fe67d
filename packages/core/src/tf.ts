/**
 * The one door to tensors. The union package is needed: `tfjs-core` alone registers no gradients in Node.
 * Production mode only silences tfjs's advertisement and its warnings.
 */
import * as tf from '@tensorflow/tfjs';

tf.env().set('PROD', true);

export { tf };
export { compile, readValues, tensorOver } from '@rollcast/tfjs-onnxruntime';
export type { CompiledFunction } from '@rollcast/tfjs-onnxruntime';
