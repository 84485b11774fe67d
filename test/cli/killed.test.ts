import { expect, test } from '@jest/globals';

import { expectUndisturbedByKills } from '../support/killed-training.js';
import { smallCartPole } from '../support/small-runs.js';
import { temporaryFolder } from '../support/temporary.js';

// 200 times, and the other kinds of run: test/soak/killed.test.ts
test('killed five times at random moments and resumed, a run ends as the one that nobody disturbed', async () => {
  const { withCheckpoint } = await expectUndisturbedByKills(temporaryFolder(), smallCartPole('ppo', 24), {
    kills: 5,
    seed: 1,
  });
  expect(withCheckpoint).toBeGreaterThan(0);
});
