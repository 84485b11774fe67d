import { beforeAll, expect, test } from '@jest/globals';

import { fuzz } from '../support/fuzz.js';
import { temporaryFolder } from '../support/temporary.js';
import { makeSmallRuns, runTargets, type SmallRuns } from './run-targets.js';

const folder = temporaryFolder({ inMemory: true });
let runs: SmallRuns;
beforeAll(async () => {
  runs = await makeSmallRuns(folder);
});

test.each(runTargets(() => runs))(
  'a mutated $name: the command ends well or says in one line why not, 100 times',
  async (target) => {
    const { accepted, refused, failures } = await fuzz(target, { count: 100 });
    expect(failures).toEqual([]);
    expect(accepted).toBeGreaterThan(5);
    expect(refused).toBeGreaterThan(20);
  },
);
