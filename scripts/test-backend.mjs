// Runs the tests that hold on any backend - formulas, layers, models, algorithms - on one backend and device:
// `npm run test:backend -- NAME [--device DEVICE] [arguments of jest]`.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { backendNames, selectBackend } from '@rollcast/core';

const SUITES = ['core/math', 'core/nn', 'core/models', 'core/rollout', 'core/trainer', 'algos'];

const [name, ...rest] = process.argv.slice(2);
const device = rest[0] === '--device' ? rest.splice(0, 2)[1] : undefined;
if (!name || name.startsWith('-')) {
  console.error(`npm run test:backend -- NAME [--device DEVICE]: NAME is one of ${backendNames.join(', ')}.`);
  process.exit(2);
}
try {
  await selectBackend(name, { device }); // one message here instead of one from every suite
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exit(2);
}
const jest = fileURLToPath(new URL('./jest.mjs', import.meta.url));
const suites = SUITES.map((suite) => `/test/${suite}`);
const { status } = spawnSync(process.execPath, [jest, '--testPathPatterns', ...suites, ...rest], {
  stdio: 'inherit',
  env: {
    ...process.env,
    ROLLCAST_TEST_BACKEND: name,
    ...(device && { ROLLCAST_TEST_DEVICE: device }),
  },
});
process.exitCode = status ?? 1;
