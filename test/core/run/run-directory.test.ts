import { appendFileSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from '@jest/globals';

import { CheckpointError, ConfigError, NumericalError, RunDirectory, rollcastVersion } from '@rollcast/core';

import { temporaryFolder } from '../../support/temporary.js';

const config = { algo: 'ppo', seed: 1 };
const train = (path: string, mode: 'new' | 'force' | 'resume', more = {}) =>
  RunDirectory.create(path, { kind: 'train', config: { ...config, ...more }, mode });

test('a new run writes its resolved configuration, the version and its kind', () => {
  const path = join(temporaryFolder(), 'runs', 'x');
  train(path, 'new');
  expect(JSON.parse(readFileSync(join(path, 'config.json'), 'utf8'))).toEqual({
    rollcast: rollcastVersion(),
    kind: 'train',
    config,
  });
  const opened = RunDirectory.open(path);
  expect(opened.kind).toBe('train');
  expect(opened.config).toEqual(config);
});

test('metrics come back as they were written, and go to TensorBoard too', () => {
  const run = train(temporaryFolder(), 'new');
  run.appendMetrics({ update: 1, 'reward/mean': -0.1 });
  run.appendMetrics({ update: 2, 'reward/mean': 1 / 3 });
  expect(run.readMetrics()).toEqual([
    { update: 1, 'reward/mean': -0.1 },
    { update: 2, 'reward/mean': 1 / 3 },
  ]);
  expect(readFileSync(run.eventFile).includes('reward/mean')).toBe(true);
  expect(RunDirectory.open(run.path).eventFile).toBe(run.eventFile);
});

test('a metric that is not finite is refused by name, and nothing is written', () => {
  const run = train(temporaryFolder(), 'new');
  expect(() => run.appendMetrics({ update: 3, ok: 1, 'loss/policy': NaN })).toThrow(NumericalError);
  expect(() => run.appendMetrics({ update: 3, 'loss/policy': Infinity })).toThrow(
    'The metric "loss/policy" is Infinity after update 3.',
  );
  expect(existsSync(run.metricsFile)).toBe(false);
});

test('rewinding keeps the metrics up to the resumed checkpoint, whatever the end of the file looks like', () => {
  const run = train(temporaryFolder(), 'new');
  for (let update = 1; update <= 4; update++) run.appendMetrics({ update, a: update });
  const bytesBefore = readFileSync(run.metricsFile, 'utf8').split('\n').slice(0, 2).join('\n') + '\n';
  appendFileSync(run.metricsFile, '{"update":5,"a"');
  run.close();
  const resumed = train(run.path, 'resume');
  expect(resumed.readMetrics()).toHaveLength(4);
  resumed.rewindMetrics(2);
  expect(readFileSync(run.metricsFile, 'utf8')).toBe(bytesBefore);
  expect(resumed.readMetrics().map(({ update }) => update)).toEqual([1, 2]);
});

test('a damaged line of metrics is named by file and line', () => {
  const run = train(temporaryFolder(), 'new');
  writeFileSync(run.metricsFile, '{"update":1}\nnonsense\n{"update":3}\n');
  expect(() => run.readMetrics()).toThrow(`${run.metricsFile}:2 is damaged`);
});

test('a folder that holds a run is refused with the ways out', () => {
  const { path } = train(temporaryFolder(), 'new');
  expect(() => train(path, 'new')).toThrow(ConfigError);
  expect(() => train(path, 'new')).toThrow(
    `${path} already holds a run. Use --resume to continue it, --force to replace it, or choose another folder.`,
  );
});

test('force replaces what the run wrote and leaves the rest', () => {
  const run = train(temporaryFolder(), 'new');
  run.appendMetrics({ update: 1, a: 1 });
  writeFileSync(run.reportFile, '');
  writeFileSync(run.logFile, '');
  writeFileSync(run.calibrationFile, '{}');
  writeFileSync(join(run.path, 'notes.txt'), 'mine');
  writeFileSync(join(run.plotFolder, 'reward.svg'), '');
  mkdirSync(join(run.checkpointFolder, 'update-000001'));
  run.close();
  const replaced = train(run.path, 'force', { seed: 2 });
  replaced.close();
  expect(replaced.config).toEqual({ ...config, seed: 2 });
  expect(readdirSync(run.path).sort()).toEqual(['checkpoints', 'config.json', 'notes.txt', 'plots']);
  expect(readdirSync(run.checkpointFolder)).toEqual([]);
  expect(readdirSync(run.plotFolder)).toEqual([]);
});

test('a folder that holds something else is refused, by force too, and untouched', () => {
  const path = temporaryFolder();
  writeFileSync(join(path, 'thesis.tex'), '');
  writeFileSync(join(path, 'metrics.jsonl'), 'not ours');
  for (const mode of ['new', 'force'] as const) {
    expect(() => train(path, mode)).toThrow(`${path} holds files that are not a run; choose another folder.`);
  }
  expect(readdirSync(path).sort()).toEqual(['metrics.jsonl', 'thesis.tex']);
});

test('resume keeps the configuration of the run and refuses a run of another kind or no run', () => {
  const run = train(temporaryFolder(), 'new');
  const { path } = run;
  run.close();
  const resumed = train(path, 'resume', { seed: 9 });
  expect(resumed.config).toEqual(config);
  resumed.close();
  expect(() => RunDirectory.create(path, { kind: 'pretrain', config, mode: 'resume' })).toThrow(
    `${path} holds a train run; it cannot be resumed by pretrain.`,
  );
  expect(() => train(join(path, 'missing'), 'resume')).toThrow(ConfigError);
  expect(() => train(join(path, 'missing'), 'resume')).toThrow('There is nothing to resume.');
});

test('a path that is missing, a file, or no run gives one clear message', () => {
  const folder = temporaryFolder();
  const file = join(folder, 'a.csv');
  writeFileSync(file, '');
  expect(() => RunDirectory.open(join(folder, 'none'))).toThrow(CheckpointError);
  expect(() => RunDirectory.open(join(folder, 'none'))).toThrow('the folder does not exist.');
  expect(() => RunDirectory.open(file)).toThrow(`${file} is a file; a run is a folder with a config.json.`);
  expect(() => RunDirectory.open(folder)).toThrow(`${folder} is not a run`);
  expect(() => train(file, 'new')).toThrow(`${file} is a file; a run needs a folder.`);
  expect(() => train(join(file, 'x'), 'new')).toThrow(/Cannot make the run folder .*ENOTDIR/);
});
