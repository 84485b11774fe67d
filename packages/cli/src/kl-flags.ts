/** The flags of the KL to a frozen reference, the same on every kind of environment. */
import { ConfigError } from '@rollcast/core';
import { Option, type Command } from 'commander';

import { number } from './flags.js';

export interface KlFlags {
  klCoef?: number;
  klTarget?: number;
}

export function addKlFlags(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--kl-coef <beta>',
        'fixed weight of the KL to the reference, which is the run of --init (default: 0.3)',
      )
        .argParser(number({ least: 0 }))
        .conflicts('klTarget'),
    )
    .option(
      '--kl-target <nats>',
      'KL to hold, in nats a token or step: the weight then adapts',
      number({ above: 0 }),
    );
}

/** The options `klControl` that flags and `--set` ask for; the latter goes first. */
export function klControlSettings(
  { klCoef, klTarget }: KlFlags,
  settings: Readonly<Record<string, unknown>> = {},
): object {
  return {
    ...(klCoef !== undefined && { kind: 'fixed', coefficient: klCoef }),
    ...(klTarget !== undefined && { kind: 'adaptive', target: klTarget }),
    ...(settings['klControl'] as object | undefined),
  };
}

/**
 * The options `klControl` of a run that starts from nothing, where there is no reference to keep near.
 *
 * @throws {ConfigError} when a KL control is asked for
 */
export function withoutReference(flags: KlFlags, settings: Readonly<Record<string, unknown>> = {}): object {
  const flag =
    flags.klCoef !== undefined
      ? '--kl-coef'
      : flags.klTarget !== undefined
        ? '--kl-target'
        : settings['klControl'] !== undefined
          ? 'klControl'
          : undefined;
  if (flag !== undefined) {
    throw new ConfigError(
      `${flag} needs --init RUN: the KL is measured to the policy of that run, and this one starts from nothing.`,
    );
  }
  return { coefficient: 0 };
}
