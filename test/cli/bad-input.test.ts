import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import { temporaryFolder } from '../support/temporary.js';
import { cellsCsv, rollcast } from './support.js';

const folder = temporaryFolder();
const file = (name: string, content: string): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};
const out = join(folder, 'run');
const constant = Array.from({ length: 120 }, (_, i) => `a,${i},5`).join('\n');

/** What is typed after `rollcast`, and what the one message must say. */
const cases: [what: string, args: string[], message: RegExp][] = [
  ['a missing file', ['pretrain', '--data', join(folder, 'nope.csv')], /nope\.csv: no such file/],
  ['an empty file', ['pretrain', '--data', file('empty.csv', '')], /empty\.csv: the file is empty/],
  [
    'a missing column',
    ['pretrain', '--data', file('columns.csv', 'unit,t,v\na,1,2\n'), '--value-column', 'capacity'],
    /columns\.csv: no column "capacity".*Columns: unit, t, v/,
  ],
  [
    'a cell that is no number',
    ['pretrain', '--data', file('text.csv', 'unit,t,v\na,1,2\na,2,x\n')],
    /text\.csv:3, column "v": expected a number; got "x"/,
  ],
  ['a NaN', ['pretrain', '--data', file('nan.csv', 'unit,t,v\na,1,2\na,2,NaN\n')], /nan\.csv:3, column "v"/],
  [
    'an infinite value',
    ['pretrain', '--data', file('inf.csv', 'unit,t,v\na,1,2\na,2,Infinity\n')],
    /inf\.csv:3, column "v"/,
  ],
  [
    'a time that comes twice',
    ['pretrain', '--data', file('twice.csv', 'unit,t,v\na,1,2\na,1,3\n')],
    /twice\.csv:3, column "t": unit "a" has time 1 twice/,
  ],
  [
    'times out of order',
    ['pretrain', '--data', file('order.csv', 'unit,t,v\na,2,2\na,1,3\n')],
    /order\.csv:3, column "t"/,
  ],
  [
    'units that are all too short',
    ['pretrain', '--data', file('short.csv', cellsCsv(2, 50))],
    /no unit has the 100 points of one window.*cell-0 \(50 points\)/,
  ],
  [
    'a constant series',
    ['pretrain', '--data', file('flat.csv', `unit,t,v\n${constant}\n`)],
    /a \(constant at 5\)/,
  ],
  ['an unknown flag', ['pretrain', '--stepps', '5'], /unknown option '--stepps'[\s\S]*Did you mean --steps/],
  ['an unknown command', ['pretrian'], /unknown command 'pretrian'[\s\S]*Did you mean pretrain/],
  ['a number out of range', ['pretrain', '--steps', '0'], /--steps.*whole number ≥ 1/],
  [
    'an unknown simulator',
    ['pretrain', '--simulator', 'kneee'],
    /Unknown simulator "kneee".*Did you mean "knee"/,
  ],
  [
    'an unknown option',
    ['pretrain', '--set', 'model.widht=3'],
    /model\.widht: unknown option\. Did you mean "width"/,
  ],
  ['a setting without a value', ['pretrain', '--set', 'model.width'], /--set expects GROUP\.KEY=VALUE/],
  ['an unknown backend', ['pretrain', '--backend', 'wsam'], /wsam.*Allowed choices/],
  [
    'a backend that is not installed',
    ['pretrain', '--backend', 'tensorflow-gpu'],
    /"tensorflow-gpu" cannot be used: .*npm install .*@tensorflow\/tfjs-node-gpu@/,
  ],
  ['an unknown device', ['pretrain', '--device', 'gpu'], /gpu.*Allowed choices are cpu, webgpu, cuda/],
  [
    'a device of another backend',
    ['pretrain', '--backend', 'wasm', '--device', 'webgpu'],
    /Device "webgpu" belongs to the backend "onnx"; got the backend "wasm"/,
  ],
  [
    'threads of another backend',
    ['pretrain', '--backend', 'cpu', '--threads', '2'],
    /Threads belong to the backend "onnx"; got 2 with the backend "cpu"/,
  ],
  ['no thread at all', ['pretrain', '--threads', '0'], /--threads.*whole number ≥ 1/],
  ['data flags without data', ['pretrain', '--sensor', 's11'], /--sensor needs --data/],
  [
    'a model that cannot be built',
    ['pretrain', '--set', 'model.width=30'],
    /model\.width must be an even multiple/,
  ],
  ['an unknown environment', ['train', '--init', 'x', '--env', 'degradaton'], /Did you mean "degradation"/],
  [
    'a KL to a reference that is not there',
    ['train', '--kl-target', '0.1', '--env', 'pendulum-v1'],
    /--kl-target needs --init RUN/,
  ],
  [
    'an unknown algorithm',
    ['train', '--init', 'x', '--algo', 'pqo'],
    /Unknown algorithm "pqo".*Did you mean "ppo"/,
  ],
  [
    'a run to start from that is missing',
    ['train', '--init', join(folder, 'gone')],
    /There is no run at .*gone/,
  ],
  ['no run to start from', ['train'], /--init RUN is needed/],
  [
    'two kinds of KL control',
    ['train', '--init', 'x', '--kl-coef', '1', '--kl-target', '1'],
    /cannot be used with/,
  ],
  [
    'a run to continue that is missing, on whichever device',
    ['train', '--resume', '--device', 'cpu'],
    /There is no run at/,
  ],
];

describe('one clear message, exit code 2, nothing half-written', () => {
  test.each(cases)('%s', async (_, args, message) => {
    const result = await rollcast(...args, '--out', out);
    expect(result.err).toMatch(message);
    expect(result.err).not.toMatch(/\n\s+at /); // no stack trace
    expect(result.code).toBe(2);
    expect(existsSync(out)).toBe(false);
  });
});

test('a folder that holds something else is never taken for a run', async () => {
  const taken = join(folder, 'taken');
  mkdirSync(taken);
  writeFileSync(join(taken, 'thesis.txt'), 'mine');
  for (const flag of [[], ['--force']]) {
    const result = await rollcast('pretrain', '--simulator', 'knee', '--out', taken, ...flag);
    expect(result.err).toMatch(/holds files that are not a run/);
    expect(result.code).toBe(2);
  }
});

test('evaluating what is no run says so', async () => {
  const result = await rollcast('evaluate', '--run', folder);
  expect(result.err).toMatch(/is not a run/);
  expect(result.code).toBe(2);
});

test('--help shows defaults, and list and doctor name what there is', async () => {
  expect((await rollcast('train', '--help')).out).toMatch(
    /--updates <count>\s+updates in all \(default: 200\)/,
  );
  expect((await rollcast('list')).out).toMatch(
    /reinforce[\s\S]*degradation[\s\S]*nonMonotonicity[\s\S]*paris-law[\s\S]*\ndegradation +Wear of batteries/,
  );
  expect((await rollcast('doctor')).out).toMatch(
    /tensorflow-gpu[\s\S]*not ready[\s\S]*wasm[\s\S]*ready[\s\S]*Devices of the backend onnx[\s\S]*\ncpu +ready[\s\S]*\nwebgpu +(not )?ready[\s\S]*\ncuda +(not )?ready/,
  );
});
