import { readFileSync } from 'node:fs';

/** The version of Rollcast, as in its package. */
export function rollcastVersion(): string {
  const packageFile = new URL('../../package.json', import.meta.url); // the same from src/run and dist/run
  return (JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string }).version;
}
