/** The recorded graph: values and the nodes that make them. */

/** Element types that occur inside a graph. tfjs knows the first three; the others are indices and exact intermediates. */
export type ElementType = 'float32' | 'int32' | 'bool' | 'int64' | 'float64';

export type HostArray = Float32Array | Int32Array | Uint8Array;
export type ConstantArray = HostArray | BigInt64Array | Float64Array;

export type Attribute = number | string | readonly number[] | { readonly float: number };
export type Attributes = Readonly<Record<string, Attribute>>;

/** One tensor of the graph: a node's output, an input fed from the host, or a constant that belongs to the structure. */
export interface Value {
  readonly type: ElementType;
  readonly shape: readonly number[];
  /** The node that makes it; undefined for inputs and constants. */
  readonly node?: GraphNode;
  /** Host memory of an input; it is read when the graph runs. */
  readonly source?: HostArray;
  readonly constant?: Constant;
  /** This value in other shapes, so that no reshape is recorded twice. */
  reshaped?: Map<string, Value>;
  /** The same numbers in another type, from which this value was cast without loss. */
  twin?: Value;
  /** Whether a tensor of tfjs holds it. */
  owned?: boolean;
  /** Scratch of `outlineGraph`: the pass that saw it last, and its number in that pass. */
  pass?: number;
  id?: number;
}

export interface Constant {
  readonly data: ConstantArray;
  /** Equal for equal constants: type, shape and content. */
  readonly key: string;
}

export interface GraphNode {
  readonly operator: string;
  readonly domain: string;
  readonly inputs: readonly (Value | undefined)[];
  readonly attributes: Attributes;
  readonly outputs: Value[];
  /** The tfjs kernel that asked for it. */
  readonly kernel: string;
  /** Number of the operator, domain and attributes, equal for equal ones. */
  readonly signature: number;
  /** Scratch of `outlineGraph`: the pass that found it alive. */
  pass?: number;
}

export function sizeOf(shape: readonly number[]): number {
  let size = 1;
  for (const dimension of shape) size *= dimension;
  return size;
}

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
