/** Files and packages of a user's own, as a user meets them: in a folder of their own, through the command line. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

import { beforeAll, describe, expect, test } from '@jest/globals';

import { Project, lineSource, physicsSource } from './plugin-support.js';
import { lastCheckpoint, metrics, timeless, type CommandResult } from './support.js';

const project = new Project();
const short = ['--algo', 'ppo', '--seed', '1', '--backend', 'cpu'];
/** An update of 64 steps. */
const little = ['--instances', '2', '--steps-per-rollout', '32', '--set', 'policy.hidden=[8]'];

beforeAll(() => {
  project.write('line.ts', lineSource());
  project.write('physics.ts', physicsSource);
});

describe('an environment by path', () => {
  test('trains with options that its schema has checked, the same with worker threads', async () => {
    const train = [
      'train',
      '--env',
      './line.ts',
      ...short,
      ...little,
      '--steps',
      '128',
      '--set',
      'env.size=4',
    ];
    const alone = await project.rollcast(...train, '--out', 'runs/alone');
    expect(alone).toMatchObject({ code: 0 });
    const config = JSON.parse(readFileSync(project.path('runs/alone/config.json'), 'utf8')) as {
      config: object;
    };
    expect(config.config).toMatchObject({ environment: './line.ts', environmentOptions: { size: 4 } });
    const threads = await project.rollcast(...train, '--workers', '2', '--out', 'runs/threads');
    expect(threads).toMatchObject({ code: 0 });
    expect(timeless(metrics(project.path('runs/threads')))).toEqual(
      timeless(metrics(project.path('runs/alone'))),
    );
  });

  test('may be JavaScript, know where it lies, and use packages that are installed beside it', async () => {
    project.write(
      'node_modules/far/package.json',
      '{ "type": "module", "exports": { "import": "./far.js" } }',
    );
    project.write('node_modules/far/far.js', 'export const far = 3;');
    project.write('start.json', '[2]');
    project.write(
      'script.js',
      `import { readFileSync } from 'node:fs';
import { box, defineEnvironment, discrete } from '@rollcast/core';
import { far } from 'far';
const [start] = JSON.parse(readFileSync(new URL('./start.json', import.meta.url), 'utf8'));
class Script {
  name = 'script'; observationSpace = box(0, far, [1]); actionSpace = discrete(2); maxEpisodeSteps = 9;
  reset() { this.at = start; return [start]; }
  step(action) {
    this.at = (this.at + action) % far;
    return { observation: [this.at], reward: this.at === 0 ? 1 : 0, terminated: false, truncated: false };
  }
}
export default defineEnvironment({ create: () => new Script() });
`,
    );
    const { code, out } = await project.rollcast('check', './script.js');
    expect({ code, out }).toEqual({
      code: 0,
      out: expect.stringMatching(/^\.\/script\.js is sound/) as unknown,
    });
  });

  test('benchmarks beside a built-in one; other code is another run', async () => {
    const bench = (): ReturnType<Project['rollcast']> =>
      project.rollcast(
        ...['bench', '--envs', './line.ts,bandit-v1', '--algos', 'ppo', '--seeds', '1', '--steps', '512'],
        ...['--backend', 'cpu', '--set', 'policy.hidden=[8]', '--out', 'runs/bench'],
      );
    const first = await bench();
    expect(first).toMatchObject({ code: 0, out: expect.stringMatching(/\.\/line\.ts +ppo/) as unknown });
    expect((await bench()).err).toContain('2 of 2 runs in runs/bench have finished before');
    writeFileSync(project.path('physics.ts'), `${physicsSource}// another version\n`);
    expect((await bench()).err).toContain('1 of 2 runs in runs/bench have finished before');
    writeFileSync(project.path('physics.ts'), physicsSource);
  });

  test('loads as a package by its name, and says how to install one that is missing', async () => {
    project.write(
      'node_modules/rollcast-env-still/package.json',
      '{ "name": "rollcast-env-still", "version": "1.0.0", "type": "module", "exports": "./index.js" }',
    );
    project.write(
      'node_modules/rollcast-env-still/index.js',
      `import { box, defineEnvironment, discrete } from '@rollcast/core';
export default defineEnvironment({ create: () => ({
  name: 'still', observationSpace: box(0, 1), actionSpace: discrete(2), reset: () => [0], step: () => { throw new Error('stuck'); },
}) });
`,
    );
    const [stuck, missing] = await project.commands(
      ['train', '--env', 'rollcast-env-still', ...short, ...little, '--out', 'runs/still'],
      ['check', 'rollcast-env-nowhere'],
    );
    expect(stuck.code).toBe(1);
    expect(stuck.err).toMatch(
      /Environment "still", instance 0, step 1 of episode 0: stuck\n +at .*rollcast-env-still\/index\.js:3:/,
    );
    expect(missing).toMatchObject({
      code: 2,
      err: 'error: The package "rollcast-env-nowhere" is not installed here. Install it: npm install rollcast-env-nowhere\n',
    });
  });
});

describe('code of the user’s own that fails', () => {
  const failing = (): string => lineSource("if (this.steps > 40) throw new Error('the motor is off');");
  const lineOfThrow =
    failing()
      .split('\n')
      .findIndex((line) => line.includes('the motor')) + 1;

  test.each([
    ['on one thread', [], 'alone'],
    ['on worker threads', ['--workers', '2'], 'threads'],
  ])(
    'in a step %s shows environment, step, file and line, and the last checkpoint goes on',
    async (_, more, name) => {
      project.write(`failing-${name}.ts`, failing());
      const run = `runs/failing-${name}`;
      const { code, err } = await project.rollcast(
        ...['train', '--env', `./failing-${name}.ts`, ...short, ...little, '--steps', '256', ...more],
        ...['--checkpoint-every', '1', '--out', run],
      );
      expect(code).toBe(1);
      expect(err).toMatch(
        /error: Environment "line", instance \d, step \d+ of episode \d+: the motor is off/,
      );
      expect(err).toContain(`at Line.step (${project.path(`failing-${name}.ts`)}:${lineOfThrow}:`);
      expect(err).not.toContain('packages/core');
      expect(err).toContain(
        `the checkpoint of update 1 is intact: rollcast train --out ${run} --resume --env ./failing-${name}.ts`,
      );
      const before = lastCheckpoint(project.path(run));
      project.write(`failing-${name}.ts`, lineSource());
      const resumed = await project.rollcast(
        'train',
        '--out',
        run,
        '--resume',
        '--env',
        `./failing-${name}.ts`,
      );
      expect(resumed).toMatchObject({ code: 0 });
      expect(metrics(project.path(run)).map(({ update }) => update)).toEqual([1, 2, 3, 4]);
      expect(
        before['weights.safetensors'].equals(lastCheckpoint(project.path(run))['weights.safetensors']),
      ).toBe(false);
    },
  );

  test('in the reward of a sequence environment shows the update', async () => {
    project.write(
      'words.ts',
      `import { defineSequenceEnvironment } from '@rollcast/core';
let calls = 0;
export default defineSequenceEnvironment({ create: () => ({
  name: 'words', vocabularySize: 4, contextLength: 2, horizon: 2,
  sample: (size: number) => ({ size, contextTokens: new Int32Array(2 * size) }),
  reward({ size }: { size: number }) {
    if (++calls > 2) throw new TypeError('no such word');
    return { reward: new Float32Array(size), components: {} };
  },
}) });
`,
    );
    const { code, err } = await project.rollcast(
      ...[
        'train',
        '--env',
        './words.ts',
        ...short,
        '--updates',
        '4',
        '--batch-size',
        '4',
        '--out',
        'runs/words',
      ],
      ...['--set', 'model.width=8', '--set', 'model.layers=1', '--set', 'model.heads=1'],
    );
    expect(err).toMatch(
      /error: Environment "words", reward of update 3: no such word\n +at .*words\.ts:7:28/,
    );
    expect(code).toBe(1);
  });

  describe('that is no environment', () => {
    const broken: [what: string, source: string, code: number, message: RegExp][] = [
      [
        'that does not parse',
        'export default {;',
        2,
        /cannot be loaded: bad-\d\.ts:1:17: Expected identifier/,
      ],
      [
        'that imports what is not there',
        "import './gone.js';",
        2,
        /cannot be loaded: bad-\d\.ts:1:8: Could not resolve "\.\/gone\.js"/,
      ],
      [
        'that fails while it is loaded',
        "\n\nthrow new Error('no licence');",
        1,
        /fails while it is loaded: no licence\n +at .*bad-\d\.ts:3:7/,
      ],
      [
        'that exports nothing',
        'export const a = 1;',
        2,
        /must export what defineEnvironment .* got no default export/,
      ],
      ['that exports a bare class', 'export default class A {}', 2, /got a function or class/],
      [
        'that declares a reward',
        "import { defineReward } from '@rollcast/core'; export default defineReward(() => 1);",
        2,
        /declares a reward; name it by --reward \.\/bad-\d\.ts/,
      ],
      [
        'whose environment lacks a part',
        "import { defineEnvironment } from '@rollcast/core'; export default defineEnvironment({ create: () => ({ name: 'a' }) as never });",
        2,
        /missing: observationSpace, actionSpace, reset, step/,
      ],
      [
        'that makes a promise',
        "import { defineEnvironment } from '@rollcast/core'; export default defineEnvironment({ create: (async () => ({})) as never });",
        2,
        /got a promise: load what takes time before/,
      ],
    ];
    let results: CommandResult[];

    beforeAll(async () => {
      broken.forEach(([, source], i) => project.write(`bad-${i}.ts`, source));
      results = await project.commands(
        ...broken.map((_, i) => ['train', '--env', `./bad-${i}.ts`, ...short, '--out', `runs/bad-${i}`]),
      );
    });

    test.each(broken.map((row, i) => [row[0], i] as const))('a file %s is refused in one message', (_, i) => {
      const [, , code, message] = broken[i];
      expect(results[i].err).toMatch(message);
      expect(results[i].code).toBe(code);
      expect(results[i].err.split('\n').filter((line) => line.startsWith('error: '))).toHaveLength(1);
      expect(existsSync(project.path(`runs/bad-${i}`))).toBe(false);
    });
  });

  test('a file that is not there, a folder and an unknown option are named, and leave no run folder', async () => {
    const [gone, folder, option] = await project.commands(
      ['check', './gone.ts'],
      ['check', './runs'],
      ['train', '--env', './line.ts', ...short, '--set', 'env.sise=4', '--out', 'runs/refused'],
    );
    expect(gone.err).toBe('error: check ./gone.ts: there is no such file.\n');
    expect(folder.err).toBe('error: check ./runs is no file.\n');
    expect(option).toMatchObject({
      code: 2,
      err: 'error: env.sise: unknown option. Did you mean "size"? Known: size.\n',
    });
    expect(existsSync(project.path('runs/refused'))).toBe(false);
  });
});

describe('what a run folder says loads nothing', () => {
  /** Leaves a trace when it is loaded. */
  const traced = (source: string): string =>
    `import { writeFileSync } from 'node:fs';\nwriteFileSync(${JSON.stringify(project.path('trace'))}, 'loaded');\n${source}`;
  const loaded = (): boolean => existsSync(project.path('trace'));
  const resume = ['train', '--out', 'runs/traced', '--resume'];
  const cases: [what: string, args: string[], code: number, message: RegExp][] = [
    [
      '--resume',
      [...resume, '--steps', '192'],
      2,
      /name it again: rollcast train --out runs\/traced --resume --env \.\/traced\.ts/,
    ],
    [
      '--resume with another option',
      [...resume, '--lr', '1'],
      2,
      /--lr cannot be changed by --resume.*Only --env, --steps/,
    ],
    [
      '--resume with a file of another kind',
      [...resume, '--env', './words.ts'],
      2,
      /--env \.\/words\.ts is a sequence environment; the run is on a step environment\./,
    ],
    ['evaluate', ['evaluate', '--run', 'runs/traced'], 2, /^error: /m],
    [
      '--init of another environment',
      [
        ...['train', '--init', 'runs/traced', '--env', './line.ts', ...short, '--steps', '64'],
        ...['--instances', '2', '--steps-per-rollout', '32', '--out', 'runs/from-traced'],
      ],
      0,
      /done/,
    ],
    [
      '--init of a built-in environment with other spaces',
      ['train', '--init', 'runs/traced', '--env', 'cart-pole-v1', ...short, '--out', 'runs/wrong-start'],
      2,
      /error: .*shape|error: .*parameter/,
    ],
    [
      '--resume of a folder whose configuration was turned to a file',
      ['train', '--out', 'runs/turned', '--resume', '--steps', '128'],
      2,
      /a run folder never causes code to be loaded/,
    ],
  ];
  let results: CommandResult[];

  beforeAll(async () => {
    project.write('traced.ts', traced(lineSource()));
    const [first] = await project.commands(
      ['train', '--env', './traced.ts', ...short, ...little, '--steps', '128', '--out', 'runs/traced'],
      ['train', '--env', 'bandit-v1', ...short, ...little, '--steps', '64', '--out', 'runs/turned'],
    );
    expect({ code: first.code, loaded: loaded() }).toEqual({ code: 0, loaded: true });
    rmSync(project.path('trace'));
    const config = project.path('runs/turned/config.json');
    writeFileSync(config, readFileSync(config, 'utf8').replace('bandit-v1', './traced.ts'));
    results = await project.commands(...cases.map(([, args]) => args));
  });

  test.each(cases.map((row, i) => [row[0], i] as const))('%s', (_, i) => {
    const [, , code, message] = cases[i];
    expect(results[i].err + results[i].out).toMatch(message);
    expect(results[i].code).toBe(code);
  });

  test('none of these has loaded it; named again, the run goes on', async () => {
    expect(loaded()).toBe(false);
    const goesOn = await project.rollcast(...resume, '--env', './traced.ts', '--steps', '192');
    expect(goesOn).toMatchObject({ code: 0 });
    expect(metrics(project.path('runs/traced')).at(-1)).toMatchObject({ update: 3 });
    expect(loaded()).toBe(true);
  });
});
