import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { temporaryFolder } from '../support/temporary.js';
import { rollcast } from './support.js';

const folder = temporaryFolder();
const SECRETS = {
  AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI-a-secret-of-this-test',
  ROLLCAST_API_TOKEN: 'rc-token-4f1d8e3b92a0',
  DATABASE_URL: 'postgres://someone:hunter2-of-this-test@db.example/x',
};

beforeAll(() => void Object.assign(process.env, SECRETS));
afterAll(() => {
  for (const name of Object.keys(SECRETS)) delete process.env[name];
});

const WASM = ['--backend', 'wasm'];
const TINY = ['model.width=8', 'model.heads=2', 'model.layers=1'].flatMap((setting) => ['--set', setting]);
const COMMANDS: [what: string, code: number, args: string[]][] = [
  [
    'pre-training',
    0,
    [
      'pretrain',
      '--simulator',
      'knee',
      '--units',
      '6',
      '--steps',
      '2',
      ...TINY,
      '--out',
      join(folder, 'pre'),
    ],
  ],
  [
    'fine-tuning',
    0,
    [
      'train',
      '--init',
      join(folder, 'pre'),
      '--updates',
      '2',
      '--batch-size',
      '4',
      '--out',
      join(folder, 'run'),
    ],
  ],
  [
    'an evaluation',
    0,
    [
      ...['evaluate', '--run', join(folder, 'run'), '--windows-per-unit', '1', '--samples', '2'],
      ...['--json', join(folder, 'table.json')],
    ],
  ],
  [
    'a training that breaks, with its dump',
    1,
    [
      ...[
        'train',
        '--env',
        'cart-pole-v1',
        '--steps',
        '256',
        '--instances',
        '2',
        '--steps-per-rollout',
        '32',
      ],
      ...['--lr', '1e38', '--out', join(folder, 'broken')],
    ],
  ],
  ['a refusal', 2, ['train', '--env', 'nowhere', '--out', join(folder, 'none')]],
];

test('nothing of the environment variables is printed or written', async () => {
  for (const [what, code, args] of COMMANDS) {
    const result = await rollcast(...args, ...WASM);
    expect({ what, code: result.code }).toEqual({ what, code });
    for (const part of [...Object.keys(SECRETS), ...Object.values(SECRETS)])
      expect(result.out + result.err).not.toContain(part);
  }
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(folder, name)).isFile(),
  );
  // all the kinds of files that a run leaves are among them
  for (const kind of [
    /config\.json$/,
    /metrics\.jsonl$/,
    /log\.jsonl$/,
    /tfevents/,
    /weights\.safetensors$/,
    /report\.html$/,
    /\.svg$/,
    /violation\.json$/,
    /table\.json$/,
  ])
    // prettier-ignore
    expect(files.some((name) => kind.test(name))).toBe(true);
  for (const name of files) {
    const content = readFileSync(join(folder, name));
    for (const part of [...Object.keys(SECRETS), ...Object.values(SECRETS), 'hunter2-of-this-test'])
      expect({ name, part, holds: content.includes(part) }).toEqual({ name, part, holds: false });
  }
});
