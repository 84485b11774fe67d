import { expect, test } from '@jest/globals';

import { fuzz, type FuzzResult, type FuzzTarget } from '../support/fuzz.js';

const setting = (name: string, otherwise: number): number => Number(process.env[name] ?? otherwise);

/** 20 000 inputs of each target; ROLLCAST_FUZZ_INPUTS, _FIRST and _SEED choose others, so that a run can be done in parts. */
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
      const say = ({ done, accepted, refused, failures, slowest }: FuzzResult): void =>
        void process.stderr.write(
          `${target.name}, inputs ${range.first} to ${range.first + done - 1} of seed ${range.seed}: ${accepted} accepted, ${refused} refused, ${failures.length} failed; the slowest, ${slowest.input}, took ${slowest.seconds.toFixed(2)} s\n`,
        );
      const result = await fuzz(target, range, say);
      say(result);
      expect(result.failures).toEqual([]);
    },
    4 * 3_600_000,
  );
}
