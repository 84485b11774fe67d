/** Training on step environments: what `rollcast train` does where the environment gives one observation at a time. */
import { Trainer, mlpPolicyOptions, resolveOptions, type RunDirectory } from '@rollcast/core';
import type { StepEnvironmentEntry } from '@rollcast/envs';
import { z } from 'zod';

import { algorithmFor } from './environments.js';
import { parseSettings } from './flags.js';
import { klControlSettings, withoutReference, type KlFlags } from './kl-flags.js';
import { policyFiles, restorePolicy } from './model-files.js';
import { counted } from './report/table.js';
import { makeParts, type StepRunConfig } from './step-parts.js';
import { stepPreset, type PresetName } from './step-presets.js';
import { policyOfRun, startFrom } from './step-start.js';
import { openTraining, shownReturn, trainInRun, type TrainingFlags } from './training.js';

/** Flags of a run on a step environment. */
export interface StepRunFlags extends TrainingFlags, KlFlags {
  init?: string;
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
  const { env, algo = 'ppo', init } = flags;
  const { options: algorithmSchema } = algorithmFor(algo, env, entry.kind);
  const settings = parseSettings(flags.set, [algo, 'env', 'policy', 'collect']);
  const preset = stepPreset(flags.preset ?? 'cleanrl', env, algo);
  const usual = { ...preset, ...preset.rollouts?.[algo] };
  const instances = flags.instances ?? usual.instances;
  const stepsPerRollout = flags.stepsPerRollout ?? usual.stepsPerRollout;
  const { normaliseObservations = false, normaliseRewards = false } = preset;
  const { minibatchSize, ...ofPreset } = preset.algorithms[algo] ?? {};
  // a rollout of another size is not cut into minibatches of the preset's
  const sameSize = instances * stepsPerRollout === usual.instances * usual.stepsPerRollout;
  const given = {
    ...ofPreset,
    ...(sameSize && minibatchSize !== undefined && { minibatchSize }),
    ...(flags.lr !== undefined && { learningRate: flags.lr }),
    ...settings[algo],
    klControl:
      init === undefined ? withoutReference(flags, settings[algo]) : klControlSettings(flags, settings[algo]),
  };
  const environmentOptions = resolveOptions(entry.options, settings['env'] ?? {}, 'env') as Record<
    string,
    unknown
  >;
  const start =
    init === undefined
      ? undefined
      : policyOfRun(init, { name: env, entry, environment: entry.create(environmentOptions) }, settings);
  const config: StepRunConfig = {
    ...(init !== undefined && { init }),
    environment: env,
    environmentOptions,
    algorithm: algo,
    algorithmOptions: resolveOptions(algorithmSchema, given, algo) as Record<string, unknown>,
    policyOptions:
      start?.policyOptions ??
      resolveOptions(mlpPolicyOptions, { ...preset.policy, ...settings['policy'] }, 'policy'),
    steps: flags.steps ?? 100_000,
    instances,
    stepsPerRollout,
    workers: flags.workers ?? 0,
    ...resolveOptions(
      collectOptions,
      {
        normaliseObservations,
        normaliseRewards,
        ...settings['collect'],
        ...(start && { normaliseObservations: start.normaliseObservations }),
      },
      'collect',
    ),
    seed: flags.seed,
    checkpointEvery: flags.checkpointEvery,
  };
  const parts = await makeParts({ ...config, workers: 0 }, entry);
  try {
    if (init !== undefined) startFrom(init, parts);
  } finally {
    await parts.dispose();
  }
  return config;
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
    const { instances, stepsPerRollout, init } = config;
    try {
      if (context.checkpoint) restorePolicy(context.checkpoint, parts);
      else if (init !== undefined) startFrom(init, parts);
      context.logger.info(
        `${config.algorithm} on ${config.environment}${init === undefined ? '' : ` from ${init}`}: ${counted(updates, 'update')} of ${instances} × ${stepsPerRollout} steps, ${policy.parameters.size} parameters, seed ${config.seed}`,
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
        info: (metrics) =>
          `return ${shownReturn(collector)}${init === undefined ? '' : `, KL ${metrics['kl/exactPerStep'].toPrecision(2)} nats/step`}`,
      });
    } finally {
      await parts.dispose();
    }
  });
}
