/** What a run on a step environment takes from another one: architecture, weights, statistics of observations. */
import {
  CheckpointError,
  ConfigError,
  mlpPolicyOptions,
  resolveOptions,
  zodProblems,
  type Checkpoint,
  type Environment,
  type MlpPolicy,
  type MomentsState,
  type NormaliseObservations,
  type ResolvedMlpPolicyOptions,
} from '@rollcast/core';
import type { StepEnvironmentEntry } from '@rollcast/envs';
import { z } from 'zod';

import { environmentOfKind } from './environments.js';
import type { SettingGroups } from './flags.js';
import { loadPolicy, openStart, readCollector } from './model-files.js';
import { isPlugin } from './plugins.js';
import { stepRunConfig, type StepRunConfig } from './step-parts.js';

/**
 * The policy of a run that another starts from: its options, and whether it has seen normalised observations.
 *
 * A file of the user's own that the other run was on is loaded only if this run is on it too; if it is not, spaces are
 * not compared, and parameters of another shape are refused when they are loaded.
 *
 * @param now - that the new run trains on, by name, its entry and an instance
 * @throws {ConfigError} when the run is of another kind, its spaces are others, or the settings ask for another policy
 */
export function policyOfRun(
  init: string,
  now: { name: string; entry: StepEnvironmentEntry; environment: Environment },
  settings: SettingGroups,
): { policyOptions: ResolvedMlpPolicyOptions; normaliseObservations: boolean } {
  const { run } = openStart(init, 'step');
  const config = resolveOptions(stepRunConfig, run.config, init);
  const { policyOptions, normaliseObservations } = config;
  const asked = resolveOptions(mlpPolicyOptions, { ...policyOptions, ...settings['policy'] }, 'policy');
  refuseOther(init, 'policy', policyOptions, asked);
  refuseOther(init, 'collect', { normaliseObservations }, settings['collect']);
  const { environment } = now;
  const before = entryBefore(config.environment, now)?.create(config.environmentOptions);
  try {
    if (before) refuseOtherSpaces(init, before, environment);
  } finally {
    before?.close?.();
    environment.close?.();
  }
  return { policyOptions, normaliseObservations };
}

/** The environment of the other run, unless it is code that the user has not named now. */
function entryBefore(
  name: string,
  now: { name: string; entry: StepEnvironmentEntry },
): StepEnvironmentEntry | undefined {
  if (name === now.name) return now.entry;
  return isPlugin(name) ? undefined : environmentOfKind(name, 'step');
}

/** Settings of a group may repeat what the run has, and say nothing else. */
function refuseOther(
  init: string,
  group: string,
  had: Readonly<Record<string, unknown>>,
  asked: Readonly<Record<string, unknown>> = {},
): void {
  const other = Object.keys(had).find(
    (key) => key in asked && JSON.stringify(asked[key]) !== JSON.stringify(had[key]),
  );
  if (other === undefined) return;
  throw new ConfigError(
    `${group}.${other} is ${JSON.stringify(had[other])} in the run of --init ${init}, whose policy this one starts from; got ${JSON.stringify(asked[other])}. Leave it out.`,
  );
}

function refuseOtherSpaces(init: string, before: Environment, now: Environment): void {
  const seen = ({ observationSpace: { kind, flatSize } }: Environment): string => `${kind} ${flatSize}`;
  const done = ({ actionSpace }: Environment): string => JSON.stringify(actionSpace.spec());
  if (seen(before) === seen(now) && done(before) === done(now)) return;
  const described = ({ name, observationSpace, actionSpace }: Environment): string =>
    `"${name}" (observations of ${observationSpace.flatSize} numbers; an action is ${actionSpace.describe()})`;
  throw new ConfigError(
    `--init ${init}: its policy acts in ${described(before)}, which does not fit ${described(now)}. Start from a run with the same spaces, or leave --init out.`,
  );
}

/**
 * Loads the weights of a run as start and reference, and the statistics of its observations.
 *
 * @throws {CheckpointError} when the run has other parameters, or a file is missing
 */
export function startFrom(
  init: string,
  {
    policy,
    referencePolicy,
    normaliser,
  }: { policy: MlpPolicy; referencePolicy?: MlpPolicy; normaliser?: NormaliseObservations },
): void {
  const { run, checkpoint } = openStart(init, 'step');
  loadPolicy(checkpoint, policy);
  if (referencePolicy) loadPolicy(checkpoint, referencePolicy);
  normaliser?.moments.restore(savedMoments(checkpoint, resolveOptions(stepRunConfig, run.config, init)));
}

const moments = z.object({ mean: z.array(z.number()), variance: z.array(z.number()), count: z.number() });
const wrapper = z.object({ inner: z.unknown(), own: z.unknown() });
const collector = z.object({ environment: wrapper });

/**
 * The statistics of observations that a run has saved, which must have normalised them.
 *
 * @throws {CheckpointError} when there are none
 */
export function savedMoments(checkpoint: Checkpoint, { normaliseRewards }: StepRunConfig): MomentsState {
  try {
    const { environment } = collector.parse(readCollector(checkpoint));
    // rewards are normalised outside of observations
    const { own } = normaliseRewards ? wrapper.parse(environment.inner) : environment;
    return moments.parse(own);
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error;
    throw new CheckpointError(
      `${checkpoint.path}/collector.json has no statistics of observations: ${zodProblems(error)}`,
    );
  }
}
