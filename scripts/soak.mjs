// Runs the long tests of what happens when things go wrong, or those whose names are given (`killed`, `fuzz`), and prints at the
// end what they have counted.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const jest = fileURLToPath(new URL('jest.mjs', import.meta.url));
const named = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'rollcast-soak-'));
const counts = join(folder, 'counts');
const args = ['--testPathIgnorePatterns=/node_modules/', '--runInBand'];
const files = named.length > 0 ? named.map((name) => `soak/${name}`) : ['soak/'];
const { status } = spawnSync(process.execPath, [jest, ...args, ...files], {
  stdio: 'inherit',
  env: { ...process.env, ROLLCAST_SOAK_COUNTS: counts },
});
console.log(`\nCounted:\n${existsSync(counts) ? readFileSync(counts, 'utf8') : 'nothing\n'}`);
rmSync(folder, { recursive: true });
process.exitCode = status ?? 1;
