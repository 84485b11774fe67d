import { execFile } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { describe, expect, test } from '@jest/globals';

import { libraryProgram } from '../support/readme.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const source = (name: string) => readFileSync(`${root}examples/${name}`, 'utf8');
const examples = readdirSync(`${root}examples`)
  .filter((name) => name.endsWith('.ts'))
  .sort();

/** A budget that takes seconds, and what the example must print. */
const RUNS: Readonly<Record<string, { args: string[]; prints: RegExp[] }>> = {
  '01-train-cart-pole.ts': { args: ['512'], prints: [/^512 steps: return \d+\.\d$/m] },
  '02-custom-step-environment.ts': { args: ['2'], prints: [/^update 2: return \d+\.\d of 100$/m] },
  '03-custom-sequence-environment.ts': {
    args: ['2'],
    prints: [/^update 2: \d+ % close/m, /^\(\( → [()x]{8}$/m],
  },
  '04-custom-reward.ts': {
    args: ['1'],
    prints: [/^update 1: reward -\d/m, /^after: \d+ % of the points are too optimistic$/m],
  },
  '05-custom-policy-network.ts': { args: ['512'], prints: [/^512 steps: return \d+\.\d$/m] },
  '06-custom-callback.ts': { args: ['3'], prints: [/^finished after 3 updates; learning curve in /m] },
  '07-custom-algorithm.ts': {
    args: ['2'],
    prints: [/^algorithms: a2c, awr, grpo/m, /^update 2: \d\.\d\d of 3 tokens right$/m],
  },
  '08-your-own-csv.ts': { args: ['1'], prints: [/^policy-greedy +\d/m, /^Report and plots: /m] },
  '09-compare-algorithms.ts': {
    args: ['512', '3'],
    prints: [/^a2c: interquartile mean \d\.\d\d \(95 % interval/m, /^probability that a run of ppo beats/m],
  },
  '10-library-in-30-lines.ts': { args: ['1'], prints: [/^forecast (-?\d+\.\d\d ?){60}$/m] },
};

describe('every example runs with a small budget and prints what it says', () => {
  test.each(examples)(
    '%s',
    async (name) => {
      const { args, prints } = RUNS[name];
      const flags = ['--conditions=@rollcast/source', '--import', 'tsx'];
      const { stdout, stderr } = await promisify(execFile)(
        process.execPath,
        [...flags, `examples/${name}`, ...args],
        { cwd: root },
      );
      expect(stderr).not.toMatch(/\berror:|Warning:/); // progress and logs of commands go there too
      for (const line of prints) expect(stdout).toMatch(line);
    },
    300_000,
  );
});

test('examples are numbered without a gap, and the README and a run here know each', () => {
  expect(examples.map((name) => Number(name.slice(0, 2)))).toEqual(examples.map((_, i) => i + 1));
  expect(Object.keys(RUNS).sort()).toEqual(examples);
  const readme = readFileSync(`${root}README.md`, 'utf8');
  for (const name of examples) expect(readme).toContain(`](examples/${name})`);
});

test.each(examples)(
  '%s imports published packages only, and says how to run it and what to expect',
  (name) => {
    const text = source(name);
    const imported = [...text.matchAll(/from '([^']+)'/g)].map(([, module]) => module);
    for (const module of imported)
      expect(module).toMatch(/^(@rollcast\/(core|envs|algos|cli)|zod|node:\w+)$/);
    expect(text).toContain(`npx tsx examples/${name} [`);
    expect(text).toMatch(/^ \* Expect: /m);
  },
);

test('the program of the README is the tenth example, of at most 30 lines', () => {
  const text = source('10-library-in-30-lines.ts');
  const program = text.slice(text.indexOf('import '));
  expect(libraryProgram()).toBe(program);
  expect(program.trim().split('\n').length).toBeLessThanOrEqual(30);
});
