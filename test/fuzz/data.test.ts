import { expect, test } from '@jest/globals';

import { fuzz } from '../support/fuzz.js';
import { temporaryFolder } from '../support/temporary.js';
import { dataTargets } from './data-targets.js';

test.each(dataTargets(temporaryFolder({ inMemory: true })))(
  'mutated $name: a finite result or one clear line, 200 times',
  async (target) => {
    const { accepted, refused, failures } = await fuzz(target, { count: 200 });
    expect(failures).toEqual([]);
    // the mutations are neither all harmless nor all fatal
    expect(accepted).toBeGreaterThan(5);
    expect(refused).toBeGreaterThan(20);
  },
);
