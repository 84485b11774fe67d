import { expect, test } from '@jest/globals';

import { fuzz, type FuzzResult, type FuzzTarget } from '../support/fuzz.js';
import { counted, say, setting } from './settings.js';

/** 20 000 inputs of each target; others of them, or of another seed, for a run that is done in parts. */
const range = {
  count: setting('ROLLCAST_FUZZ_INPUTS', 20_000),
  first: setting('ROLLCAST_FUZZ_FIRST', 0),
  seed: setting('ROLLCAST_FUZZ_SEED', 2026),
};

/** @param claim - with $name for that of the target */
export function fuzzAtLength(targets: readonly FuzzTarget[], claim: string): void {
  test.each(targets)(
    `${claim}, ${range.count} times`,
    async (target) => {
      const told = ({ done, accepted, refused, failures, slowest }: FuzzResult): string =>
        `mutated ${target.name}, ${done} inputs (${range.first} … ${range.first + done - 1} of seed ${range.seed}): ${accepted} accepted, ${refused} refused, ${failures.length} failed; ${slowest.seconds.toFixed(1)} s for the slowest (${slowest.input})${failures.map((failure) => `\n  ${failure}`).join('')}`;
      const result = await fuzz(target, range, (soFar) => say(told(soFar)));
      counted(told(result));
      expect(result.failures).toEqual([]);
    },
    4 * 3_600_000,
  );
}
