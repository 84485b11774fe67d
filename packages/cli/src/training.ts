/** What every `rollcast train` does, whatever its environment: checkpoints, metrics, progress, interruption, the result. */
import {
  CheckpointStore,
  ConfigError,
  MetricsCallback,
  type Callback,
  type Checkpoint,
  type Logger,
  type Metrics,
  type Rollout,
  type RunDirectory,
  type SequenceCollector,
  type StepCollector,
  type TrainResult,
} from '@rollcast/core';
import type { Command } from 'commander';
import { z } from 'zod';

import { withLogger } from './commands/shared.js';
import { readDump, writeDump, type Dump } from './dump.js';
import { listenForInterrupt } from './interrupt.js';
import { givenFlags, quoted } from './flags.js';
import { isPlugin } from './plugins.js';
import { progress } from './progress.js';
import { writeResult } from './training-result.js';

/** Flags that mean the same on every kind of environment. */
export interface TrainingFlags {
  env: string;
  algo?: string;
  lr?: number;
  seed: number;
  checkpointEvery: number;
  set: string[];
}

/** What `config.json` of every training holds. */
export const trainingShape = {
  environment: z.string(),
  environmentOptions: z.record(z.string(), z.unknown()),
  algorithm: z.string(),
  algorithmOptions: z.record(z.string(), z.unknown()),
  seed: z.int().min(0),
  checkpointEvery: z.int().min(1),
};

export type TrainingCollector = StepCollector | SequenceCollector;

/** A run that is open: it is started, or goes on from a checkpoint. */
export interface TrainingContext {
  readonly run: RunDirectory;
  readonly logger: Logger;
  /** The sentence that says who computes. */
  readonly backend: string;
  /** Where a resumed run goes on; none when it was cut before its first. */
  readonly checkpoint?: Checkpoint;
  /** Where the run is a dump: the update that is to be repeated. */
  readonly dump?: Dump;
}

/**
 * Opens a run folder that exists for training, and closes it when the work is over.
 *
 * @param backend - the sentence that says who computes
 */
export async function openTraining(
  run: RunDirectory,
  backend: string,
  resume: boolean,
  work: (context: TrainingContext) => Promise<void>,
): Promise<void> {
  const dump = resume ? readDump(run.path) : undefined;
  const train = async (logger: Logger): Promise<void> => {
    logger.info(backend);
    const checkpoint = resume ? goOn(run, logger) : undefined;
    try {
      await work({ run, logger, backend, checkpoint, dump });
    } catch (error) {
      const last = new CheckpointStore(run.checkpointFolder).list().at(-1);
      if (last !== undefined)
        logger.warn(`ended by an error; the checkpoint of update ${last} is intact: ${resumeCommand(run)}`);
      throw error;
    }
  };
  await withLogger(run, train, { console: !dump }); // a dump is repeated in a copy, which is nobody's run
}

/**
 * Takes a run back to its latest good checkpoint: what came after it is forgotten, and will come again.
 *
 * @returns undefined when the run was cut before its first one and starts anew
 */
export function goOn(run: RunDirectory, logger: Logger): Checkpoint | undefined {
  const store = new CheckpointStore(run.checkpointFolder);
  const checkpoint = store.loadLatestGood((message) => logger.warn(message));
  if (!checkpoint) logger.warn(`${run.path} has no checkpoint yet; the run starts from its beginning.`);
  const update = checkpoint?.update ?? 0;
  run.rewindMetrics(update); // before anything reads what is to be forgotten
  store.discardAfter(update);
  return checkpoint;
}

/** The command that goes on with a run. Files of the user's own are named in it, since nothing is loaded otherwise. */
export function resumeCommand({ path, config }: RunDirectory): string {
  return ['rollcast train', `--out ${quoted(path)}`, '--resume', ...pluginFlags(config)].join(' ');
}

/** The command that judges a run, likewise; a reward plays no part in it. */
export function evaluateCommand({ path, config }: RunDirectory): string {
  const env = pluginFlags(config).filter((flag) => flag.startsWith('--env'));
  return ['rollcast evaluate', `--run ${quoted(path)}`, ...env].join(' ');
}

/** The command that repeats the update of a dump, likewise. */
export function replayCommand(dump: string, { config }: RunDirectory): string {
  return ['rollcast replay', quoted(dump), ...pluginFlags(config)].join(' ');
}

const pluginFlags = (config: RunDirectory['config']): string[] =>
  pluginsOfRun(config).map(([flag, name]) => `${flag} ${quoted(name)}`);

/** The files and packages of the user's own that a run was started with, and the flags that name them. */
export function pluginsOfRun(
  config: Readonly<Record<string, unknown>>,
): (readonly [flag: '--env' | '--reward', name: string])[] {
  const { environment, environmentOptions } = config as {
    environment?: unknown;
    environmentOptions?: { reward?: unknown };
  };
  const reward = environmentOptions?.reward;
  return [
    ...(typeof environment === 'string' && isPlugin(environment) ? [['--env', environment] as const] : []),
    ...('rewardFileOptions' in config && typeof reward === 'string' ? [['--reward', reward] as const] : []),
  ];
}

/**
 * Refuses to go on with code of the user's own that the command line does not name.
 *
 * @param way - the command that does
 * @throws {ConfigError} when a flag is missing
 */
export function refuseUnnamed(command: Command, plugins: ReturnType<typeof pluginsOfRun>, way: string): void {
  const given = givenFlags(command).map(([, long]) => long);
  const unnamed = plugins.find(([flag]) => !given.includes(flag));
  if (!unnamed) return;
  throw new ConfigError(
    `This run was started with ${unnamed.join(' ')}, code that is no part of Rollcast, and a run folder never causes code to be loaded. If you trust it, name it again: ${way}`,
  );
}

/** What a trainer is to be made with. */
export interface LoopParts {
  updates: number;
  startUpdate: number;
  callbacks: readonly Callback[];
  /** To be used instead of collecting one. */
  rollout?: Rollout;
}

/** A training that can be run and stopped: a `Trainer`, with what it collects by. */
export interface RunningTraining {
  readonly collector: TrainingCollector;
  run(): Promise<TrainResult>;
  /** Ends the run after the update in progress. */
  stop(): void;
}

export interface TrainingLoop {
  updates: number;
  checkpointEvery: number;
  /** How progress is counted, for example 64 trajectories of 6 tokens an update. */
  progress: { label: string; unit: string; unitsPerUpdate: number };
  callbacks?: readonly Callback[];
  /** Axis of the picture of the learning curve; there is none without it. */
  curveLabel?: string;
  /** Makes the trainer, and brings it to the state of the checkpoint. */
  start(loop: LoopParts): RunningTraining;
  /** The files of a checkpoint, now. */
  files(): Record<string, Uint8Array | string>;
  /** What is shown behind the progress. */
  info(metrics: Metrics): string;
}

/** Turns the loop to its end or to Ctrl-C, and leaves metrics, checkpoints and `result.json` behind. */
export async function trainInRun(
  { run, logger, backend, checkpoint, dump }: TrainingContext,
  loop: TrainingLoop,
): Promise<TrainResult> {
  if (dump) {
    console.log(`repeated (${backend})`);
    const startUpdate = dump.violation.update - 1;
    return loop.start({ updates: startUpdate + 1, startUpdate, callbacks: [], rollout: dump.rollout }).run();
  }
  const { updates, checkpointEvery, curveLabel } = loop;
  const { label, unit, unitsPerUpdate } = loop.progress;
  const store = new CheckpointStore(run.checkpointFolder);
  const save = (update: number): void => {
    run.flushMetrics();
    store.save(update, loop.files());
  };
  const startUpdate = checkpoint?.update ?? 0;
  const bar = progress({
    label,
    total: updates * unitsPerUpdate,
    from: startUpdate * unitsPerUpdate,
    unit,
  });
  const keeper: Callback = {
    onUpdateEnd({ update, metrics }) {
      bar.tick(update * unitsPerUpdate, loop.info(metrics));
      if (update % checkpointEvery === 0) save(update);
    },
    onViolation(violation) {
      const folder = writeDump(run, { ...violation, backend }, loop.files());
      logger.error(
        `update ${violation.update + 1} broke; the state before it is in ${folder}. Repeat it with: ${replayCommand(folder, run)}`,
      );
    },
    onTrainingEnd({ update }) {
      if (store.list().at(-1) !== update) save(update);
    },
  };
  const training = loop.start({
    updates,
    startUpdate,
    callbacks: [new MetricsCallback(run), ...(loop.callbacks ?? []), keeper],
  });
  const { collector } = training;
  const before = collector.stepsDone;
  const started = performance.now();
  const interrupt = listenForInterrupt(() => training.stop());
  try {
    const result = await training.run();
    bar.done();
    const stepsPerSecond = (1000 * (collector.stepsDone - before)) / (performance.now() - started);
    await writeResult(run, collector, { stepsPerSecond, curveLabel });
    logger.info(
      `return ${shownReturn(collector)} (mean of the last 100 episodes) after ${collector.stepsDone} steps, ${Math.round(stepsPerSecond)} steps/s`,
    );
    logger.info(
      result.reason === 'stopped'
        ? `stopped after ${result.updates} of ${updates} updates; continue with: ${resumeCommand(run)}`
        : `done: checkpoint, metrics and plots in ${run.path}; judge it with: ${evaluateCommand(run)}`,
    );
    return result;
  } finally {
    bar.done();
    interrupt.release();
  }
}

/** The mean return of the last 100 episodes for people. */
export function shownReturn({ recentReturn }: TrainingCollector): string {
  return Number.isFinite(recentReturn) ? String(Math.round(recentReturn * 100) / 100) : 'not known yet';
}
