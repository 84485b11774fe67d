/** Training on step environments: what `rollcast train` does where the environment gives one observation at a time. */
import {
  ClipActions,
  MlpPolicy,
  NormaliseObservations,
  NormaliseRewards,
  RescaleActions,
  type RunDirectory,
  StepCollector,
  Trainer,
  mlpPolicyOptions,
  resolveOptions,
  vectorise,
  type Algorithm,
  type VectorEnvironment,
} from '@rollcast/core';
import { builtInAlgorithms } from '@rollcast/algos';
import type { StepEnvironmentEntry } from '@rollcast/envs';
import { z } from 'zod';

import { algorithmFor } from './environments.js';
import { parseSettings } from './flags.js';
import { policyFiles, restorePolicy } from './model-files.js';
import { stepPreset, type PresetName } from './step-presets.js';
import { openTraining, shownReturn, trainInRun, trainingShape, type TrainingFlags } from './training.js';

/** What `config.json` of a run on a step environment holds. */
export const stepRunConfig = z.strictObject({
  ...trainingShape,
  policyOptions: mlpPolicyOptions,
  steps: z.int().min(1),
  instances: z.int().min(1),
  stepsPerRollout: z.int().min(1),
  workers: z.int().min(0),
  normaliseObservations: z.boolean(),
  normaliseRewards: z.boolean(),
});
export type StepRunConfig = z.output<typeof stepRunConfig>;

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
 * Trains into a run folder that exists.
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
  await openTraining(run, backend, resume, async (context) => {
    const parts = await makeParts(config, entry);
    const { policy, algorithm, collector, updates } = parts;
    const { instances, stepsPerRollout } = config;
    try {
      if (context.checkpoint) restorePolicy(context.checkpoint, parts);
      context.logger.info(
        `${config.algorithm} on ${config.environment}: ${updates} updates of ${instances} × ${stepsPerRollout} steps, ${policy.parameters.size} parameters, seed ${config.seed}`,
      );
      await trainInRun(context, {
        updates,
        checkpointEvery: config.checkpointEvery,
        progress: { label: 'training', unit: 'steps', unitsPerUpdate: instances * stepsPerRollout },
        curveLabel: 'environment steps',
        start: (loop) => {
          const trainer = new Trainer({ collector, algorithm, ...loop });
          return { collector, run: () => trainer.run(), stop: () => trainer.stop() };
        },
        files: () => policyFiles(parts),
        info: () => `return ${shownReturn(collector)}`,
      });
    } finally {
      await parts.dispose();
    }
  });
}

/** Flags of a run on a step environment. */
export interface StepRunFlags extends TrainingFlags {
  steps?: number;
  instances?: number;
  stepsPerRollout?: number;
  workers?: number;
  preset?: PresetName;
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
  const { env, algo = 'ppo' } = flags;
  const { options: algorithmSchema } = algorithmFor(algo, env, entry.kind);
  const settings = parseSettings(flags.set, [algo, 'env', 'policy', 'collect']);
  const preset = stepPreset(flags.preset ?? 'cleanrl', env);
  const instances = flags.instances ?? preset.instances;
  const stepsPerRollout = flags.stepsPerRollout ?? preset.stepsPerRollout;
  const { normaliseObservations = false, normaliseRewards = false } = preset;
  const { minibatchSize, ...ofPreset } = preset.algorithms[algo] ?? {};
  // a rollout of another size is not cut into minibatches of the preset's
  const sameSize = instances * stepsPerRollout === preset.instances * preset.stepsPerRollout;
  const given = {
    ...ofPreset,
    ...(sameSize && minibatchSize !== undefined && { minibatchSize }),
    ...(flags.lr !== undefined && { learningRate: flags.lr }),
    ...settings[algo],
  };
  const config: StepRunConfig = {
    environment: env,
    environmentOptions: resolveOptions(entry.options, settings['env'] ?? {}, 'env') as Record<
      string,
      unknown
    >,
    algorithm: algo,
    algorithmOptions: resolveOptions(algorithmSchema, given, algo) as Record<string, unknown>,
    policyOptions: resolveOptions(mlpPolicyOptions, { ...preset.policy, ...settings['policy'] }, 'policy'),
    steps: flags.steps ?? 100_000,
    instances,
    stepsPerRollout,
    workers: flags.workers ?? 0,
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
