import { appendFileSync } from 'node:fs';

/** A number from the environment, so that a long test can be done in parts, or tried out. */
export function setting(name: string, otherwise: number): number {
  return Number(process.env[name] ?? otherwise);
}

/** Says at once how far a test is. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Says what a test has counted, at once and at the end of `npm run test:soak`. */
export function counted(line: string): void {
  say(line);
  const file = process.env['ROLLCAST_SOAK_COUNTS'];
  if (file !== undefined) appendFileSync(file, `${line}\n`);
}
