import { z } from 'zod';

import { missingParts, type EnvironmentKind } from '../environment-parts.js';
import type { Environment, SequenceEnvironment } from '../environment.js';
import { resolveOptions } from '../options.js';
import { checkSequences } from './check-sequences.js';
import { checkSteps, type CheckLimits } from './check-steps.js';
import { Findings, thrown, type Finding } from './rules.js';

/** Schema of the options of `checkEnvironment`: ranges, defaults, and what each one is. */
export const checkOptions = z.strictObject({
  seed: z.int().min(0).default(0).describe('seed of the first episode, of actions, contexts and tokens'),
  steps: z.int().min(2).default(10_000).describe('steps of an episode at most'),
  episodes: z.int().min(3).default(8).describe('episodes that are played'),
  seconds: z.number().gt(0).default(5).describe('seconds of playing, after which it is cut short'),
  leastPerSecond: z
    .number()
    .min(0)
    .default(1000)
    .describe('steps or tokens a second below which the environment counts as slow'),
});
/** How much is played, what counts as slow, and by which clock. */
export interface CheckOptions extends z.input<typeof checkOptions> {
  /** The clock, in milliseconds. @defaultValue performance.now */
  now?: () => number;
}

/** What `checkEnvironment` found. */
export interface CheckReport {
  readonly kind: EnvironmentKind;
  readonly name: string;
  /** Errors and warnings, the first of each rule; empty when all is well. */
  readonly findings: readonly Finding[];
  /** Steps, or sampled and scored tokens, a second; NaN when it did not come to that. */
  readonly perSecond: number;
}

/**
 * The acceptance test of an environment: plays it with random actions, or scores random sequences, and compares. It prints
 * nothing and throws nothing on account of the environment.
 *
 * @param make - makes one instance; called several times, and what it makes is closed
 * @throws {ConfigError} when an option is wrong
 */
export function checkEnvironment(
  make: () => Environment | SequenceEnvironment,
  { now = () => performance.now(), ...options }: CheckOptions = {},
): CheckReport {
  const limits: CheckLimits = { ...resolveOptions(checkOptions, options, 'check'), now };
  const findings = new Findings();
  const made: (Environment | SequenceEnvironment)[] = [];
  const tracked = (): Environment | SequenceEnvironment => {
    const environment = make();
    made.push(environment);
    return environment;
  };
  let kind: CheckReport['kind'] = 'step';
  let name = 'environment';
  let perSecond = NaN;
  try {
    const first = firstInstance(tracked, findings);
    if (first) {
      kind = isSequence(first) ? 'sequence' : 'step';
      name = String(first.name);
      checkContract(first, kind, findings);
      if (!findings.broken)
        perSecond =
          kind === 'sequence'
            ? checkSequences(tracked as () => SequenceEnvironment, limits, findings)
            : checkSteps(tracked as () => Environment, limits, findings);
    }
  } catch (error) {
    findings.add(
      'create',
      `what one instance did, another could not do: ${thrown(error)}`,
      'Make instances that do not depend on how many there were before.',
    );
  } finally {
    for (const environment of made) (environment as Partial<Environment> | undefined)?.close?.();
  }
  return { kind, name, findings: findings.all, perSecond };
}

function firstInstance(
  make: () => Environment | SequenceEnvironment,
  findings: Findings,
): Environment | SequenceEnvironment | undefined {
  try {
    const environment: unknown = make();
    if (typeof environment === 'object' && environment !== null)
      return environment as Environment | SequenceEnvironment;
    findings.add('create', `what was made is ${String(environment)}.`, 'Return a new instance.');
  } catch (error) {
    findings.add(
      'create',
      `no instance could be made: ${thrown(error)}`,
      'Let it be made from its options alone.',
    );
  }
  return undefined;
}

/** Either of these is in no step environment. */
function isSequence(environment: Environment | SequenceEnvironment): environment is SequenceEnvironment {
  return 'sample' in environment || 'vocabularySize' in environment;
}

function checkContract(environment: object, kind: EnvironmentKind, findings: Findings): void {
  const { missing, sentence } = missingParts(environment, kind);
  if (missing.length > 0) findings.add('contract', sentence, `Add ${missing.join(', ')}.`);
}
