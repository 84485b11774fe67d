import { util, type TensorInfo } from '@tensorflow/tfjs-core';

import type { OnnxBackend } from '../backend.js';
import type { ElementType, Value } from '../graph.js';
import type { Recorder } from '../recorder.js';

/** A kernel's tensors by name, or by position for those that take a list; optional ones may be missing. */
export type KernelInputs = Readonly<Record<string, TensorInfo>>;

/**
 * Records one tfjs kernel.
 *
 * @returns its output or outputs, whose types are the tfjs dtypes, or undefined when this case has no mapping and tfjs's
 *   cpu kernel must do it; nothing may have been recorded then that costs anything, since it is dropped
 */
export type NativeKernel = (call: KernelCall) => Value | Value[] | undefined;

export type NativeKernels = Readonly<Record<string, NativeKernel>>;

/** One call of a kernel: its inputs as values of the graph, its attributes, and the recorder. */
export class KernelCall {
  readonly graph: Recorder;

  constructor(
    private readonly backend: OnnxBackend,
    private readonly inputs: KernelInputs,
    private readonly attributes: object | undefined,
  ) {
    this.graph = backend.recorder;
  }

  has(name: string): boolean {
    return this.inputs[name] != null;
  }

  info(name: string): TensorInfo {
    return this.inputs[name];
  }

  value(name: string): Value {
    return this.backend.toValue(this.inputs[name]);
  }

  /** The inputs of a kernel that takes a list. */
  infos(): TensorInfo[] {
    return Object.values(this.inputs);
  }

  toValue(info: TensorInfo): Value {
    return this.backend.toValue(info);
  }

  /** The numbers of an input that is on the host already. */
  hostValues(name: string): ArrayLike<number> | undefined {
    return this.backend.hostValues(this.inputs[name]) as ArrayLike<number> | undefined;
  }

  /** The attributes, as tfjs declares them for this kernel. */
  attrs<A extends object>(): A {
    return this.attributes as A;
  }

  /** A number that may differ from call to call, so that it is no part of the structure. */
  variableScalar(type: 'float32' | 'int32' | 'bool', value: number): Value {
    const array =
      type === 'float32'
        ? Float32Array.of(value)
        : type === 'int32'
          ? Int32Array.of(value)
          : Uint8Array.of(value);
    return this.graph.input(type, [], array);
  }
}

/** tfjs's `axis` argument as sorted, non-negative axes. */
export function parseAxes(axis: number | number[], shape: readonly number[]): number[] {
  return util.parseAxisParam(axis, shape as number[]).sort((a, b) => a - b);
}

/** The type that holds both, as tfjs promotes. */
export function promote(a: ElementType, b: ElementType): ElementType {
  if (a === b) return a;
  return a === 'float32' || b === 'float32' ? 'float32' : 'int32';
}
