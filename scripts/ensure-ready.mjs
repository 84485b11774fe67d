// Installs and builds what is missing, so that `npm start` and `npm test` work in a fresh clone.
// Nothing but Node is needed here: this file runs before any package is installed.
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const [major] = process.versions.node.split('.').map(Number);
if (major < 20) {
  console.error(
    `Rollcast needs Node 20 or newer; this is ${process.version}. Install a newer Node and run the command again.`,
  );
  process.exit(2);
}

const lockHash = createHash('sha256')
  .update(readFileSync(`${root}package-lock.json`))
  .digest('hex');
const stamp = `${root}node_modules/.rollcast-lock`;
const installed = existsSync(stamp) ? readFileSync(stamp, 'utf8') : '';
if (installed !== lockHash) {
  console.log('Installing packages (once, about a minute) …');
  execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  writeFileSync(stamp, lockHash);
}

if (!existsSync(`${root}packages/cli/dist/main.js`)) console.log('Building (once, about twenty seconds) …');
try {
  execFileSync(process.execPath, [`${root}node_modules/typescript/bin/tsc`, '-b'], {
    cwd: root,
    stdio: 'inherit',
  });
} catch {
  console.error('The build failed; the messages above say where.');
  process.exit(1);
}
