import { readFileSync } from 'node:fs';

/** The program under "As a library" in the README, which is also the code of the tenth example. */
export function libraryProgram() {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const section = readme.slice(readme.indexOf('## As a library'));
  return /```ts\n(.*?)```/s.exec(section)[1];
}
