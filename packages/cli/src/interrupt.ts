/** Ctrl-C once asks for a clean stop, twice ends at once. */
export interface Interrupt {
  /** The signal that came, if any. */
  readonly signal: 'SIGINT' | 'SIGTERM' | undefined;
  /** Stops listening and, when interrupted, sets the exit code: 130 or 143. */
  release(): void;
}

const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 };

/** npm passes on a Ctrl-C that the terminal has sent to everybody already; milliseconds within which that is one and not two. */
const SAME_PRESS = 300;

const AFTER_THIS_STEP = 'stopping after this step and writing a checkpoint';

/**
 * Ends this process when the one that started it is gone, if that one left a channel open to tell by, as `bench` does: nobody
 * would stop this process, or read what comes out.
 */
export function endWithParent(): void {
  if (!process.connected) return;
  process.once('disconnect', () => process.exit(1));
  process.channel?.unref(); // after the listener, which holds it: it must not keep a finished training alive
}

/**
 * Listens for SIGINT and SIGTERM.
 *
 * @param onFirst - asks the work to stop
 * @param doing - what happens then, for the message
 */
export function listenForInterrupt(onFirst: () => void, doing = AFTER_THIS_STEP): Interrupt {
  let came: Interrupt['signal'];
  let since = 0;
  const listen = (name: 'SIGINT' | 'SIGTERM') => (): void => {
    if (came === name && performance.now() - since < SAME_PRESS) return;
    if (came) process.exit(EXIT_CODES[name]);
    came = name;
    since = performance.now();
    console.error(`\n${name}: ${doing}; press Ctrl-C again to end at once.`);
    onFirst();
  };
  const listeners = { SIGINT: listen('SIGINT'), SIGTERM: listen('SIGTERM') };
  for (const [name, listener] of Object.entries(listeners)) process.on(name, listener);
  return {
    get signal() {
      return came;
    },
    release() {
      for (const [name, listener] of Object.entries(listeners)) process.off(name, listener);
      if (came) process.exitCode = EXIT_CODES[came];
    },
  };
}
