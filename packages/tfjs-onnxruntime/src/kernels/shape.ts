/** Kernels that move elements without changing them, and those that make tensors from nothing. */
import {
  slice_util,
  util,
  type ConcatAttrs,
  type FillAttrs,
  type MirrorPadAttrs,
  type PackAttrs,
  type PadV2Attrs,
  type ReverseAttrs,
  type SliceAttrs,
  type SplitVAttrs,
  type StridedSliceAttrs,
  type TileAttrs,
  type TransposeAttrs,
  type UnpackAttrs,
  backend_util,
} from '@tensorflow/tfjs-core';

import { sizeOf, type ElementType, type Value } from '../graph.js';
import type { Recorder } from '../recorder.js';
import type { NativeKernel, NativeKernels } from './kernel.js';

/** ONNX reads a negative end as counted from the back; this one is before the first element. */
const BEFORE_FIRST = -0x7fffffff;

const slice: NativeKernel = (call) => {
  const x = call.value('x');
  const { begin, size } = call.attrs<SliceAttrs>();
  const info = call.info('x');
  const [starts, sizes] = slice_util.parseSliceParams(info, begin, size);
  slice_util.assertParamsValid(info, starts, sizes);
  if (sizeOf(sizes) === 0) return undefined;
  return call.graph.slice(x, starts, sizes);
};

const stridedSlice: NativeKernel = (call) => {
  const { graph } = call;
  const a = call.attrs<StridedSliceAttrs>();
  const x = call.value('x');
  const info = slice_util.sliceInfo(
    x.shape as number[],
    a.begin,
    a.end,
    a.strides,
    a.beginMask,
    a.endMask,
    a.ellipsisMask,
    a.newAxisMask,
    a.shrinkAxisMask,
  );
  if (sizeOf(info.finalShape) === 0) return undefined;
  if (info.isIdentity) return graph.reshape(x, info.finalShape);
  const { begin, strides } = info;
  const shape = slice_util.computeOutShape(begin, info.end, strides);
  // forwards first, then reversed: WebGPU gives wrong numbers for a negative step from elsewhere than the end
  const backwards = strides.flatMap((stride, axis) => (stride < 0 ? [axis] : []));
  const starts = begin.map((first, i) => (strides[i] < 0 ? first + (shape[i] - 1) * strides[i] : first));
  const ends = info.end.map((end, i) => (strides[i] < 0 ? begin[i] + 1 : end));
  const axes = begin.map((_, i) => i);
  const sliced = graph.op(
    'Slice',
    [
      x,
      graph.indices(starts),
      graph.indices(ends),
      graph.indices(axes),
      graph.indices(strides.map(Math.abs)),
    ],
    { type: x.type, shape },
  );
  return graph.reshape(reversed(graph, sliced, backwards), info.finalShape);
};

/** Elements in reverse order along some axes. */
function reversed(graph: Recorder, x: Value, axes: readonly number[]): Value {
  if (axes.length === 0) return x;
  const all = (value: number): Value => graph.indices(axes.map(() => value));
  return graph.op('Slice', [x, all(-1), all(BEFORE_FIRST), graph.indices(axes), all(-1)], {
    type: x.type,
    shape: x.shape,
  });
}

const concat: NativeKernel = (call) => {
  const { graph } = call;
  const infos = call.infos();
  const axis = util.parseAxisParam(call.attrs<ConcatAttrs>().axis, infos[0].shape)[0];
  backend_util.assertParamsConsistent(
    infos.map(({ shape }) => shape),
    axis,
  );
  const values = infos.filter(({ shape }) => sizeOf(shape) > 0).map((info) => call.toValue(info));
  if (values.length === 0 || values.some(({ type }) => type !== infos[0].dtype)) return undefined;
  return graph.concat(values, axis);
};

const pack: NativeKernel = (call) => {
  const { graph } = call;
  const infos = call.infos();
  const { shape } = infos[0];
  if (infos.some((info) => info.dtype !== infos[0].dtype || info.shape.join() !== shape.join()))
    return undefined;
  const { axis } = call.attrs<PackAttrs>();
  const at = axis < 0 ? axis + shape.length + 1 : axis;
  const expanded = [...shape.slice(0, at), 1, ...shape.slice(at)];
  return graph.concat(
    infos.map((info) => call.toValue({ ...info, shape: expanded })),
    at,
  );
};

function split(graph: Recorder, x: Value, sizes: readonly number[], axis: number): Value[] {
  if (sizes.length === 1) return [x];
  if (sizes.length > graph.mostSplitOutputs) {
    let start = 0;
    return sizes.map((size) => {
      const begin = x.shape.map((_, i) => (i === axis ? start : 0));
      start += size;
      return graph.slice(
        x,
        begin,
        x.shape.map((dimension, i) => (i === axis ? size : dimension)),
      );
    });
  }
  const outputs = sizes.map((size) => ({
    type: x.type,
    shape: x.shape.map((dimension, i) => (i === axis ? size : dimension)),
  }));
  return graph.multi('Split', [x, graph.indices(sizes)], outputs, { attributes: { axis } });
}

const unpack: NativeKernel = (call) => {
  const x = call.value('value');
  const rank = x.shape.length;
  const { axis } = call.attrs<UnpackAttrs>();
  const at = axis < 0 ? axis + rank : axis;
  const shape = x.shape.filter((_, i) => i !== at);
  const rows = split(call.graph, x, new Array<number>(x.shape[at]).fill(1), at);
  return rows.map((row) => call.graph.reshape(row, shape));
};

const splitV: NativeKernel = (call) => {
  const x = call.value('x');
  const { numOrSizeSplits, axis } = call.attrs<SplitVAttrs>();
  const at = util.parseAxisParam(axis, x.shape as number[])[0];
  const sizes = backend_util.prepareSplitSize(x as never, numOrSizeSplits, at);
  return sizes.some((size) => size === 0) ? undefined : split(call.graph, x, sizes, at);
};

const pad: NativeKernel = (call) => {
  const { graph } = call;
  const x = call.value('x');
  const { paddings, constantValue } = call.attrs<PadV2Attrs>();
  if (x.type === 'bool') return undefined;
  const pads = [...paddings.map(([before]) => before), ...paddings.map(([, after]) => after)];
  const shape = x.shape.map((dimension, i) => paddings[i][0] + dimension + paddings[i][1]);
  return graph.op('Pad', [x, graph.indices(pads), graph.scalar(x.type, constantValue)], {
    type: x.type,
    shape,
  });
};

const mirrorPad: NativeKernel = (call) => {
  const { graph } = call;
  const x = call.value('x');
  const { paddings, mode } = call.attrs<MirrorPadAttrs>();
  if (mode !== 'reflect' || x.type === 'bool') return undefined;
  const pads = [...paddings.map(([before]) => before), ...paddings.map(([, after]) => after)];
  const shape = x.shape.map((dimension, i) => paddings[i][0] + dimension + paddings[i][1]);
  return graph.op('Pad', [x, graph.indices(pads)], { type: x.type, shape }, { attributes: { mode } });
};

const tile: NativeKernel = (call) => {
  const { graph } = call;
  const x = call.value('x');
  const { reps } = call.attrs<TileAttrs>();
  const shape = x.shape.map((dimension, i) => dimension * reps[i]);
  if (sizeOf(shape) === 0) return undefined;
  // where every repeated axis has one element, a broadcast does it
  if (reps.every((rep, i) => rep === 1 || x.shape[i] === 1)) return graph.expand(x, shape);
  return graph.op('Tile', [x, graph.indices(reps)], { type: x.type, shape });
};

const reverse: NativeKernel = (call) => {
  const x = call.value('x');
  const { dims } = call.attrs<ReverseAttrs>();
  return x.shape.length === 0 ? x : reversed(call.graph, x, util.parseAxisParam(dims, x.shape as number[]));
};

const fill: NativeKernel = (call) => {
  const { shape, value, dtype } = call.attrs<FillAttrs>();
  const type = dtype ?? util.inferDtype(value);
  if (sizeOf(shape) === 0 || (type !== 'float32' && type !== 'int32')) return undefined;
  return call.graph.expand(call.variableScalar(type, value as number), shape);
};

const filled =
  (value: number): NativeKernel =>
  (call) => {
    const { dtype, shape } = call.info('x');
    return call.graph.expand(call.graph.scalar(dtype as ElementType, value), shape);
  };

export const shapes: NativeKernels = {
  Transpose: (call) => call.graph.transpose(call.value('x'), call.attrs<TransposeAttrs>().perm),
  Slice: slice,
  StridedSlice: stridedSlice,
  Concat: concat,
  Pack: pack,
  Unpack: unpack,
  SplitV: splitV,
  PadV2: pad,
  MirrorPad: mirrorPad,
  Tile: tile,
  Reverse: reverse,
  Fill: fill,
  ZerosLike: filled(0),
  OnesLike: filled(1),
};
