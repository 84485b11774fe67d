/** The environments and algorithms that can be named, and which go together. */
import { ConfigError, Registry } from '@rollcast/core';
import { builtInAlgorithms, type AlgorithmEntry } from '@rollcast/algos';
import { registerEnvironments, type EnvironmentEntry } from '@rollcast/envs';

import { isPlugin, pluginEnvironment } from './plugins.js';

export type EnvironmentKind = EnvironmentEntry['kind'];

/** What an environment of each kind is called in messages; the plural has an s. */
export const KIND_NAMES: Readonly<Record<EnvironmentKind, string>> = {
  forecast: 'forecast',
  sequence: 'sequence environment',
  step: 'step environment',
};

/** The environments that can be named. */
export function knownEnvironments(): Registry<EnvironmentEntry> {
  const registry = new Registry<EnvironmentEntry>('environment');
  registerEnvironments(registry);
  return registry;
}

/**
 * The environment that the user has named: one that is built in, or a file or package of the user's own, which is loaded.
 *
 * @throws {RegistryError} when there is none of this name
 * @throws {ConfigError} when a file or package cannot be loaded
 */
export async function environmentNamed(name: string): Promise<EnvironmentEntry> {
  return isPlugin(name) ? pluginEnvironment(name) : knownEnvironments().get(name);
}

/** The environment of a run, by a name that is built in or that the user has given now. */
export async function entryOfRun<Kind extends EnvironmentKind>(
  name: string,
  kind: Kind,
): Promise<Extract<EnvironmentEntry, { kind: Kind }>> {
  const entry = await environmentNamed(name);
  if (entry.kind !== kind)
    throw new ConfigError(
      `--env ${name} is a ${KIND_NAMES[entry.kind]}; the run is on a ${KIND_NAMES[kind]}.`,
    );
  return entry as Extract<EnvironmentEntry, { kind: Kind }>;
}

/** The built-in environment of a name, when it is of a kind. @throws {ConfigError} when it is of another */
export function environmentOfKind<Kind extends EnvironmentKind>(
  name: string,
  kind: Kind,
): Extract<EnvironmentEntry, { kind: Kind }> {
  const entry = knownEnvironments().get(name);
  if (entry.kind !== kind) throw new ConfigError(`"${name}" is no ${KIND_NAMES[kind]}.`);
  return entry as Extract<EnvironmentEntry, { kind: Kind }>;
}

/**
 * The algorithm of a name, when it can act on an environment.
 *
 * @throws {ConfigError} naming the algorithms that can
 */
export function algorithmFor(name: string, environment: string, kind: EnvironmentKind): AlgorithmEntry {
  const registry = builtInAlgorithms();
  const entry = registry.get(name);
  const fits = ({ kinds }: AlgorithmEntry): boolean =>
    kinds.includes(kind) || (kind === 'forecast' && kinds.includes('sequence'));
  if (fits(entry)) return entry;
  const able = registry.list().flatMap(([other, candidate]) => (fits(candidate) ? [other] : []));
  throw new ConfigError(
    `--algo ${name} cannot act on --env ${environment}, a ${KIND_NAMES[kind]}. Algorithms that can: ${able.join(', ')}.`,
  );
}
