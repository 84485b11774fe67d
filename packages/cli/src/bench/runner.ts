/**
 * Runs the jobs of a benchmark in processes of their own, a few at a time. In the folder of the benchmark, a job has
 *
 *   NAME/      the run folder of the training
 *   NAME.log   what it printed
 *   NAME.json  what was asked for and, once it has ended, what came out
 *
 * A job whose NAME.json says that the same was asked for and finished is not run again.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { ConfigError, rollcastVersion, writeFileAtomically } from '@rollcast/core';

import { jobName, trainCommand, type BenchJob, type Command } from './job.js';
import { failureMessage, readTrainingResult, stepsSoFar, type BenchRun } from './result.js';

/** Where a benchmark is. */
export interface BenchProgress {
  /** Runs that have ended now, without those of an earlier call. */
  readonly ended: number;
  readonly failed: number;
  /** Environment steps of this call; an ended run counts as all of its steps. */
  readonly steps: number;
}

export interface RunnerOptions {
  /** Folder of the benchmark; made if need be. */
  out: string;
  /** Processes at a time. */
  parallel: number;
  /** Ends the running processes and starts no more. */
  signal?: AbortSignal;
  onProgress?: (progress: BenchProgress) => void;
  /** How a job is carried out. @defaultValue trainCommand */
  command?: (job: BenchJob, folder: string) => Command;
  /** Milliseconds between two calls of `onProgress`. @defaultValue 1000 */
  progressEvery?: number;
  /** Milliseconds that a process has to end itself when stopped. @defaultValue 5000 */
  grace?: number;
}

export interface BenchOutcome {
  /** One a job that has ended, in the order of the jobs. */
  readonly runs: readonly BenchRun[];
  /** Whether the signal came before all had ended. */
  readonly stopped: boolean;
}

/** The content of NAME.json. */
interface JobRecord {
  readonly rollcast: string;
  readonly job: BenchJob;
  /** null while the job runs, and of one that was stopped. */
  readonly run: BenchRun | null;
}

/** The runs among these jobs that an earlier call finished, by job. */
export function finishedBefore(jobs: readonly BenchJob[], out: string): Map<BenchJob, BenchRun> {
  const finished = new Map<BenchJob, BenchRun>();
  for (const job of jobs) {
    const record = readRecord(join(out, `${jobName(job)}.json`));
    const same =
      JSON.stringify(record?.job) === JSON.stringify(job) && record?.rollcast === rollcastVersion();
    if (same && record?.run?.status === 'finished') finished.set(job, record.run);
  }
  return finished;
}

/**
 * Runs what has not finished yet.
 *
 * @throws {ConfigError} when a folder is taken by something that no benchmark made; nothing is started then
 */
export async function runJobs(jobs: readonly BenchJob[], options: RunnerOptions): Promise<BenchOutcome> {
  const { out, parallel, signal, onProgress, progressEvery = 1000 } = options;
  const runs = finishedBefore(jobs, out);
  const waiting = jobs.filter((job) => !runs.has(job));
  refuseForeignFolders(waiting, out);
  mkdirSync(out, { recursive: true });

  const running = new Set<BenchJob>();
  const children = new Set<ChildProcess>();
  const endAll = (): void => children.forEach((child) => child.kill('SIGKILL'));
  const ended: BenchRun[] = [];
  let endedSteps = 0;
  const report = (): void => {
    const current = [...running].map((job) => stepsSoFar(join(out, jobName(job))));
    onProgress?.({
      ended: ended.length,
      failed: ended.filter(({ status }) => status !== 'finished').length,
      steps: current.reduce((sum, steps) => sum + steps, endedSteps),
    });
  };
  const worker = async (): Promise<void> => {
    for (let job = waiting.shift(); job && !signal?.aborted; job = waiting.shift()) {
      running.add(job);
      const run = await runJob(job, options, children);
      running.delete(job);
      if (!run) return;
      runs.set(job, run);
      ended.push(run);
      endedSteps += job.steps;
      report();
    }
  };
  const timer = setInterval(report, progressEvery);
  process.once('exit', endAll); // a second Ctrl-C ends this process at once
  try {
    await Promise.all(Array.from({ length: parallel }, worker));
  } finally {
    clearInterval(timer);
    process.off('exit', endAll);
    endAll(); // those that are left when a worker could not go on
  }
  const inOrder = jobs.flatMap((job) => runs.get(job) ?? []);
  return { runs: inOrder, stopped: inOrder.length < jobs.length };
}

/** A training from its start to its row; undefined when it was stopped. */
async function runJob(
  job: BenchJob,
  options: RunnerOptions,
  children: Set<ChildProcess>,
): Promise<BenchRun | undefined> {
  const { out, command = trainCommand } = options;
  const name = jobName(job);
  const folder = join(out, name);
  const recordFile = join(out, `${name}.json`);
  const logFile = join(out, `${name}.log`);
  const record = (run: BenchRun | null): void => {
    const content: JobRecord = { rollcast: rollcastVersion(), job, run };
    writeFileAtomically(recordFile, `${JSON.stringify(content)}\n`);
  };
  record(null);
  rmSync(folder, { recursive: true, force: true }); // what an attempt left that did not finish
  const start = performance.now();
  const end = await runProcess(command(job, folder), logFile, options, children);
  const seconds = (performance.now() - start) / 1000;
  if (end.stopped) return undefined;

  const { algorithm, environment, seed } = job;
  const identity = { algorithm, environment, seed };
  let run: BenchRun;
  try {
    if (end.code !== 0)
      throw new Error(end.message ?? failureMessage(readFileSync(logFile, 'utf8'), end.code, end.signal));
    const result = readTrainingResult(folder);
    run = { ...identity, ...result, status: 'finished', seconds };
  } catch (error) {
    const [firstLine] = (error as Error).message.split('\n');
    run = {
      ...identity,
      steps: stepsSoFar(folder),
      finalReturn: null,
      stepsPerSecond: null,
      status: `failed: ${firstLine}`,
      seconds,
      curve: [],
    };
  }
  record(run);
  return run;
}

/** How a process ended; `message` when it could not be started. */
interface ProcessEnd {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stopped: boolean;
  readonly message?: string;
}

function runProcess(
  { program, args }: Command,
  logFile: string,
  { signal, grace = 5000 }: RunnerOptions,
  children: Set<ChildProcess>,
): Promise<ProcessEnd> {
  return new Promise((resolve) => {
    const log = openSync(logFile, 'w');
    // the channel says nothing; its end tells the child that this process was killed
    const child = spawn(program, args, { stdio: ['ignore', log, log, 'ipc'] });
    closeSync(log);
    children.add(child);
    let force: NodeJS.Timeout | undefined;
    const stop = (): void => {
      child.kill('SIGTERM');
      force = setTimeout(() => child.kill('SIGKILL'), grace);
    };
    const settle = (end: Omit<ProcessEnd, 'stopped'>): void => {
      clearTimeout(force);
      children.delete(child);
      signal?.removeEventListener('abort', stop);
      resolve({ ...end, stopped: end.code !== 0 && signal?.aborted === true });
    };
    child.once('error', ({ message }) => settle({ code: null, signal: null, message }));
    child.once('exit', (code, endedBy) => settle({ code, signal: endedBy }));
    signal?.addEventListener('abort', stop);
    if (signal?.aborted) stop();
  });
}

function refuseForeignFolders(jobs: readonly BenchJob[], out: string): void {
  const foreign = jobs
    .map((job) => join(out, jobName(job)))
    .find((folder) => existsSync(folder) && !readRecord(`${folder}.json`));
  if (foreign)
    throw new ConfigError(
      `${foreign} is there and was not made by rollcast bench; move it, or choose another --out.`,
    );
}

function readRecord(file: string): JobRecord | undefined {
  try {
    const record = JSON.parse(readFileSync(file, 'utf8')) as JobRecord | null;
    return record?.job ? record : undefined;
  } catch {
    return undefined; // none, or a file of something else
  }
}
