/** From the flags of a benchmark to what is to be run, every name and number checked. */
import { builtInAlgorithms } from '@rollcast/algos';
import {
  ConfigError,
  RegistryError,
  degradationTransformerOptions,
  mlpPolicyOptions,
  resolveOptions,
  suggestion,
} from '@rollcast/core';
import type { EnvironmentEntry } from '@rollcast/envs';

import type { BackendFlags } from '../commands/shared.js';
import { KIND_NAMES, knownEnvironments } from '../environments.js';
import { parseSettings } from '../flags.js';
import { isPlugin, pluginEnvironment } from '../plugins.js';
import { stepPreset, type PresetName } from '../step-presets.js';
import { collectOptions } from '../step-training.js';
import {
  KIND_GROUPS,
  type BenchAlgorithm,
  type BenchEnvironment,
  type BenchKind,
  type BenchPlan,
} from './job.js';

/** What says what is to be run. */
export interface PlanFlags extends BackendFlags {
  algos?: string[];
  envs?: string[];
  seeds: number;
  seed: number;
  steps: number;
  preset: PresetName;
  set: string[];
}

/**
 * Flags → what is to be run, every name and number checked.
 *
 * @throws {ConfigError} or {RegistryError} for what cannot be run
 */
export async function planBench(flags: PlanFlags): Promise<BenchPlan> {
  if (!flags.algos || !flags.envs) {
    throw new ConfigError(
      'bench needs --algos and --envs, for example: rollcast bench --algos reinforce,ppo --envs cart-pole-v1 (or --speed to measure the speed of parts).',
    );
  }
  const { algos, envs, seed, seeds, steps, set } = flags;
  refuseTwice('--algos', algos);
  refuseTwice('--envs', envs);
  const registry = builtInAlgorithms();
  const algorithms = algos.map((name) => ({ name, kinds: registry.get(name).kinds }));
  const found: FoundEnvironment[] = [];
  for (const name of envs) found.push(await benchEnvironment(name));
  const environments = found.map(({ environment }) => environment);
  refuseUseless(algorithms, environments);
  for (const { name, kind } of environments.filter((environment) => environment.kind === 'step'))
    for (const algorithm of algorithms)
      if (algorithm.kinds.includes(kind)) stepPreset(flags.preset, name, algorithm.name);
  checkSettings(flags, algorithms, found);
  if (!Number.isSafeInteger(seed + seeds - 1))
    throw new ConfigError(`--seed ${seed} is too large for ${seeds} seeds.`);
  const trainFlags = [
    ...(flags.backend === 'auto' ? [] : ['--backend', flags.backend]),
    ...(flags.device === undefined ? [] : ['--device', flags.device]),
    ...(flags.threads === undefined ? [] : ['--threads', String(flags.threads)]),
  ];
  const stepFlags = flags.preset === 'cleanrl' ? [] : ['--preset', flags.preset];
  return { algorithms, environments, seed, seeds, steps, settings: set, trainFlags, stepFlags };
}

/** Kinds of environment that `rollcast train` learns from scratch. */
const isBenchKind = (kind: string): kind is BenchKind => kind === 'step' || kind === 'sequence';

/** The names that a benchmark knows. */
export function benchEnvironments(): BenchEnvironment[] {
  return knownEnvironments()
    .list()
    .flatMap(([name, { kind }]) => (isBenchKind(kind) ? [{ name, kind }] : []));
}

/** An environment with the schema of its options. */
interface FoundEnvironment {
  readonly environment: BenchEnvironment;
  readonly options: EnvironmentEntry['options'];
}

async function benchEnvironment(name: string): Promise<FoundEnvironment> {
  if (isPlugin(name)) {
    const { kind, codeHash, options } = await pluginEnvironment(name);
    return { environment: { name, kind, codeHash }, options };
  }
  const all = benchEnvironments();
  const found = all.find((environment) => environment.name === name);
  if (found) return { environment: found, options: knownEnvironments().get(name).options };
  const known = all.map((environment) => environment.name);
  const needsData = knownEnvironments()
    .list()
    .some(([other]) => other === name);
  throw new RegistryError(
    needsData
      ? `The environment "${name}" needs data and a pre-trained model; compare algorithms there with rollcast train and rollcast evaluate. Known here: ${known.join(', ')}.`
      : `Unknown environment "${name}" for a benchmark. Known: ${known.join(', ')}.${suggestion(name, known)}`,
  );
}

/** Some combinations that cannot be are rows; an algorithm or environment that has no others is a mistake. */
function refuseUseless(
  algorithms: readonly BenchAlgorithm[],
  environments: readonly BenchEnvironment[],
): void {
  const acts = ({ kinds }: BenchAlgorithm, { kind }: BenchEnvironment): boolean => kinds.includes(kind);
  for (const algorithm of algorithms) {
    if (environments.some((environment) => acts(algorithm, environment))) continue;
    const able = benchEnvironments().filter((environment) => acts(algorithm, environment));
    throw new ConfigError(
      `--algos: ${algorithm.name} can act on none of ${environments.map(({ name }) => name).join(', ')}. Leave it out, or add one of these to --envs: ${able.map(({ name }) => name).join(', ')}.`,
    );
  }
  for (const environment of environments) {
    if (algorithms.some((algorithm) => acts(algorithm, environment))) continue;
    const able = builtInAlgorithms()
      .list()
      .flatMap(([name, { kinds }]) => (kinds.includes(environment.kind) ? [name] : []));
    throw new ConfigError(
      `--envs: none of ${algorithms.map(({ name }) => name).join(', ')} can act on ${environment.name}, a ${KIND_NAMES[environment.kind]}. Leave it out, or add one of these to --algos: ${able.join(', ')}.`,
    );
  }
}

/** Every option that is set must exist, wherever it goes. */
function checkSettings(
  { set }: PlanFlags,
  algorithms: readonly BenchAlgorithm[],
  environments: readonly FoundEnvironment[],
): void {
  const kinds = new Set(environments.map(({ environment: { kind } }) => kind));
  const groups = parseSettings(set, [
    ...algorithms.map(({ name }) => name),
    'env',
    ...[...kinds].flatMap((kind) => KIND_GROUPS[kind]),
  ]);
  const given = (group: string): object => groups[group] ?? {};
  for (const { name } of algorithms) resolveOptions(builtInAlgorithms().get(name).options, given(name), name);
  for (const { options } of environments) resolveOptions(options, given('env'), 'env');
  resolveOptions(mlpPolicyOptions, given('policy'), 'policy');
  resolveOptions(collectOptions, given('collect'), 'collect');
  // the vocabulary is the environment's
  resolveOptions(degradationTransformerOptions, { vocabularySize: 2, ...given('model') }, 'model');
}

function refuseTwice(flag: string, names: readonly string[]): void {
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new ConfigError(`${flag} names "${twice}" twice.`);
}
