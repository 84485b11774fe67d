import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

import type { StepEnvironmentDefinition } from '../define.js';
import { checkedParts } from '../environment-parts.js';
import type { Environment } from '../environment.js';
import { ConfigError } from '../errors.js';

/** An environment by its module, since functions cannot cross to a thread. */
export interface EnvironmentModule {
  /** Path (relative to the working directory), file URL, or the name of a package. */
  readonly module: string;
  /** Name of the class, of a function that makes an instance, or of what `defineEnvironment` returned. @defaultValue 'default' */
  readonly exportName?: string;
  /** Handed to the class or function; plain data. */
  readonly options?: unknown;
  /** Whether stacks are to show lines of what the module was compiled from. @defaultValue false */
  readonly sourceMaps?: boolean;
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
  sourceMaps,
}: EnvironmentModule): Promise<Factory> {
  const isPath = module.startsWith('.') || /^(\/|[A-Za-z]:[\\/])/.test(module);
  if (sourceMaps) process.setSourceMapsEnabled(true); // for this thread
  let exports: Record<string, unknown>;
  try {
    exports = (await import(isPath ? pathToFileURL(resolve(module)).href : module)) as typeof exports;
  } catch (error) {
    throw new ConfigError(`The environment module "${module}" cannot be loaded: ${(error as Error).message}`);
  }
  const exported = exports[exportName];
  if (isDefinition(exported)) return () => checkInstance(exported.create(options));
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

/** Whether something is what `defineEnvironment` returns. */
function isDefinition(exported: unknown): exported is StepEnvironmentDefinition {
  const { kind, create } = (exported ?? {}) as Partial<StepEnvironmentDefinition>;
  return kind === 'step' && typeof create === 'function';
}

/** @throws {ConfigError} when a part of the contract is missing */
export function checkInstance(environment: Environment): Environment {
  return checkedParts('step', environment);
}
