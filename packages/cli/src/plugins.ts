/**
 * Environments and rewards of the user's own, by the path of a file (TypeScript or JavaScript) or the name of a package.
 *
 * Nothing is loaded but what was named on the command line: what a run folder says is never enough.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, extname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import {
  ConfigError,
  EnvironmentError,
  RollcastError,
  defineReward,
  type EnvironmentDefinition,
  type RewardDefinition,
  type RewardFunction,
} from '@rollcast/core';
import type { SequenceEnvironmentEntry, StepEnvironmentEntry } from '@rollcast/envs';

import { bundle } from './bundle.js';
import { sayWhenEndless } from './endless.js';

const FILE = /\.[cm]?[jt]s$/;
const PACKAGE = /^(@[\w.-]+\/)?rollcast-env-[\w.-]+$/;

/** Whether a name is that of a file or package of the user's own. */
export function isPlugin(name: string): boolean {
  return isPluginFile(name) || PACKAGE.test(name);
}

/** Whether a text is the path of a file, and not the name of an environment or an expression. */
export function isPluginFile(text: string): boolean {
  return FILE.test(text) || /^\.{0,2}[\\/]/.test(text);
}

/** An environment of the user's own, beside those that are built in. */
export type PluginEnvironmentEntry = (StepEnvironmentEntry | SequenceEnvironmentEntry) & {
  /** Changes when the code does. */
  readonly codeHash: string;
};

interface Plugin {
  /** What is exported by default. */
  readonly exported: unknown;
  /** The module that was loaded, for other threads. */
  readonly url: string;
  readonly codeHash: string;
}

/** By absolute path or name of the package. */
const loaded = new Map<string, Promise<Plugin>>();
/** Paths of files and folders whose lines are the user's. */
const userPaths = new Set<string>();

/**
 * The environment that a file or package declares.
 *
 * @param name - path, relative to the working directory, or name of a package
 * @throws {ConfigError} when it cannot be loaded or declares no environment
 * @throws {EnvironmentError} when its own code fails
 */
export async function pluginEnvironment(name: string): Promise<PluginEnvironmentEntry> {
  const { exported, url, codeHash } = await load(name, '--env');
  const definition = exported as EnvironmentDefinition | RewardDefinition | undefined;
  if (definition?.kind === 'reward')
    throw new ConfigError(`${name} declares a reward; name it by --reward ${name}.`);
  if (!isDefinition(definition, ['step', 'sequence']))
    throw new ConfigError(
      `${name} must export what defineEnvironment or defineSequenceEnvironment returns, by export default; got ${exportKind(exported)}. rollcast new env NAME writes a file that does.`,
    );
  const { kind, description, options } = definition;
  const create = (given?: unknown): never => running(name, () => definition.create(given)) as never;
  return {
    ...{ description: description || name, options, codeHash, create },
    ...(kind === 'step'
      ? { kind, source: (given) => ({ module: url, options: given, sourceMaps: true }) }
      : { kind }),
  };
}

/**
 * The reward that a file declares: what `defineReward` returned, or a function.
 *
 * @param name - path, relative to the working directory
 * @throws {ConfigError} when it cannot be loaded or declares no reward
 * @throws {EnvironmentError} when its own code fails
 */
export async function pluginReward(name: string): Promise<RewardDefinition> {
  const { exported } = await load(name, '--reward');
  const named = (reward: RewardFunction): RewardFunction =>
    Object.defineProperty((...args: Parameters<RewardFunction>) => reward(...args), 'name', { value: name });
  if (typeof exported === 'function') {
    return defineReward(named(exported as RewardFunction));
  }
  const definition = exported as EnvironmentDefinition | RewardDefinition | undefined;
  if (definition?.kind === 'step' || definition?.kind === 'sequence')
    throw new ConfigError(`${name} declares an environment; name it by --env ${name}.`);
  if (!isDefinition(definition, ['reward']))
    throw new ConfigError(
      `${name} must export a reward by export default: a function (predicted, target, context) => …, or what defineReward returns; got ${exportKind(exported)}. rollcast new reward NAME writes a file that does.`,
    );
  const { description, options } = definition;
  const create = (given?: unknown): RewardFunction => named(running(name, () => definition.create(given)));
  return { kind: 'reward', description, options, create };
}

/**
 * The environment that a file declares, for tests of it: `environment.create(options)` makes an instance.
 *
 * @param file - path or file URL
 * @throws {ConfigError} when it cannot be loaded or declares no environment
 */
export function loadEnvironment(file: string | URL): Promise<PluginEnvironmentEntry> {
  return pluginEnvironment(pathOf(file));
}

/**
 * The reward that a file declares, for tests of it: `reward.create(options)` makes the function.
 *
 * @param file - path or file URL
 * @throws {ConfigError} when it cannot be loaded or declares no reward
 */
export function loadReward(file: string | URL): Promise<RewardDefinition> {
  return pluginReward(pathOf(file));
}

const pathOf = (file: string | URL): string => (typeof file === 'string' ? file : fileURLToPath(file));

/** What a file or package declares, whichever it is; for `rollcast check`. */
export async function pluginKind(name: string): Promise<'environment' | 'reward'> {
  const { exported } = await load(name, 'check');
  const { kind } = (exported ?? {}) as Partial<RewardDefinition>;
  return kind === 'reward' || typeof exported === 'function' ? 'reward' : 'environment';
}

/**
 * The lines of a user's code in the stack of an error or of what caused it, innermost first: `at step (/my-env.ts:12:7)`.
 *
 * @param most - lines at most
 */
export function userFrames(error: unknown, most = 5): string[] {
  const causes: Error[] = [];
  for (let at = error; at instanceof Error && !causes.includes(at); at = at.cause) causes.push(at);
  for (const { stack = '' } of causes.reverse()) {
    const lines = stack.split('\n').map((line) => line.trim());
    const own = lines.filter(
      (line) => line.startsWith('at ') && [...userPaths].some((path) => line.includes(path)),
    );
    if (own.length > 0) return own.slice(0, most);
  }
  return [];
}

function isDefinition(
  exported: unknown,
  kinds: readonly string[],
): exported is EnvironmentDefinition | RewardDefinition {
  const { kind, create, options } = (exported ?? {}) as Partial<RewardDefinition>;
  const isSchema = typeof options?.safeParse === 'function';
  return kind !== undefined && kinds.includes(kind) && typeof create === 'function' && isSchema;
}

function exportKind(exported: unknown): string {
  if (exported === undefined) return 'no default export';
  return typeof exported === 'function' ? 'a function or class' : typeof exported;
}

/** Code of the user's own that runs outside of episodes. */
function running<T>(name: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (error instanceof RollcastError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    throw new EnvironmentError(`${name}, create: ${message}`, { cause: error });
  }
}

function load(name: string, flag: string): Promise<Plugin> {
  const isFile = isPluginFile(name);
  const path = resolve(name);
  if (isFile && !existsSync(path)) throw new ConfigError(`${flag} ${name}: there is no such file.`);
  if (isFile && !statSync(path).isFile()) throw new ConfigError(`${flag} ${name} is no file.`);
  const key = isFile ? path : name;
  const before = loaded.get(key);
  if (before) return before;
  const plugin = loadAnew(name, isFile ? path : undefined);
  loaded.set(key, plugin);
  return plugin;
}

async function loadAnew(name: string, path: string | undefined): Promise<Plugin> {
  process.setSourceMapsEnabled(true); // before the module is loaded: its map is read then
  const folder = temporaryFolder();
  const file = join(folder, `${basename(path ?? name, extname(path ?? ''))}.mjs`);
  const { code, files, roots } = await bundle(name, path, file);
  for (const root of [...files.keys(), ...roots]) userPaths.add(root);
  writeFileSync(file, code);
  const hash = createHash('sha256');
  for (const content of [...files.values()].sort()) hash.update(content).update('\0');
  const { href } = pathToFileURL(file);
  sayWhenEndless(name);
  try {
    const { default: exported } = (await import(href)) as { default?: unknown };
    return { exported, url: href, codeHash: hash.digest('hex').slice(0, 16) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new EnvironmentError(`${name} fails while it is loaded: ${message}`, { cause: error });
  }
}

/** Where compiled modules lie until the process ends; worker threads read them too. */
let folderOfModules: string | undefined;

function temporaryFolder(): string {
  if (folderOfModules === undefined) {
    const made = mkdtempSync(join(tmpdir(), 'rollcast-modules-'));
    process.once('exit', () => rmSync(made, { recursive: true, force: true }));
    folderOfModules = made;
  }
  return mkdtempSync(join(folderOfModules, 'module-'));
}
