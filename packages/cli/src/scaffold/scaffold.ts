/** Files that `rollcast new` starts a user off with. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { ConfigError } from '@rollcast/core';

import { rewardScaffold } from './reward.js';
import { sequenceEnvironmentScaffold } from './sequence-environment.js';
import { stepEnvironmentScaffold } from './step-environment.js';

export interface ScaffoldText {
  readonly source: string;
  /** For node:test, in JavaScript, so that nothing has to be installed to run it. */
  readonly test: string;
  /** What to do next, in this order. */
  readonly commands: readonly string[];
  /** What comes of it. */
  readonly expect: string;
}

/** @param names - of the environment, `my-env`, and of its class, `MyEnv` */
export type Scaffold = (names: { name: string; className: string }) => ScaffoldText;

export const scaffolds = {
  step: stepEnvironmentScaffold,
  sequence: sequenceEnvironmentScaffold,
  reward: rewardScaffold,
} as const satisfies Record<string, Scaffold>;

/**
 * Writes NAME.ts and NAME.test.mjs.
 *
 * @param folder - that exists
 * @throws {ConfigError} for a name that files and classes cannot have, and when one of the files is there; nothing is written
 *   then
 */
export function writeScaffold(
  kind: keyof typeof scaffolds,
  name: string,
  folder: string,
): ScaffoldText & { readonly files: readonly string[] } {
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name) || name.length > 60) {
    throw new ConfigError(
      `A name is made of small letters, digits and single hyphens and starts with a letter, for example my-env; got "${name}".`,
    );
  }
  const className = name
    .split('-')
    .map((word) => word[0].toUpperCase() + word.slice(1))
    .join('');
  const text = scaffolds[kind]({ name, className });
  const contents = { [`${name}.ts`]: text.source, [`${name}.test.mjs`]: text.test };
  const files = Object.keys(contents);
  const taken = files.filter((file) => existsSync(join(folder, file)));
  if (taken.length > 0)
    throw new ConfigError(
      `${taken.join(' and ')} ${taken.length > 1 ? 'are' : 'is'} there already; choose another name.`,
    );
  for (const [file, content] of Object.entries(contents)) {
    try {
      writeFileSync(join(folder, file), content, { flag: 'wx' });
    } catch (error) {
      throw new ConfigError(`${file} cannot be written: ${(error as Error).message}`);
    }
  }
  return { ...text, files };
}
