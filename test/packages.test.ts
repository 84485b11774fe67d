import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { describe, expect, test } from '@jest/globals';

/** What `npm run test:packages` proves by packing and installing, as far as reading the manifests can tell. */
const root = fileURLToPath(new URL('../', import.meta.url));
const names = readdirSync(`${root}packages`).sort();

interface Manifest {
  name: string;
  version: string;
  files: string[];
  sideEffects: false | string[];
  exports: Record<string, string | Record<string, string>>;
  dependencies: Record<string, string>;
}
const manifest = (name: string) =>
  JSON.parse(readFileSync(`${root}packages/${name}/package.json`, 'utf8')) as Manifest;
const { version } = manifest('core');

describe.each(names)('%s', (name) => {
  const { exports, dependencies, sideEffects, files, ...own } = manifest(name);

  test('has the version of all packages, and asks for that version of the others', () => {
    expect(own.version).toBe(version);
    for (const [dependency, range] of Object.entries(dependencies))
      if (dependency.startsWith('@rollcast/')) expect(range).toBe(`^${version}`);
      else expect(range).toMatch(/^\d+\.\d+\.\d+$/); // installed as it was tested
  });

  test('packs licence, readme, what is built and its sources', () => {
    expect(files).toEqual(expect.arrayContaining(['dist', 'src']));
    expect(readFileSync(`${root}packages/${name}/LICENSE`, 'utf8')).toBe(
      readFileSync(`${root}LICENSE`, 'utf8'),
    );
    expect(readFileSync(`${root}packages/${name}/README.md`, 'utf8')).toMatch(new RegExp(`^# ${own.name}\n`));
  });

  test('exports types beside each module, types first', () => {
    for (const [path, conditions] of Object.entries(exports)) {
      if (path === './package.json') continue;
      expect(Object.keys(conditions)).toEqual(['@rollcast/source', 'types', 'default']);
      const { types, default: module, '@rollcast/source': source } = conditions as Record<string, string>;
      expect(existsSync(`${root}packages/${name}/${source}`)).toBe(true);
      expect(module).toBe(source.replace('src', 'dist').replace(/\.ts$/, '.js'));
      expect(types).toBe(module.replace(/\.js$/, '.d.ts'));
    }
  });

  test('names every module that does something when it is imported', () => {
    const listed = sideEffects === false ? [] : sideEffects.filter((path) => path.endsWith('.ts'));
    const sources = readdirSync(`${root}packages/${name}/src`, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts'))
      .map((path) => `./src/${path}`);
    // a statement at the margin that calls something; workers are programs of their own
    const acting = sources.filter((path) =>
      /^(?!export|import|const|let|function|class|type|interface|async|abstract)[\w.]+\(.*;$/m.test(
        readFileSync(`${root}packages/${name}/${path}`, 'utf8'),
      ),
    );
    expect(acting.filter((path) => !/worker/.test(path)).sort()).toEqual(listed.sort());
  });
});
