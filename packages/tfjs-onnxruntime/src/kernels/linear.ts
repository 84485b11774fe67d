/** Matrix products, lookups and what goes with them. */
import {
  backend_util,
  util,
  type BatchMatMulAttrs,
  type FusedBatchNormAttrs,
  type GatherV2Attrs,
  type OneHotAttrs,
  type ScatterNdAttrs,
  type _FusedMatMulAttrs,
} from '@tensorflow/tfjs-core';

import type { ElementType, Value } from '../graph.js';
import { broadcast, type Recorder } from '../recorder.js';
import type { KernelCall, NativeKernel, NativeKernels } from './kernel.js';

/** A product of (stacks of) matrices; transposes are part of the multiplication. */
function matMul(graph: Recorder, a: Value, b: Value, transposeA: boolean, transposeB: boolean): Value {
  const rankA = a.shape.length;
  const rankB = b.shape.length;
  const rows = a.shape[transposeA ? rankA - 1 : rankA - 2];
  const columns = b.shape[transposeB ? rankB - 2 : rankB - 1];
  const batch = broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const output = { type: a.type, shape: [...batch, rows, columns] };
  if (!transposeA && !transposeB) return graph.op('MatMul', [a, b], output);
  if (transposeA && !transposeB && rankA > 2 && columns < rows) {
    // aᵀ b = (bᵀ a)ᵀ: turning the narrow matrices of a stack is twice as fast as turning the wide ones
    const turned = matMul(graph, b, a, true, false);
    const last = turned.shape.length - 1;
    const perm = turned.shape.map((_, i) => (i === last ? last - 1 : i === last - 1 ? last : i));
    return graph.transpose(turned, perm);
  }
  const attributes = { transA: transposeA ? 1 : 0, transB: transposeB ? 1 : 0 };
  return graph.op('FusedMatMul', [a, b], output, { attributes, domain: 'com.microsoft' });
}

const batchMatMul: NativeKernel = (call) => {
  const { transposeA, transposeB } = call.attrs<BatchMatMulAttrs>();
  const a = call.info('a');
  const b = call.info('b');
  if (a.dtype !== 'float32' || b.dtype !== 'float32') return undefined;
  assertInner(a.shape, b.shape, transposeA, transposeB);
  return matMul(call.graph, call.value('a'), call.value('b'), transposeA, transposeB);
};

function assertInner(a: number[], b: number[], transposeA: boolean, transposeB: boolean): void {
  const innerA = transposeA ? a[a.length - 2] : a[a.length - 1];
  const innerB = transposeB ? b[b.length - 1] : b[b.length - 2];
  util.assert(
    innerA === innerB,
    () =>
      `Error in matMul: inner shapes (${innerA}) and (${innerB}) of Tensors with shapes ${a.join()} and ${b.join()} and transposeA=${transposeA} and transposeB=${transposeB} must match.`,
  );
}

const fusedMatMul: NativeKernel = (call) => {
  const { graph } = call;
  const { transposeA, transposeB, activation, leakyreluAlpha } = call.attrs<_FusedMatMulAttrs>();
  if (call.info('a').dtype !== 'float32' || call.info('b').dtype !== 'float32') return undefined;
  let y = matMul(graph, call.value('a'), call.value('b'), transposeA, transposeB);
  if (call.has('bias')) y = graph.binary('Add', y, call.value('bias'));
  const zero = graph.scalar('float32', 0);
  switch (activation) {
    case undefined:
    case null as never:
    case 'linear':
      return y;
    case 'relu':
      return graph.binary('Max', y, zero);
    case 'relu6':
      return graph.op('Min', [graph.binary('Max', y, zero), graph.scalar('float32', 6)], y);
    case 'elu':
      return graph.unary('Elu', y);
    case 'sigmoid':
      return graph.unary('Sigmoid', y);
    case 'prelu':
    case 'leakyrelu': {
      const slope =
        activation === 'prelu'
          ? call.value('preluActivationWeights')
          : graph.scalar('float32', leakyreluAlpha ?? 0.2);
      return graph.where(graph.binary('Less', y, zero, 'bool'), graph.binary('Mul', y, slope), y);
    }
    default:
      return undefined;
  }
};

const gather: NativeKernel = (call) => {
  const { graph } = call;
  const x = call.info('x');
  const indices = call.info('indices');
  const { axis, batchDims } = call.attrs<GatherV2Attrs>();
  if (batchDims !== 0 || indices.dtype !== 'int32') return undefined;
  const [at] = util.parseAxisParam(axis, x.shape);
  // ONNX Runtime would count negative indices from the back; those it makes itself are checked when they are used
  for (const index of Array.from(call.hostValues('indices') ?? [])) {
    util.assert(
      index >= 0 && index < x.shape[at],
      () => `GatherV2: the index value ${index} is not in [0, ${x.shape[at] - 1}]`,
    );
  }
  const shape = [...x.shape.slice(0, at), ...indices.shape, ...x.shape.slice(at + 1)];
  return graph.op(
    'Gather',
    [call.value('x'), call.value('indices')],
    { type: x.dtype as ElementType, shape },
    { attributes: { axis: at } },
  );
};

const gatherNd: NativeKernel = (call) => {
  const { graph } = call;
  const params = call.info('params');
  const indices = call.info('indices');
  const [shape] = backend_util.prepareAndValidate(params, indices);
  if (params.dtype === 'bool') return undefined;
  return graph.op('GatherND', [call.value('params'), graph.cast(call.value('indices'), 'int64')], {
    type: params.dtype as ElementType,
    shape,
  });
};

/** Updates that meet in one place add up. */
const scatterNd: NativeKernel = (call) => {
  const { graph } = call;
  const { shape } = call.attrs<ScatterNdAttrs>();
  const updates = call.info('updates');
  const indices = call.info('indices');
  if (updates.dtype !== 'float32') return undefined;
  const rank = indices.shape.length;
  const depth = rank > 0 ? indices.shape[rank - 1] : 1;
  const expected = [...indices.shape.slice(0, -1), ...shape.slice(depth)];
  if (rank < 2 || expected.join() !== updates.shape.join() || shape.includes(0)) return undefined;
  const zeros = graph.expand(graph.scalar('float32', 0), shape);
  return graph.op(
    'ScatterND',
    [zeros, graph.cast(call.value('indices'), 'int64'), call.value('updates')],
    { type: 'float32', shape },
    { attributes: { reduction: 'add' } },
  );
};

const oneHot: NativeKernel = (call) => {
  const { graph } = call;
  const { depth, onValue, offValue, dtype } = call.attrs<OneHotAttrs>();
  if (call.info('indices').dtype !== 'int32' || dtype === 'bool' || depth < 1) return undefined;
  const outer = call.info('indices').shape;
  const indices = graph.reshape(call.value('indices'), outer.length === 0 ? [1] : outer);
  // ONNX counts negative indices from the back; to tfjs they are off
  const negative = graph.binary('Less', indices, graph.scalar('int32', 0), 'bool');
  const counted = graph.cast(graph.where(negative, graph.scalar('int32', depth), indices), 'int64');
  const values = graph.constant('float32', [2], Float32Array.of(offValue, onValue));
  const rows = graph.op(
    'OneHot',
    [counted, graph.scalar('int64', depth), values],
    { type: 'float32', shape: [...indices.shape, depth] },
    { attributes: { axis: -1 } },
  );
  const hot = graph.reshape(rows, [...outer, depth]);
  if (dtype === 'float32') return hot;
  const integers = graph.cast(hot, 'int32');
  if (Number.isInteger(onValue) && Number.isInteger(offValue)) integers.twin = hot;
  return integers;
};

/** (x − mean) · scale / √(variance + ε) + offset, along the last axis. */
const batchNorm: NativeKernel = (call) => {
  const { graph } = call;
  const { varianceEpsilon } = call.attrs<FusedBatchNormAttrs>();
  const names = ['x', 'mean', 'variance', 'offset', 'scale'].filter((name) => call.has(name));
  if (names.some((name) => call.info(name).dtype !== 'float32')) return undefined;
  // tfjs lets the statistics repeat over x without being its shape
  if (names.some((name) => !fitsUnder(call, name))) return undefined;
  const deviation = graph.unary(
    'Sqrt',
    graph.binary('Add', call.value('variance'), graph.scalar('float32', varianceEpsilon ?? 0.001)),
  );
  const normal = graph.binary('Div', graph.binary('Sub', call.value('x'), call.value('mean')), deviation);
  const scaled = call.has('scale') ? graph.binary('Mul', normal, call.value('scale')) : normal;
  return call.has('offset') ? graph.binary('Add', scaled, call.value('offset')) : scaled;
};

function fitsUnder(call: KernelCall, name: string): boolean {
  const shape = call.info(name).shape;
  const x = call.info('x').shape;
  return broadcast(shape, x).join() === x.join();
}

export const linear: NativeKernels = {
  BatchMatMul: batchMatMul,
  _FusedMatMul: fusedMatMul,
  GatherV2: gather,
  GatherNd: gatherNd,
  ScatterNd: scatterNd,
  OneHot: oneHot,
  FusedBatchNorm: batchNorm,
};
