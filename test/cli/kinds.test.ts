/** A run on a corpus that leaves kinds which it does not know to another run. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, expect, test } from '@jest/globals';

import { tf } from '@rollcast/core';

import { openForecaster } from '../../packages/cli/src/ensemble.js';
import { memberWeights } from '../../packages/cli/src/kinds.js';
import { temporaryFolder } from '../support/temporary.js';
import { cellsCsv, refused, succeed, tiny, type CommandResult } from './support.js';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const few = ['--windows-per-unit', '3', '--samples', '20'];

interface EvaluationJson {
  dataset: string;
  methods: { name: string; rmse: number }[];
}

const pretrain = (name: string, ...more: string[]): Promise<CommandResult> =>
  succeed(
    ...['pretrain', '--corpus', at('corpus.json'), '--context', '12', '--horizon', '8', '--holdout', '0.5'],
    ...[...tiny, '--steps', '15', '--batch-size', '16', '--lr', '0.02', '--seed', '1', '--out', at(name)],
    ...['--leave-out', 'strange', ...more],
  );
const judge = async (run: string, ...more: string[]): Promise<{ err: string; sets: EvaluationJson[] }> => {
  const result = at('judged.json');
  const { err } = await succeed('evaluate', '--run', at(run), ...few, '--json', result, ...more);
  const content = JSON.parse(readFileSync(result, 'utf8')) as EvaluationJson | { sets: EvaluationJson[] };
  return { err, sets: 'sets' in content ? content.sets : [content] };
};
const forecast = async (run: string, ...more: string[]): Promise<{ err: string; csv: string }> => {
  const [data, out] = [at('mine.csv'), at('mine-forecast.csv')];
  const { err } = await succeed(
    ...['forecast', '--run', at(run), '--data', data, '--paths', '20', '--out', out, ...more],
  );
  return { err, csv: readFileSync(out, 'utf8') };
};

beforeAll(async () => {
  const sets = [
    ...['cells', 'others', 'strange'].map((name) => ({ name, files: [`${name}.csv`] })),
    { name: 'laws', simulated: { laws: ['knee'], units: 10, length: 50 } },
  ];
  writeFileSync(at('corpus.json'), JSON.stringify({ sets }));
  writeFileSync(at('cells.csv'), cellsCsv(8, 50));
  writeFileSync(at('others.csv'), cellsCsv(6, 60));
  writeFileSync(at('strange.csv'), cellsCsv(4, 50));
  writeFileSync(at('mine.csv'), cellsCsv(3, 45));
  await pretrain('known');
  await pretrain('broad', '--augment', 'halfTurn=0.5');
  await succeed('ensemble', '--run', at('known'), '--new-kinds', at('broad'));
});

test('data that are like no set that was trained on are forecast by the run for new kinds alone', async () => {
  const { err, csv } = await forecast('known');
  expect(csv).toBe((await forecast('broad')).csv);
  expect(err).toMatch(/broad forecasts what is of a kind that was not trained on\. Are the data like one of cells, others, laws\? Then --like SET/); // prettier-ignore
  expect(err).not.toMatch(/takes less for granted/);
});

test('of a kind that n units were trained on it forecasts one path in n + 1', async () => {
  expect(JSON.parse(readFileSync(at('known/ensemble.json'), 'utf8'))).toMatchObject({
    members: [],
    newKinds: { run: '../broad', units: { cells: 4, others: 3, laws: 5 } },
  });
  const forecasting = openForecaster(at('known'), {});
  expect(memberWeights(forecasting, 'cells')).toBeAllClose([4 / 5, 1 / 5]);
  expect(memberWeights(forecasting, 'others')).toBeAllClose([3 / 4, 1 / 4]);
  expect(memberWeights(forecasting, undefined)).toEqual([1]);
  expect((await judge('known', '--only', 'laws')).sets[0].methods.every(({ rmse }) => rmse > 0)).toBe(true);
  expect(memberWeights(openForecaster(at('known'), { ensemble: false }), 'cells')).toEqual([1]);

  /** Of the first unit: [steps][paths]. */
  const paths = async (...more: string[]): Promise<string[][]> => {
    await forecast('known', '--sample-paths', '--line-share', '0', ...more);
    const lines = readFileSync(at('mine-forecast-paths.csv'), 'utf8').trim().split('\n');
    return lines.filter((line) => line.startsWith('cell-0,')).map((line) => line.split(',').slice(3));
  };
  const [like, alone] = [await paths('--like', 'others'), await paths('--no-ensemble', '--paths', '15')];
  expect(like.map(({ length }) => length)).toEqual(new Array(8).fill(20));
  expect(like.map((step) => step.slice(0, 15))).toEqual(alone);
  const { err } = await forecast('known', '--like', 'others');
  expect(err).toMatch(/the more of its paths are from .*broad, which takes less for granted: of others 25 % \(3 units\)/); // prettier-ignore
  expect(err).toMatch(/2 models forecast together/);
});

test('sets that were trained on are judged with both, one that was left out and other data with that for new kinds', async () => {
  const before = tf.memory().numTensors;
  const all = await judge('known', '--only', 'others,strange,cells');
  expect(tf.memory().numTensors).toBe(before);
  expect(all.sets.map(({ dataset }) => dataset)).toEqual(['cells', 'others', 'strange']);
  expect(all.sets.slice(0, 2)).not.toEqual((await judge('known', '--no-ensemble')).sets);
  expect(all.sets.slice(0, 1)).toEqual((await judge('known', '--only', 'cells')).sets);
  const [strange] = (await judge('broad', '--only', 'strange')).sets;
  expect(all.sets[2]).toEqual(strange);
  expect(all.err).toMatch(/of cells 20 % \(4 units\), others 25 % \(3 units\)/);
  expect(all.err).toMatch(/broad forecasts what is of a kind that was not trained on/);
  const like = await judge('known', '--only', 'strange', '--like', 'cells');
  expect(like.sets[0]).not.toEqual(strange);
  expect((await judge('known', '--data', at('mine.csv'))).sets).toEqual(
    (await judge('broad', '--data', at('mine.csv'))).sets,
  );
});

test('each is calibrated by itself, and what was left out is judged calibrated', async () => {
  await succeed('calibrate', '--run', at('known'), ...few);
  expect(existsSync(at('broad/calibration.json'))).toBe(false);
  await succeed('calibrate', '--run', at('known'), ...few, '--data', at('mine.csv'));
  expect(readFileSync(at('broad/calibration.json'), 'utf8')).toContain('"mine"');
  await refused(
    /--only names sets that were trained on and sets that were left out; .*broad forecasts the latter/,
    ...['calibrate', '--run', at('known'), '--only', 'cells,strange'],
  );
  const { sets } = await judge('known', '--only', 'strange');
  expect(sets[0].methods.map(({ name }) => name)).toContain('policy-calibrated');
  expect((await forecast('known')).err).toMatch(/calibrated on .* of mine; /);
  expect((await forecast('known', '--like', 'others')).err).toMatch(/calibrated as those of others; /);
});

test('what cannot be is refused: a run that is gone, other units, and kinds where there are none', async () => {
  renameSync(at('broad'), at('moved'));
  await refused(/names a run that is gone, .*broad\./, 'evaluate', '--run', at('known'));
  renameSync(at('moved'), at('broad'));
  await pretrain('other-units', '--split-seed', '2');
  const ensemble = ['ensemble', '--run', at('known')];
  await refused(/other-units has other data than .*known, or holds out other units/, ...ensemble, '--new-kinds', at('other-units')); // prettier-ignore
  await refused(/Name the other runs: --with, --new-kinds, or both/, ...ensemble);
  await refused(/--new-kinds names the run itself, .*known\./, ...ensemble, '--new-kinds', at('known'));
  mkdirSync(at('single'));
  await succeed(
    ...['pretrain', '--data', at('cells.csv'), '--context', '12', '--horizon', '8', ...tiny],
    ...['--steps', '2', '--batch-size', '4', '--out', at('single/run')],
  );
  await refused(/--new-kinds is for runs on a corpus/, 'ensemble', '--run', at('single/run'), '--new-kinds', at('broad')); // prettier-ignore
  await refused(
    /--like names a set of a corpus; .* was trained on one data set/,
    ...['forecast', '--run', at('single/run'), '--data', at('mine.csv'), '--out', at('f.csv')],
    ...['--like', 'cells'],
  );
  await refused(
    /--like strange: the run was not trained on such a set; known: cells, others, laws\./,
    ...['evaluate', '--run', at('known'), '--only', 'strange', '--like', 'strange'],
  );
});
