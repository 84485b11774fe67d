// Runs tfjs-core's own backend tests against the backend `onnx` and writes what does not pass to CONFORMANCE.md.
// `CONFORMANCE_BACKEND=cpu` runs them against tfjs's cpu backend instead, to see what the tests themselves do here, and
// `CONFORMANCE_DEVICE=cuda` or `webgpu` with ONNX Runtime on that device; the page is left as it is then.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

import { reasonFor } from '../test/conformance/reasons.mjs';

const TARGET = 0.98;
const root = fileURLToPath(new URL('..', import.meta.url));
const require = createRequire(import.meta.url);

const folder = `${root}node_modules/.cache/conformance`;
mkdirSync(folder, { recursive: true });
const bundle = `${folder}/tests.cjs`;
await build({
  entryPoints: [`${root}test/conformance/entry.mjs`],
  outfile: bundle,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  mainFields: ['module', 'main'],
  conditions: ['@rollcast/source'],
  ignoreAnnotations: true, // the tests are imported for their side effects
  external: ['onnxruntime-node', 'onnxruntime-common', 'jasmine-core/*', 'node-fetch'],
  define: { 'import.meta.url': 'importMetaUrl' },
  banner: { js: `const importMetaUrl = require('node:url').pathToFileURL(__filename).href;` },
  logLevel: 'error',
});

const jasmineRequire = require('jasmine-core');
const jasmine = jasmineRequire.boot(jasmineRequire);
globalThis.jasmine = jasmine;
const env = jasmine.getEnv({ suppressLoadErrors: true });
Object.assign(globalThis, jasmineRequire.interface(jasmine, env));
jasmine.DEFAULT_TIMEOUT_INTERVAL = 20_000;
env.configure({ random: false });

const filter = process.argv[2];
if (filter) env.configure({ specFilter: (spec) => spec.getFullName().includes(filter) });

const counts = { passed: 0, failed: 0, pending: 0, excluded: 0 };
const failures = [];
env.addReporter({
  specDone({ status, fullName, failedExpectations }) {
    counts[status] += 1;
    if (status === 'failed') failures.push({ name: fullName, message: failedExpectations[0].message });
  },
});
const quiet = () => undefined;
const { log, warn, error } = console;
require(bundle);
Object.assign(console, { log: quiet, warn: quiet, error: quiet });
await new Promise((resolve) => env.execute(null, resolve));
Object.assign(console, { log, warn, error });
rmSync(folder, { recursive: true });

const ran = counts.passed + counts.failed;
const share = counts.passed / ran;
console.log(
  `tfjs-core's backend tests: ${counts.passed} of ${ran} pass (${(100 * share).toFixed(2)} %), ${counts.failed} fail, ${counts.pending} skipped by tfjs itself`,
);
for (const { name, message } of failures) console.log(`- ${name}\n    ${message.split('\n')[0]}`);

if (!filter && !process.env.CONFORMANCE_BACKEND && !process.env.CONFORMANCE_DEVICE) {
  const { format } = await import('prettier');
  const rows = failures.map(
    ({ name, message }) =>
      `| ${cell(name)} | ${cell(reasonFor(name) ?? `unexplained: ${message.split('\n')[0]}`)} |`,
  );
  const page = `# Conformance

tfjs-core 4.22.0 carries its own tests of backends. \`npm run test:conformance\` runs them against the backend \`onnx\` and writes
this page: **${counts.passed} of ${ran} pass (${(100 * share).toFixed(2)} %)**; ${counts.pending} more are skipped by tfjs itself on every backend in Node.

${rows.length === 0 ? 'Nothing fails.' : `| What does not pass | Why |\n|---|---|\n${rows.join('\n')}`}
`;
  writeFileSync(
    `${root}packages/tfjs-onnxruntime/CONFORMANCE.md`,
    await format(page, { parser: 'markdown' }),
  );
  const unexplained = failures.filter(({ name }) => !reasonFor(name));
  if (share < TARGET || unexplained.length > 0) process.exitCode = 1;
}

function cell(text) {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ').trim();
}
