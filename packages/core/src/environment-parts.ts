/** What every environment must have. */
import { ConfigError } from './errors.js';

export type EnvironmentKind = 'step' | 'sequence';

const PARTS = {
  step: ['name', 'observationSpace', 'actionSpace', 'reset', 'step'],
  sequence: ['name', 'vocabularySize', 'contextLength', 'horizon', 'sample', 'reward'],
} as const satisfies Record<EnvironmentKind, readonly string[]>;

/** Which parts an environment lacks, and the sentence that says so. */
export function missingParts(
  environment: unknown,
  kind: EnvironmentKind,
): { missing: readonly string[]; sentence: string } {
  const given = (environment ?? {}) as Record<string, unknown>;
  const missing = PARTS[kind].filter((part) => given[part] === undefined);
  const parts = PARTS[kind];
  const what = `${kind === 'step' ? 'An' : 'A sequence'} environment has ${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`;
  const promise =
    environment instanceof Promise
      ? '; got a promise: load what takes time before, by a top-level await'
      : '';
  return { missing, sentence: `${what}; missing: ${missing.join(', ')}${promise}.` };
}

/** @throws {ConfigError} when a part of the contract is missing */
export function checkedParts<Made extends object>(kind: EnvironmentKind, environment: Made): Made {
  const { missing, sentence } = missingParts(environment, kind);
  if (missing.length > 0) throw new ConfigError(sentence);
  return environment;
}
