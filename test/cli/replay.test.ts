import { cpSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import { smallPretraining } from '../support/small-runs.js';
import { temporaryFolder } from '../support/temporary.js';
import { Project } from './plugin-support.js';
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

const VIOLATION = { update: 1, broken: 'finite-update', message: 'NaN', values: {}, backend: 'backend: cpu' };

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

describe('with code of the user’s own', () => {
  const project = new Project();
  const init = ['--init', 'runs/pre', '--algo', 'ppo', '--batch-size', '4'];
  const tiny = ['model.width=8', 'model.layers=1', 'model.heads=1'].flatMap((setting) => ['--set', setting]);
  const words = ['--algo', 'ppo', '--batch-size', '4', ...tiny];
  const wordsSource = (score: string): string => `import { defineSequenceEnvironment } from '@rollcast/core';
export default defineSequenceEnvironment({ create: () => ({
  name: 'words', vocabularySize: 4, contextLength: 2, horizon: 2,
  sample: (size: number) => ({ size, contextTokens: new Int32Array(2 * size) }),
  reward({ size }: { size: number }) {
    ${score}
    return { reward: new Float32Array(size), components: {} };
  },
}) });
`;

  test.each([
    ['--env', './words.ts', '--reward', words, wordsSource],
    [
      '--reward',
      './sour.ts',
      '--env',
      init,
      (score: string) => `export default () => {\n\n\n\n\n    ${score}\n  return 1;\n};\n`,
    ],
  ] as const)(
    '%s is named in every command, and loaded only then',
    async (flag, file, other, size, source) => {
      const [out, dump] = [`runs/${flag.slice(2)}`, `runs/${flag.slice(2)}/dumps/update-000001`];
      project.write(file, source("throw new Error('no such word');"));
      const [, trained, unnamed, named, needless] = await project.commands(
        [...smallPretraining, '--steps', '2', '--out', 'runs/pre', '--force'],
        ['train', flag, file, ...size, '--updates', '2', '--out', out],
        ['replay', dump],
        ['replay', dump, flag, file],
        ['replay', dump, flag, file, other, file],
      );
      const command = `rollcast replay ${dump} ${flag} ${file}`;
      expect(trained.err).toContain(`Repeat it with: ${command}\n`);
      expect(unnamed.err).toMatch(
        new RegExp(`a run folder never causes code .* name it again: ${command}\n$`),
      );
      expect(named.out).toMatch(/^recorded in update 1 \(backend: .*\nrepeated \(backend: .*\)\n/);
      expect(named.out).toMatch(/It fails again: .*no such word\n +at .*(words|sour)\.ts:6:/);
      expect(needless.err).toBe(
        `error: ${other} names code of your own, and this run was made without any there; leave it out.\n`,
      );
      expect([trained, unnamed, named, needless].map(({ code }) => code)).toEqual([1, 2, 1, 2]);
      for (const { out, err } of [unnamed, named])
        expect(out + err).not.toMatch(/rollcast train|rollcast-replay/);

      project.write(file, source(''));
      const [mended] = await project.commands(['replay', dump, flag, file]);
      expect(mended).toMatchObject({ code: 0, out: expect.stringMatching(/It does not fail again\.\n$/) });
    },
  );
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
  const damaged = join(folder, 'damaged');
  cpSync(run, damaged, { recursive: true });
  writeFileSync(join(damaged, 'violation.json'), JSON.stringify(VIOLATION));
  const [last] = readdirSync(join(damaged, 'checkpoints')).filter((name) => name.startsWith('update-'));
  writeFileSync(join(damaged, 'checkpoints', last, 'weights.safetensors'), 'nothing');
  expect(await rollcast('replay', damaged)).toMatchObject({
    code: 2,
    err: expect.stringMatching(/^error: .*damaged\/checkpoints\/update-.* is damaged: 7 bytes instead/),
  });
  writeFileSync(join(run, 'violation.json'), '{"update": 0}');
  expect(await rollcast('replay', run)).toMatchObject({
    code: 2,
    err: expect.stringMatching(/violation\.json is damaged: update: .*\n$/),
  });
  rmSync(join(run, 'violation.json'));
});
