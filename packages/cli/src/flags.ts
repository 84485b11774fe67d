/** Turning text from the command line into values, with messages that name the flag; and back into a command line. */
import { ConfigError } from '@rollcast/core';
import { InvalidArgumentError, type Command } from 'commander';

/** A whole number within bounds, for commander. */
export function integer(least: number, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isSafeInteger(value) || value < least || value > most) {
      const range = most === Number.MAX_SAFE_INTEGER ? `≥ ${least}` : `from ${least} to ${most}`;
      throw new InvalidArgumentError(`Expected a whole number ${range}.`);
    }
    return value;
  };
}

/** A finite number within bounds, for commander. */
export function number({
  above,
  least,
  below,
  most,
}: {
  above?: number;
  least?: number;
  below?: number;
  most?: number;
}): (text: string) => number {
  return (text) => {
    const value = Number(text);
    const inside =
      (above === undefined || value > above) &&
      (least === undefined || value >= least) &&
      (below === undefined || value < below) &&
      (most === undefined || value <= most);
    if (text.trim() === '' || !Number.isFinite(value) || !inside) {
      const bounds = [
        above !== undefined && `> ${above}`,
        least !== undefined && `≥ ${least}`,
        below !== undefined && `< ${below}`,
        most !== undefined && `≤ ${most}`,
      ];
      throw new InvalidArgumentError(
        `Expected ${['a number', bounds.filter(Boolean).join(' and ')].filter(Boolean).join(' ')}.`,
      );
    }
    return value;
  };
}

/** `a,b,c` → list, for commander. */
export function list(text: string): string[] {
  const items = text.split(',').map((item) => item.trim());
  if (items.some((item) => item === ''))
    throw new InvalidArgumentError('Expected names separated by commas, without gaps.');
  return items;
}

/** `10,20,60` → whole numbers ≥ 1, for commander. */
export function lengths(text: string): number[] {
  return list(text).map(integer(1));
}

/** Collects a flag that may be given several times. */
export function collect(text: string, before: string[] = []): string[] {
  return [...before, text];
}

/** Options by group, as `--set ppo.clipRange=0.1` gives them. */
export type SettingGroups = Record<string, Record<string, unknown>>;

/**
 * `GROUP.KEY=VALUE` (deeper keys too: `ppo.klControl.estimator=k1`) → nested objects. Numbers, booleans and JSON are
 * understood; anything else is text.
 *
 * @param allowed - groups that mean something to this command
 * @throws {ConfigError} for a setting without group or value, or of another group
 */
export function parseSettings(settings: readonly string[], allowed: readonly string[]): SettingGroups {
  const groups: SettingGroups = {};
  for (const setting of settings) {
    const match = /^([A-Za-z][\w-]*)((?:\.[A-Za-z]\w*)+)=(.*)$/s.exec(setting);
    if (!match)
      throw new ConfigError(
        `--set expects GROUP.KEY=VALUE, for example ${allowed[0]}.learningRate=1e-4; got "${setting}".`,
      );
    const [, group, path, text] = match;
    if (!allowed.includes(group)) {
      throw new ConfigError(
        `--set ${setting}: there is no group "${group}" here. Groups: ${allowed.join(', ')}.`,
      );
    }
    const keys = path.slice(1).split('.');
    if (keys.some((key) => key === '__proto__' || key === 'constructor' || key === 'prototype')) {
      throw new ConfigError(`--set ${setting}: "${keys.join('.')}" cannot be set.`);
    }
    let target = (groups[group] ??= {});
    for (const key of keys.slice(0, -1)) target = (target[key] ??= {}) as Record<string, unknown>;
    target[keys[keys.length - 1]] = parseValue(text);
  }
  return groups;
}

/**
 * `KEY=VALUE` → an object of values, as `parseSettings` understands them.
 *
 * @param flag - for the message
 * @throws {ConfigError} for a setting without key or value
 */
export function parseOptions(
  flag: string,
  example: string,
  settings: readonly string[],
): Record<string, unknown> {
  return Object.fromEntries(
    settings.map((setting) => {
      const match = /^([A-Za-z]\w*)=(.+)$/s.exec(setting);
      if (!match)
        throw new ConfigError(`${flag} expects KEY=VALUE, for example ${example}; got "${setting}".`);
      return [match[1], parseValue(match[2])];
    }),
  );
}

function parseValue(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** The flags on the command line: the names of their options, and how they are written. */
export function givenFlags(command: Command): (readonly [name: string, long: string])[] {
  return command.options
    .filter((option) => command.getOptionValueSource(option.attributeName()) === 'cli')
    .map((option) => [option.attributeName(), option.long!] as const);
}

/** The command line as it was typed, for a page that says how to make it again. */
export function typedCommand(command: Command): string {
  return ['npx rollcast', ...command.parent!.args.map(quoted)].join(' ');
}

/** A word of a command line as a shell wants it. */
export function quoted(word: string): string {
  return /^[\w./=:@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
