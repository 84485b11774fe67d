/** What takes part in a run on a step environment, made from its configuration. */
import {
  ClipActions,
  MlpPolicy,
  NormaliseObservations,
  NormaliseRewards,
  RescaleActions,
  StepCollector,
  mlpPolicyOptions,
  vectorise,
  type Algorithm,
  type VectorEnvironment,
} from '@rollcast/core';
import { builtInAlgorithms } from '@rollcast/algos';
import type { StepEnvironmentEntry } from '@rollcast/envs';
import { z } from 'zod';

import { trainingShape } from './training.js';

/** What `config.json` of a run on a step environment holds. */
export const stepRunConfig = z.strictObject({
  ...trainingShape,
  /** The run that policy and reference start from; without it there is no reference. */
  init: z.string().optional(),
  policyOptions: mlpPolicyOptions,
  steps: z.int().min(1),
  instances: z.int().min(1).max(65_536),
  stepsPerRollout: z.int().min(1).max(1_048_576),
  workers: z.int().min(0).max(256),
  normaliseObservations: z.boolean(),
  normaliseRewards: z.boolean(),
});
export type StepRunConfig = z.output<typeof stepRunConfig>;

/** Everything that takes part in a run; `dispose` frees it. */
interface Parts {
  readonly environment: VectorEnvironment;
  readonly policy: MlpPolicy;
  readonly referencePolicy?: MlpPolicy;
  /** Of observations, where they are normalised. */
  readonly normaliser?: NormaliseObservations;
  readonly algorithm: Algorithm;
  readonly collector: StepCollector;
  readonly updates: number;
  dispose(): Promise<void>;
}

/**
 * Makes what a configuration says; the weights of a run that starts from another are still to be loaded.
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
  const open = <Part extends { dispose(): void }>(part: Part): Part => {
    opened.unshift(part);
    return part;
  };
  const dispose = async (): Promise<void> => {
    for (const part of opened) part.dispose();
    await raw.close();
  };
  try {
    const { environment, normaliser } = wrapped(raw, config);
    const newPolicy = (): MlpPolicy =>
      open(new MlpPolicy(environment.observationSize, environment.actionSpace, config.policyOptions, seed));
    const policy = newPolicy();
    const referencePolicy = config.init === undefined ? undefined : newPolicy();
    const algorithm = open(
      builtInAlgorithms()
        .get(config.algorithm)
        .create(policy, config.algorithmOptions, { updates, batchSize: instances * stepsPerRollout, seed }),
    );
    const collector = open(
      new StepCollector({ environment, policy, referencePolicy, stepsPerRollout, seed }),
    );
    return { environment, policy, referencePolicy, normaliser, algorithm, collector, updates, dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** The environment as the policy of a run sees it. */
export function wrapped(
  raw: VectorEnvironment,
  config: StepRunConfig,
): { environment: VectorEnvironment; normaliser?: NormaliseObservations } {
  let environment = raw;
  let normaliser: NormaliseObservations | undefined;
  if (environment.actionSpace.kind === 'box')
    environment = config.policyOptions.squash
      ? new RescaleActions(environment)
      : new ClipActions(environment);
  if (config.normaliseObservations) {
    environment = normaliser = new NormaliseObservations(environment);
    // the reference stays one function of what is observed only if the statistics stay
    normaliser.frozen = config.init !== undefined;
  }
  if (config.normaliseRewards)
    environment = new NormaliseRewards(environment, { gamma: Number(config.algorithmOptions['gamma']) });
  return { environment, normaliser };
}
