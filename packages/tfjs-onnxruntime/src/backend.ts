import { availableParallelism } from 'node:os';

import {
  DataStorage,
  KernelBackend,
  engine,
  util,
  type BackendTimingInfo,
  type DataType,
  type TensorInfo,
} from '@tensorflow/tfjs-core';

import { ArrayPool } from './array-pool.js';
import { EngineError } from './errors.js';
import type { ElementType, HostArray, Value } from './graph.js';
import { outlineGraph } from './outline.js';
import { Recorder } from './recorder.js';
import { SessionCache, type CacheStatistics } from './session-cache.js';
import { loadRuntime, onCpu, type SessionOptions } from './session.js';
import { WorkerPool } from './workers.js';

/** Numbers, or the bytes of strings, as tfjs hands them over. */
export type HostValues = HostArray | Uint8Array[];

export type DataId = TensorInfo['dataId'];

/** What one dataId stands for: values on the host, or a value of the graph that has not run yet. */
export interface TensorData {
  readonly dtype: DataType;
  refCount: number;
  values?: HostValues;
  /** Where it is in the recorded graph: an input made from `values`, or what will become `values`. */
  value?: Value;
  /** The recording that `value` belongs to. */
  recording: number;
  /** Of a complex tensor. */
  complexTensorInfos?: { real: TensorInfo; imag: TensorInfo };
  /** A session made `values` for this tensor alone, and nobody outside the backend has seen them. */
  private?: boolean;
  /** Why the graph that should have made it did not run. */
  failure?: EngineError;
}

/** What a recording that is to be replayed read from outside. */
export interface Trace {
  /** Host data that became inputs of the graph. */
  readonly captured: Map<Value, TensorData>;
  /** What is read anew at every replay. */
  readonly variables: ReadonlySet<TensorData>;
}

/** Captured tensors up to this size become constants of the graph: nothing to feed, and ONNX Runtime can compute with them ahead. */
const MOST_CONSTANT_ELEMENTS = 4096;

/** WebGPU binds a bounded number of buffers to one operator. */
const WEBGPU_SPLIT_OUTPUTS = 8;

/** Memory that is kept for later outputs. */
const MOST_POOLED_BYTES = 64 * 2 ** 20;

/** Where the backend runs its graphs, and how. */
export interface OnnxBackendOptions extends SessionOptions {
  /** A recording of more nodes than this runs at once, so that no graph takes long to compile. @defaultValue 4096 */
  maxRecordedNodes?: number;
  /** Sessions kept. @defaultValue 256 */
  maxSessions?: number;
  /** Nodes of all sessions kept. @defaultValue 100 000 */
  maxSessionNodes?: number;
}

/**
 * A tfjs backend that computes nothing until a value is read. Kernels append nodes to a recording; reading a value turns
 * all of the recording that is still alive into one ONNX graph, and ONNX Runtime runs it. Graphs of equal structure share
 * a session.
 */
export class OnnxBackend extends KernelBackend {
  readonly data: DataStorage<TensorData>;
  readonly recorder: Recorder;
  readonly sessionOptions: SessionOptions;
  readonly sessions: SessionCache;
  readonly workers: WorkerPool;
  /** Memory of tensors that are gone. */
  readonly pool = new ArrayPool(MOST_POOLED_BYTES);
  private readonly maxRecordedNodes: number;
  /** Data that the recording will make and that are still referenced. */
  private pending = new Set<TensorData>();
  private recording = 0;
  private trace: Trace | undefined;

  /** @throws {EngineError} when ONNX Runtime has no binary for this platform */
  constructor(options: OnnxBackendOptions = {}) {
    super();
    loadRuntime();
    const { maxRecordedNodes = 4096, maxSessions = 256, maxSessionNodes = 100_000, ...session } = options;
    this.data = new DataStorage<TensorData>(this, engine());
    this.maxRecordedNodes = maxRecordedNodes;
    this.sessionOptions = session;
    this.recorder = new Recorder(onCpu(session) ? Infinity : WEBGPU_SPLIT_OUTPUTS);
    this.sessions = new SessionCache(maxSessions, maxSessionNodes, session);
    // another device is one queue, which several threads would only contend for
    const threads = onCpu(session) ? (session.threads ?? availableParallelism()) : 1;
    this.workers = new WorkerPool(threads, this.pool);
  }

  // ---- what tfjs asks of a backend ----

  /** Copies, because the caller may change the array before the graph that reads it runs. */
  override write(values: HostValues, _shape: number[], dtype: DataType): DataId {
    const dataId = {};
    this.data.set(dataId, { dtype, refCount: 1, values: values?.slice(), recording: -1 });
    return dataId;
  }

  /** Takes over a tensor of another backend. */
  override move(
    dataId: DataId,
    values: HostValues,
    _shape: number[],
    dtype: DataType,
    refCount: number,
  ): void {
    this.data.set(dataId, { dtype, refCount, values, recording: -1 });
  }

  /** The values of a tensor; computes what is pending. */
  override read(dataId: DataId): Promise<HostValues> {
    // read at once: the tensor may be disposed before the promise is looked at
    return new Promise((resolve) => resolve(this.readSync(dataId)));
  }

  /** The values of a tensor; computes what is pending. */
  override readSync(dataId: DataId): HostValues {
    const data = this.data.get(dataId);
    if (data.complexTensorInfos) {
      const { real, imag } = data.complexTensorInfos;
      const pairs = [this.readSync(real.dataId), this.readSync(imag.dataId)] as Float32Array[];
      const merged = new Float32Array(2 * pairs[0].length);
      for (let i = 0; i < pairs[0].length; i++) {
        merged[2 * i] = pairs[0][i];
        merged[2 * i + 1] = pairs[1][i];
      }
      return merged;
    }
    if (!data.values && !data.failure) this.flush();
    if (data.failure) throw data.failure;
    data.private = false; // the reader may keep them
    return data.values!;
  }

  /** The same for a run that is over before anything else happens. */
  feed(dataId: DataId): HostArray {
    const data = this.data.get(dataId);
    const before = data.private;
    const values = this.readSync(dataId) as HostArray;
    data.private = before;
    return values;
  }

  override numDataIds(): number {
    return this.data.numDataIds();
  }

  /** How many tensors share the values. */
  override refCount(dataId: DataId): number {
    return this.data.has(dataId) ? this.data.get(dataId).refCount : 0;
  }

  /** One more tensor shares the values. */
  override incRef(dataId: DataId): void {
    this.data.get(dataId).refCount += 1;
  }

  /** One tensor fewer shares the values. */
  decRef(dataId: DataId): void {
    if (this.data.has(dataId)) this.data.get(dataId).refCount -= 1;
  }

  /** Forgets the values when no tensor shares them any more. */
  override disposeData(dataId: DataId, force = false): boolean {
    if (!this.data.has(dataId)) return true;
    const data = this.data.get(dataId);
    data.refCount -= 1;
    if (!force && data.refCount > 0) return false;
    if (data.complexTensorInfos) {
      this.disposeData(data.complexTensorInfos.real.dataId, true);
      this.disposeData(data.complexTensorInfos.imag.dataId, true);
    }
    this.pending.delete(data);
    this.data.delete(dataId);
    this.reclaim(data);
    return true;
  }

  /** tfjs counts tensors and bytes itself, reliably. */
  override memory(): { unreliable: boolean; reasons?: string[] } {
    return { unreliable: false };
  }

  override floatPrecision(): 16 | 32 {
    return 32;
  }

  /** Wall time can be taken; see `time`. */
  override timerAvailable(): boolean {
    return true;
  }

  /** Milliseconds of wall time, the recorded graph's run included. */
  override time(f: () => void): Promise<BackendTimingInfo> {
    this.flush();
    const start = util.now();
    f();
    this.flush();
    return Promise.resolve({ kernelMs: util.now() - start });
  }

  /** Frees the sessions and ends the threads. */
  override dispose(): void {
    this.pending.clear();
    this.recorder.clear();
    this.pool.clear();
    this.sessions.clear();
    this.workers.terminate();
  }

  /** Puts the memory of values that nobody can have into the pool. */
  reclaim(data: TensorData): void {
    if (data.private) this.pool.give(data.values as HostArray);
    data.private = false;
  }

  // ---- what kernels ask ----

  /** A tensor's place in the recording. */
  toValue({ dataId, shape }: TensorInfo): Value {
    const data = this.data.get(dataId);
    if (data.failure) throw data.failure;
    data.private = false; // the recording may outlive the tensor
    if (data.values && data.recording !== this.recording) {
      const type = data.dtype as ElementType;
      const values = data.values as HostArray;
      if (this.trace && !this.trace.variables.has(data) && values.length <= MOST_CONSTANT_ELEMENTS) {
        data.value = this.recorder.constant(type, shape.slice(), values);
      } else {
        data.value = this.recorder.input(type, shape.slice(), values);
        this.trace?.captured.set(data.value, data);
      }
      data.recording = this.recording;
    }
    return this.recorder.reshape(data.value!, shape);
  }

  /** A tensor's values where they are on the host already; nothing runs. */
  hostValues({ dataId }: TensorInfo): HostValues | undefined {
    const data = this.data.get(dataId);
    data.private = false;
    return data.values;
  }

  /** A tensor for a recorded value. */
  makePending(value: Value): TensorInfo {
    // one value belongs to one tensor, which may outlive the others
    const owned = value.node && !value.owned ? value : this.recorder.op('Identity', [value], { ...value });
    owned.owned = true;
    const dataId = {};
    const dtype = value.type as DataType;
    const data: TensorData = { dtype, refCount: 1, value: owned, recording: this.recording };
    this.data.set(dataId, data);
    this.pending.add(data);
    return { dataId, shape: value.shape.slice(), dtype };
  }

  /**
   * A tensor for values on the host, which the backend owns from now on.
   *
   * @param isPrivate - nobody else has a reference to the values
   */
  makeHost(values: HostValues, shape: number[], dtype: DataType, isPrivate = false): TensorInfo {
    const dataId = {};
    this.data.set(dataId, { dtype, refCount: 1, values, recording: -1, private: isPrivate });
    return { dataId, shape, dtype };
  }

  /** A complex tensor, which tfjs's own kernels compute with. */
  makeComplex(real: TensorInfo, imag: TensorInfo): TensorInfo {
    const dataId = {};
    const complexTensorInfos = { real, imag };
    this.data.set(dataId, { dtype: 'complex64', refCount: 1, complexTensorInfos, recording: -1 });
    return { dataId, shape: real.shape, dtype: 'complex64' };
  }

  /** Called after every recorded kernel. */
  afterKernel(): void {
    if (this.recorder.nodes.length > this.maxRecordedNodes && !this.trace) this.flush();
  }

  // ---- running ----

  /** Hits and misses of the cache of sessions. */
  get statistics(): CacheStatistics {
    return this.sessions.statistics;
  }

  /**
   * Runs the recorded graph; every pending tensor has its values afterwards.
   *
   * @throws {EngineError} when ONNX Runtime fails; reading any of the tensors concerned throws the same error
   */
  flush(): void {
    if (this.trace) {
      throw new EngineError(
        'A value was read inside compile(): dataSync(), data(), print() and kernels that ONNX Runtime does not know may only be used outside the compiled function.',
      );
    }
    const pending = [...this.pending];
    const { nodes } = this.recorder;
    this.startRecording();
    if (pending.length === 0) return;
    try {
      const outline = outlineGraph(
        nodes,
        pending.map((data) => data.value!),
      );
      const results = this.sessions.session(outline).run(outline.inputs.map((value) => value.source!));
      pending.forEach((data, i) => {
        data.values = results[i];
        data.value = undefined;
        data.recording = -1;
      });
    } catch (error) {
      const failure = error instanceof EngineError ? error : new EngineError(String(error), { cause: error });
      for (const data of pending) {
        data.value = undefined;
        data.failure = failure;
      }
      throw failure;
    }
  }

  /** Whether a function is being traced. */
  get tracing(): boolean {
    return this.trace !== undefined;
  }

  /**
   * From here to `endTrace` nothing may run; what was pending runs first.
   *
   * @param variables - what must stay an input of the graph
   */
  beginTrace(variables: ReadonlySet<TensorData>): Trace {
    this.flush();
    return (this.trace = { captured: new Map(), variables });
  }

  /** Forgets what was recorded since `beginTrace`. */
  endTrace(): void {
    this.trace = undefined;
    this.startRecording();
  }

  /** A tensor that stands for an argument while a function is traced. */
  makePlaceholder(value: Value): TensorInfo {
    const dataId = {};
    const dtype = value.type as DataType;
    this.data.set(dataId, { dtype, refCount: 1, value, recording: this.recording });
    return { dataId, shape: value.shape.slice(), dtype };
  }

  private startRecording(): void {
    this.pending = new Set();
    this.recorder.clear();
    this.recording += 1;
  }
}
