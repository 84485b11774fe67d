import { beforeAll, expect, test } from '@jest/globals';

import { makeSmallRuns, runTargets, type SmallRuns } from '../fuzz/run-targets.js';
import { fuzz } from '../support/fuzz.js';
import { temporaryFolder } from '../support/temporary.js';

/** Fewer, to try the suite out. */
const INPUTS = Number(process.env['ROLLCAST_FUZZ_INPUTS'] ?? 20_000);

const folder = temporaryFolder();
let runs: SmallRuns;
beforeAll(async () => {
  runs = await makeSmallRuns(folder);
});

test.each(runTargets(() => runs))(
  'a mutated $name: the command ends well or says in one line why not, 20 000 times',
  async (target) => {
    const { accepted, refused, failures } = await fuzz(target, INPUTS);
    console.log(`${target.name}: ${accepted} accepted, ${refused} refused`);
    expect(failures).toEqual([]);
  },
  4 * 3_600_000,
);
