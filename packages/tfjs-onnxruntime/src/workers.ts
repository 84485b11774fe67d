/**
 * Sessions on several threads at once. ONNX Runtime shares out each operator among its threads and waits for the last one
 * after every operator; for independent graphs it is faster to give each thread a whole graph. This thread takes part; the
 * others are worker threads that hold sessions of their own.
 */
import { MessageChannel, Worker, receiveMessageOnPort, type MessagePort } from 'node:worker_threads';

import type { ArrayPool } from './array-pool.js';
import { EngineError } from './errors.js';
import { sizeOf, type ElementType, type HostArray } from './graph.js';
import { Session, describeFailure, sessionConfig, type PortSpec, type SessionOptions } from './session.js';
import { WORKER_PROGRAM } from './worker-program.js';

/** What a worker is told. */
type Request =
  | {
      kind: 'load';
      id: number;
      model: Uint8Array;
      ports: readonly PortSpec[];
      outputs: readonly PortSpec[];
      config: object;
    }
  /** Where the feeds of a run lie, one array a port; shared, so that they are copied and not serialised. */
  | { kind: 'slot'; id: number; shared: readonly HostArray[] }
  /** `memory` for outputs is handed over; null where the thread makes it. */
  | { kind: 'run'; id: number; slot: number; memory: readonly (HostArray | null)[] }
  | { kind: 'dispose'; id: number };

/** What it answers to `run`. */
interface Answer {
  readonly outputs?: HostArray[];
  readonly error?: string;
}

/** How long to wait between two looks at whether a thread that has not answered is still there, in milliseconds. */
const LOOK_AGAIN = 250;
/** What is posted to see whether somebody is at the other end; the worker passes over it. */
const ANYBODY = null;

const ENDED =
  'a worker thread of the engine has ended; it may have run out of memory. Try fewer threads, or smaller batches';

/** One thread. Requests are answered in their order. */
class SessionWorker {
  private readonly worker: Worker;
  private readonly port: MessagePort;
  private readonly signal = new Int32Array(new SharedArrayBuffer(4));
  /** Whether Node says, by what `postMessage` returns, that a port has lost its other end. */
  private readonly canLook: boolean;
  /** The thread has ended and will answer nothing more. */
  gone = false;

  constructor() {
    const { port1, port2 } = new MessageChannel();
    this.port = port1;
    this.worker = new Worker(WORKER_PROGRAM, {
      eval: true,
      execArgv: [],
      workerData: { port: port2, signal: this.signal, resolveFrom: import.meta.url },
      transferList: [port2],
    });
    this.canLook = this.isThere();
    this.worker.once('exit', () => (this.gone = true));
    this.worker.once('error', () => undefined); // told by `receive`; unheard, it would end the process
    // neither keeps the process alive
    this.worker.unref();
    this.port.unref();
  }

  /** @param handedOver - memory that is the worker's from now on */
  post(request: Request, handedOver: readonly ArrayBufferLike[] = []): void {
    this.port.postMessage(request, handedOver as ArrayBuffer[]);
  }

  /** The next answer; waits for it. A thread that has ended - out of memory, say - is noticed within a moment. */
  receive(): Answer {
    for (;;) {
      const seen = Atomics.load(this.signal, 0);
      const there = !this.gone; // looked before the port: what it said last is still heard
      const received = receiveMessageOnPort(this.port);
      if (received) return received.message as Answer;
      if (!there) return { error: ENDED };
      if (Atomics.wait(this.signal, 0, seen, LOOK_AGAIN) === 'timed-out' && this.canLook)
        this.gone = !this.isThere();
    }
  }

  /** No event arrives while this thread waits; a port tells whether its other end is still open. */
  private isThere(): boolean {
    const answer: unknown = this.port.postMessage(ANYBODY);
    return answer === true;
  }

  terminate(): void {
    this.port.close();
    void this.worker.terminate();
  }
}

/** A compiled graph that every thread can run, each on itself alone, so that its bits do not depend on which one does. */
export class ParallelSession {
  readonly own: Session;
  /** By worker, once it is loaded there: where it finds the feeds of runs that wait for their turn. */
  private readonly loaded = new Map<SessionWorker, (readonly HostArray[])[]>();
  private static count = 0;
  private readonly id = ++ParallelSession.count;
  private readonly options: SessionOptions;

  /** @throws {EngineError} when ONNX Runtime refuses the model */
  constructor(
    private readonly model: Uint8Array,
    private readonly inputs: readonly PortSpec[],
    private readonly outputs: readonly PortSpec[],
    options: SessionOptions,
  ) {
    this.options = { ...options, threads: 1 };
    this.own = new Session(model, inputs, outputs, this.options);
  }

  /**
   * Gives a worker a run to do after those that it has.
   *
   * @param slot - how many runs of this session wait on this worker already
   * @param pool - has memory for outputs, perhaps
   */
  start(worker: SessionWorker, feeds: readonly HostArray[], slot: number, pool: ArrayPool): void {
    const slots = this.loaded.get(worker) ?? this.load(worker);
    while (slots.length <= slot) {
      const shared = this.inputs.map(({ type, shape }) => sharedArray(type, sizeOf(shape)));
      slots.push(shared);
      worker.post({ kind: 'slot', id: this.id, shared });
    }
    feeds.forEach((array, i) => slots[slot][i].set(array));
    const memory = this.outputs.map((port) => pool.take(port) ?? null);
    worker.post(
      { kind: 'run', id: this.id, slot, memory },
      memory.flatMap((array) => array?.buffer ?? []),
    );
  }

  dispose(): void {
    this.own.dispose();
    for (const worker of this.loaded.keys()) worker.post({ kind: 'dispose', id: this.id });
    this.loaded.clear();
  }

  private load(worker: SessionWorker): (readonly HostArray[])[] {
    const slots: (readonly HostArray[])[] = [];
    this.loaded.set(worker, slots);
    worker.post({
      kind: 'load',
      id: this.id,
      model: this.model,
      ports: this.inputs,
      outputs: this.outputs,
      config: sessionConfig(this.options),
    });
    return slots;
  }
}

export interface Job {
  readonly session: ParallelSession;
  readonly feeds: readonly HostArray[];
}

/** Runs jobs on this thread and on workers, which start when they are first needed. */
export class WorkerPool {
  private readonly workers: SessionWorker[] = [];

  /**
   * @param threads - how many jobs run at once, this thread's among them
   * @param pool - has memory for outputs, perhaps
   */
  constructor(
    private readonly threads: number,
    private readonly pool: ArrayPool,
  ) {}

  /**
   * Runs all jobs and waits for them.
   *
   * @returns the outputs of each
   * @throws {EngineError} when one fails; the others have ended then too
   */
  run(jobs: readonly Job[]): HostArray[][] {
    const threads = Math.min(this.threads, jobs.length);
    this.replaceGone();
    while (this.workers.length < threads - 1) this.workers.push(new SessionWorker());
    const results: HostArray[][] = [];
    let failure: unknown;
    const attempt = (job: number, work: () => HostArray[]): void => {
      try {
        results[job] = work();
      } catch (error) {
        failure ??= error;
      }
    };
    // job i is for thread i modulo their number, the last of which is this one; the others get all of theirs before it begins
    const mine = (job: number): boolean => job % threads === threads - 1;
    const waiting = new Map<ParallelSession, number[]>();
    jobs.forEach(({ session, feeds }, i) => {
      if (mine(i)) return;
      const counts = waiting.get(session) ?? new Array<number>(threads).fill(0);
      waiting.set(session, counts);
      session.start(this.workers[i % threads], feeds, counts[i % threads]++, this.pool);
    });
    jobs.forEach(({ session, feeds }, i) => {
      if (mine(i)) attempt(i, () => session.own.run(feeds, this.pool));
    });
    jobs.forEach((_, i) => {
      if (!mine(i)) attempt(i, () => outputsOf(this.workers[i % threads].receive()));
    });
    if (failure !== undefined) throw failure as Error;
    return results;
  }

  /** The next run gets a new thread instead of one that has ended. */
  private replaceGone(): void {
    const there = this.workers.filter(({ gone }) => !gone);
    this.workers.splice(0, this.workers.length, ...there);
  }

  terminate(): void {
    for (const worker of this.workers.splice(0)) worker.terminate();
  }
}

function sharedArray(type: ElementType, size: number): HostArray {
  if (type === 'float32') return new Float32Array(new SharedArrayBuffer(4 * size));
  if (type === 'int32') return new Int32Array(new SharedArrayBuffer(4 * size));
  return new Uint8Array(new SharedArrayBuffer(size));
}

function outputsOf({ outputs, error }: Answer): HostArray[] {
  if (outputs) return outputs;
  throw new EngineError(describeFailure(new Error(error), 'cpu'));
}
