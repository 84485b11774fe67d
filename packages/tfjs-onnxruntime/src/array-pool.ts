import { sizeOf, type HostArray } from './graph.js';
import type { PortSpec } from './session.js';

/** Smaller arrays are cheaper made anew than looked up. */
const LEAST_BYTES = 65_536;

/**
 * Large arrays of which nobody holds a reference any more, for the outputs of later runs. Made anew at every run they cost
 * page faults and, because V8 counts the memory behind arrays, a full garbage collection every few training steps.
 */
export class ArrayPool {
  private readonly free = new Map<string, HostArray[]>();
  private bytes = 0;

  /** @param maxBytes - what is kept; the rest is left to the garbage collector */
  constructor(private readonly maxBytes: number) {}

  /** An array for an output, of any content; undefined where none is kept. */
  take({ type, shape }: PortSpec): HostArray | undefined {
    const array = this.free.get(`${type} ${sizeOf(shape)}`)?.pop();
    if (array) this.bytes -= array.byteLength;
    return array;
  }

  /** @param array - which nobody reads or writes from now on */
  give(array: HostArray): void {
    const { byteLength, buffer } = array;
    if (byteLength < LEAST_BYTES || byteLength !== buffer.byteLength) return; // a view of more may have other readers
    if (this.bytes + byteLength > this.maxBytes) return;
    const key = `${typeOf(array)} ${array.length}`;
    const arrays = this.free.get(key);
    if (arrays) arrays.push(array);
    else this.free.set(key, [array]);
    this.bytes += byteLength;
  }

  clear(): void {
    this.free.clear();
    this.bytes = 0;
  }
}

function typeOf(array: HostArray): PortSpec['type'] {
  if (array instanceof Float32Array) return 'float32';
  return array instanceof Int32Array ? 'int32' : 'bool';
}
