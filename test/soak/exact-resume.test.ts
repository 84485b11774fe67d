import { join } from 'node:path';

import { describe, test } from '@jest/globals';

import { rollcast } from '../cli/support.js';
import { succeed } from '../support/child.js';
import { expectExactResume } from '../support/exact-resume.js';
import { cutAfter, expectSameRun } from '../support/same-run.js';
import { smallCartPole, smallForecast, smallPretraining } from '../support/small-runs.js';
import { temporaryFolder } from '../support/temporary.js';

const MINUTES = 60_000;

describe.each([
  ['onnx', 200, 40],
  ['wasm', 100, 20],
  ['cpu', 100, 10],
])('cut, resumed and not cut are the same byte for byte: %s', (backend, cartPoleUpdates, forecastUpdates) => {
  test.each(['reinforce', 'ppo'])(
    'CartPole by %s',
    (algo) =>
      expectExactResume(
        temporaryFolder(),
        [...smallCartPole(algo, cartPoleUpdates), '--checkpoint-every', String(cartPoleUpdates / 2)],
        cartPoleUpdates / 2,
        { always: ['--backend', backend] },
      ),
    10 * MINUTES,
  );

  test.each(['reinforce', 'ppo'])(
    'the degradation job by %s',
    async (algo) => {
      const folder = temporaryFolder();
      const init = join(folder, 'pre');
      await rollcast(...smallPretraining, '--backend', backend, '--out', init);
      const command = smallForecast(algo, forecastUpdates, init);
      const half = forecastUpdates / 2;
      await expectExactResume(folder, [...command, '--checkpoint-every', String(half)], half, {
        always: ['--backend', backend],
      });
    },
    20 * MINUTES,
  );
});

test.each([
  [1, 2],
  [2, 1],
  [1, 4],
])(
  'the degradation job with %i threads of the engine, resumed with %i: the same byte for byte',
  async (before, after) => {
    const folder = temporaryFolder();
    const [init, whole, cut] = ['pre', 'whole', 'cut'].map((name) => join(folder, name));
    await succeed(...smallPretraining, '--threads', String(before), '--out', init);
    await succeed(...smallForecast('ppo', 20, init), '--threads', String(before), '--out', whole);
    cutAfter(18, whole, cut);
    await succeed('train', '--resume', '--threads', String(after), '--out', cut);
    expectSameRun(cut, whole);
  },
  10 * MINUTES,
);

test.each([
  [0, 3],
  [2, 0],
  [1, 4],
])(
  'CartPole with %i environment workers, resumed with %i: the same byte for byte',
  (before, after) =>
    expectExactResume(
      temporaryFolder(),
      [
        ...smallCartPole('ppo', 60),
        '--instances',
        '4',
        '--checkpoint-every',
        '15',
        '--workers',
        String(before),
      ],
      15,
      { onResume: ['--workers', String(after)] },
    ),
  10 * MINUTES,
);
