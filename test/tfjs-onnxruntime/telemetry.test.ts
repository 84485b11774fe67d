import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { expect, test } from '@jest/globals';

const PROGRAM = `
const { selectBackend, tf } = await import(process.argv[1]);
await selectBackend('onnx');
console.log(tf.add(1, 1).dataSync()[0], process.env.ORT_DISABLE_TELEMETRY);
`;

test('ONNX Runtime reports nothing, and leaves no files for that, unless the user says otherwise', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rollcast-telemetry-'));
  const core = pathToFileURL(join(process.cwd(), 'packages/core/dist/index.js')).href;
  const run = (env: object): string =>
    execFileSync(process.execPath, ['--input-type=module', '-e', PROGRAM, core], {
      env: { PATH: process.env['PATH'], TMPDIR: folder, ...env },
      encoding: 'utf8',
    }).trim();
  try {
    expect(run({})).toBe('2 1');
    expect(readdirSync(folder)).toEqual([]);
    expect(run({ ORT_DISABLE_TELEMETRY: '0' })).toBe('2 0');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
