import {
  sameShape,
  type Attribute,
  type Attributes,
  type Constant,
  type ConstantArray,
  type ElementType,
  type GraphNode,
  type HostArray,
  type Value,
} from './graph.js';

/** What `op` needs to know of each output. */
export interface OutputSpec {
  readonly type: ElementType;
  readonly shape: readonly number[];
}

export interface OpOptions {
  readonly attributes?: Attributes;
  readonly domain?: string;
}

/** Appends nodes to the graph that has not run yet. */
export class Recorder {
  nodes: GraphNode[] = [];
  /** The tfjs kernel being recorded; nodes remember it for error messages. */
  kernel = '';
  private readonly signatures = new Map<string, number>();
  private constants = new Map<string, Value>();

  /** @param mostSplitOutputs - parts that one node may take a tensor apart into */
  constructor(readonly mostSplitOutputs = Infinity) {}

  /** One node with one output. */
  op(
    operator: string,
    inputs: readonly (Value | undefined)[],
    output: OutputSpec,
    options: OpOptions = {},
  ): Value {
    return this.multi(operator, inputs, [output], options)[0];
  }

  /** One node with several outputs. */
  multi(
    operator: string,
    inputs: readonly (Value | undefined)[],
    outputs: readonly OutputSpec[],
    { attributes = {}, domain = '' }: OpOptions = {},
  ): Value[] {
    const node: GraphNode = {
      operator,
      domain,
      inputs,
      attributes,
      outputs: [],
      kernel: this.kernel,
      signature: this.signature(operator, domain, attributes, outputs),
    };
    for (const { type, shape } of outputs) node.outputs.push({ type, shape, node });
    this.nodes.push(node);
    return node.outputs;
  }

  input(type: ElementType, shape: readonly number[], source: HostArray): Value {
    return { type, shape, source };
  }

  /** A constant that belongs to the structure of the graph: axes, shapes, bounds that a kernel was given as attributes. */
  constant(type: ElementType, shape: readonly number[], data: ConstantArray): Value {
    const key = `${type}[${shape.join()}]${data.join()}`;
    const known = this.constants.get(key);
    if (known) return known;
    const constant: Constant = { data, key };
    const value: Value = { type, shape, constant };
    this.constants.set(key, value);
    return value;
  }

  /** A constant vector of indices. */
  indices(values: readonly number[]): Value {
    return this.constant('int64', [values.length], BigInt64Array.from(values, BigInt));
  }

  scalar(type: ElementType, value: number): Value {
    return this.constant(type, [], arrayOf(type, value));
  }

  reshape(value: Value, shape: readonly number[]): Value {
    if (sameShape(value.shape, shape)) return value;
    value.reshaped ??= new Map();
    const key = shape.join();
    let result = value.reshaped.get(key);
    if (!result) {
      result = this.op('Reshape', [value, this.indices(shape)], { type: value.type, shape });
      value.reshaped.set(key, result);
    }
    return result;
  }

  cast(value: Value, type: ElementType): Value {
    if (value.type === type) return value;
    if (value.twin?.type === type) return value.twin;
    const source = value.node?.operator === 'Cast' ? value.node.inputs[0]! : undefined;
    if (source && source.type === type && isWidening(type, value.type)) return source;
    return this.op('Cast', [value], { type, shape: value.shape }, { attributes: { to: TYPE_NUMBERS[type] } });
  }

  transpose(value: Value, perm: readonly number[]): Value {
    if (perm.every((axis, i) => axis === i)) return value;
    const shape = perm.map((axis) => value.shape[axis]);
    return this.op('Transpose', [value], { type: value.type, shape }, { attributes: { perm } });
  }

  /** Elementwise on one value. */
  unary(operator: string, x: Value, attributes: Attributes = {}, type: ElementType = x.type): Value {
    return this.op(operator, [x], { type, shape: x.shape }, { attributes });
  }

  /** Elementwise on two values, broadcast. */
  binary(
    operator: string,
    a: Value,
    b: Value,
    type: ElementType = a.type,
    attributes: Attributes = {},
  ): Value {
    return this.op(operator, [a, b], { type, shape: broadcast(a.shape, b.shape) }, { attributes });
  }

  where(condition: Value, a: Value, b: Value): Value {
    const shape = broadcast(condition.shape, broadcast(a.shape, b.shape));
    return this.op('Where', [condition, a, b], { type: a.type, shape });
  }

  expand(value: Value, shape: readonly number[]): Value {
    if (sameShape(value.shape, shape)) return value;
    return this.op('Expand', [value, this.indices(shape)], { type: value.type, shape });
  }

  concat(values: readonly Value[], axis: number): Value {
    if (values.length === 1) return values[0];
    const shape = [...values[0].shape];
    shape[axis] = values.reduce((sum, value) => sum + value.shape[axis], 0);
    return this.op('Concat', values, { type: values[0].type, shape }, { attributes: { axis } });
  }

  slice(value: Value, begin: readonly number[], size: readonly number[]): Value {
    const axes = begin.map((_, i) => i).filter((i) => begin[i] !== 0 || size[i] !== value.shape[i]);
    if (axes.length === 0) return value;
    const starts = this.indices(axes.map((i) => begin[i]));
    const ends = this.indices(axes.map((i) => begin[i] + size[i]));
    return this.op('Slice', [value, starts, ends, this.indices(axes)], { type: value.type, shape: size });
  }

  /** Forgets the recorded nodes. */
  clear(): void {
    this.nodes = [];
    this.constants = new Map();
  }

  private signature(
    operator: string,
    domain: string,
    attributes: Attributes,
    outputs: readonly OutputSpec[],
  ): number {
    let key = `${domain}:${operator}`;
    for (const name in attributes) key += `|${name}=${attributeKey(attributes[name])}`;
    for (const { type } of outputs) key += `>${type}`;
    let number = this.signatures.get(key);
    if (number === undefined) this.signatures.set(key, (number = this.signatures.size));
    return number;
  }
}

/** TensorProto.DataType, as Cast wants it */
const TYPE_NUMBERS: Record<ElementType, number> = { float32: 1, int32: 6, int64: 7, bool: 9, float64: 11 };

function attributeKey(attribute: Attribute): string {
  return typeof attribute === 'object' && 'float' in attribute ? `f${attribute.float}` : String(attribute);
}

/** Whether every value of the first type is kept by a cast to the second and back. */
function isWidening(from: ElementType, to: ElementType): boolean {
  const rank: ElementType[] = ['bool', 'int32', 'float64'];
  if (from === 'bool') return true;
  return rank.includes(from) && rank.indexOf(from) < rank.indexOf(to);
}

function arrayOf(type: ElementType, value: number): ConstantArray {
  switch (type) {
    case 'float32':
      return Float32Array.of(value);
    case 'float64':
      return Float64Array.of(value);
    case 'int32':
      return Int32Array.of(value);
    case 'int64':
      return BigInt64Array.of(BigInt(value));
    case 'bool':
      return Uint8Array.of(value ? 1 : 0);
  }
}

/**
 * The shape of an elementwise operation on two shapes.
 *
 * @throws {Error} as tfjs does, when they do not fit
 */
export function broadcast(a: readonly number[], b: readonly number[]): readonly number[] {
  if (sameShape(a, b)) return a;
  const rank = Math.max(a.length, b.length);
  const shape = new Array<number>(rank);
  for (let i = 0; i < rank; i++) {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1) {
      throw new Error(`Operands could not be broadcast together with shapes ${a.join()} and ${b.join()}.`);
    }
    shape[i] = x === 1 ? y : x;
  }
  return shape;
}
