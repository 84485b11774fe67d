/** Training on step environments: what `rollcast train` does where the environment gives one observation at a time. */
import { join } from 'node:path';

import {
  CheckpointStore,
  ClipActions,
  MetricsCallback,
  MlpPolicy,
  NormaliseObservations,
  NormaliseRewards,
  RescaleActions,
  type RunDirectory,
  StepCollector,
  Trainer,
  curveChart,
  encodeSafetensors,
  mlpPolicyOptions,
  resolveOptions,
  vectorise,
  writeChart,
  writeFileAtomically,
  type Algorithm,
  type Checkpoint,
  type VectorEnvironment,
} from '@rollcast/core';
import { builtInAlgorithms } from '@rollcast/algos';
import type { StepEnvironmentEntry } from '@rollcast/envs';
import { z } from 'zod';

import { parseSettings } from './flags.js';
import { listenForInterrupt } from './interrupt.js';
import { WEIGHTS, algorithmFiles, readAlgorithmState, readArrays, readJson } from './model-files.js';
import { progress } from './progress.js';
import { stepPreset, type PresetName } from './step-presets.js';
import { withLogger } from './commands/shared.js';

/** What `config.json` of a run on a step environment holds. */
export const stepRunConfig = z.strictObject({
  environment: z.string(),
  environmentOptions: z.record(z.string(), z.unknown()),
  algorithm: z.string(),
  algorithmOptions: z.record(z.string(), z.unknown()),
  policyOptions: mlpPolicyOptions,
  steps: z.int().min(1),
  instances: z.int().min(1),
  stepsPerRollout: z.int().min(1),
  workers: z.int().min(0),
  normaliseObservations: z.boolean(),
  normaliseRewards: z.boolean(),
  seed: z.int().min(0),
  checkpointEvery: z.int().min(1),
});
export type StepRunConfig = z.output<typeof stepRunConfig>;

const COLLECTOR = 'collector.json';

/** Points of the learning curve in `result.json`. */
const CURVE_POINTS = 100;

/** Everything that takes part in a run; `dispose` frees it. */
interface Parts {
  readonly environment: VectorEnvironment;
  readonly policy: MlpPolicy;
  readonly algorithm: Algorithm;
  readonly collector: StepCollector;
  readonly updates: number;
  dispose(): Promise<void>;
}

/**
 * Makes what a configuration says.
 *
 * @throws {ConfigError} when options are wrong or do not fit together; nothing is left open then
 */
export async function makeParts(config: StepRunConfig, entry: StepEnvironmentEntry): Promise<Parts> {
  const { instances, stepsPerRollout, workers, seed } = config;
  const updates = Math.max(1, Math.floor(config.steps / (instances * stepsPerRollout)));
  const source = workers > 0 ? entry.source(config.environmentOptions) : undefined;
  const raw = await vectorise(source ?? (() => entry.create(config.environmentOptions)), {
    count: instances,
    workers,
  });
  const opened: { dispose(): void }[] = [];
  try {
    const environment = wrapped(raw, config);
    const policy = new MlpPolicy(
      environment.observationSize,
      environment.actionSpace,
      config.policyOptions,
      seed,
    );
    opened.push(policy);
    const algorithm = builtInAlgorithms()
      .get(config.algorithm)
      .create(policy, config.algorithmOptions, { updates, batchSize: instances * stepsPerRollout, seed });
    opened.push(algorithm);
    const collector = new StepCollector({ environment, policy, stepsPerRollout, seed });
    opened.push(collector);
    const dispose = async (): Promise<void> => {
      for (const part of opened) part.dispose();
      await environment.close();
    };
    return { environment, policy, algorithm, collector, updates, dispose };
  } catch (error) {
    for (const part of opened) part.dispose();
    await raw.close();
    throw error;
  }
}

function wrapped(raw: VectorEnvironment, config: StepRunConfig): VectorEnvironment {
  let environment = raw;
  if (environment.actionSpace.kind === 'box')
    environment = config.policyOptions.squash
      ? new RescaleActions(environment)
      : new ClipActions(environment);
  if (config.normaliseObservations) environment = new NormaliseObservations(environment);
  if (config.normaliseRewards)
    environment = new NormaliseRewards(environment, { gamma: Number(config.algorithmOptions['gamma']) });
  return environment;
}

/**
 * Trains into a run folder that exists. It leaves `result.json` behind: steps, mean return of the last 100 episodes, steps a
 * second, and the learning curve.
 *
 * @param backend - the sentence that says who computes
 */
export async function runStepTraining(
  run: RunDirectory,
  config: StepRunConfig,
  entry: StepEnvironmentEntry,
  backend: string,
  resume: boolean,
): Promise<void> {
  await withLogger(run, async (logger) => {
    logger.info(backend);
    const store = new CheckpointStore(run.checkpointFolder);
    const parts = await makeParts(config, entry);
    const { policy, algorithm, collector, updates } = parts;
    const batch = config.instances * config.stepsPerRollout;
    try {
      const checkpoint = resume ? store.load('latest') : undefined;
      if (checkpoint) {
        run.rewindMetrics(checkpoint.update);
        restore(checkpoint, parts);
      }
      const save = (update: number): void => {
        store.save(update, checkpointFiles(parts));
      };
      logger.info(
        `${config.algorithm} on ${config.environment}: ${updates} updates of ${config.instances} × ${config.stepsPerRollout} steps, ${policy.parameters.size} parameters, seed ${config.seed}`,
      );
      const bar = progress({ label: 'training', total: updates * batch, unit: 'steps' });
      const started = performance.now();
      const before = collector.stepsDone;
      const trainer = new Trainer({
        collector,
        algorithm,
        updates,
        startUpdate: checkpoint?.update ?? 0,
        callbacks: [
          new MetricsCallback(run),
          {
            onUpdateEnd({ update }) {
              bar.tick(collector.stepsDone, `return ${shown(collector.recentReturn)}`);
              if (update % config.checkpointEvery === 0) save(update);
            },
            onTrainingEnd({ update }) {
              if (store.list().at(-1) !== update) save(update);
            },
          },
        ],
      });
      const interrupt = listenForInterrupt(() => trainer.stop());
      try {
        const { reason, updates: done } = await trainer.run();
        bar.done();
        const seconds = (performance.now() - started) / 1000;
        const stepsPerSecond = (collector.stepsDone - before) / seconds;
        await writeResult(run, collector, stepsPerSecond);
        logger.info(
          `return ${shown(collector.recentReturn)} (mean of the last 100 episodes) after ${collector.stepsDone} steps, ${Math.round(stepsPerSecond)} steps/s`,
        );
        logger.info(
          reason === 'stopped'
            ? `stopped after ${done} of ${updates} updates; continue with: rollcast train --out ${run.path} --resume`
            : `done: checkpoint, metrics and plot in ${run.path}`,
        );
      } finally {
        bar.done();
        interrupt.release();
      }
    } finally {
      await parts.dispose();
    }
  });
}

function shown(value: number): string {
  return Number.isFinite(value) ? String(Math.round(value * 100) / 100) : 'not known yet';
}

async function writeResult(
  run: RunDirectory,
  collector: StepCollector,
  stepsPerSecond: number,
): Promise<void> {
  const points = run
    .readMetrics()
    .filter((record) => 'episode/returnOfLast100' in record)
    .map((record) => ({ step: record['time/steps'], return: record['episode/returnOfLast100'] }));
  const every = Math.ceil(points.length / CURVE_POINTS);
  const curve = points.filter((_, i) => i % every === 0 || i === points.length - 1);
  const { recentReturn } = collector;
  const result = {
    steps: collector.stepsDone,
    finalReturn: Number.isFinite(recentReturn) ? recentReturn : null,
    stepsPerSecond,
    curve,
  };
  writeFileAtomically(join(run.path, 'result.json'), `${JSON.stringify(result, null, 2)}\n`);
  if (points.length === 0) return;
  const chart = curveChart({
    title: 'Return of the last 100 episodes',
    xLabel: 'environment steps',
    panels: [
      {
        yLabel: 'return',
        series: [
          { name: 'training', points: points.map(({ step, return: value }) => [step, value] as const) },
        ],
      },
    ],
  });
  await writeChart(run.plotFolder, 'return', chart);
}

function checkpointFiles({ policy, algorithm, collector }: Parts): Record<string, Uint8Array | string> {
  return {
    [WEIGHTS]: encodeSafetensors(policy.parameters.save()),
    ...algorithmFiles(algorithm.state()),
    [COLLECTOR]: `${JSON.stringify(collector.state())}\n`,
  };
}

function restore(checkpoint: Checkpoint, { policy, algorithm, collector }: Parts): void {
  policy.parameters.load(readArrays(checkpoint, WEIGHTS));
  algorithm.restore(readAlgorithmState(checkpoint));
  collector.restore(readJson(checkpoint, COLLECTOR));
}

/** Flags of a run on a step environment. */
export interface StepRunFlags {
  env: string;
  algo: string;
  lr?: number;
  seed: number;
  steps: number;
  instances?: number;
  stepsPerRollout?: number;
  workers: number;
  preset: PresetName;
  checkpointEvery: number;
  set: string[];
}

export const collectOptions = z.strictObject({
  normaliseObservations: z.boolean().default(false).describe('by running mean and variance, clipped at ±10'),
  normaliseRewards: z.boolean().default(false).describe('by the running spread of the discounted return'),
});

/**
 * Flags → everything filled in: the preset, then what was given. Everything is made once, so that bad input leaves no run
 * folder behind.
 *
 * @throws {ConfigError} listing every option that is wrong
 */
export async function resolveStepRun(
  flags: StepRunFlags,
  entry: StepEnvironmentEntry,
): Promise<StepRunConfig> {
  const { options: algorithmSchema } = builtInAlgorithms().get(flags.algo);
  const settings = parseSettings(flags.set, [flags.algo, 'env', 'policy', 'collect']);
  const preset = stepPreset(flags.preset, flags.env);
  const instances = flags.instances ?? preset.instances;
  const stepsPerRollout = flags.stepsPerRollout ?? preset.stepsPerRollout;
  const { normaliseObservations = false, normaliseRewards = false } = preset;
  const { minibatchSize, ...ofPreset } = preset.algorithms[flags.algo] ?? {};
  // a rollout of another size is not cut into minibatches of the preset's
  const sameSize = instances * stepsPerRollout === preset.instances * preset.stepsPerRollout;
  const given = {
    ...ofPreset,
    ...(sameSize && minibatchSize !== undefined && { minibatchSize }),
    ...(flags.lr !== undefined && { learningRate: flags.lr }),
    ...settings[flags.algo],
  };
  const config: StepRunConfig = {
    environment: flags.env,
    environmentOptions: resolveOptions(entry.options, settings['env'] ?? {}, 'env') as Record<
      string,
      unknown
    >,
    algorithm: flags.algo,
    algorithmOptions: resolveOptions(algorithmSchema, given, flags.algo) as Record<string, unknown>,
    policyOptions: resolveOptions(mlpPolicyOptions, { ...preset.policy, ...settings['policy'] }, 'policy'),
    steps: flags.steps,
    instances,
    stepsPerRollout,
    workers: flags.workers,
    ...resolveOptions(
      collectOptions,
      { normaliseObservations, normaliseRewards, ...settings['collect'] },
      'collect',
    ),
    seed: flags.seed,
    checkpointEvery: flags.checkpointEvery,
  };
  await (await makeParts({ ...config, workers: 0 }, entry)).dispose();
  return config;
}
