// The packages as they would be published: packed, and installed from the tarballs.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const LONGEST_MS = 300_000;

/** Runs a program to its end and returns what it printed. @throws with stdout and stderr when it fails */
export function run(command, args, cwd) {
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: 'pipe', timeout: LONGEST_MS });
}

/** Packs every package into an empty folder that is made, and returns what npm says about each. */
export function pack(folder) {
  mkdirSync(folder);
  const packed = JSON.parse(
    run('npm', ['pack', '--workspaces', '--json', '--pack-destination', folder], root),
  );
  return Array.isArray(packed) ? packed : Object.values(packed);
}

/**
 * Installs the tarballs of a folder into an empty project that is made. Third-party packages come from npm's cache where they
 * are in it, otherwise from the registry.
 *
 * @param more - packages besides, with their versions
 */
export function install(tarballs, project, more = []) {
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  const files = readdirSync(tarballs).map((name) => join(tarballs, name));
  const flags = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
  run('npm', ['install', ...flags, ...files, ...more], project);
}
