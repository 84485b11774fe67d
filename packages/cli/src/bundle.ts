/** A file of the user's own and what it imports as one module that Node can load, by esbuild. */
import { readFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { dirname, extname, sep } from 'node:path';
import { pathToFileURL } from 'node:url';

import { ConfigError } from '@rollcast/core';
import { build as esbuild, type BuildFailure, type Loader, type Plugin } from 'esbuild';

/** Packages of which there must be one copy: the one that is running. */
const OWN = ['@rollcast/core', '@rollcast/envs', '@rollcast/algos', '@rollcast/cli'];
/** Packages that come with Rollcast, where the user has not installed them. */
const BROUGHT = ['zod'];

const LOADERS: Readonly<Record<string, Loader>> = { '.ts': 'ts', '.mts': 'ts', '.cts': 'ts' };

export interface Bundle {
  /** With its source map. */
  readonly code: string;
  /** The user's files and their contents. */
  readonly files: ReadonlyMap<string, string>;
  /** Folders of packages that were named. */
  readonly roots: readonly string[];
}

/**
 * Relative imports are taken in; packages stay what they are and are found from the user's file. `import.meta.url` of each
 * file is that of the file.
 *
 * @param name - as the user wrote it, for messages
 * @param path - of a file; without it, `name` is a package, found from the working directory
 * @param target - where the code will lie
 * @throws {ConfigError} naming file, line and column of what cannot be read
 */
export async function bundle(name: string, path: string | undefined, target: string): Promise<Bundle> {
  const files = new Map<string, string>();
  const roots: string[] = [];
  const entry =
    path === undefined
      ? { stdin: { contents: `export { default } from ${JSON.stringify(name)};`, resolveDir: process.cwd() } }
      : { entryPoints: [path] };
  try {
    const { outputFiles } = await esbuild({
      ...entry,
      bundle: true,
      write: false,
      outfile: target,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      sourcemap: 'inline',
      logLevel: 'silent',
      define: {
        'import.meta.url': '__url',
        'import.meta.filename': '__file',
        'import.meta.dirname': '__folder',
      },
      plugins: [packages(path === undefined ? name : undefined, roots, files), ownFiles(files)],
    });
    return { code: outputFiles[0].text, files, roots };
  } catch (error) {
    const [first] = (error as Partial<BuildFailure>).errors ?? [];
    if (!first) throw error;
    if (path === undefined)
      throw new ConfigError(`The package "${name}" is not installed here. Install it: npm install ${name}`);
    const { file, line, column } = first.location ?? {};
    const place = file === undefined ? '' : `${file}:${line}:${column! + 1}: `;
    throw new ConfigError(`${name} cannot be loaded: ${place}${first.text}`);
  }
}

/** @param named - the package that is loaded by name, if it is one */
function packages(named: string | undefined, roots: string[], files: Map<string, string>): Plugin {
  const asked = {}; // marks what this plugin itself asks
  return {
    name: 'packages',
    setup(build) {
      build.onResolve({ filter: /^[^./]/ }, async ({ path, importer, resolveDir, kind, pluginData }) => {
        if (pluginData === asked || kind === 'entry-point' || isBuiltin(path)) return undefined;
        if (OWN.includes(path)) return { path: import.meta.resolve(path), external: true };
        const found = await build.resolve(path, { importer, resolveDir, kind, pluginData: asked });
        if (found.errors.length > 0)
          return BROUGHT.includes(path) ? { path: import.meta.resolve(path), external: true } : found;
        if (path === named) {
          roots.push(dirname(found.path));
          files.set(found.path, await readFile(found.path, 'utf8'));
        }
        const isPackage = path === named || found.path.includes(`${sep}node_modules${sep}`);
        const isCode = /\.[cm]?js$/.test(found.path);
        return isPackage && isCode ? { path: pathToFileURL(found.path).href, external: true } : found;
      });
    },
  };
}

/** Keeps the contents, and lets each file that asks know where it lies; nothing moves to another line. */
function ownFiles(files: Map<string, string>): Plugin {
  return {
    name: 'own-files',
    setup(build) {
      build.onLoad({ filter: /\.[cm]?[jt]s$/ }, async ({ path }) => {
        const text = await readFile(path, 'utf8');
        files.set(path, text);
        if (!text.includes('import.meta')) return { contents: text, loader: LOADERS[extname(path)] ?? 'js' };
        const place = { __url: pathToFileURL(path).href, __file: path, __folder: dirname(path) };
        const constants = Object.entries(place).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
        return {
          contents: `const ${constants.join(',')};${text.replace(/^#!/, '//')}`,
          loader: LOADERS[extname(path)] ?? 'js',
        };
      });
    },
  };
}
