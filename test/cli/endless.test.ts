import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { expect, test } from '@jest/globals';

const module = new URL('../../packages/cli/dist/endless.js', import.meta.url).href;

/** Runs code in a process that says after 0.5 s that nothing goes on. */
function said(
  work: string,
  endAfter?: RegExp,
): Promise<{ err: string; ended: number | NodeJS.Signals | null }> {
  const code = `import { sayWhenEndless } from '${module}'; sayWhenEndless('./my-env.ts', 500); ${work}`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    cwd: fileURLToPath(new URL('.', import.meta.url)),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const tooLong = setTimeout(() => child.kill('SIGTERM'), 60_000); // ends it whatever it does
  let err = '';
  child.stderr.on('data', (text) => {
    err += String(text);
    if (endAfter?.test(err)) child.kill('SIGKILL');
  });
  return new Promise((resolve) => {
    child.once('close', (code, signal) => {
      clearTimeout(tooLong);
      resolve({ err: err.replaceAll(String(child.pid), 'PID'), ended: signal ?? code });
    });
  });
}

test('code that never returns: it is said, with the command that ends the process', async () => {
  const { err, ended } = await said('for (;;) {}', /kill/);
  expect(ended).toBe('SIGKILL');
  expect(err).toMatch(
    /^note: nothing has gone on for 1 s, .* If code of \.\/my-env\.ts never returns, .* kill -9 PID\b.*\n$/,
  );
});

test('work that lets events be heard is never reported, however long, and the watch does not keep the process alive', async () => {
  const pause = 'await new Promise((resolve) => setTimeout(resolve, 100));';
  const { err, ended } = await said(`for (let i = 0; i < 20; i++) { ${pause} }`);
  expect({ err, ended }).toEqual({ err: '', ended: 0 });
});
