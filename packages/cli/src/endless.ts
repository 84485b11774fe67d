/**
 * Code of a user's own may never return, from a step, a reward, or while it is loaded. No signal is heard meanwhile, so that
 * Ctrl-C seems to do nothing; only another thread can say so.
 */
import { Worker } from 'node:worker_threads';

/** How long nothing may go on before it is said, in milliseconds. An update of a large model may take that long. */
const PATIENCE = 60_000;

/** Runs beside the main thread, which counts beats as long as its events are heard. */
const WATCH = `
const { writeSync } = require('node:fs');
const { workerData: { beats, patience, message } } = require('node:worker_threads');
let heard = beats[0];
let since = performance.now();
let said = false;
setInterval(() => {
  const now = Atomics.load(beats, 0);
  if (now !== heard) [heard, since, said] = [now, performance.now(), false];
  else if (!said && performance.now() - since >= patience) {
    said = true;
    writeSync(2, message);
  }
}, patience / 10);
`;

let watched = false;

/**
 * Says once on the error stream when nothing has gone on in this thread for a while, and how the process can be ended. Nothing is
 * ended by it: the work may just be long. Neither the watch nor its thread keeps the process alive.
 *
 * @param name - the code of the user's own that is loaded, for the message; the first one counts
 */
export function sayWhenEndless(name: string, patience = PATIENCE): void {
  if (watched) return;
  watched = true;
  const beats = new Int32Array(new SharedArrayBuffer(4));
  const end = process.platform === 'win32' ? `taskkill /f /pid ${process.pid}` : `kill -9 ${process.pid}`;
  const message = `note: nothing has gone on for ${Math.round(patience / 1000)} s, and Ctrl-C is not heard meanwhile. If code of ${name} never returns, end this process with: ${end}. The last checkpoint of a run stays.\n`;
  // without the flags of this process, which may say that what is evaluated is a module
  const watch = new Worker(WATCH, { eval: true, execArgv: [], workerData: { beats, patience, message } });
  watch.on('error', () => undefined); // a run goes on without its watch
  watch.unref();
  setInterval(() => Atomics.add(beats, 0, 1), patience / 10).unref();
}
