import { join } from 'node:path';

import { rollcast } from '../cli/support.js';
import { cutAfter, expectSameRun } from './same-run.js';

/**
 * Runs 2N updates, then goes on from update N of a copy, and compares.
 *
 * @param command - without `--out`
 * @param updates - N
 * @param onResume - what else is given when it goes on, for example another number of workers
 */
export async function expectExactResume(
  folder: string,
  command: readonly string[],
  updates: number,
  { always = [], onResume = [] }: { always?: readonly string[]; onResume?: readonly string[] } = {},
): Promise<void> {
  const [whole, cut] = ['whole', 'cut'].map((name) => join(folder, name));
  const run = async (...args: string[]): Promise<void> => {
    const { code, err } = await rollcast(...args);
    if (code !== 0) throw new Error(`rollcast ${args.join(' ')} ended with ${code}: ${err}`);
  };
  await run(...command, ...always, '--out', whole);
  cutAfter(updates, whole, cut);
  await run(command[0], '--resume', '--out', cut, ...always, ...onResume);
  expectSameRun(cut, whole);
}
