// Commands of a benchmark that takes long: what has its result is not run again.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const bin = fileURLToPath(new URL('../packages/cli/bin/rollcast.js', import.meta.url));

/** Runs one command of rollcast unless its result is there; ends the benchmark where the command fails. */
export function runOnce(result, ...args) {
  if (existsSync(result)) return;
  console.error(`$ npx rollcast ${args.join(' ')}`);
  const { status } = spawnSync(process.execPath, [bin, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) process.exit(status ?? 1);
}
