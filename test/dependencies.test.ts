import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';

import { expect, test } from '@jest/globals';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

interface Locked {
  readonly version?: string;
  readonly license?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly hasInstallScript?: boolean;
}

const page = read('docs/dependencies.md');
const lock = JSON.parse(read('package-lock.json')) as { packages: Record<string, Locked> };
const manifests = ['.', ...readdirSync(join(root, 'packages')).map((name) => `packages/${name}`)].map(
  (folder) => JSON.parse(read(`${folder}/package.json`)) as Manifest,
);
/** Everything from a registry, by its place in `node_modules`. */
const installed = Object.entries(lock.packages).filter(
  ([path, { link }]) => path.includes('node_modules/') && !link,
);

/** Licences that MIT code may be built on, by their SPDX names. */
const COMPATIBLE = [
  ...['MIT', 'ISC', '0BSD', 'BSD-2-Clause', 'BSD-3-Clause', 'Apache-2.0', 'BlueOak-1.0.0', 'CC0-1.0'],
  ...['CC-BY-4.0', 'MPL-2.0', 'Python-2.0'],
];

/** The rows of the table under a heading: the cells, without backquotes. */
function table(heading: string): string[][] {
  const section = page.split(/^## /m).find((part) => part.startsWith(heading))!;
  return section
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .slice(2)
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll('`', '')),
    );
}

function directDependencies(kind: 'dependencies' | 'devDependencies'): Map<string, string> {
  const all = manifests.flatMap((manifest) => Object.entries(manifest[kind] ?? {}));
  return new Map(all.filter(([name]) => !name.startsWith('@rollcast/')));
}

/** The licence of a direct dependency, which is the one that the package itself has brought along. */
function licenceOf(name: string): string {
  const { license } = lock.packages[`node_modules/${name}`];
  const manifest = join(root, 'node_modules', name, 'package.json');
  if (existsSync(manifest))
    expect((JSON.parse(readFileSync(manifest, 'utf8')) as Manifest).license).toBe(license);
  return name === 'dejavu-fonts-ttf' ? 'Bitstream Vera (permissive)' : license!;
}

test.each([
  ['At run time', 'dependencies'],
  ['For development', 'devDependencies'],
] as const)(
  '%s: the page lists every direct dependency with the licence that it has, and no other',
  (heading, kind) => {
    const listed = table(heading).map((cells) => [cells[0], cells.at(-1)]);
    const needed = [...directDependencies(kind).keys()].map((name) => [name, licenceOf(name)]);
    expect(listed.sort()).toEqual(needed.sort());
  },
);

test('the page says which packages need what', () => {
  for (const [name, neededBy] of table('At run time')) {
    const users = manifests
      .filter(({ dependencies = {} }) => name in dependencies)
      .map((manifest) => manifest.name.replace('@rollcast/', ''));
    expect({ name, users: neededBy.split(', ').sort() }).toEqual({ name, users: users.sort() });
  }
});

test('every licence in the lock file is compatible and named on the page', () => {
  const named = page.split(/^## /m).find((part) => part.startsWith('Licences'))!;
  for (const [path, { license = 'none' }] of installed) {
    if (path === 'node_modules/dejavu-fonts-ttf') continue;
    // "A OR B" may be taken as either, "A AND B" must be both
    const choices = license
      .replace(/[()]/g, '')
      .split(' OR ')
      .map((choice) => choice.split(' AND '));
    const fits = choices.find((parts) => parts.every((part) => COMPATIBLE.includes(part)));
    expect({ path, license, fits: fits !== undefined }).toEqual({ path, license, fits: true });
    for (const part of fits!) expect(named).toContain(part);
  }
  expect(read('node_modules/dejavu-fonts-ttf/LICENSE')).toMatch(
    /Permission is hereby granted, free of charge/,
  );
});

test('the packages with an install script are those on the page, and none is run', () => {
  const scripted = installed
    .filter(([, { hasInstallScript }]) => hasInstallScript)
    .map(([path]) => path.replace(/^.*node_modules\//, ''));
  expect(
    table('Install scripts')
      .map(([name]) => name)
      .sort(),
  ).toEqual(scripted.sort());
  expect(read('.npmrc')).toMatch(/^ignore-scripts=true$/m);
  for (const { name } of manifests) {
    const { scripts = {} } = JSON.parse(
      read(name === 'rollcast' ? 'package.json' : `packages/${name.replace('@rollcast/', '')}/package.json`),
    ) as { scripts?: Record<string, string> };
    for (const hook of ['preinstall', 'install', 'postinstall', 'prepare'])
      expect(scripts).not.toHaveProperty(hook);
  }
});

test('the lock file pins everything by its hash and names no registry', () => {
  for (const [path, { integrity }] of installed)
    expect({ path, integrity }).toMatchObject({ path, integrity: expect.stringMatching(/^sha512-/) });
  expect(Object.values(lock.packages).filter((entry) => 'resolved' in entry && !entry.link)).toEqual([]);
  for (const kind of ['dependencies', 'devDependencies'] as const)
    for (const [name, version] of directDependencies(kind))
      expect({ name, version: lock.packages[`node_modules/${name}`]?.version }).toEqual({ name, version });
});
