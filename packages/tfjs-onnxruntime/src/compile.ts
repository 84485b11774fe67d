import { Tensor, engine, tensor, tidy, type TensorContainer, type Variable } from '@tensorflow/tfjs-core';

import { OnnxBackend, type TensorData } from './backend.js';
import { EngineError } from './errors.js';
import type { HostArray, Value } from './graph.js';
import { outlineGraph } from './outline.js';
import { PackedGraph } from './packing.js';
import { onCpu, type Session } from './session.js';
import type { ParallelSession } from './workers.js';

/** An argument that lies on the host: numbers, and how they are to be seen. Integers are int32. */
export interface HostTensor {
  readonly data: Float32Array | Int32Array;
  readonly shape: readonly number[];
}

/** A function that was traced; call it like the original. */
export interface CompiledFunction<A extends Tensor[], R extends TensorContainer> {
  (...args: A): R;
  /**
   * The same call with arguments from the host, of which no tensors are made: a small graph takes as long as ten tensors. The
   * arrays are only read, during the call.
   */
  feed(args: readonly HostTensor[]): R;
  /**
   * Calls it for several lists of arguments, on as many threads as the backend has, each call on one thread: the results are
   * the same bits however many there are. It must not assign variables.
   */
  map(calls: readonly A[]): R[];
  /** Frees the sessions; a later call traces anew. */
  dispose(): void;
  /** Signatures traced so far. */
  readonly traces: number;
}

/** How many traces a compiled function keeps. */
export interface CompileOptions {
  /** Traces kept; the one used longest ago leaves. @defaultValue 16 */
  maxTraces?: number;
}

/** Where an input of the graph comes from at each call. */
type Source =
  | { readonly kind: 'argument'; readonly index: number }
  | { readonly kind: 'variable'; readonly variable: Variable }
  | { readonly kind: 'constant'; readonly data: HostArray };

interface TraceEntry<S extends Session | ParallelSession = Session | ParallelSession> {
  readonly session: S;
  /** Gives the session back. */
  readonly release: () => void;
  readonly sources: readonly Source[];
  /** Between the sources and the session, where its small inputs and outputs are packed. */
  readonly packed?: PackedGraph;
  /** Rebuilds the result from the outputs. */
  readonly result: unknown;
  /** Variables that the function assigns, and which output they get. */
  readonly updates: readonly { variable: Variable; output: number }[];
  /** Outputs that become several tensors. */
  readonly shared: ReadonlySet<number>;
}

/** An output tensor in the shape of the result. */
class Slot {
  constructor(
    readonly output: number,
    readonly shape: number[],
    readonly dtype: Tensor['dtype'],
  ) {}
}

/**
 * Traces a function of tensors once per signature (shapes and dtypes of its arguments) and afterwards runs the compiled
 * graph without recording anything.
 *
 * Variables that it reads are read anew at every call, and variables that it assigns are assigned, so that a whole
 * update (`variableGrads` and the optimiser's assignments) can be one call. Everything else it uses is fixed when it is
 * traced: JavaScript numbers, random draws, tensors captured from outside. What changes from call to call (a learning
 * rate, a position) must be an argument. Inside it nothing may be read (`dataSync`, `data`, `print`), no variable may be
 * made, and only kernels that run on ONNX Runtime may be used. The result carries no gradient: under `tf.grad`, inside
 * another compiled function, and on other backends the function itself is called.
 *
 * @param fn - from tensors to a tensor, or an array or object of tensors
 * @returns a function whose results the caller disposes
 */
export function compile<A extends Tensor[], R extends TensorContainer>(
  fn: (...args: A) => R,
  { maxTraces = 16 }: CompileOptions = {},
): CompiledFunction<A, R> {
  const traces = new Map<string, TraceEntry>();
  const entryFor = (backend: OnnxBackend, args: readonly Argument[], parallel: boolean): TraceEntry => {
    let key = parallel ? 'parallel' : '';
    for (const argument of args) key += `${dtypeOf(argument)}[${argument.shape.join()}]`;
    let entry = traces.get(key);
    if (!entry) {
      entry = trace(backend, fn, args, parallel);
      if (traces.size >= maxTraces) {
        const [oldest, { release }] = traces.entries().next().value!;
        release();
        traces.delete(oldest);
      }
    } else {
      traces.delete(key);
    }
    traces.set(key, entry); // the one used longest ago is the first
    return entry;
  };
  const replay = (backend: OnnxBackend, args: readonly Argument[]): R => {
    const entry = entryFor(backend, args, false) as TraceEntry<Session>;
    const { session, packed } = entry;
    const feeds = feedsOf(backend, entry, args);
    const outputs = session.run(packed ? packed.feeds(feeds) : feeds, backend.pool);
    return finish(backend, entry, packed ? packed.outputs(outputs) : outputs) as R;
  };
  const call = (...args: A): R => {
    const backend = replayingBackend();
    return backend ? replay(backend, args) : tidy(() => fn(...args));
  };
  const feed = (args: readonly HostTensor[]): R => {
    const backend = replayingBackend();
    return backend ? replay(backend, args) : tidy(() => fn(...(args.map(tensorOf) as A)));
  };
  const map = (calls: readonly A[]): R[] => {
    const backend = replayingBackend();
    if (!backend) return calls.map((args) => tidy(() => fn(...args)));
    const entries = calls.map((args) => entryFor(backend, args, true) as TraceEntry<ParallelSession>);
    const jobs = entries.map((entry, i) => ({
      session: entry.session,
      feeds: feedsOf(backend, entry, calls[i]),
    }));
    return backend.workers.run(jobs).map((outputs, i) => finish(backend, entries[i], outputs) as R);
  };
  const dispose = (): void => {
    for (const { release } of traces.values()) release();
    traces.clear();
  };
  return Object.defineProperty(Object.assign(call, { feed, map, dispose }), 'traces', {
    get: () => traces.size,
  }) as unknown as CompiledFunction<A, R>;
}

/** The backend, when compiled functions can be replayed on it now. */
function replayingBackend(): OnnxBackend | undefined {
  const { backend, state } = engine();
  return backend instanceof OnnxBackend && !backend.tracing && state.gradientDepth === 0
    ? backend
    : undefined;
}

function trace<A extends Tensor[], R extends TensorContainer>(
  backend: OnnxBackend,
  fn: (...args: A) => R,
  args: readonly Argument[],
  parallel: boolean,
): TraceEntry {
  const registered = (): Variable[] => Object.values(engine().state.registeredVariables);
  const before = new Map<Variable, TensorData>();
  for (const variable of registered()) {
    const data = backend.data.get(variable.dataId);
    data.private = false; // it gets these values back when the function has assigned it
    before.set(variable, data);
  }
  const owners = new Map<TensorData, Variable>();
  for (const [variable, data] of before) owners.set(data, variable);
  const { captured } = backend.beginTrace(new Set(owners.keys()));
  const argumentIndex = new Map<Value, number>();
  try {
    engine().startScope('compile');
    const placeholders = args.map((argument, index) => {
      const { shape } = argument;
      const dtype = dtypeOf(argument);
      if (dtype === 'complex64' || dtype === 'string' || shape.includes(0)) {
        throw new EngineError(
          `compile() takes no ${dtype} tensor of shape [${shape.join()}] as an argument.`,
        );
      }
      const value: Value = { type: dtype, shape: shape.slice() };
      argumentIndex.set(value, index);
      return engine().makeTensorFromTensorInfo(backend.makePlaceholder(value), backend);
    });
    const returned = fn(...(placeholders as A));
    const outputs: Value[] = [];
    const shared = new Set<number>();
    const outputOf = (tensor: Tensor): number => {
      // the numbers of an output are the same in any shape
      let value = withoutReshape(backend.toValue(tensor));
      if (!value.node) value = backend.recorder.op('Identity', [value], { ...value });
      const known = outputs.indexOf(value);
      if (known < 0) return outputs.push(value) - 1;
      shared.add(known);
      return known;
    };
    const result = mapTensors(
      returned,
      (tensor) => new Slot(outputOf(tensor), tensor.shape.slice(), tensor.dtype),
    );
    const updates = registered()
      .filter((variable) => {
        if (!before.has(variable)) {
          throw new EngineError(
            'A variable was made inside compile(); make it outside and assign it inside.',
          );
        }
        return backend.data.get(variable.dataId) !== before.get(variable);
      })
      .map((variable) => ({ variable, output: outputOf(variable) }));
    // another device limits how many tensors an operator may have
    const packed =
      !parallel && onCpu(backend.sessionOptions) ? new PackedGraph(backend.recorder, outputs) : undefined;
    const outline = packed?.outline ?? outlineGraph(backend.recorder.nodes, outputs);
    const sources = (packed ?? outline).inputs.map((value): Source => {
      const index = argumentIndex.get(value);
      if (index !== undefined) return { kind: 'argument', index };
      const data = captured.get(value);
      const variable = data && owners.get(data);
      return variable ? { kind: 'variable', variable } : { kind: 'constant', data: value.source! };
    });
    if (parallel && updates.length > 0) {
      throw new EngineError('A function that assigns variables cannot be called through map().');
    }
    const held = parallel ? backend.sessions.holdParallel(outline) : backend.sessions.hold(outline);
    return { ...held, sources, packed, result, updates, shared };
  } finally {
    // variables have their old values again, until the first run
    for (const [variable, data] of before) {
      const now = backend.data.get(variable.dataId);
      if (now !== data) Object.assign(now, { values: data.values, value: undefined, recording: -1 });
    }
    engine().endScope();
    backend.endTrace();
  }
}

function withoutReshape(value: Value): Value {
  return value.node?.operator === 'Reshape' ? withoutReshape(value.node.inputs[0]!) : value;
}

/** What a compiled function may be called with. */
type Argument = Tensor | HostTensor;

function dtypeOf(argument: Argument): Tensor['dtype'] {
  if ('dtype' in argument) return argument.dtype;
  return argument.data instanceof Int32Array ? 'int32' : 'float32';
}

/** A copy, since what comes back may share the values of an argument. */
function tensorOf(argument: HostTensor): Tensor {
  return tensor(argument.data.slice(), argument.shape.slice(), dtypeOf(argument));
}

/** The host memory that a trace reads, in the order of its inputs. */
function feedsOf(backend: OnnxBackend, { sources }: TraceEntry, args: readonly Argument[]): HostArray[] {
  return sources.map((source): HostArray => {
    if (source.kind === 'constant') return source.data;
    const from = source.kind === 'argument' ? args[source.index] : source.variable;
    return 'dataId' in from ? backend.feed(from.dataId) : from.data;
  });
}

/** Assigns variables and rebuilds the result. */
function finish(
  backend: OnnxBackend,
  { result, updates, shared }: TraceEntry,
  outputs: HostArray[],
): unknown {
  for (const { variable, output } of updates) assign(backend, variable, outputs[output], !shared.has(output));
  return mapSlots(result, ({ output, shape, dtype }) => {
    const info = backend.makeHost(outputs[output], shape.slice(), dtype, !shared.has(output));
    return engine().makeTensorFromTensorInfo(info, backend);
  });
}

function assign(backend: OnnxBackend, variable: Variable, values: HostArray, isPrivate: boolean): void {
  const data = backend.data.get(variable.dataId);
  if (data.refCount === 1) {
    backend.reclaim(data);
    Object.assign(data, { values, value: undefined, recording: -1, private: isPrivate });
    return;
  }
  // another tensor shares the old data and keeps it
  const info = backend.makeHost(values, variable.shape, variable.dtype, isPrivate);
  const tensor = engine().makeTensorFromTensorInfo(info, backend);
  variable.assign(tensor);
  tensor.dispose();
}

function mapTensors(container: unknown, map: (tensor: Tensor) => unknown): unknown {
  if (container instanceof Tensor) return map(container as Tensor);
  return mapItems(container, (item) => mapTensors(item, map));
}

function mapSlots(container: unknown, map: (slot: Slot) => unknown): unknown {
  if (container instanceof Slot) return map(container);
  return mapItems(container, (item) => mapSlots(item, map));
}

function mapItems(container: unknown, map: (item: unknown) => unknown): unknown {
  if (container === null || typeof container !== 'object') return container;
  if (Array.isArray(container)) return container.map(map);
  return Object.fromEntries(Object.entries(container).map(([name, item]) => [name, map(item)]));
}
