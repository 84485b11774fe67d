import { join } from 'node:path';

import { describe, test } from '@jest/globals';

import { succeed } from '../support/child.js';
import { expectExactResume } from '../support/exact-resume.js';
import { cutAfter, expectSameRun } from '../support/same-run.js';
import { smallCartPole, smallForecast, smallPretraining } from '../support/small-runs.js';
import { temporaryFolder } from '../support/temporary.js';
import { rollcast } from './support.js';

// The first two of 4 updates keep their checkpoints: three are kept. Longer, and all combinations: test/soak.
describe.each(['onnx', 'wasm', 'cpu'])(
  'cut, resumed and not cut are the same byte for byte: %s',
  (backend) => {
    test.each(['reinforce', 'ppo'])('CartPole by %s', (algo) =>
      expectExactResume(temporaryFolder(), smallCartPole(algo, 4), 2, { always: ['--backend', backend] }),
    );

    test('the degradation job', async () => {
      const folder = temporaryFolder();
      const init = join(folder, 'pre');
      await rollcast(...smallPretraining, '--steps', '2', '--backend', backend, '--out', init);
      await expectExactResume(folder, smallForecast('ppo', 4, init), 2, { always: ['--backend', backend] });
    });
  },
);

test.each([
  ['0 to 2', [], ['--workers', '2']],
  ['2 to 1', ['--workers', '2'], ['--workers', '1']],
])('another number of environment workers changes nothing: %s', (_what, before, after) =>
  expectExactResume(temporaryFolder(), [...smallCartPole('ppo', 4), ...before], 2, { onResume: after }),
);

test('another number of engine threads changes nothing', async () => {
  const folder = temporaryFolder();
  const [whole, cut] = ['whole', 'cut'].map((name) => join(folder, name));
  await succeed(...smallCartPole('ppo', 4), '--threads', '1', '--out', whole);
  cutAfter(2, whole, cut);
  await succeed('train', '--resume', '--threads', '3', '--out', cut);
  expectSameRun(cut, whole);
});
