/**
 * Kernels beyond tfjs's own, for layers that ask whether the backend has them (`tf.getKernel(name, 'onnx')`). They have no
 * gradient; who uses them writes it out in `tf.customGrad`.
 */
import type { NativeKernel, NativeKernels } from './kernel.js';

/**
 * `Standardise`: (x − mean) / √(var + ε) along the last axis, and 1 / √(var + ε) with that axis kept as 1.
 * Inputs: x. Attributes: epsilon.
 */
const standardise: NativeKernel = (call) => {
  const { graph } = call;
  const x = call.value('x');
  const { epsilon } = call.attrs<{ epsilon: number }>();
  const width = x.shape[x.shape.length - 1];
  const moments = { type: x.type, shape: [...x.shape.slice(0, -1), 1] };
  const gain = graph.constant('float32', [width], new Float32Array(width).fill(1));
  const bias = graph.constant('float32', [width], new Float32Array(width));
  const [normal, , inverse] = graph.multi('LayerNormalization', [x, gain, bias], [x, moments, moments], {
    attributes: { axis: -1, epsilon: { float: epsilon } },
  });
  return [normal, inverse];
};

/**
 * `WriteRow`: x [B, H, S, D] with its row `index` of axis 2 replaced by row [B, H, 1, D]. Where nothing else reads x
 * afterwards ONNX Runtime writes in place. Inputs: x, row. Attributes: index.
 */
const writeRow: NativeKernel = (call) => {
  const { graph } = call;
  const x = call.value('x');
  const { index } = call.attrs<{ index: number }>();
  const batch = x.shape[0];
  const indices = graph.constant('int64', [batch], new BigInt64Array(batch).fill(BigInt(index)));
  return graph.op('TensorScatter', [x, call.value('row'), indices], x, { attributes: { axis: 2 } });
};

/** `TakeColumns`: one entry of every row, x[i, columns[i]]. Inputs: x [N, V], columns [N] int32. */
const takeColumns: NativeKernel = (call) => {
  const { graph } = call;
  const x = call.value('x');
  const columns = call.value('columns');
  const shape = [x.shape[0], 1];
  const taken = graph.op(
    'GatherElements',
    [x, graph.reshape(columns, shape)],
    { type: x.type, shape },
    {
      attributes: { axis: 1 },
    },
  );
  return graph.reshape(taken, columns.shape);
};

export const fused: NativeKernels = {
  Standardise: standardise,
  TakeColumns: takeColumns,
  WriteRow: writeRow,
};
