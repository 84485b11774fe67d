import { beforeAll } from '@jest/globals';

import { makeSmallRuns, runTargets, type SmallRuns } from '../fuzz/run-targets.js';
import { temporaryFolder } from '../support/temporary.js';
import { fuzzAtLength } from './fuzz-at-length.js';

const folder = temporaryFolder({ inMemory: true });
let runs: SmallRuns;
beforeAll(async () => {
  runs = await makeSmallRuns(folder);
});

fuzzAtLength(
  runTargets(() => runs),
  'a mutated $name: the command ends well or says in one line why not',
);
