/** What a training leaves behind, and what a benchmark makes of it. */
import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';

import { ConfigError, resolveOptions } from '@rollcast/core';
import { z } from 'zod';

import type { BenchJob } from './job.js';

/** `result.json` in the run folder of a training. */
const trainingResult = z.strictObject({
  steps: z.int().min(0).describe('environment steps that were taken, or tokens that were generated'),
  finalReturn: z
    .number()
    .nullable()
    .describe('mean return of the last 100 training episodes; null when none ended'),
  stepsPerSecond: z.number().min(0).describe('environment steps a second, over the whole run'),
  curve: z
    .array(z.strictObject({ step: z.int().min(0), return: z.number() }))
    .describe('mean return of the last 100 episodes at about 100 points of the run'),
});
type FileContent = z.output<typeof trainingResult>;
/** What a training came to. */
export type TrainingResult = FileContent & { finalReturn: number };
export type CurvePoint = TrainingResult['curve'][number];

/** One row of `results.json`. */
export interface BenchRow {
  readonly algorithm: string;
  readonly environment: string;
  readonly seed: number;
  /** Environment steps that were taken, or tokens that were generated. */
  readonly steps: number;
  /** Mean return of the last 100 training episodes; null of a run that did not finish. */
  readonly finalReturn: number | null;
  readonly stepsPerSecond: number | null;
  /**
   * `finished`, `failed: ` and the first line of the message, or `skipped: ` and why the algorithm cannot act on the
   * environment.
   */
  readonly status: string;
}

/** A row with what the report needs besides. */
export interface BenchRun extends BenchRow {
  /** Wall time of the process, start-up included. */
  readonly seconds: number;
  /** Ascending by step; empty of a failed run. */
  readonly curve: readonly CurvePoint[];
}

/** A run that finished. */
export interface FinishedRun extends BenchRun {
  readonly finalReturn: number;
  readonly stepsPerSecond: number;
}

export function isFinished(run: BenchRun): run is FinishedRun {
  return run.status === 'finished';
}

/** The algorithm cannot act on the environment, so that nothing was run. */
export function isSkipped(run: BenchRun): boolean {
  return run.status.startsWith('skipped: ');
}

export function isFailed(run: BenchRun): boolean {
  return !isFinished(run) && !isSkipped(run);
}

/** The row of a combination that cannot be run. */
export function skippedRun({ algorithm, environment, seed, skipped }: BenchJob): BenchRun {
  const nothing = { steps: 0, finalReturn: null, stepsPerSecond: null, seconds: 0, curve: [] };
  return { algorithm, environment, seed, ...nothing, status: `skipped: ${skipped}` };
}

/** The keys of the JSON and nothing else. */
export function benchRow(run: BenchRun): BenchRow {
  const { algorithm, environment, seed, steps, finalReturn, stepsPerSecond, status } = run;
  return { algorithm, environment, seed, steps, finalReturn, stepsPerSecond, status };
}

/**
 * Reads what a training left.
 *
 * @throws {ConfigError} when there is no `result.json`, it is none, or no episode ended
 */
export function readTrainingResult(folder: string): TrainingResult {
  const file = join(folder, 'result.json');
  if (!existsSync(file)) throw new ConfigError('the training ended without result.json; its log may say why');
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    throw new ConfigError('result.json is damaged: it is not JSON');
  }
  const result = resolveOptions(trainingResult, value, 'result.json');
  const { finalReturn, steps } = result;
  if (finalReturn === null)
    throw new ConfigError(`no episode ended in ${steps} steps; train for more with --steps`);
  return { ...result, finalReturn };
}

/** How many bytes of the end of `metrics.jsonl` hold its last line for certain. */
const LAST_LINES = 16_384;

/** The environment steps that a training has got to, from the last whole line of its `metrics.jsonl`; 0 before the first. */
export function stepsSoFar(folder: string): number {
  try {
    const file = openSync(join(folder, 'metrics.jsonl'), 'r');
    try {
      const { size } = fstatSync(file);
      const tail = Buffer.alloc(Math.min(size, LAST_LINES));
      readSync(file, tail, 0, tail.length, size - tail.length);
      const line = tail.toString('utf8').split('\n').at(-2) ?? '{}';
      const steps = (JSON.parse(line) as Record<string, unknown>)['time/steps'];
      return typeof steps === 'number' && Number.isFinite(steps) ? steps : 0;
    } finally {
      closeSync(file);
    }
  } catch {
    return 0; // not there yet, or a line that is just being written
  }
}

/**
 * Why a process failed, in one line: the last `error: …` that it printed, or the first line of an exception, or how it
 * ended.
 */
export function failureMessage(log: string, code: number | null, signal: string | null): string {
  const lines = log.split(/[\r\n]+/).map((line) => line.trim());
  const told = lines.findLast((line) => line.startsWith('error: '));
  if (told) return told.slice('error: '.length);
  const thrown = lines.find((line) => /^(\w*Error\b|FATAL ERROR:)/.test(line));
  return (
    thrown ??
    (signal === null ? `the process ended with exit code ${code}` : `the process was ended by ${signal}`)
  );
}
