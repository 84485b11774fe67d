import { dataTargets } from '../fuzz/data-targets.js';
import { temporaryFolder } from '../support/temporary.js';
import { fuzzAtLength } from './fuzz-at-length.js';

fuzzAtLength(
  dataTargets(temporaryFolder({ inMemory: true })),
  'mutated $name: a finite result or one clear line',
);
