import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

import type { Environment } from '../environment.js';
import { ConfigError } from '../errors.js';

/** An environment by its module, since functions cannot cross to a thread. */
export interface EnvironmentModule {
  /** Path (relative to the working directory), file URL, or the name of a package. */
  readonly module: string;
  /** Name of the class, or of a function that makes an instance. @defaultValue 'default' */
  readonly exportName?: string;
  /** Handed to the class or function; plain data. */
  readonly options?: unknown;
}

type Factory = () => Environment;

/**
 * Loads a module and returns what makes one instance.
 *
 * @throws {ConfigError} when the module cannot be loaded or does not export an environment
 */
export async function loadEnvironment({
  module,
  exportName = 'default',
  options,
}: EnvironmentModule): Promise<Factory> {
  const isPath = module.startsWith('.') || /^(\/|[A-Za-z]:[\\/])/.test(module);
  let exports: Record<string, unknown>;
  try {
    exports = (await import(isPath ? pathToFileURL(resolve(module)).href : module)) as typeof exports;
  } catch (error) {
    throw new ConfigError(`The environment module "${module}" cannot be loaded: ${(error as Error).message}`);
  }
  const exported = exports[exportName];
  if (typeof exported !== 'function') {
    const known = Object.keys(exports).join(', ') || 'nothing';
    throw new ConfigError(
      `The module "${module}" must export "${exportName}", a class or a function that makes an environment; it exports ${known}. Name it in exportName.`,
    );
  }
  const isClass = /^class\b/.test(Function.prototype.toString.call(exported));
  return () =>
    checkInstance(
      isClass
        ? new (exported as new (options: unknown) => Environment)(options)
        : (exported as (options: unknown) => Environment)(options),
    );
}

/** @throws {ConfigError} when a part of the contract is missing */
export function checkInstance(environment: Environment): Environment {
  const missing = (['name', 'observationSpace', 'actionSpace', 'reset', 'step'] as const).filter(
    (part) => environment?.[part] === undefined,
  );
  if (missing.length > 0) {
    throw new ConfigError(
      `An environment has name, observationSpace, actionSpace, reset and step; missing: ${missing.join(', ')}.`,
    );
  }
  return environment;
}
