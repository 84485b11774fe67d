/** The worker thread: makes its instances, then steps them whenever the control word changes. */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';

import type { Info } from '../environment.js';
import { ConfigError } from '../errors.js';
import { EnvironmentBatch } from './batch.js';
import { loadEnvironment } from './load-environment.js';
import {
  ANYBODY,
  Command,
  Reply,
  Word,
  type WorkerBuffers,
  type WorkerReply,
  type WorkerRequest,
  type WorkerStart,
} from './worker-protocol.js';

const { source, first, instances, maxEpisodeSteps, control, port } = workerData as WorkerStart;

/** Until it is told to close, an end is a mishap that the main thread is waiting to hear of. */
let closing = false;
process.on('exit', () => {
  if (closing) return;
  Atomics.store(control, Word.reply, Reply.gone);
  Atomics.store(control, Word.done, Atomics.load(control, Word.request));
  Atomics.notify(control, Word.done);
});

function errorReply(error: unknown): WorkerReply {
  const { message, cause } = error instanceof Error ? error : new Error(String(error));
  return { error: { message, cause: plainCause(cause), isConfig: error instanceof ConfigError } };
}

/** An Error can be cloned; what a user hangs on it may not be. */
function plainCause(cause: unknown): unknown {
  if (!(cause instanceof Error)) return undefined; // the message has it
  const { name, message, stack } = cause;
  return Object.assign(new Error(message), { name, stack });
}

function answer(reply?: WorkerReply): void {
  if (reply) port.postMessage(reply);
  Atomics.store(control, Word.reply, reply ? Reply.message : Reply.none);
  Atomics.store(control, Word.done, Atomics.load(control, Word.request));
  Atomics.notify(control, Word.done);
}

function nextRequest(): WorkerRequest {
  let message: unknown = ANYBODY;
  while (message === ANYBODY) message = receiveMessageOnPort(port)!.message;
  return message as WorkerRequest;
}

/** Until it is told to close: the main thread may be waiting at any time, so nothing here is asynchronous. */
function serve(batch: EnvironmentBatch): void {
  for (let handled = 0; ;) {
    // a request may be seen before its notification, which then wakes this thread once more for nothing
    while (Atomics.load(control, Word.request) === handled) Atomics.wait(control, Word.request, handled);
    handled = Atomics.load(control, Word.request); // before the answer: the next request may come right after it
    try {
      if (Atomics.load(control, Word.command) === Command.step) {
        const infos: [number, Info][] = batch.step();
        answer(infos.length > 0 ? { infos } : undefined);
        continue;
      }
      const request = nextRequest();
      if (request.kind === 'reset') batch.reset(request.seed);
      if (request.kind === 'restore') batch.restore(request.seed, request.states);
      if (request.kind === 'close') {
        closing = true;
        batch.close();
        answer();
        return;
      }
      answer(request.kind === 'state' ? { states: batch.states() } : undefined);
    } catch (error) {
      answer(errorReply(error));
    }
  }
}

try {
  const make = await loadEnvironment(source);
  const environments = Array.from({ length: instances }, make);
  const { name, observationSpace, actionSpace } = environments[0];
  parentPort!.once('message', ({ buffers }: WorkerBuffers) => {
    serve(new EnvironmentBatch(environments, buffers, first, maxEpisodeSteps));
  });
  parentPort!.postMessage({
    spec: { name, observationSpace: observationSpace.spec(), actionSpace: actionSpace.spec() },
  } satisfies WorkerReply);
} catch (error) {
  parentPort!.postMessage(errorReply(error));
}
