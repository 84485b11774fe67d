import { elementwise } from './elementwise.js';
import type { NativeKernels } from './kernel.js';
import { fused } from './fused.js';
import { linear } from './linear.js';
import { reductions } from './reduce.js';
import { shapes } from './shape.js';

/** The tfjs kernels that ONNX Runtime computes. */
export const nativeKernelTable: NativeKernels = {
  ...elementwise,
  ...shapes,
  ...reductions,
  ...linear,
  ...fused,
};
