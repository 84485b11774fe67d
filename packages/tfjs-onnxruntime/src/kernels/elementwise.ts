/** Kernels that act on each element, and their broadcasts. */
import {
  backend_util,
  type CastAttrs,
  type ClipByValueAttrs,
  type LeakyReluAttrs,
  type StepAttrs,
} from '@tensorflow/tfjs-core';

import type { ElementType, Value } from '../graph.js';
import type { Recorder } from '../recorder.js';
import { promote, type KernelCall, type NativeKernel, type NativeKernels } from './kernel.js';

/** One ONNX operator for float32; other types go to the cpu kernel. */
const float = (operator: string): NativeKernel => floatKernel((graph, x) => graph.unary(operator, x));

function floatKernel(record: (graph: Recorder, x: Value, call: KernelCall) => Value): NativeKernel {
  return (call) =>
    call.info('x').dtype === 'float32' ? record(call.graph, call.value('x'), call) : undefined;
}

/** One ONNX operator for float32 and int32. */
const numeric =
  (operator: string): NativeKernel =>
  (call) =>
    call.info('x').dtype === 'bool' ? undefined : call.graph.unary(operator, call.value('x'));

/** Both operands in their common type; undefined for booleans, whose arithmetic is the cpu kernel's business. */
function operands(call: KernelCall): { a: Value; b: Value; type: ElementType } | undefined {
  const type = promote(call.info('a').dtype as ElementType, call.info('b').dtype as ElementType);
  if (type === 'bool') return undefined;
  const { graph } = call;
  return { a: graph.cast(call.value('a'), type), b: graph.cast(call.value('b'), type), type };
}

const arithmetic =
  (operator: string): NativeKernel =>
  (call) => {
    const pair = operands(call);
    return pair && call.graph.binary(operator, pair.a, pair.b);
  };

const comparison =
  (operator: string): NativeKernel =>
  (call) => {
    const { graph } = call;
    const common = promote(call.info('a').dtype as ElementType, call.info('b').dtype as ElementType);
    const type = common === 'bool' ? 'int32' : common;
    return graph.binary(
      operator,
      graph.cast(call.value('a'), type),
      graph.cast(call.value('b'), type),
      'bool',
    );
  };

const notEqual: NativeKernel = (call) => {
  const equal = comparison('Equal')(call) as Value;
  return call.graph.unary('Not', equal);
};

const logical =
  (operator: string): NativeKernel =>
  (call) => {
    const { graph } = call;
    return graph.binary(operator, toBool(graph, call.value('a')), toBool(graph, call.value('b')), 'bool');
  };

/** What differs from zero is true, NaN too. */
function toBool(graph: Recorder, x: Value): Value {
  if (x.type === 'bool') return x;
  return graph.unary('Not', graph.binary('Equal', x, graph.scalar(x.type, 0), 'bool'));
}

/** Float to integer as JavaScript does it: NaN becomes 0. */
function toInt32(graph: Recorder, x: Value): Value {
  if (x.type !== 'float32' && x.type !== 'float64') return graph.cast(x, 'int32');
  if (x.twin?.type === 'int32') return x.twin;
  const finite = graph.where(graph.unary('IsNaN', x, {}, 'bool'), graph.scalar(x.type, 0), x);
  return graph.cast(finite, 'int32');
}

/** Integer division and remainder go through float64, which holds every int32; division by zero would end the process. */
function viaDouble(
  call: KernelCall,
  record: (graph: Recorder, a: Value, b: Value, zero: Value) => Value,
): Value | undefined {
  const pair = operands(call);
  if (!pair) return undefined;
  const { graph } = call;
  if (pair.type === 'float32') return record(graph, pair.a, pair.b, graph.scalar('float32', 0));
  const a = graph.cast(pair.a, 'float64');
  const b = graph.cast(pair.b, 'float64');
  const zero = graph.scalar('float64', 0);
  const result = record(graph, a, b, zero);
  // JavaScript turns the infinities of a division by zero into 0
  const valid = graph.where(graph.binary('Equal', b, zero, 'bool'), zero, result);
  return toInt32(graph, valid);
}

const floorDiv: NativeKernel = (call) =>
  viaDouble(call, (graph, a, b) => graph.unary('Floor', graph.binary('Div', a, b)));

/** The remainder with the sign of the divisor. */
const mod: NativeKernel = (call) =>
  viaDouble(call, (graph, a, b, zero) => {
    const remainder = graph.binary('Mod', a, b, a.type, { fmod: 1 });
    const sameSign = graph.binary(
      'Equal',
      graph.binary('Less', a, zero, 'bool'),
      graph.binary('Less', b, zero, 'bool'),
      'bool',
    );
    const wrapped = graph.binary('Mod', graph.binary('Add', remainder, b), b, a.type, { fmod: 1 });
    return graph.where(sameSign, remainder, wrapped);
  });

const realDiv: NativeKernel = (call) => {
  const pair = operands(call);
  return pair?.type === 'float32' ? call.graph.binary('Div', pair.a, pair.b) : undefined;
};

const cast: NativeKernel = (call) => {
  const { graph } = call;
  const { dtype } = call.attrs<CastAttrs>();
  const x = call.value('x');
  if (dtype === 'bool') return toBool(graph, x);
  if (dtype === 'int32') return toInt32(graph, x);
  return dtype === 'float32' ? graph.cast(x, dtype) : undefined;
};

const select: NativeKernel = (call) => {
  const { graph } = call;
  const type = promote(call.info('t').dtype as ElementType, call.info('e').dtype as ElementType);
  const t = graph.cast(call.value('t'), type);
  const e = graph.cast(call.value('e'), type);
  let condition = toBool(graph, call.value('condition'));
  const rank = condition.shape.length;
  if (rank === 1 && t.shape.length > 1) {
    // one condition a row
    condition = graph.reshape(condition, [condition.shape[0], ...t.shape.slice(1).map(() => 1)]);
  } else if (condition.shape.join() !== t.shape.join()) {
    return undefined;
  }
  // not every build has Where for booleans
  if (type !== 'bool') return graph.where(condition, t, e);
  const chosen = graph.where(condition, graph.cast(t, 'int32'), graph.cast(e, 'int32'));
  return graph.cast(chosen, 'bool');
};

const prelu: NativeKernel = (call) => {
  const { graph } = call;
  const x = call.value('x');
  const alpha = call.value('alpha');
  if (x.type !== 'float32' || alpha.type !== 'float32') return undefined;
  return leaky(graph, x, graph.binary('Mul', x, alpha));
};

/** x where it is not negative, else the other. */
function leaky(graph: Recorder, x: Value, negative: Value): Value {
  return graph.where(graph.binary('Less', x, graph.scalar('float32', 0), 'bool'), negative, x);
}

const addN: NativeKernel = (call) => {
  const { graph } = call;
  const infos = call.infos();
  if (infos.some(({ dtype }) => dtype !== infos[0].dtype || dtype === 'bool')) return undefined;
  const values = infos.map((info) => call.toValue(info));
  if (values[0].type === 'float32' && values.length > 1) return graph.op('Sum', values, values[0]);
  return values.reduce((sum, value) => graph.binary('Add', sum, value));
};

const one = (graph: Recorder): Value => graph.scalar('float32', 1);

export const elementwise: NativeKernels = {
  Abs: numeric('Abs'),
  Acos: float('Acos'),
  Acosh: float('Acosh'),
  Asin: float('Asin'),
  Asinh: float('Asinh'),
  Atan: float('Atan'),
  Atanh: float('Atanh'),
  Ceil: float('Ceil'),
  Cos: float('Cos'),
  Cosh: float('Cosh'),
  Elu: float('Elu'),
  Erf: float('Erf'),
  Exp: float('Exp'),
  // eˣ − 1 = tanh(x/2) (eˣ + 1) keeps its digits near 0
  Expm1: floatKernel((graph, x) =>
    graph.binary(
      'Mul',
      graph.unary('Tanh', graph.binary('Mul', x, graph.scalar('float32', 0.5))),
      graph.binary('Add', graph.unary('Exp', x), one(graph)),
    ),
  ),
  Floor: float('Floor'),
  IsFinite: floatKernel((graph, x) =>
    graph.unary(
      'Not',
      graph.binary('Or', graph.unary('IsNaN', x, {}, 'bool'), graph.unary('IsInf', x, {}, 'bool'), 'bool'),
    ),
  ),
  IsInf: floatKernel((graph, x) => graph.unary('IsInf', x, {}, 'bool')),
  IsNan: floatKernel((graph, x) => graph.unary('IsNaN', x, {}, 'bool')),
  LeakyRelu: floatKernel((graph, x, call) => {
    const { alpha } = call.attrs<LeakyReluAttrs>();
    return leaky(graph, x, graph.binary('Mul', x, graph.scalar('float32', alpha)));
  }),
  Log: float('Log'),
  // log(1 + x) = 2 artanh(x / (2 + x)) keeps its digits near 0
  Log1p: floatKernel((graph, x) => {
    const small = graph.binary('Less', graph.unary('Abs', x), graph.scalar('float32', 0.5), 'bool');
    const two = graph.scalar('float32', 2);
    const near = graph.unary('Atanh', graph.binary('Div', x, graph.binary('Add', x, two)));
    const far = graph.unary('Log', graph.binary('Add', x, one(graph)));
    return graph.where(small, graph.binary('Mul', near, two), far);
  }),
  LogicalNot: (call) => call.graph.unary('Not', toBool(call.graph, call.value('x'))),
  Neg: numeric('Neg'),
  Prelu: prelu,
  Reciprocal: float('Reciprocal'),
  Relu: (call) => {
    const { graph } = call;
    const x = call.value('x');
    return x.type === 'bool' ? undefined : graph.binary('Max', x, graph.scalar(x.type, 0));
  },
  Relu6: floatKernel((graph, x) =>
    graph.op('Min', [graph.binary('Max', x, graph.scalar('float32', 0)), graph.scalar('float32', 6)], x),
  ),
  Round: float('Round'),
  Rsqrt: floatKernel((graph, x) => graph.unary('Reciprocal', graph.unary('Sqrt', x))),
  Selu: floatKernel((graph, x) =>
    graph.unary('Selu', x, {
      alpha: { float: backend_util.SELU_SCALEALPHA / backend_util.SELU_SCALE },
      gamma: { float: backend_util.SELU_SCALE },
    }),
  ),
  Sigmoid: float('Sigmoid'),
  Sign: (call) => {
    const { graph } = call;
    const x = call.value('x');
    if (x.type !== 'float32') return numeric('Sign')(call);
    // tfjs gives NaN the sign 0
    return graph.where(
      graph.unary('IsNaN', x, {}, 'bool'),
      graph.scalar('float32', 0),
      graph.unary('Sign', x),
    );
  },
  Sin: float('Sin'),
  Sinh: float('Sinh'),
  Softplus: float('Softplus'),
  Sqrt: float('Sqrt'),
  Square: (call) => {
    const x = call.value('x');
    return x.type === 'bool' ? undefined : call.graph.binary('Mul', x, x);
  },
  Step: floatKernel((graph, x, call) => {
    const { alpha } = call.attrs<StepAttrs>();
    const positive = graph.binary('Greater', x, graph.scalar('float32', 0), 'bool');
    const steps = graph.where(positive, one(graph), graph.scalar('float32', alpha));
    return graph.where(graph.unary('IsNaN', x, {}, 'bool'), x, steps);
  }),
  Tan: float('Tan'),
  Tanh: float('Tanh'),
  ClipByValue: floatKernel((graph, x, call) => {
    const { clipValueMin, clipValueMax } = call.attrs<ClipByValueAttrs>();
    const low = graph.scalar('float32', clipValueMin);
    return graph.op('Clip', [x, low, graph.scalar('float32', clipValueMax)], x);
  }),

  Add: arithmetic('Add'),
  Sub: arithmetic('Sub'),
  Multiply: arithmetic('Mul'),
  RealDiv: realDiv,
  FloorDiv: floorDiv,
  Mod: mod,
  Maximum: arithmetic('Max'),
  Minimum: arithmetic('Min'),
  Pow: arithmetic('Pow'),
  SquaredDifference: (call) => {
    const pair = operands(call);
    if (!pair) return undefined;
    const difference = call.graph.binary('Sub', pair.a, pair.b);
    return call.graph.binary('Mul', difference, difference);
  },
  EluGrad: (call) => {
    const { graph } = call;
    const dy = call.value('dy');
    const y = call.value('y');
    if (dy.type !== 'float32' || y.type !== 'float32') return undefined;
    const negative = graph.binary('Mul', dy, graph.binary('Add', y, one(graph)));
    return graph.where(graph.binary('GreaterOrEqual', y, graph.scalar('float32', 0), 'bool'), dy, negative);
  },
  AddN: addN,

  Equal: comparison('Equal'),
  NotEqual: notEqual,
  Less: comparison('Less'),
  LessEqual: comparison('LessOrEqual'),
  Greater: comparison('Greater'),
  GreaterEqual: comparison('GreaterOrEqual'),
  LogicalAnd: logical('And'),
  LogicalOr: logical('Or'),
  LogicalXor: logical('Xor'),

  Cast: cast,
  Select: select,
};
