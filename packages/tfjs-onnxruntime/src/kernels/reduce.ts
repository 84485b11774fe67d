/** Kernels that bring many elements down to one, and those that normalise along an axis. */
import type {
  ArgMaxAttrs,
  CumsumAttrs,
  LogSoftmaxAttrs,
  MaxAttrs,
  SoftmaxAttrs,
  SumAttrs,
  TopKAttrs,
} from '@tensorflow/tfjs-core';

import { sizeOf, type ElementType, type Value } from '../graph.js';
import type { Recorder } from '../recorder.js';
import { parseAxes, type KernelCall, type NativeKernel, type NativeKernels } from './kernel.js';

function reduce(
  graph: Recorder,
  operator: string,
  x: Value,
  axis: number | number[],
  keepDims: boolean,
): Value {
  const axes = parseAxes(axis, x.shape);
  const shape = keepDims
    ? x.shape.map((dimension, i) => (axes.includes(i) ? 1 : dimension))
    : x.shape.filter((_, i) => !axes.includes(i));
  // no axis at all would mean all of them to ONNX
  if (axes.length === 0) return graph.reshape(x, shape);
  return graph.op(
    operator,
    [x, graph.indices(axes)],
    { type: x.type, shape },
    { attributes: { keepdims: keepDims ? 1 : 0 } },
  );
}

/** In the given type, or in the input's own. */
const reduction =
  (operator: string, type?: ElementType): NativeKernel =>
  (call) => {
    const x = call.value('x');
    const { axis, keepDims } = call.attrs<SumAttrs>();
    const own = x.type === 'bool' ? 'int32' : x.type;
    return reduce(call.graph, operator, call.graph.cast(x, type ?? own), axis, keepDims);
  };

const extremum =
  (operator: string, axisOf: (call: KernelCall) => number | number[]): NativeKernel =>
  (call) => {
    const x = call.value('x');
    if (x.type === 'bool') return undefined;
    const { graph } = call;
    const over = (values: Value, by = operator): Value =>
      reduce(graph, by, values, axisOf(call), call.attrs<SumAttrs>().keepDims);
    if (x.type !== 'float32') return over(x);
    // ONNX Runtime drops NaN, tfjs hands it on
    const anyNaN = over(graph.cast(graph.unary('IsNaN', x, {}, 'bool'), 'int32'), 'ReduceMax');
    return graph.where(graph.cast(anyNaN, 'bool'), graph.scalar('float32', NaN), over(x));
  };

/** Of booleans, as a minimum or maximum of integers. */
const quantifier =
  (operator: string): NativeKernel =>
  (call) => {
    const { graph } = call;
    const { axis, keepDims } = call.attrs<SumAttrs>();
    return graph.cast(reduce(graph, operator, graph.cast(call.value('x'), 'int32'), axis, keepDims), 'bool');
  };

/** NaN never wins, except where there is nothing else. */
const argument =
  (operator: string, loser: number): NativeKernel =>
  (call) => {
    const { graph } = call;
    const x = call.value('x');
    if (x.type === 'bool') return undefined;
    const [axis] = parseAxes(call.attrs<ArgMaxAttrs>().axis, x.shape);
    if (axis === undefined) return undefined;
    const shape = x.shape.filter((_, i) => i !== axis);
    const candidates =
      x.type === 'float32'
        ? graph.where(graph.unary('IsNaN', x, {}, 'bool'), graph.scalar('float32', loser), x)
        : x;
    const index = graph.op(
      operator,
      [candidates],
      { type: 'int64', shape },
      { attributes: { axis, keepdims: 0 } },
    );
    return graph.cast(index, 'int32');
  };

const normalised =
  (operator: string, axisOf: (call: KernelCall) => number): NativeKernel =>
  (call) => {
    const x = call.value('logits');
    if (x.type !== 'float32' || x.shape.length === 0) return undefined;
    const axis = axisOf(call);
    return call.graph.unary(operator, x, { axis: axis < 0 ? axis + x.shape.length : axis });
  };

/**
 * Sums along the rows of a matrix go one number at a time; down its columns ONNX Runtime takes many columns at once, which is
 * worth turning the matrix twice from so many columns and rows on (32 × 256: 26 µs along the rows, 2 µs down the columns).
 */
const WIDE_CUMSUM = 64;
const FEW_ROWS = 8;

const cumsum: NativeKernel = (call) => {
  const { graph } = call;
  const x = call.value('x');
  const { axis, exclusive, reverse } = call.attrs<CumsumAttrs>();
  if (x.shape.length === 0) return undefined;
  const [at] = parseAxes(axis, x.shape);
  const attributes = { exclusive: exclusive ? 1 : 0, reverse: reverse ? 1 : 0 };
  const numbers = x.type === 'bool' ? graph.cast(x, 'int32') : x;
  const along = (value: Value, axis: number): Value =>
    graph.op('CumSum', [value, graph.scalar('int64', axis)], value, { attributes });
  const rank = x.shape.length;
  const rows = sizeOf(x.shape) / x.shape[at];
  if (at < rank - 1 || x.shape[at] < WIDE_CUMSUM || rows < FEW_ROWS) return along(numbers, at);
  const axes = x.shape.map((_, i) => i);
  const turned = graph.transpose(numbers, [at, ...axes.slice(0, -1)]);
  return graph.transpose(along(turned, 0), [...axes.slice(1), 0]);
};

const topK: NativeKernel = (call) => {
  const { graph } = call;
  const x = call.value('x');
  const { k } = call.attrs<TopKAttrs>();
  if (x.type === 'bool' || k === 0) return undefined;
  const shape = [...x.shape.slice(0, -1), k];
  const [values, indices] = graph.multi(
    'TopK',
    [x, graph.indices([k])],
    [
      { type: x.type, shape },
      { type: 'int64', shape },
    ],
  );
  return [values, graph.cast(indices, 'int32')];
};

export const reductions: NativeKernels = {
  Sum: reduction('ReduceSum'),
  Mean: reduction('ReduceMean', 'float32'),
  Prod: reduction('ReduceProd'),
  Max: extremum('ReduceMax', (call) => call.attrs<MaxAttrs>().reductionIndices),
  Min: extremum('ReduceMin', (call) => call.attrs<SumAttrs>().axis),
  All: quantifier('ReduceMin'),
  Any: quantifier('ReduceMax'),
  ArgMax: argument('ArgMax', -Infinity),
  ArgMin: argument('ArgMin', Infinity),
  Softmax: normalised('Softmax', (call) => call.attrs<SoftmaxAttrs>().dim),
  LogSoftmax: normalised('LogSoftmax', (call) => call.attrs<LogSoftmaxAttrs>().axis),
  Cumsum: cumsum,
  TopK: topK,
};
