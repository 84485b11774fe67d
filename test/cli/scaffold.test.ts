/** What `rollcast new` writes works as it is: its types, its tests, and the commands that it prints. */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';

import { beforeAll, describe, expect, test } from '@jest/globals';
import ts from 'typescript';

import { writeScaffold } from '../../packages/cli/src/scaffold/scaffold.js';
import { smallPretraining } from '../support/small-runs.js';
import { temporaryFolder } from '../support/temporary.js';
import { Project } from './plugin-support.js';
import type { CommandResult } from './support.js';

const project = new Project();

describe('what is written', () => {
  let results: Record<'written' | 'checked' | 'pretrained' | 'trained', CommandResult>;

  beforeAll(async () => {
    writeScaffold('sequence', 'my-count', project.folder);
    writeScaffold('reward', 'my-reward', project.folder);
    const [written, checked, pretrained, trained] = await project.commands(
      ['new', 'env', 'my-room'],
      ['check', './my-reward.ts', '--set', 'reward.endWeight=2'],
      [...smallPretraining, '--steps', '1', '--out', 'runs/pre'],
      [
        ...['train', '--init', 'runs/pre', '--reward', './my-reward.ts', '--set', 'reward.jumpWeight=3'],
        ...['--updates', '1', '--batch-size', '4', '--out', 'runs/own'],
      ],
    );
    results = { written, checked, pretrained, trained };
  });

  test('and what to do next with it is said', () => {
    const { code, out } = results.written;
    expect(code).toBe(0);
    expect(out).toContain('Wrote my-room.ts and my-room.test.mjs');
    expect(out).toContain(
      'npx rollcast train --env ./my-room.ts --algo ppo --steps 20000 --seed 1 --out runs/my-room-ppo',
    );
  });

  test('passes its own tests', async () => {
    const { code, out } = await project.node('--test');
    expect(out).toMatch(/# pass 7\n# fail 0/);
    expect(code).toBe(0);
  });

  test('has no mistakes of type, strictly, and imports nothing but published packages', () => {
    const files = ['my-room.ts', 'my-count.ts', 'my-reward.ts'].map((file) => project.path(file));
    const program = ts.createProgram(files, {
      strict: true,
      noUncheckedIndexedAccess: true,
      noEmit: true,
      skipLibCheck: true,
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
    });
    const messages = ts
      .getPreEmitDiagnostics(program)
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '));
    expect(messages).toEqual([]);
    for (const file of files) {
      const imports = [...readFileSync(file, 'utf8').matchAll(/from '(.*)'/g)].map(([, name]) => name);
      expect(new Set(['@rollcast/core', 'zod', ...imports])).toEqual(new Set(['@rollcast/core', 'zod']));
    }
  });

  test('a reward is checked, trained on with options of its own, and named again to resume', async () => {
    const { checked, pretrained, trained } = results;
    expect(checked).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^\.\/my-reward\.ts is sound/) as unknown,
    });
    expect([pretrained.code, trained.code]).toEqual([0, 0]);
    const last = JSON.parse(readFileSync(project.path('runs/own/metrics.jsonl'), 'utf8')) as object;
    expect(last).toHaveProperty(['reward/jump']);
    const config = JSON.parse(readFileSync(project.path('runs/own/config.json'), 'utf8')) as {
      config: object;
    };
    expect(config.config).toMatchObject({
      environmentOptions: { reward: './my-reward.ts' },
      rewardFileOptions: { endWeight: 1, jumpWeight: 3 },
    });
    const resume = ['train', '--out', 'runs/own', '--resume', '--updates', '2'];
    const [unnamed, resumed] = await project.commands(resume, [...resume, '--reward', './my-reward.ts']);
    expect(unnamed).toMatchObject({
      code: 2,
      err: expect.stringContaining(
        'name it again: rollcast train --out runs/own --resume --reward ./my-reward.ts',
      ) as unknown,
    });
    expect(resumed).toMatchObject({ code: 0 });
  });
});

test('what is wrong ends the check with 1: findings with how to mend them, as JSON too; the lines of code that fails', async () => {
  project.write(
    'sour.ts',
    'export default (predicted: Float64Array): number => {\n  throw new Error(`of ${predicted.length}`);\n};\n',
  );
  project.write(
    'wrong.ts',
    `import { box, defineEnvironment, discrete } from '@rollcast/core';
export default defineEnvironment({ create: () => ({
  name: 'wrong', observationSpace: box(0, 1, [2]), actionSpace: discrete(2), maxEpisodeSteps: 9,
  reset: () => [0], step: () => ({ observation: [0, 1], reward: 1, terminated: false, truncated: false }),
}) });
`,
  );
  const [sour, wrong] = await project.commands(
    ['check', './sour.ts'],
    ['check', './wrong.ts', '--json', 'found.json'],
  );
  expect(sour.code).toBe(1);
  expect(sour.out).toMatch(
    /error: reward-call: .*the reward "\.\/sour\.ts" failed for the window of unit "paris-law-\d+" .*: of 60/,
  );
  expect(wrong).toMatchObject({
    code: 1,
    out:
      'error: observation-shape: reset(0) returned 1 numbers; observationSpace says numbers of the shape [2] from 0 to 1.\n' +
      '    Return what observationSpace says, or correct observationSpace.\n' +
      './wrong.ts: 1 error, 0 warnings (38 rules of step environments).\n',
  });
  const report = JSON.parse(readFileSync(project.path('found.json'), 'utf8')) as { findings: object[] };
  expect(report.findings).toMatchObject([{ rule: 'observation-shape', severity: 'error' }]);
});

describe('nothing is overwritten', () => {
  test.each(['taken.ts', 'taken.test.mjs'])('%s is there: neither file is written', (file) => {
    const folder = temporaryFolder();
    writeFileSync(`${folder}/${file}`, 'mine');
    expect(() => writeScaffold('reward', 'taken', folder)).toThrow(`${file} is there already`);
    expect(readdirSync(folder)).toEqual([file]);
    expect(readFileSync(`${folder}/${file}`, 'utf8')).toBe('mine');
  });

  test.each(['../up', 'MyEnv', 'a b', '', '-a', 'a--b', 'class.ts', '7up'])('"%s" is no name', (name) => {
    const folder = temporaryFolder();
    expect(() => writeScaffold('step', name, folder)).toThrow('for example my-env');
    expect(readdirSync(folder)).toEqual([]);
  });
});
