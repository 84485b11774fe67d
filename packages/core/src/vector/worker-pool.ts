import { MessageChannel, receiveMessageOnPort, Worker, type MessagePort } from 'node:worker_threads';

import type { Info } from '../environment.js';
import { ConfigError, EnvironmentError } from '../errors.js';
import { vectorBuffers, type EnvironmentSpec } from './buffers.js';
import type { InstanceState, VectorBuffers } from './batch.js';
import type { EnvironmentModule } from './load-environment.js';
import {
  ANYBODY,
  Command,
  CONTROL_WORDS,
  Reply,
  Word,
  type WorkerBuffers,
  type WorkerReply,
  type WorkerRequest,
  type WorkerStart,
} from './worker-protocol.js';

/** How long a worker may take over one request before it counts as lost, in milliseconds. */
const PATIENCE = 600_000;
/** Between two looks at whether a worker that has not answered is still there, in milliseconds. */
const LOOK_AGAIN = 500;

interface Thread {
  readonly worker: Worker;
  readonly port: MessagePort;
  readonly control: Int32Array;
  readonly first: number;
  readonly instances: number;
  /** The thread has ended and will answer nothing more. */
  gone: boolean;
  /** Whether Node says, by what `postMessage` returns, that a port has lost its other end. */
  readonly canLook: boolean;
}

export interface PoolOptions {
  readonly count: number;
  readonly workers: number;
  readonly maxEpisodeSteps?: number;
}

/** Instances on worker threads, in runs of neighbours. The main thread waits for all of them at each step. */
export class WorkerPool {
  private constructor(
    private readonly threads: readonly Thread[],
    readonly spec: EnvironmentSpec,
    readonly buffers: VectorBuffers,
  ) {}

  /** @throws {ConfigError} when a worker cannot make its instances */
  static async start(source: EnvironmentModule, options: PoolOptions): Promise<WorkerPool> {
    const { count, maxEpisodeSteps } = options;
    const workers = Math.min(options.workers, count);
    const threads = Array.from({ length: workers }, (_, w) => {
      const first = Math.floor((w * count) / workers);
      const instances = Math.floor(((w + 1) * count) / workers) - first;
      return startThread({ source, first, instances, maxEpisodeSteps });
    });
    try {
      const specs = await Promise.all(threads.map(firstReply));
      const buffers = vectorBuffers(specs[0], count, true);
      for (const { worker } of threads) {
        worker.postMessage({ buffers } satisfies WorkerBuffers);
        worker.unref(); // a forgotten close does not keep the process alive
      }
      return new WorkerPool(threads, specs[0], buffers);
    } catch (error) {
      await Promise.all(threads.map(({ worker }) => worker.terminate()));
      throw error;
    }
  }

  reset(seed: number): void {
    this.request(() => ({ kind: 'reset', seed }));
  }

  step(): [index: number, info: Info][] {
    return this.request().flatMap(({ infos = [] }) => infos);
  }

  states(): InstanceState[] {
    return this.request(() => ({ kind: 'state' })).flatMap(({ states = [] }) => states);
  }

  restore(seed: number, states: readonly InstanceState[]): void {
    this.request(({ first, instances }) => ({
      kind: 'restore',
      seed,
      states: states.slice(first, first + instances),
    }));
  }

  async close(): Promise<void> {
    try {
      if (!this.threads.some(({ gone }) => gone)) this.request(() => ({ kind: 'close' }));
    } finally {
      await Promise.all(this.threads.map(({ worker }) => worker.terminate()));
    }
  }

  /** Asks all, then waits for all: an error is that of the lowest instance, as on one thread. */
  private request(message?: (thread: Thread) => WorkerRequest): WorkerReply[] {
    for (const thread of this.threads) {
      if (thread.gone) continue;
      if (message) thread.port.postMessage(message(thread));
      Atomics.store(thread.control, Word.command, message ? Command.message : Command.step);
      Atomics.add(thread.control, Word.request, 1);
      Atomics.notify(thread.control, Word.request);
    }
    const replies = this.threads.map(waitForReply);
    const failed = replies.find(({ error }) => error)?.error;
    if (failed) throw new EnvironmentError(failed.message, { cause: failed.cause });
    return replies;
  }
}

function startThread(start: Omit<WorkerStart, 'control' | 'port'>): Thread {
  const { port1, port2 } = new MessageChannel();
  const control = new Int32Array(new SharedArrayBuffer(4 * CONTROL_WORDS));
  const workerData: WorkerStart = { ...start, control, port: port2 };
  const fromSource = import.meta.url.endsWith('.ts');
  const file = new URL(fromSource ? './worker-from-source.mjs' : './worker.js', import.meta.url);
  const worker = new Worker(file, {
    workerData,
    transferList: [port2],
    ...(fromSource && { execArgv: ['--conditions=@rollcast/source'] }),
  });
  const thread = {
    worker,
    port: port1,
    control,
    first: start.first,
    instances: start.instances,
    gone: false,
    canLook: isThere(port1),
  };
  worker.on('error', () => undefined); // told by the next request; unheard, it would end the process
  worker.once('exit', () => {
    thread.gone = true;
  });
  return thread;
}

/** The spec of the environment, once the worker has made its instances. */
function firstReply({ worker }: Thread): Promise<EnvironmentSpec> {
  return new Promise((resolve, reject) => {
    const ended = (why: string): void =>
      reject(
        new EnvironmentError(`A worker ended while it made its instances${why}; try it with workers: 0.`),
      );
    worker.once('message', ({ spec, error }: WorkerReply) => {
      if (spec) resolve(spec);
      else reject(error!.isConfig ? new ConfigError(error!.message) : new EnvironmentError(error!.message));
    });
    worker.once('error', ({ message }: Error) => ended(`: ${message}`));
    worker.once('exit', () => ended('')); // says nothing new after one of the others
  });
}

/** No event arrives while this thread waits; a port tells whether its other end is still open. */
function isThere(port: MessagePort): boolean {
  const answer: unknown = port.postMessage(ANYBODY);
  return answer === true;
}

function waitForReply(thread: Thread): WorkerReply {
  const { control, port, canLook } = thread;
  const started = performance.now();
  const asked = Atomics.load(control, Word.request);
  for (let done = Atomics.load(control, Word.done); done !== asked; done = Atomics.load(control, Word.done)) {
    if (thread.gone) break;
    if (Atomics.wait(control, Word.done, done, LOOK_AGAIN) !== 'timed-out') continue;
    if (canLook && !isThere(port)) thread.gone = true;
    else if (performance.now() - started > PATIENCE) {
      thread.gone = true; // whatever it answers now would be taken for the answer to something else
      return lost(
        thread,
        `has not answered for ${PATIENCE / 1000} s. An environment may hang in reset or step`,
      );
    }
  }
  const reply = Atomics.load(control, Word.reply);
  if (thread.gone || reply === Reply.gone) {
    thread.gone = true;
    return lost(thread, 'has ended. An environment may have called process.exit or run out of memory');
  }
  return reply === Reply.message ? (receiveMessageOnPort(port)!.message as WorkerReply) : {};
}

function lost({ first, instances }: Thread, what: string): WorkerReply {
  const message = `The worker of the instances ${first} to ${first + instances - 1} ${what}; try it with workers: 0.`;
  return { error: { message, isConfig: false } };
}
