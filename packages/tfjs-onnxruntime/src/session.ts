/**
 * The one file that touches the inside of onnxruntime-node. Its public `run` wraps a synchronous native call in a
 * promise; `dataSync` needs the call itself, which is the package's internal binding. The version is pinned and this
 * path is tested.
 */
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';

import type { Tensor } from 'onnxruntime-common';

import type { ArrayPool } from './array-pool.js';
import { EngineError } from './errors.js';
import type { ElementType, HostArray } from './graph.js';

/** What the binding reads of a `Tensor`, or writes where it stands for an output. A plain object costs a fifth less per call than one of that class. */
interface Feed {
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly location: 'cpu';
  data: HostArray;
}

/** Stands where a feed lies between two runs, so that a session keeps no memory of others alive. */
const NOTHING = new Float32Array(0);

interface NativeSession {
  loadModel(buffer: ArrayBufferLike, byteOffset: number, byteLength: number, options: object): void;
  run(
    feeds: Record<string, Feed>,
    fetches: Record<string, Feed | null>,
    options: object,
  ): Record<string, Tensor>;
  endProfiling(): void;
  dispose(): void;
}

interface Binding {
  binding: {
    InferenceSession: new () => NativeSession;
    listSupportedBackends(): { name: string; bundled: boolean }[];
  };
  initOrt: () => void;
}

let loaded: Binding | undefined;

/** @throws {EngineError} when the package has no binary for this platform or is not installed */
export function loadRuntime(): Binding {
  if (loaded) return loaded;
  const require = createRequire(import.meta.url);
  // ONNX Runtime reports its use to its makers unless told not to, and leaves files in the temporary folder for that
  process.env['ORT_DISABLE_TELEMETRY'] ??= '1';
  // products on CUDA in float32, not in TF32, whose ten bits of mantissa are too few for a ratio of 1 and a KL of 0
  process.env['NVIDIA_TF32_OVERRIDE'] ??= '0';
  try {
    const binding = require('onnxruntime-node/dist/binding.js') as Binding;
    binding.initOrt();
    return (loaded = binding);
  } catch (error) {
    const platform = `${process.platform}-${process.arch}`;
    throw new EngineError(
      `onnxruntime-node cannot be loaded on ${platform}: ${firstLine(error)}. It carries binaries for linux-x64, linux-arm64, darwin-arm64, win32-x64 and win32-arm64; elsewhere use tfjs's wasm backend.`,
      { cause: error },
    );
  }
}

/** What a session reads and writes, in order. */
export interface PortSpec {
  readonly type: ElementType;
  readonly shape: readonly number[];
}

/** Where the nodes of a graph run. */
export type Device = 'cpu' | 'webgpu' | 'cuda';

/** Where a session runs, and with how many threads. */
export interface SessionOptions {
  /** Where nodes run; those for which the device has no kernel run on the cpu. @defaultValue 'cpu' */
  readonly device?: Device;
  /** Threads of one operator. @defaultValue the number of cores */
  readonly threads?: number;
  /** What ONNX Runtime may rewrite. @defaultValue 'all' */
  readonly optimisation?: 'disabled' | 'basic' | 'extended' | 'all';
  /**
   * Whether a session keeps the memory of its intermediate values for its next run. Without it a training step was
   * measured 1.4 times slower in a third of the memory.
   *
   * @defaultValue true
   */
  readonly keepMemory?: boolean;
  /** Writes a profile of every run to a file with this prefix; for measurements. */
  readonly profilePrefix?: string;
}

/** Whether nodes run on the cpu and nowhere else. */
export function onCpu({ device = 'cpu' }: SessionOptions): boolean {
  return device === 'cpu';
}

export interface SessionConfigOptions extends SessionOptions {
  /** Refuses a graph of which a node would run on the cpu instead. */
  readonly deviceOnly?: boolean;
}

/** The options as ONNX Runtime takes them. */
export function sessionConfig(options: SessionConfigOptions): object {
  const device = options.device ?? 'cpu';
  return {
    intraOpNumThreads: options.threads ?? availableParallelism(),
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: options.optimisation ?? 'all',
    // every session has threads of its own; those that wait must not take the cores from those that work
    extra: {
      session: {
        intra_op: { allow_spinning: '0' },
        ...(options.deviceOnly && { disable_cpu_ep_fallback: '1' }),
      },
    },
    ...(device !== 'cpu' && { executionProviders: [device] }),
    enableCpuMemArena: options.keepMemory ?? true,
    logSeverityLevel: 4, // errors are thrown and need not be printed too
    ...(options.profilePrefix && { enableProfiling: true, profileFilePrefix: options.profilePrefix }),
  };
}

/** A loaded model, run synchronously on host memory. */
export class Session {
  private readonly native: NativeSession;
  private readonly feeds: readonly Feed[];
  private readonly feedsByName: Record<string, Feed>;
  private readonly device: Device;

  /** @throws {EngineError} when ONNX Runtime refuses the model */
  constructor(
    model: Uint8Array,
    readonly inputs: readonly PortSpec[],
    readonly outputs: readonly PortSpec[],
    options: SessionConfigOptions = {},
  ) {
    const { binding } = loadRuntime();
    this.device = options.device ?? 'cpu';
    this.native = new binding.InferenceSession();
    this.feeds = inputs.map(({ type, shape }) => ({ type, dims: shape, location: 'cpu', data: NOTHING }));
    this.feedsByName = Object.fromEntries(this.feeds.map((feed, i) => [`i${i}`, feed]));
    try {
      this.native.loadModel(model.buffer, model.byteOffset, model.byteLength, sessionConfig(options));
    } catch (error) {
      throw new EngineError(`ONNX Runtime refused the graph: ${firstLine(error)}`, { cause: error });
    }
  }

  /**
   * @param sources - host memory of the inputs, in order
   * @param pool - has memory for outputs, perhaps
   * @returns host memory of the outputs, in order, which nobody else holds
   * @throws {EngineError} naming the tfjs kernel, shapes and types of the node that failed
   */
  run(sources: readonly HostArray[], pool?: ArrayPool): HostArray[] {
    const { feeds } = this;
    for (let i = 0; i < feeds.length; i++) feeds[i].data = sources[i];
    const fetches: Record<string, Feed | null> = {};
    this.outputs.forEach((port, i) => {
      const data = pool?.take(port);
      fetches[`o${i}`] = data ? { type: port.type, dims: port.shape, location: 'cpu', data } : null;
    });
    try {
      const results = this.native.run(this.feedsByName, fetches, {});
      return this.outputs.map((_, i) => fetches[`o${i}`]?.data ?? (results[`o${i}`].data as HostArray));
    } catch (error) {
      throw new EngineError(describeFailure(error, this.device), { cause: error });
    } finally {
      for (const feed of feeds) feed.data = NOTHING;
    }
  }

  dispose(): void {
    this.native.dispose();
  }

  endProfiling(): void {
    this.native.endProfiling();
  }
}

/** The arena of the cpu and CUDA itself say it; on WebGPU a buffer is invalid, in too many parts, or past 32 bits. */
const OUT_OF_MEMORY =
  /bad_alloc|Failed to allocate|out of memory|Invalid Buffer.* due to a previous error|Too many storage buffers|narrowing_error/i;

/** A failure of a run in words: the tfjs kernel, shapes and types of the node that failed. */
export function describeFailure(error: unknown, device: Device): string {
  const message = (error as Error).message;
  const kernel = /Name:'(tfjs kernel .*?) #\d+'/.exec(message)?.[1];
  const operator = /BindGroupDescriptor "+(\w+)"+/.exec(message)?.[1];
  const where = kernel ? ` in ${kernel}` : operator ? ` in an operator ${operator}` : '';
  if (OUT_OF_MEMORY.test(message)) {
    const wayOut = device === 'cpu' ? 'sessions that keep less (keepMemory: false)' : 'device "cpu"';
    return `Out of memory on device "${device}"${where}: use a smaller batch or ${wayOut}. (${firstLine(error)})`;
  }
  return `ONNX Runtime failed${where}: ${firstLine(error)}`;
}

function firstLine(error: unknown): string {
  return (error as Error).message.split('\n')[0];
}
