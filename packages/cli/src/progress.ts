import { Presets, SingleBar } from 'cli-progress';

import { formatNumber } from './report/table.js';

export interface ProgressOptions {
  /** What is being done, for example `training`. */
  label: string;
  /** How many units there are to do. */
  total: number;
  /** Units that were done before, by a run that goes on: they count for what is left, not for the rate. @defaultValue 0 */
  from?: number;
  /** The plural of what is counted, for example `updates`. */
  unit: string;
  /** Where it is shown; standard output is for results. @defaultValue the standard error stream */
  stream?: NodeJS.WritableStream & { isTTY?: boolean };
  /** Milliseconds, for tests. @defaultValue Date.now */
  now?: () => number;
}

export interface ProgressDisplay {
  /** `n` units are done; `info` is shown behind, for example `reward −0.12`. */
  tick(n: number, info?: string): void;
  /** Ends the display; to be called in a `finally`, as a bar left open keeps the cursor hidden. */
  done(): void;
}

/** Work that is over sooner shows nothing. */
const QUIET_MS = 2000;
const LINE_EVERY_MS = 5000;

/** `45 s`, `3 min 20 s`, `2 h 05 min`. */
export function formatDuration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
  return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, '0')} min`;
}

/** Progress with rate and time left: a bar on a terminal, otherwise a plain line every few seconds. */
export function progress(options: ProgressOptions): ProgressDisplay {
  const { label, total, from = 0, unit, stream = process.stderr, now = Date.now } = options;
  const start = now();
  let bar: SingleBar | undefined;
  let lastLine: number | undefined;
  let finished = from;
  let lastInfo = '';

  const figures = (elapsedMs: number) => {
    const rate = elapsedMs > 0 ? ((finished - from) / elapsedMs) * 1000 : 0;
    const left = rate > 0 ? formatDuration(Math.max(0, total - finished) / rate) : '?';
    return { rate: formatNumber(rate, 3), left, info: lastInfo === '' ? '' : `, ${lastInfo}` };
  };

  return {
    tick(n, info = '') {
      finished = n;
      lastInfo = info;
      const elapsed = now() - start;
      if (elapsed < QUIET_MS) return;
      const { rate, left, info: more } = figures(elapsed);
      if (stream.isTTY) {
        if (!bar) {
          const format = `${label} {bar} {value}/{total} ${unit}, {rate}/s, {left} left{info}`;
          bar = new SingleBar({ format, stream, barsize: 24, hideCursor: true }, Presets.shades_classic);
          bar.start(total, n, { rate, left, info: more });
        }
        bar.update(n, { rate, left, info: more });
      } else if (lastLine === undefined || now() - lastLine >= LINE_EVERY_MS) {
        lastLine = now();
        stream.write(`${label}: ${n}/${total} ${unit}, ${rate}/s, ${left} left${more}\n`);
      }
    },
    done() {
      const elapsed = now() - start;
      const { rate, info } = figures(elapsed);
      if (bar) {
        bar.update(finished, { rate, left: formatDuration(0), info });
        bar.stop();
      } else if (lastLine !== undefined) {
        stream.write(
          `${label}: ${finished}/${total} ${unit} in ${formatDuration(elapsed / 1000)}, ${rate}/s${info}\n`,
        );
      }
      bar = undefined;
      lastLine = undefined;
    },
  };
}
