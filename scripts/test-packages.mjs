// Packs every package, installs the tarballs into an empty project, and uses them there as a stranger would: the program of the
// README in ES modules, types under both module resolutions, the command line, imports that do nothing and go no deeper than named.
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

import { libraryProgram } from '../test/support/readme.mjs';
import { install, pack, run as runIn } from './packed.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const packages = readdirSync(join(root, 'packages')).sort();
const folder = mkdtempSync(join(tmpdir(), 'rollcast-packages-'));
const project = join(folder, 'project');

let failures = 0;
await check('every package packs with licence, readme, types and nothing else', packWhole);
await check('the tarballs install into an empty project', installThem);
await check('the program of the README runs', runProgram);
for (const [resolution, module] of [
  ['nodenext', 'nodenext'],
  ['bundler', 'preserve'],
])
  await check(`types hold under moduleResolution ${resolution}`, () => typecheck(resolution, module));
await check(
  'importing prints nothing, listens to nothing, adds no global, and lets the process end',
  importQuietly,
);
await check('what is not exported cannot be imported', refuseDeepImports);
await check('an import of which nothing is used is dropped by a bundler', shakeOff);
await check('the command line runs', runCommandLine);
rmSync(folder, { recursive: true, force: true });
console.log(failures === 0 ? 'packages: all checks pass' : `packages: ${failures} checks fail`);
process.exitCode = failures === 0 ? 0 : 1;

async function check(claim, prove) {
  const started = performance.now();
  try {
    await prove();
    console.log(`ok    ${claim} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
  } catch (error) {
    failures += 1;
    const printed = `${error.stdout ?? ''}${error.stderr ?? ''}`.slice(0, 4000);
    console.log(`FAIL  ${claim}\n${error.message}\n${printed}`);
  }
}

function run(command, args) {
  return runIn(command, args, project);
}

function packWhole() {
  const list = pack(join(folder, 'tarballs'));
  if (list.length !== packages.length)
    throw new Error(`expected ${packages.length} tarballs; got ${list.length}`);
  for (const { name, files } of list) {
    const paths = files.map(({ path }) => path);
    const needed = [
      'package.json',
      'LICENSE',
      'README.md',
      'dist/index.js',
      'dist/index.d.ts',
      'src/index.ts',
    ];
    const missing = needed.filter((path) => !paths.includes(path));
    const strange = paths.filter(
      (path) => !/^(dist|src|bin|recipes)\/|^(package\.json|LICENSE|\w+\.md)$/.test(path),
    );
    if (missing.length > 0) throw new Error(`${name} lacks ${missing.join(', ')}`);
    if (strange.length > 0) throw new Error(`${name} should not hold ${strange.join(', ')}`);
  }
}

function installThem() {
  const tools = ['typescript', '@types/node'].map((name) => `${name}@${manifest.devDependencies[name]}`);
  install(join(folder, 'tarballs'), project, tools);
  for (const name of packages) {
    const { resolved } = JSON.parse(readFileSync(join(project, 'package-lock.json'), 'utf8')).packages[
      `node_modules/@rollcast/${name}`
    ];
    if (!resolved.startsWith('file:')) throw new Error(`@rollcast/${name} came from ${resolved}`);
  }
}

function runProgram() {
  writeFileSync(join(project, 'program.mjs'), libraryProgram());
  const out = run('node', ['program.mjs', '2']);
  if (!/^forecast (-?\d+\.\d\d ?){60}$/m.test(out)) throw new Error(`the program printed\n${out}`);
}

function typecheck(moduleResolution, module) {
  writeFileSync(join(project, 'program.ts'), libraryProgram());
  writeFileSync(
    join(project, 'types.ts'),
    `import type { Environment, Policy, Rollout, SequenceEnvironment, StepResult } from '@rollcast/core';
import { PolicyGradient, type AlgorithmEntry } from '@rollcast/algos';
import { main } from '@rollcast/cli';
import { CartPole, type RewardFunction } from '@rollcast/envs';
import { registerOnnxBackend } from '@rollcast/tfjs-onnxruntime';
import '@rollcast/tfjs-onnxruntime/register';

export const code: Promise<number> = main(['list']);
export const environment: Environment = new CartPole();
export const reward: RewardFunction = (predicted, target) => -Math.abs(predicted[0] - target[0]);
export type All = [Policy, Rollout, SequenceEnvironment, StepResult, AlgorithmEntry, typeof PolicyGradient];
export { registerOnnxBackend };
// @ts-expect-error there is no such export
export type { Nothing } from '@rollcast/core';
`,
  );
  const options = {
    ...{ target: 'ES2022', module, moduleResolution, types: ['node'] },
    ...{ strict: true, noEmit: true, skipLibCheck: false },
  };
  const config = { compilerOptions: options, files: ['program.ts', 'types.ts'] };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(config));
  try {
    run('node', [join('node_modules', 'typescript', 'bin', 'tsc'), '-p', '.', '--pretty', 'false']);
  } catch (error) {
    // tfjs's own declarations do not hold together; ours and the user's must
    const ours = error.stdout
      .split('\n')
      .filter((line) => /^(?!node_modules|\s|$)|^node_modules\/@rollcast/.test(line));
    if (ours.length > 0) throw new Error(ours.join('\n'), { cause: error });
  }
}

function importQuietly() {
  const names = packages.map((name) => `@rollcast/${name}`);
  const program = `
    import * as tf from '@tensorflow/tfjs';
    import 'zod';
    const state = () => [
      ...Object.getOwnPropertyNames(globalThis).map((name) => 'the global ' + name),
      ...process.eventNames().map((name) => process.listenerCount(name) + ' listeners of ' + String(name)),
      ...Object.keys(tf.engine().registryFactory).map((name) => 'the backend ' + name),
    ];
    const before = state();
    for (const name of ${JSON.stringify(names)}) await import(name);
    const added = state().filter((item) => !before.includes(item));
    if (added.length > 0) console.log('what adds ' + added.join(', '));
  `;
  const out = run('node', ['--input-type=module', '-e', program]);
  if (out !== '') throw new Error(`importing printed: ${out}`);
}

function refuseDeepImports() {
  for (const path of ['core/dist/trainer.js', 'core/src/trainer.ts', 'envs/dist/cart-pole.js']) {
    const program = `await import('@rollcast/${path}').then(
      () => { throw new Error('@rollcast/${path} can be imported'); },
      (error) => { if (error.code !== 'ERR_PACKAGE_PATH_NOT_EXPORTED') throw error; })`;
    run('node', ['--input-type=module', '-e', program]);
  }
}

async function shakeOff() {
  const manifests = packages.map((name) =>
    JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'))),
  );
  const external = manifests
    .flatMap(({ dependencies }) => Object.keys(dependencies))
    .filter((name) => !name.startsWith('@rollcast/'));
  for (const name of ['algos', 'cli', 'envs']) {
    const { outputFiles } = await build({
      stdin: { contents: `import '@rollcast/${name}';`, resolveDir: project },
      external,
      ...{ bundle: true, write: false, platform: 'node', format: 'esm', logLevel: 'silent' },
    });
    if (outputFiles[0].text.trim() !== '') throw new Error(`of @rollcast/${name} something is left`);
  }
}

function runCommandLine() {
  const { version } = JSON.parse(readFileSync(join(root, 'packages', 'cli', 'package.json'), 'utf8'));
  const out = run('npx', ['--no-install', 'rollcast', '--version']);
  if (out.trim() !== version) throw new Error(`rollcast --version printed ${out}`);
  if (!run('npx', ['--no-install', 'rollcast', 'list']).includes('cart-pole-v1'))
    throw new Error('rollcast list does not name cart-pole-v1');
}
