/** Micro-benchmarks with tinybench: what is measured, how, and the tables that come of it. */
import { ConfigError } from '@rollcast/core';
import { Bench } from 'tinybench';

import type { Table } from '../../report/table.js';

/** Something whose speed is measured. */
export interface SpeedTask {
  /** Where it stands: tasks of one group are one table. */
  readonly group: string;
  readonly name: string;
  /** The plural of what is counted, for example `tokens`. */
  readonly unit: string;
  /** How many of them one call makes. */
  readonly perCall: number;
  /** Builds what is needed, outside the measurement. */
  readonly prepare: () => Prepared | Promise<Prepared>;
}

/** A call that is ready to be measured, and what frees it. */
export interface Prepared {
  readonly run: () => unknown;
  readonly dispose?: () => void | Promise<void>;
}

/** How fast something went. */
export interface SpeedResult {
  readonly group: string;
  readonly name: string;
  readonly unit: string;
  readonly perSecond: number;
  readonly secondsPerCall: number;
  /** Half the 95 % interval of the mean, as a share of it. */
  readonly margin: number;
  readonly calls: number;
}

/**
 * The tasks whose group or name contains some text.
 *
 * @throws {ConfigError} when there is none
 */
export function tasksNamed(text: string, tasks: readonly SpeedTask[]): SpeedTask[] {
  const wanted = text.toLowerCase();
  const chosen = tasks.filter(({ group, name }) => `${group}: ${name}`.toLowerCase().includes(wanted));
  if (chosen.length > 0) return chosen;
  const groups = [...new Set(tasks.map(({ group }) => group))];
  throw new ConfigError(
    `--speed "${text}" names nothing that is measured; give part of a name, such as cart-pole-v1, or of a group: ${groups.map((group) => `"${group}"`).join(', ')}.`,
  );
}

/**
 * Measures one thing after the other, each after a warm-up of two calls.
 *
 * @param seconds - how long each is measured; at least five calls are made
 * @param onDone - called after each, for a progress display
 */
export async function measureSpeed(
  tasks: readonly SpeedTask[],
  seconds: number,
  onDone: (done: number) => void = () => undefined,
): Promise<SpeedResult[]> {
  const results: SpeedResult[] = [];
  for (const { group, name, unit, perCall, prepare } of tasks) {
    const { run, dispose } = await prepare();
    try {
      const bench = new Bench({
        time: 1000 * seconds,
        iterations: 5,
        warmupTime: 0,
        warmupIterations: 2,
        throws: true,
      });
      const [task] = (bench.add(name, () => void run()), await bench.run());
      if (task.result.state !== 'completed') throw new Error(`${name} could not be measured.`);
      const { mean, rme, samplesCount } = task.result.latency;
      results.push({
        group,
        name,
        unit,
        perSecond: (1000 * perCall) / mean,
        secondsPerCall: mean / 1000,
        margin: rme / 100,
        calls: samplesCount,
      });
    } finally {
      await dispose?.();
    }
    onDone(results.length);
  }
  return results;
}

/** One table a group, in the order of the results. */
export function speedTables(results: readonly SpeedResult[]): Table[] {
  const groups = [...new Set(results.map(({ group }) => group))];
  const widest = Math.max(...results.map(({ name }) => name.length));
  return groups.map((title) => ({
    title,
    columns: [
      // as wide in every table, so that the columns of all stand below each other
      { label: 'what'.padEnd(widest), align: 'left' },
      { label: 'a second'.padStart(11), align: 'right' },
      { label: 'of     ', align: 'left' },
      { label: '   a call', align: 'right' },
      { label: ' ± 95 %', align: 'right' },
    ],
    rows: results
      .filter(({ group }) => group === title)
      .map(({ name, unit, perSecond, secondsPerCall, margin }) => [
        name,
        grouped(perSecond),
        unit,
        shortTime(secondsPerCall),
        `${(100 * margin).toFixed(1)} %`,
      ]),
  }));
}

/** A count to three significant digits, in groups of three: `7 390 000`. */
function grouped(count: number): string {
  const rounded = Math.round(Number(count.toPrecision(3)));
  return rounded.toLocaleString('en-US').replaceAll(',', ' ');
}

/** A time to three significant digits: `25.1 µs`, `1.52 ms`, `2.00 s`. */
function shortTime(seconds: number): string {
  const [factor, unit] = seconds < 1e-3 ? [1e6, 'µs'] : seconds < 1 ? [1e3, 'ms'] : [1, 's'];
  const value = seconds * factor;
  return `${value >= 100 ? Math.round(value) : value.toPrecision(3)} ${unit}`;
}
