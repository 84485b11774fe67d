import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from '@jest/globals';

import { RunDirectory } from '@rollcast/core';

import { cutAfter, expectSameRun } from '../support/same-run.js';
import { temporaryFolder } from '../support/temporary.js';
import { cellsCsv, metrics, printed, rollcast, succeed } from './support.js';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);

/** Cracks of three specimens, as times at which each length is reached. */
function cracksCsv(): string {
  const rows = ['crack_mm,cycles_a,cycles_b,cycles_c'];
  for (let i = 0; i < 40; i++) {
    const cycles = [900, 1000, 1100].map((pace) => Math.round(pace * Math.sqrt(i)));
    rows.push([9 + i, ...cycles].join(','));
  }
  return `${rows.join('\n')}\n`;
}

const sets = [
  { name: 'cells', weight: 2, files: ['cells.csv'] },
  { name: 'cracks', files: ['cracks.csv'], points: 50 },
  { name: 'laws', weight: 1, simulated: { laws: ['knee', 'gamma-process'], units: 3, length: 60 } },
  { name: 'one', files: ['one.csv'] },
];
const augment = { stretch: [0.5, 2], mix: 0.2, noise: 0.2 };
const tiny = [
  ...['--context', '12', '--horizon', '8', '--batch-size', '4', '--seed', '1'],
  ...['model.width=8', 'model.heads=2', 'model.layers=1', 'tokeniser.vocabularySize=32'].flatMap(
    (setting) => ['--set', setting],
  ),
];
/** A learning rate that ruins the model, so that later looks are worse than early ones. */
const ruin = ['--lr', '30', '--set', 'pretrain.warmupSteps=0', '--set', 'pretrain.validateEvery=2'];

function writeCorpus(name: string, corpus: unknown): string {
  writeFileSync(at(name), typeof corpus === 'string' ? corpus : JSON.stringify(corpus));
  return at(name);
}

async function refused(...args: string[]): Promise<string> {
  const { code, err } = await rollcast(...args, '--out', at('refused'));
  expect(code).toBe(2);
  expect(existsSync(at('refused'))).toBe(false);
  return err;
}

beforeAll(async () => {
  writeFileSync(at('cells.csv'), cellsCsv(5, 60));
  writeFileSync(at('cracks.csv'), cracksCsv());
  writeFileSync(at('one.csv'), cellsCsv(1, 60));
  const corpus = writeCorpus('corpus.json', { sets, augment });
  await succeed(
    ...['pretrain', '--corpus', corpus, ...tiny, '--steps', '6', '--leave-out', 'laws'],
    ...['--augment', 'halfTurn=0.25', '--set', 'pretrain.validateEvery=3', '--out', at('pre')],
  );
});

describe('pre-training on a corpus', () => {
  test('saves what each set is read from, with absolute paths, and which are left out', () => {
    const { data } = RunDirectory.open(at('pre')).config as {
      data: { source: { corpus: { sets: Record<string, unknown>[]; augment: unknown } } };
    };
    const { corpus } = data.source;
    expect(corpus.sets.map(({ name, weight, leaveOut }) => [name, weight, leaveOut])).toEqual([
      ['cells', 2, false],
      ['cracks', 1, false],
      ['laws', 1, true],
      ['one', 1, false],
    ]);
    expect(corpus.sets[1]['source']).toEqual({
      files: { files: [at('cracks.csv')], format: 'auto', direction: 'auto', points: 50 },
    });
    expect(corpus.augment).toEqual({ ...augment, halfTurn: 0.25, plain: 0.5, noiseDeviation: [0.01, 0.3] });
  });

  test('validation is the mean over the sets by their weights, each of which is logged', () => {
    const looks = metrics(at('pre')).filter((record) => 'validation/crossEntropy' in record);
    expect(looks.map(({ update }) => update)).toEqual([3, 6]);
    for (const look of looks) {
      const of = (name: string): number => look[`validation/crossEntropy/${name}`];
      expect(look['validation/crossEntropy']).toBeAllClose((2 * of('cells') + of('cracks')) / 3);
      expect(Object.keys(look)).not.toContain('validation/crossEntropy/one'); // nothing of it is held out
      expect(Object.keys(look)).not.toContain('validation/crossEntropy/laws');
    }
  });

  test('splits each set by itself; the only unit of a set is trained on', () => {
    const log = readFileSync(join(at('pre'), 'log.jsonl'), 'utf8');
    expect(log).toContain(
      'data (cells, 50 % of the windows): 4 units to train on (164 windows), 1 held out (41)',
    );
    expect(log).toContain(
      'data (cracks, 25 % of the windows): 2 units to train on (62 windows), 1 held out (31)',
    );
    expect(log).toContain('data (one, 25 % of the windows): 1 unit to train on (41 windows), 0 held out (0)');
    expect(log).toContain('cracks: each unit is resampled to 50 points');
    expect(log).toContain('one: its one unit is trained on; nothing of it is held out.');
  });

  test('stops after `patience` looks without improvement, and goes on byte for byte', async () => {
    const command = ['pretrain', '--corpus', at('corpus.json'), ...tiny, ...ruin, '--steps', '40'];
    await succeed(...command, '--set', 'pretrain.patience=2', '--out', at('whole'));
    const looks = metrics(at('whole')).filter((record) => 'validation/crossEntropy' in record);
    const values = looks.map((record) => record['validation/crossEntropy']);
    const best = values.indexOf(Math.min(...values));
    expect(looks).toHaveLength(best + 3); // the best look, and two that were no better
    expect(looks.at(-1)!['update']).toBeLessThan(40);
    expect(metrics(at('whole')).at(-1)!['update']).toBe(looks.at(-1)!['update']);
    const log = readFileSync(join(at('whole'), 'log.jsonl'), 'utf8');
    expect(log).toMatch(/done after \d+ of 40 steps: nothing improved in the last 2 looks/);
    const marked = JSON.parse(readFileSync(join(at('whole'), 'checkpoints', 'best.json'), 'utf8')) as unknown;
    expect(JSON.stringify(marked)).toContain(String(looks[best]['update']));

    const kept = readdirSync(join(at('whole'), 'checkpoints')).filter((name) => name.startsWith('update-'));
    cutAfter(Number(kept.sort().at(-2)!.slice('update-'.length)), at('whole'), at('cut'));
    await succeed('pretrain', '--resume', '--out', at('cut'));
    expectSameRun(at('cut'), at('whole'));
    await succeed('pretrain', '--resume', '--out', at('cut')); // it stays stopped
    expectSameRun(at('cut'), at('whole'));
  });
});

describe('after pre-training on a corpus', () => {
  test('train fine-tunes on the mixture, and evaluate judges each set by itself', async () => {
    await succeed(
      ...['train', '--init', at('pre'), '--updates', '2', '--batch-size', '4', '--out', at('tuned')],
    );
    expect(readFileSync(join(at('tuned'), 'log.jsonl'), 'utf8')).toContain('7 units in 3 sets');
    const picture = readFileSync(join(at('tuned'), 'plots', 'forecast-000000.svg'), 'utf8');
    expect(picture).toMatch(/>cells\/cell-\d, from point \d+</);
    expect(picture).toContain('>value<'); // the sets call their values differently
    const few = ['--samples', '2', '--windows-per-unit', '2'];
    const out = await printed('evaluate', '--run', at('tuned'), ...few, '--json', at('e.json'));
    expect(out).toContain('cells: 2 windows of 1 unit\n');
    expect(out).toContain('cracks: 2 windows of 1 unit\n');
    expect(out).toMatch(/All sets: .*\nset .*\n.*\ncells +2 +1 .*\ncracks +2 +1 /);
    const { sets: judged } = JSON.parse(readFileSync(at('e.json'), 'utf8')) as {
      sets: { dataset: string }[];
    };
    expect(judged.map(({ dataset }) => dataset)).toEqual(['cells', 'cracks']);
    expect(existsSync(join(at('tuned'), 'plots', 'evaluation-forecasts-cracks.svg'))).toBe(true);
    expect(readFileSync(join(at('tuned'), 'report.html'), 'utf8')).toContain('Error by horizon: cracks');
  });

  test('--only names sets; one that was left out is judged as a whole', async () => {
    const few = ['--samples', '2', '--windows-per-unit', '2'];
    const out = await printed(
      ...['evaluate', '--run', at('pre'), '--only', 'laws', ...few, '--json', at('laws.json')],
    );
    expect(out).toContain('laws: 12 windows of 6 units');
    expect(JSON.parse(readFileSync(at('laws.json'), 'utf8'))).toMatchObject({ sets: [{ units: 6 }] });
  });

  test.each([
    [['--only', 'crack'], '--only crack: the corpus has no such set. Sets: cells, cracks, laws, one. Did you mean "cracks"?'],
    [['--only', 'one'], 'no unit of one is held out'],
    [['--threshold', '0.9'], '--threshold 0.9 is in the units of one data set, and this run has several; name one with --only: cells, cracks.'],
    [['--only', 'cells', '--data', 'cells.csv'], "cannot be used with option '--data"],
  ])('evaluate %j is refused', async (flags, message) => {
    const { code, err } = await rollcast('evaluate', '--run', at('pre'), ...flags);
    expect(code).toBe(2);
    expect(err).toContain(message);
  }); // prettier-ignore
});

describe('a corpus that cannot be', () => {
  const pretrain = (...args: string[]): Promise<string> => refused('pretrain', ...args);

  test('is refused with every problem, each with the name of its set', async () => {
    const err = await pretrain(
      '--corpus',
      writeCorpus('bad.json', {
        sets: [
          { name: 'a b', files: ['cells.csv'] },
          { name: 'two', files: ['cells.csv'], poins: 3, weight: -1 },
          { name: 'two', files: ['cells.csv'], simulated: { laws: ['all'] } },
          { simulated: { laws: ['all'], unit: 3 } },
        ],
      }),
    );
    expect(err.split('\n')).toEqual([
      expect.stringMatching(/bad.json: set "a b", name: expected a name of letters.*; got "a b"/),
      expect.stringMatching(/bad.json: set "two", weight: .*; got -1/),
      expect.stringMatching(/bad.json: set "two", poins: unknown option. Did you mean "points"\?/),
      expect.stringMatching(/bad.json: set "two": expected either files or simulated; got both/),
      expect.stringMatching(/bad.json: set 4, name: expected string.*got nothing/),
      expect.stringMatching(/bad.json: set 4, simulated.unit: unknown option. Did you mean "units"\?/),
      expect.stringMatching(/bad.json: two sets are called "two"; rename one/),
      '',
    ]);
  });

  test.each([
    ['no JSON', '{', /not JSON/],
    ['no sets', { sets: [] }, /sets: expected at least one set/],
    ['augmentation that is not known', { sets, augment: { strech: [1, 2] } }, /augment.strech: unknown option. Did you mean "stretch"/],
    ['a file that is missing', { sets: [{ name: 'x', files: ['no.csv'] }] }, /set "x" of the corpus: .*no.csv: no such file/],
    ['a law that is not known', { sets: [{ name: 'x', simulated: { laws: ['kne'] } }] }, /set "x" of the corpus: Unknown simulator "kne"/],
    ['units that are all too short', { sets: [{ name: 'x', files: ['one.csv'], points: 10 }] }, /set "x" of the corpus: .*no unit has the 100 points/],
    ['nothing that could be held out', { sets: [{ name: 'x', files: ['one.csv'], points: 110 }] }, /none can be held out/],
  ])('%s', async (_what, corpus, message) => {
    expect(await pretrain('--corpus', writeCorpus('bad.json', corpus))).toMatch(message);
  }); // prettier-ignore

  test.each([
    [['--corpus', 'none.json'], '--corpus none.json: the file cannot be read'],
    [['--leave-out', 'cells'], '--leave-out needs --corpus FILE.'],
    [['--data-root', '.'], '--data-root needs --corpus FILE.'],
    [['--augment', 'halfTurn=0.5'], '--augment needs --corpus FILE.'],
    [
      ['--corpus', at('corpus.json'), '--augment', 'halfTurn'],
      '--augment expects KEY=VALUE, for example halfTurn=0.5; got "halfTurn"',
    ],
    [
      ['--corpus', at('corpus.json'), '--augment', 'halfTrun=0.5'],
      '--augment.halfTrun: unknown option. Did you mean "halfTurn"',
    ],
    [['--corpus', at('corpus.json'), '--augment', 'halfTurn=2'], '--augment.halfTurn'],
    [['--corpus', at('corpus.json'), '--leave-out', 'cell'], '--leave-out cell: the corpus has no such set'],
    [['--corpus', at('corpus.json'), '--leave-out', 'cells,cracks,laws,one'], 'every set is left out'],
    [['--corpus', at('corpus.json'), '--data-root', at('elsewhere')], 'set "cells" of the corpus'],
    [['--corpus', at('corpus.json'), '--data', at('cells.csv')], "cannot be used with option '--data"],
    [['--corpus', at('corpus.json'), '--simulator', 'knee'], "cannot be used with option '--simulator"],
  ])('pretrain %j', async (flags, message) => {
    expect(await pretrain(...flags)).toContain(message);
  });

  test('evaluate --only on a run of one data set', async () => {
    await succeed('pretrain', '--data', at('cells.csv'), ...tiny, '--steps', '1', '--out', at('single'));
    const { code, err } = await rollcast('evaluate', '--run', at('single'), '--only', 'cells');
    expect([code, err]).toEqual([2, expect.stringContaining('--only names sets of a corpus')]);
  });
});
