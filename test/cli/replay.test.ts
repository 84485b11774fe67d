import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from '@jest/globals';

import { temporaryFolder } from '../support/temporary.js';
import { rollcast } from './support.js';

const folder = temporaryFolder();
/** A step size with which the first minibatch makes weights that are no use. */
const ABSURD = ['--lr', '1e38'];

const RUNS = [
  ['cart-pole-v1', ['--steps', '512', '--instances', '2', '--steps-per-rollout', '64']],
  [
    'token-copy-v1',
    ['--updates', '4', '--batch-size', '8', '--set', 'model.width=8', '--set', 'model.layers=1'],
  ],
] as const;

test.each(RUNS)('%s: a broken invariant leaves a dump, whose replay fails again', async (env, size) => {
  const out = join(folder, env);
  const trained = await rollcast('train', '--env', env, '--algo', 'ppo', ...size, ...ABSURD, '--out', out);
  expect(trained.code).toBe(1);
  const [name] = readdirSync(join(out, 'dumps'));
  const dump = join(out, 'dumps', name);
  expect(trained.err).toContain(`Repeat it with: rollcast replay ${dump}`);
  expect(trained.err).not.toMatch(/\n\s+at /);
  const violation = JSON.parse(readFileSync(join(dump, 'violation.json'), 'utf8')) as { update: number };
  expect(violation).toMatchObject({ broken: 'finite-update', values: { loss: 'NaN' } });
  expect(name).toBe(`update-${String(violation.update).padStart(6, '0')}`);
  expect(readdirSync(join(dump, 'checkpoints'))).toEqual([
    `update-${String(violation.update - 1).padStart(6, '0')}`,
  ]);

  const before = readdirSync(dump, { recursive: true });
  const again = await rollcast('replay', dump);
  expect(again.code).toBe(1);
  expect(again.out).toMatch(/^recorded in update \d .*finite-update: ppo: loss became NaN/);
  expect(again.out).toMatch(/It fails again: ppo: loss became NaN/);
  expect(readdirSync(dump, { recursive: true })).toEqual(before); // a replay changes nothing

  // mended: the same update with a usable step size
  const config = join(dump, 'config.json');
  writeFileSync(
    config,
    readFileSync(config, 'utf8').replace(/"learningRate": 1e\+38/, '"learningRate": 0.001'),
  );
  const mended = await rollcast('replay', dump);
  expect(mended.out).toMatch(/It does not fail again\.\n$/);
  expect(mended.code).toBe(0);

  await rollcast('train', '--env', env, ...size, '--force', '--out', out);
  expect(existsSync(dump)).toBe(false);
});

test('what is no dump is refused in a sentence', async () => {
  const run = join(folder, 'cart-pole-v1');
  expect(await rollcast('replay', join(folder, 'nowhere'))).toMatchObject({
    code: 2,
    err: expect.stringMatching(/There is no run at .*nowhere/),
  });
  expect(await rollcast('replay', run)).toMatchObject({
    code: 2,
    err: expect.stringMatching(/is not a dump: it has no violation\.json\. Dumps lie in the folder dumps/),
  });
  writeFileSync(join(run, 'violation.json'), '{"update": 0}');
  expect(await rollcast('replay', run)).toMatchObject({
    code: 2,
    err: expect.stringMatching(/violation\.json is damaged: update: .*\n$/),
  });
  rmSync(join(run, 'violation.json'));
});
