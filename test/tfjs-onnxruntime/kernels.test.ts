/** Every mapped kernel, and its gradient where tfjs has one, against tfjs's cpu backend over random shapes. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { RandomStream, selectBackend, tf } from '@rollcast/core';
import { nativeKernels } from '@rollcast/tfjs-onnxruntime';

const TRIALS = 8;

type Numeric = 'float32' | 'int32' | 'bool';

interface Drawn {
  readonly shape: number[];
  readonly dtype: Numeric;
  readonly data: number[];
}

interface Case {
  readonly inputs: Drawn[];
  readonly run: (...tensors: tf.Tensor[]) => tf.Tensor | tf.Tensor[];
  /** Whether the gradient to the float inputs is compared too. @defaultValue true */
  readonly gradient?: boolean;
}

/** Random shapes and numbers, the same for both backends. */
class Draws {
  constructor(private readonly stream: RandomStream) {}

  integer(from: number, to: number): number {
    return from + this.stream.integer(to - from + 1);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.stream.integer(items.length)];
  }

  shape(minRank = 0, maxRank = 4): number[] {
    return Array.from({ length: this.integer(minRank, maxRank) }, () => this.integer(1, 5));
  }

  /** A shape that broadcasts with the given one. */
  fitting(shape: number[]): number[] {
    return shape.slice(this.integer(0, shape.length)).map((size) => (this.stream.uniform() < 0.3 ? 1 : size));
  }

  /** Numbers in an interval; every one differs from every integer, where many kernels have their corners. */
  floats(shape: number[], from = -3, to = 3): Drawn {
    const data = Array.from({ length: product(shape) }, () => {
      const x = from + (to - from) * this.stream.uniform();
      return Math.abs(x - Math.round(x)) < 0.01 ? x + 0.02 : x;
    });
    return { shape, dtype: 'float32', data };
  }

  integers(shape: number[], from = -9, to = 9): Drawn {
    return {
      shape,
      dtype: 'int32',
      data: Array.from({ length: product(shape) }, () => this.integer(from, to)),
    };
  }

  flags(shape: number[]): Drawn {
    return { shape, dtype: 'bool', data: Array.from({ length: product(shape) }, () => this.integer(0, 1)) };
  }
}

const product = (shape: number[]): number => shape.reduce((a, b) => a * b, 1);

type Unary = (x: tf.Tensor) => tf.Tensor;
type Binary = (a: tf.Tensor, b: tf.Tensor) => tf.Tensor;
type MakeCase = (draws: Draws) => Case;

const unary =
  (run: Unary, from = -3, to = 3): MakeCase =>
  (d) => ({ inputs: [d.floats(d.shape(), from, to)], run });

/** Of numbers, now and then of integers. */
const numericUnary =
  (run: Unary): MakeCase =>
  (d) =>
    d.integer(0, 2) === 0
      ? { inputs: [d.integers(d.shape())], run, gradient: false }
      : { inputs: [d.floats(d.shape())], run };

const binary =
  (run: Binary, from = -3, to = 3): MakeCase =>
  (d) => {
    const shape = d.shape();
    const shapes = d.integer(0, 1) ? [shape, d.fitting(shape)] : [d.fitting(shape), shape];
    return d.integer(0, 2) === 0
      ? {
          inputs: shapes.map((s) => d.integers(s, Math.ceil(from), Math.floor(to) * 3)),
          run,
          gradient: false,
        }
      : { inputs: shapes.map((s) => d.floats(s, from, to)), run };
  };

/** tfjs's own gradients of these do not sum over broadcasts, on any backend. */
const binaryOfOneShape =
  (run: Binary): MakeCase =>
  (d) => {
    const drawn = binary(run)(d);
    const [a, b] = drawn.inputs;
    return { ...drawn, gradient: a.shape.join() === b.shape.join() && a.dtype === 'float32' };
  };

const comparison =
  (run: Binary): MakeCase =>
  (d) => {
    const shape = d.shape();
    const dtype = d.pick(['float32', 'int32', 'bool']);
    const inputs = [shape, d.fitting(shape)].map((s) =>
      dtype === 'bool' ? d.flags(s) : { ...d.integers(s, -2, 2), dtype: dtype as Numeric },
    );
    return { inputs, run, gradient: false };
  };

const logical =
  (run: Binary): MakeCase =>
  (d) => {
    const shape = d.shape();
    return { inputs: [d.flags(shape), d.flags(d.fitting(shape))], run, gradient: false };
  };

const reduction =
  (
    run: (x: tf.Tensor, axes: number[], keepDims: boolean) => tf.Tensor,
    dtype: Numeric = 'float32',
  ): MakeCase =>
  (d) => {
    const shape = d.shape(1);
    const axes = shape.map((_, i) => i).filter(() => d.integer(0, 1) === 1);
    const keepDims = d.integer(0, 1) === 1;
    const chosen = axes.length > 0 ? axes : [d.integer(0, shape.length - 1)];
    return {
      inputs: [dtype === 'bool' ? d.flags(shape) : d.floats(shape)],
      run: (x) => run(x, chosen, keepDims),
      gradient: dtype === 'float32',
    };
  };

const matrices =
  (run: (a: tf.Tensor, b: tf.Tensor, transposeA: boolean, transposeB: boolean) => tf.Tensor): MakeCase =>
  (d) => {
    const batch = d.shape(0, 2);
    const [m, k, n] = [d.integer(1, 6), d.integer(1, 6), d.integer(1, 6)];
    const [transposeA, transposeB] = [d.integer(0, 1) === 1, d.integer(0, 1) === 1];
    return {
      inputs: [
        d.floats([...batch, ...(transposeA ? [k, m] : [m, k])]),
        d.floats([...batch, ...(transposeB ? [n, k] : [k, n])]),
      ],
      run: (a, b) => run(a, b, transposeA, transposeB),
    };
  };

const along =
  (run: (x: tf.Tensor, axis: number) => tf.Tensor | tf.Tensor[], gradient = true): MakeCase =>
  (d) => {
    const shape = d.shape(1);
    const axis = d.integer(0, shape.length - 1);
    return { inputs: [d.floats(shape)], run: (x) => run(x, axis), gradient };
  };

const CASES: Record<string, MakeCase> = {
  Abs: numericUnary(tf.abs),
  Acos: unary(tf.acos, -0.9, 0.9),
  Acosh: unary(tf.acosh, 1.1, 5),
  Asin: unary(tf.asin, -0.9, 0.9),
  Asinh: unary(tf.asinh),
  Atan: unary(tf.atan),
  Atanh: unary(tf.atanh, -0.9, 0.9),
  Ceil: unary(tf.ceil),
  ClipByValue: unary((x) => tf.clipByValue(x, -1.5, 0.5)),
  Cos: unary(tf.cos),
  Cosh: unary(tf.cosh),
  Elu: unary(tf.elu),
  Erf: unary(tf.erf),
  Exp: unary(tf.exp),
  Expm1: unary(tf.expm1),
  Floor: unary(tf.floor),
  IsFinite: (d) => ({ inputs: [d.floats(d.shape())], run: (x) => tf.isFinite(tf.log(x)), gradient: false }),
  IsInf: (d) => ({
    inputs: [d.floats(d.shape())],
    run: (x) => tf.isInf(tf.div(x, tf.relu(x))),
    gradient: false,
  }),
  IsNan: (d) => ({ inputs: [d.floats(d.shape())], run: (x) => tf.isNaN(tf.sqrt(x)), gradient: false }),
  LeakyRelu: unary((x) => tf.leakyRelu(x, 0.3)),
  Log: unary(tf.log, 0.1, 5),
  Log1p: unary(tf.log1p, -0.9, 5),
  LogicalNot: (d) => ({ inputs: [d.flags(d.shape())], run: tf.logicalNot, gradient: false }),
  Neg: numericUnary(tf.neg),
  Prelu: (d) => {
    const shape = d.shape(1);
    return { inputs: [d.floats(shape), d.floats(shape)], run: tf.prelu };
  },
  Reciprocal: unary(tf.reciprocal, 0.2, 3),
  Relu: numericUnary(tf.relu),
  Relu6: unary(tf.relu6, -3, 9),
  Round: unary(tf.round),
  Rsqrt: unary(tf.rsqrt, 0.2, 5),
  Selu: unary(tf.selu),
  Sigmoid: unary(tf.sigmoid),
  Sign: numericUnary(tf.sign),
  Sin: unary(tf.sin),
  Sinh: unary(tf.sinh),
  Softplus: unary(tf.softplus),
  Sqrt: unary(tf.sqrt, 0.1, 5),
  Square: numericUnary(tf.square),
  Step: unary((x) => tf.step(x, 0.3)),
  Tan: unary(tf.tan, -1, 1),
  Tanh: unary(tf.tanh),

  Add: binary(tf.add),
  Sub: binary(tf.sub),
  Multiply: binary(tf.mul),
  RealDiv: (d) => {
    const shape = d.shape();
    return { inputs: [d.floats(shape), d.floats(d.fitting(shape), 0.3, 3)], run: tf.div };
  },
  FloorDiv: (d) => {
    const shape = d.shape();
    const inputs = [d.integers(shape), d.integers(d.fitting(shape))]; // zeros among the divisors
    return { inputs, run: tf.floorDiv, gradient: false };
  },
  Mod: binary(tf.mod),
  Maximum: binaryOfOneShape(tf.maximum),
  Minimum: binaryOfOneShape(tf.minimum),
  Pow: (d) => {
    const shape = d.shape();
    return { inputs: [d.floats(shape, 0.2, 3), d.floats(d.fitting(shape))], run: tf.pow };
  },
  SquaredDifference: binaryOfOneShape(tf.squaredDifference),
  EluGrad: unary(tf.elu),
  AddN: (d) => {
    const shape = d.shape();
    const dtype = d.pick(['float32', 'int32']);
    const inputs = [0, 1, 2].map(() => (dtype === 'int32' ? d.integers(shape) : d.floats(shape)));
    return { inputs, run: (...tensors) => tf.addN(tensors), gradient: dtype === 'float32' };
  },
  Equal: comparison(tf.equal),
  NotEqual: comparison(tf.notEqual),
  Less: comparison(tf.less),
  LessEqual: comparison(tf.lessEqual),
  Greater: comparison(tf.greater),
  GreaterEqual: comparison(tf.greaterEqual),
  LogicalAnd: logical(tf.logicalAnd),
  LogicalOr: logical(tf.logicalOr),
  LogicalXor: logical(tf.logicalXor),
  Cast: (d) => {
    const shape = d.shape();
    const input = d.pick([d.floats(shape, -9, 9), d.integers(shape), d.flags(shape)]);
    const target = d.pick(['float32', 'int32', 'bool'] as const);
    return { inputs: [input], run: (x) => tf.cast(x, target), gradient: false };
  },
  Select: (d) => {
    const shape = d.shape(1);
    const inputs = [d.flags(shape), d.floats(shape), d.floats(shape)];
    return { inputs, run: (c, a, b) => tf.where(c, a, b) };
  },

  Identity: unary((x) => tf.clone(x)),
  Reshape: unary((x) => tf.reshape(x, [-1, 1, 1])),
  ExpandDims: along((x, axis) => tf.expandDims(x, axis)),
  Complex: (d) => {
    const shape = d.shape();
    return {
      inputs: [d.floats(shape), d.floats(shape)],
      run: (re, im) => tf.real(tf.mul(tf.complex(re, im), tf.complex(im, re))),
      gradient: false,
    };
  },
  Transpose: (d) => {
    const shape = d.shape(1);
    const perm = shape.map((_, i) => i).sort(() => d.integer(0, 1) - 0.5);
    return { inputs: [d.floats(shape)], run: (x) => tf.transpose(x, perm) };
  },
  Slice: (d) => {
    const shape = d.shape(1);
    const begin = shape.map((size) => d.integer(0, size - 1));
    const size = shape.map((dimension, i) => d.integer(1, dimension - begin[i]));
    return { inputs: [d.floats(shape)], run: (x) => tf.slice(x, begin, size) };
  },
  StridedSlice: (d) => {
    const shape = d.shape(1);
    const backwards = shape.map(() => d.integer(0, 1) === 1);
    const begin = shape.map((size, i) => (backwards[i] ? size - 1 : d.integer(0, size - 1)));
    const end = shape.map((size, i) => (backwards[i] ? -size - 1 : size));
    const strides = shape.map((_, i) => (backwards[i] ? -1 : 1) * d.integer(1, 2));
    return {
      inputs: [d.floats(shape)],
      run: (x) => tf.stridedSlice(x, begin, end, strides),
      gradient: false,
    };
  },
  Concat: (d) => {
    const shape = d.shape(1);
    const axis = d.integer(0, shape.length - 1);
    const inputs = [0, 1, 2].map(() =>
      d.floats(shape.map((size, i) => (i === axis ? d.integer(1, 4) : size))),
    );
    return { inputs, run: (...tensors) => tf.concat(tensors, axis) };
  },
  Pack: (d) => {
    const shape = d.shape(0, 3);
    const axis = d.integer(0, shape.length);
    return { inputs: [d.floats(shape), d.floats(shape)], run: (a, b) => tf.stack([a, b], axis) };
  },
  Unpack: along((x, axis) => tf.unstack(x, axis)),
  SplitV: (d) => {
    const shape = d.shape(0, 2);
    const [a, b] = [d.integer(1, 3), d.integer(1, 3)];
    return { inputs: [d.floats([a + b, ...shape])], run: (x) => tf.split(x, [a, b], 0) };
  },
  PadV2: (d) => {
    const shape = d.shape(1);
    const paddings = shape.map((): [number, number] => [d.integer(0, 2), d.integer(0, 2)]);
    return { inputs: [d.floats(shape)], run: (x) => tf.pad(x, paddings, 0.5) };
  },
  MirrorPad: (d) => ({
    inputs: [d.floats([d.integer(3, 5), d.integer(3, 5)])],
    run: (x) =>
      tf.mirrorPad(
        x,
        [
          [1, 2],
          [2, 0],
        ],
        'reflect',
      ),
    gradient: false,
  }),
  Tile: (d) => {
    const shape = d.shape(1);
    const reps = shape.map(() => d.integer(1, 3));
    return { inputs: [d.floats(shape)], run: (x) => tf.tile(x, reps) };
  },
  Reverse: along((x, axis) => tf.reverse(x, axis)),
  Fill: (d) => {
    const shape = d.shape();
    const value = d.integer(-5, 5);
    return { inputs: [], run: () => tf.fill(shape, value + 0.5) };
  },
  ZerosLike: numericUnary((x) => tf.zerosLike(x)),
  OnesLike: numericUnary((x) => tf.onesLike(x)),

  Sum: reduction((x, axes, keep) => tf.sum(x, axes, keep)),
  Mean: reduction((x, axes, keep) => tf.mean(x, axes, keep)),
  Prod: reduction((x, axes, keep) => tf.prod(x, axes, keep)),
  Max: reduction((x, axes, keep) => tf.max(x, axes, keep)),
  Min: reduction((x, axes, keep) => tf.min(x, axes, keep)),
  All: reduction((x, axes, keep) => tf.all(x, axes, keep), 'bool'),
  Any: reduction((x, axes, keep) => tf.any(x, axes, keep), 'bool'),
  ArgMax: along((x, axis) => tf.argMax(x, axis), false),
  ArgMin: along((x, axis) => tf.argMin(x, axis), false),
  Softmax: (d) => ({ inputs: [d.floats(d.shape(1))], run: (x) => tf.softmax(x) }),
  LogSoftmax: (d) => ({ inputs: [d.floats(d.shape(1))], run: (x) => tf.logSoftmax(x) }),
  Cumsum: (d) => {
    // wide rows, many of them, are summed in another way
    const shape = d.integer(0, 3) === 0 ? [d.integer(1, 3), d.integer(4, 12), d.integer(60, 70)] : d.shape(1);
    const axis = d.integer(0, shape.length - 1);
    const [exclusive, reverse] = [d.integer(0, 1) === 1, d.integer(0, 1) === 1];
    return {
      inputs: [d.floats(shape)],
      run: (x) => tf.cumsum(x, axis, exclusive, reverse),
      // tfjs permutes its gradient wrongly along other axes
      gradient: axis === shape.length - 1,
    };
  },
  TopK: (d) => {
    const size = d.integer(2, 6);
    const k = d.integer(1, size);
    return {
      inputs: [d.floats([...d.shape(0, 2), size])],
      run: (x) => {
        const { values, indices } = tf.topk(x, k);
        return [values, indices];
      },
      gradient: false,
    };
  },

  BatchMatMul: matrices((a, b, transposeA, transposeB) => tf.matMul(a, b, transposeA, transposeB)),
  _FusedMatMul: (d) => {
    const [m, k, n] = [d.integer(1, 6), d.integer(1, 6), d.integer(1, 6)];
    const activation = d.pick(['linear', 'relu', 'elu', 'relu6', 'sigmoid', 'leakyrelu'] as const);
    const inputs = [d.floats([m, k]), d.floats([k, n]), d.floats([n])];
    const run = (a: tf.Tensor, b: tf.Tensor, bias: tf.Tensor): tf.Tensor =>
      tf.fused.matMul({ a, b, transposeA: false, transposeB: false, bias, activation });
    // tfjs has the gradient of these activations only
    return {
      inputs,
      run,
      gradient: activation === 'linear' || activation === 'relu' || activation === 'relu6',
    };
  },
  GatherV2: (d) => {
    const shape = d.shape(1, 3);
    const axis = d.integer(0, shape.length - 1);
    const indices = d.integers(d.shape(1, 2), 0, shape[axis] - 1);
    return { inputs: [d.floats(shape), indices], run: (x, i) => tf.gather(x, i, axis) };
  },
  GatherNd: (d) => {
    const shape = [d.integer(1, 5), d.integer(1, 5), d.integer(1, 3)];
    const n = d.integer(1, 4);
    const pairs = Array.from({ length: n }, () => [d.integer(0, shape[0] - 1), d.integer(0, shape[1] - 1)]);
    return {
      inputs: [d.floats(shape), { shape: [n, 2], dtype: 'int32', data: pairs.flat() }],
      run: (x, i) => tf.gatherND(x, i),
      gradient: false,
    };
  },
  ScatterNd: (d) => {
    const [rows, width, n] = [d.integer(1, 4), d.integer(1, 3), d.integer(1, 6)];
    return {
      inputs: [d.integers([n, 1], 0, rows - 1), d.floats([n, width])],
      run: (i, updates) => tf.scatterND(i, updates, [rows, width]),
      gradient: false,
    };
  },
  OneHot: (d) => {
    const depth = d.integer(2, 6);
    const indices = d.integers(d.shape(0, 2), -2, depth + 1);
    const dtype = d.pick(['float32', 'int32'] as const);
    return { inputs: [indices], run: (i) => tf.oneHot(i, depth, 2, -1, dtype), gradient: false };
  },
  FusedBatchNorm: (d) => {
    const channels = d.integer(1, 4);
    const x = d.floats([2, d.integer(1, 3), d.integer(1, 3), channels]);
    const vector = (from: number, to: number): Drawn => d.floats([channels], from, to);
    return {
      inputs: [x, vector(-1, 1), vector(0.5, 2), vector(-1, 1), vector(0.5, 2)],
      run: (input, mean, variance, offset, scale) =>
        tf.batchNorm(
          input as tf.Tensor4D,
          mean as tf.Tensor1D,
          variance as tf.Tensor1D,
          offset as tf.Tensor1D,
          scale as tf.Tensor1D,
          1e-3,
        ),
    };
  },
  Standardise: (draws) => {
    const shape = [draws.integer(1, 5), draws.integer(2, 9)];
    const epsilon = draws.pick([1e-5, 1e-2]);
    return {
      inputs: [draws.floats(shape)],
      run: (x) => {
        const fused = ownKernel('Standardise', { x }, { epsilon });
        if (fused) return fused;
        const centred = tf.sub(x, tf.mean(x, -1, true));
        const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), epsilon));
        return [tf.mul(centred, inverse), inverse];
      },
      gradient: false, // who uses it writes it out
    };
  },
  TakeColumns: (draws) => {
    const [n, v] = [draws.integer(1, 5), draws.integer(1, 5)];
    return {
      inputs: [draws.floats([n, v]), draws.integers([n], 0, v - 1)],
      run: (x, columns) =>
        ownKernel('TakeColumns', { x, columns }) ??
        tf.gatherND(x, tf.stack([tf.range(0, n, 1, 'int32'), columns], 1)),
      gradient: false,
    };
  },
  WriteRow: (draws) => {
    const [b, h, s, d] = [1, 2, 3, 4].map(() => draws.integer(1, 4));
    const index = draws.integer(0, s - 1);
    return {
      inputs: [draws.floats([b, h, s, d]), draws.floats([b, h, 1, d])],
      run: (x, row) => {
        const fused = ownKernel('WriteRow', { x, row }, { index });
        if (fused) return fused;
        const rows = tf.split(x, s, 2);
        return tf.concat([...rows.slice(0, index), row, ...rows.slice(index + 1)], 2);
      },
      gradient: false,
    };
  },
};

/** The result of a kernel beyond tfjs's own, where the backend has it. */
function ownKernel(
  name: string,
  inputs: tf.NamedTensorMap,
  attributes: Record<string, number> = {},
): tf.Tensor | tf.Tensor[] | undefined {
  if (!tf.getKernel(name, tf.getBackend())) return undefined;
  return tf.engine().runKernel<tf.Tensor | tf.Tensor[]>(name, inputs, attributes);
}

interface Outcome {
  readonly shape: number[];
  readonly dtype: string;
  readonly data: number[];
}

function outcomes({ inputs, run, gradient = true }: Case): Outcome[] {
  return tf.tidy(() => {
    const tensors = inputs.map(({ data, shape, dtype }) => tf.tensor(data, shape, dtype));
    const list = (result: tf.Tensor | tf.Tensor[]): tf.Tensor[] =>
      Array.isArray(result) ? result : [result];
    const results = list(run(...tensors));
    const floats = inputs.flatMap(({ dtype }, i) => (dtype === 'float32' ? [i] : []));
    if (gradient && floats.length > 0) {
      const weigh = (part: tf.Tensor): tf.Tensor =>
        tf.sum(tf.mul(part, tf.cos(tf.reshape(tf.range(0, part.size), part.shape))));
      const loss = (...given: tf.Tensor[]): tf.Tensor => {
        const all = tensors.slice();
        floats.forEach((at, i) => (all[at] = given[i]));
        return tf.addN(list(run(...all)).map(weigh));
      };
      results.push(...tf.grads(loss)(floats.map((i) => tensors[i])));
    }
    return results.map((x) => ({ shape: x.shape, dtype: x.dtype, data: Array.from(x.dataSync()) }));
  });
}

beforeAll(() => selectBackend('onnx'));
afterAll(() => selectBackend('cpu'));

test('there is a case for every native kernel', () => {
  expect(Object.keys(CASES).sort()).toEqual(nativeKernels());
});

test.each(Object.keys(CASES))('%s and its gradient agree with the cpu backend', async (kernel) => {
  const cases = Array.from({ length: TRIALS }, (_, trial) =>
    CASES[kernel](new Draws(new RandomStream(trial, `test/kernels/${kernel}`))),
  );
  await selectBackend('cpu');
  const expected = cases.map(outcomes);
  await selectBackend('onnx');
  const before = tf.memory().numTensors;
  cases.forEach((drawn, trial) => {
    outcomes(drawn).forEach(({ shape, dtype, data }, i) => {
      const wanted = expected[trial][i];
      expect({ trial, shape, dtype }).toEqual({ trial, shape: wanted.shape, dtype: wanted.dtype });
      expect(data).toBeAllClose(wanted.data, { rtol: 2e-4, atol: 2e-5 });
    });
  });
  expect(tf.memory().numTensors).toBe(before);
});
