import { expect, test } from '@jest/globals';

import { dataTargets } from '../fuzz/data-targets.js';
import { fuzz } from '../support/fuzz.js';
import { temporaryFolder } from '../support/temporary.js';

/** Fewer, to try the suite out. */
const INPUTS = Number(process.env['ROLLCAST_FUZZ_INPUTS'] ?? 20_000);

test.each(dataTargets(temporaryFolder()))(
  'mutated $name: a finite result or one clear line, 20 000 times',
  async (target) => {
    const { accepted, refused, failures } = await fuzz(target, INPUTS);
    console.log(`${target.name}: ${accepted} accepted, ${refused} refused`);
    expect(failures).toEqual([]);
  },
  3_600_000,
);
