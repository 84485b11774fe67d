/**
 * What the main thread and a worker say to each other. Numbers lie in shared memory and a step is one word of it, waited
 * for with `Atomics.wait`; only rare things travel as messages, put on the port before the word is changed.
 */
import type { MessagePort } from 'node:worker_threads';

import type { Info } from '../environment.js';
import type { EnvironmentSpec } from './buffers.js';
import type { InstanceState, VectorBuffers } from './batch.js';
import type { EnvironmentModule } from './load-environment.js';

/** Words of the control array, one array a worker. */
export const Word = { request: 0, done: 1, command: 2, reply: 3 } as const;
export const CONTROL_WORDS = 4;

/** In `Word.command`: step, or what the message on the port asks. */
export const Command = { step: 0, message: 1 } as const;
/** In `Word.reply`: nothing to say, a message is on the port, or the thread has ended. */
export const Reply = { none: 0, message: 1, gone: 2 } as const;

/** On the port: no request, but a look at whether the other end is still there. */
export const ANYBODY = null;

export interface WorkerStart {
  readonly source: EnvironmentModule;
  /** Instances first … first + instances − 1 are this worker's. */
  readonly first: number;
  readonly instances: number;
  readonly maxEpisodeSteps?: number;
  readonly control: Int32Array;
  readonly port: MessagePort;
}

export type WorkerRequest =
  | { readonly kind: 'reset'; readonly seed: number }
  | { readonly kind: 'state' }
  | { readonly kind: 'restore'; readonly seed: number; readonly states: readonly InstanceState[] }
  | { readonly kind: 'close' };

/** First the spec, as the worker's own message; then answers, on the port. */
export interface WorkerReply {
  readonly spec?: EnvironmentSpec;
  readonly infos?: readonly [index: number, info: Info][];
  readonly states?: readonly InstanceState[];
  readonly error?: { readonly message: string; readonly cause?: unknown; readonly isConfig: boolean };
}

/** What the main thread posts once it knows the sizes. */
export interface WorkerBuffers {
  readonly buffers: VectorBuffers;
}
