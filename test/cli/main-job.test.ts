import { createHash } from 'node:crypto';
import { cpSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from '@jest/globals';

import { expectSameRun } from '../support/same-run.js';
import { temporaryFolder } from '../support/temporary.js';
import { cellsCsv, printed, rollcast, succeed } from './support.js';

// The whole job on a model that is too small to be good: what is tested is that the pieces fit.
const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const data = at('cells.csv');
const tiny = [
  '--set',
  'model.width=8',
  '--set',
  'model.heads=2',
  '--set',
  'model.layers=1',
  '--set',
  'tokeniser.vocabularySize=32',
];

const train = (name: string, ...args: string[]): Promise<string> =>
  printed(
    'train',
    '--init',
    at('pre'),
    '--batch-size',
    '4',
    '--checkpoint-every',
    '2',
    '--plot-every',
    '4',
    '--seed',
    '1',
    '--out',
    at(name),
    ...args,
  );
const ppo = ['--algo', 'ppo', '--set', 'ppo.minibatchSize=2'];

const digest = (run: string, checkpoint: string, file: string): string =>
  createHash('sha256')
    .update(readFileSync(join(at(run), 'checkpoints', checkpoint, file)))
    .digest('hex');

/** The metrics of a run without its times. */
const metrics = (run: string): Record<string, number>[] =>
  readFileSync(join(at(run), 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) =>
      Object.fromEntries(
        Object.entries(JSON.parse(line) as Record<string, number>).filter(
          ([name]) => !name.startsWith('time/'),
        ),
      ),
    );

beforeAll(async () => {
  writeFileSync(data, cellsCsv(5, 130));
  await succeed(
    'pretrain',
    '--data',
    data,
    ...tiny,
    '--steps',
    '6',
    '--batch-size',
    '8',
    '--seed',
    '1',
    '--out',
    at('pre'),
  );
});

test('pre-training leaves a run with a best checkpoint and finite metrics', () => {
  expect(metrics('pre')).toHaveLength(6);
  expect(existsSync(join(at('pre'), 'checkpoints', 'best.json'))).toBe(true);
});

describe.each([
  ['reinforce', ['--algo', 'reinforce']],
  ['ppo', ppo],
])('%s by flag alone', (name, flags) => {
  test('fine-tunes, and the frozen reference stays equal bit for bit', async () => {
    await train(name, ...flags, '--updates', '4');
    const weights = digest('pre', 'update-000006', 'weights.safetensors');
    expect(digest(name, 'update-000004', 'reference.safetensors')).toBe(weights);
    expect(digest(name, 'update-000004', 'weights.safetensors')).not.toBe(weights);
    const [first] = metrics(name);
    expect(first['kl/exactPerToken']).toBeAllClose(0, { atol: 1e-6 });
    expect(first[`${name}/firstRatioDeviation`]).toBeAllClose(0, { atol: 1e-4 });
    expect(readdirSync(join(at(name), 'plots'))).toEqual(
      expect.arrayContaining(['forecast-000000.png', 'forecast-000004.svg', 'reward.png']),
    );
  });

  test('the same seed gives the same run, twice', async () => {
    await train(`${name}-again`, ...flags, '--updates', '4');
    expect(metrics(`${name}-again`)).toEqual(metrics(name));
    for (const file of ['weights.safetensors', 'optimizer.safetensors', 'state.json']) {
      expect(digest(`${name}-again`, 'update-000004', file)).toBe(digest(name, 'update-000004', file));
    }
  });

  test('a run that was cut and resumed ends as the one that was not', async () => {
    await train(`${name}-cut`, ...flags, '--updates', '4', '--set', `${name}.learningRateDecay=false`);
    await train(`${name}-whole`, ...flags, '--updates', '6', '--set', `${name}.learningRateDecay=false`);
    await succeed('train', '--out', at(`${name}-cut`), '--resume', '--updates', '6');
    expect(metrics(`${name}-cut`)).toEqual(metrics(`${name}-whole`));
    for (const file of ['weights.safetensors', 'optimizer.safetensors', 'state.json']) {
      expect(digest(`${name}-cut`, 'update-000006', file)).toBe(
        digest(`${name}-whole`, 'update-000006', file),
      );
    }
  });

  test('evaluate --horizon judges farther ahead than the run was trained for', async () => {
    const json = at(`${name}-far.json`);
    await succeed(
      ...['evaluate', '--run', at(name), '--horizon', '90', '--windows-per-unit', '2', '--samples', '2'],
      ...['--json', json],
    );
    const { distribution, outermostShare } = JSON.parse(readFileSync(json, 'utf8')) as {
      distribution: { rmseByStep: number[] }[];
      outermostShare: Record<string, number>;
    };
    for (const { rmseByStep } of distribution) expect(rmseByStep).toHaveLength(90);
    expect(Object.keys(outermostShare)).toEqual(['truth', 'reference', 'policy']);
    for (const share of Object.values(outermostShare)) {
      expect(share).toBeGreaterThanOrEqual(0);
      expect(share).toBeLessThan(0.5);
    }
    const tooFar = await rollcast('evaluate', '--run', at(name), '--horizon', '9000');
    expect(tooFar.code).toBe(2);
    expect(tooFar.err).toMatch(/no unit has the 9040 points of one window \(context 40 \+ horizon 9000\)/);
  });

  test('evaluate prints one table and writes the JSON of the contract', async () => {
    const json = at(`${name}.json`);
    const out = await printed(
      'evaluate',
      '--run',
      at(name),
      '--samples',
      '4',
      '--windows-per-unit',
      '3',
      '--json',
      json,
    );
    expect(out).toMatch(/policy-mean/);
    expect(out).toMatch(/One sampled path: mean squared error/);
    const evaluation = JSON.parse(readFileSync(json, 'utf8')) as {
      dataset: string;
      windows: number;
      units: number;
      bestNaive: string;
      methods: Record<string, unknown>[];
    };
    expect(evaluation).toMatchObject({ windows: 3, units: 1 });
    const names = evaluation.methods.map((method) => method['name']);
    expect(names).toEqual([
      'last-value',
      'line-40',
      'last-value-plus-slope',
      'line-20',
      'parabola',
      'gamma-process',
      'quadratic-path',
      'reference-greedy',
      'reference-sample',
      'reference-median',
      'reference-mean',
      'policy-greedy',
      'policy-sample',
      'policy-median',
      'policy-mean',
    ]);
    expect(names).toContain(evaluation.bestNaive);
    for (const method of evaluation.methods) {
      expect(Object.keys(method).sort()).toEqual([
        'bias',
        'coverage80',
        'crps',
        'finalError',
        'klPerToken',
        'mae',
        'name',
        'ratioToBestNaive',
        'rmse',
        'rmseAt',
        'wrongWayShare',
      ]);
      expect(Object.keys(method['rmseAt'] as object)).toEqual(['1', '10', '30', '60']);
    }
    expect(readFileSync(join(at(name), 'report.html'), 'utf8')).toMatch(
      /<svg[\s\S]*policy-mean|policy-mean[\s\S]*<svg/,
    );
  });
});

test('evaluate takes other data: all units of the file', async () => {
  const other = at('other.csv');
  writeFileSync(other, cellsCsv(3, 110));
  const json = at('other.json');
  await succeed(
    'evaluate',
    '--run',
    at('reinforce'),
    '--data',
    other,
    '--samples',
    '2',
    '--windows-per-unit',
    '2',
    '--json',
    json,
  );
  expect(JSON.parse(readFileSync(json, 'utf8'))).toMatchObject({ units: 3, windows: 6 });
  expect(readFileSync(join(at('reinforce'), 'report.html'), 'utf8')).toContain(
    `npx rollcast evaluate --run ${at('reinforce')} --data ${other} --samples 2 --windows-per-unit 2 --json ${json}<`,
  );
});

test('a folder given for the JSON is refused before the work, and a missing parent is made', async () => {
  const refused = await rollcast('evaluate', '--run', at('reinforce'), '--json', folder);
  expect(refused.code).toBe(2);
  expect(refused.err).toMatch(/--json names a file/);
  const json = join(at('new'), 'folder', 'table.json');
  await succeed(
    'evaluate',
    '--run',
    at('reinforce'),
    '--samples',
    '2',
    '--windows-per-unit',
    '1',
    '--json',
    json,
  );
  expect(existsSync(json)).toBe(true);
});

test('a run that is there is refused, replaced by --force, and keeps its flags when resumed', async () => {
  const refused = await rollcast('train', '--init', at('pre'), '--updates', '1', '--out', at('reinforce'));
  expect(refused.code).toBe(2);
  expect(refused.err).toMatch(/already holds a run\. Use --resume .* --force/);
  const changed = await rollcast('train', '--out', at('reinforce'), '--resume', '--lr', '1');
  expect(changed.code).toBe(2);
  expect(changed.err).toMatch(/--lr cannot be changed by --resume/);
  await train('ppo', ...ppo, '--updates', '1', '--force');
  expect(metrics('ppo')).toHaveLength(1);
});

test('pre-training goes on as it was: resumed it takes no other flags', async () => {
  const { code, err } = await rollcast('pretrain', '--out', at('pre'), '--resume', '--steps', '9');
  expect(code).toBe(2);
  expect(err).toBe(
    'error: --steps cannot be changed by --resume: a resumed run keeps its configuration. Only --backend, --device and --threads may be given.\n',
  );
  const before = metrics('pre');
  await succeed('pretrain', '--out', at('pre'), '--resume'); // it is finished
  expect(metrics('pre')).toEqual(before);
});

test('pre-training that was cut between two of its looks ends as the one that was not, best checkpoint included', async () => {
  const flags = ['--simulator', 'knee', '--units', '5', '--context', '12', '--horizon', '8', ...tiny];
  await succeed('pretrain', ...flags, '--steps', '120', '--batch-size', '4', '--out', at('long'));
  cpSync(at('long'), at('long-cut'), { recursive: true });
  // killed after the checkpoint of step 100 was written and before it was marked
  rmSync(join(at('long-cut'), 'checkpoints', 'update-000120'), { recursive: true });
  const mark = join(at('long-cut'), 'checkpoints', 'best.json');
  writeFileSync(mark, 'damaged');
  await succeed('pretrain', '--out', at('long-cut'), '--resume');
  expectSameRun(at('long-cut'), at('long'));
});

test('a run is never replaced by one that starts from it', async () => {
  const weights = digest('pre', 'update-000006', 'weights.safetensors');
  const out = join(at('pre'), '..', 'pre');
  const { code, err } = await rollcast('train', '--init', at('pre'), '--out', out, '--force');
  expect(code).toBe(2);
  expect(err).toMatch(/^error: --out and --init are the same run, .*\. Choose another --out\.\n$/);
  expect(digest('pre', 'update-000006', 'weights.safetensors')).toBe(weights);
});

test('a checkpoint of another vocabulary is refused by name', async () => {
  await succeed(
    'pretrain',
    '--data',
    data,
    ...tiny,
    '--steps',
    '1',
    '--batch-size',
    '2',
    '--out',
    at('other-pre'),
  );
  const checkpoint = join(at('other-pre'), 'checkpoints', 'update-000001');
  const model = join(checkpoint, 'model.json');
  writeFileSync(model, readFileSync(model, 'utf8').replace('"vocabularySize": 32', '"vocabularySize": 64'));
  const result = await rollcast('train', '--init', at('other-pre'), '--out', at('never'));
  expect(result.code).toBe(2);
  expect(result.err).toMatch(/model\.json/);
  expect(existsSync(at('never'))).toBe(false);
});

test('several laws can be mixed without data', async () => {
  await succeed(
    'pretrain',
    '--simulator',
    'knee,paris-law',
    '--units',
    '2',
    ...tiny,
    '--steps',
    '1',
    '--batch-size',
    '2',
    '--out',
    at('mixed'),
  );
  const out = await printed('evaluate', '--run', at('mixed'), '--samples', '2', '--windows-per-unit', '1');
  expect(out).toMatch(/2 simulated laws/);
});
