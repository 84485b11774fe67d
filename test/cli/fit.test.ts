import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from '@jest/globals';

import { CheckpointStore, RunDirectory, type DegradationTransformer } from '@rollcast/core';

import { openForecastRun, readModel, requireReference } from '../../packages/cli/src/model-files.js';
import { temporaryFolder } from '../support/temporary.js';
import { cellsCsv, rollcast, tinySettings } from './support.js';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);

const recipe = {
  description: 'tiny',
  corpus: 'corpus.json',
  pretrain: {
    steps: 4,
    context: 12,
    horizon: 8,
    'batch-size': 4,
    set: [...tinySettings, 'pretrain.validateEvery=2'],
  },
  train: {
    algo: 'rloo',
    reward: '-crps',
    updates: 2,
    'batch-size': 8,
    'checkpoint-every': 1,
    set: ['rloo.samplesPerContext=4'],
  },
  calibrate: { 'no-guarantee': true, 'windows-per-unit': 2, samples: 20 },
};

function writeRecipe(name: string, content: unknown): string {
  writeFileSync(at(name), JSON.stringify(content));
  return at(name);
}

beforeAll(() => {
  mkdirSync(at('data'));
  writeFileSync(at('data/cells.csv'), cellsCsv(6, 40));
  writeFileSync(at('data/others.csv'), cellsCsv(4, 40));
  writeFileSync(
    at('corpus.json'),
    JSON.stringify({
      sets: [
        { name: 'cells', files: ['cells.csv'] },
        { name: 'others', files: ['others.csv'] },
      ],
    }),
  );
  writeRecipe('recipe.json', recipe);
});

const fit = (out: string, ...more: string[]) =>
  rollcast(
    'fit',
    '--recipe',
    at('recipe.json'),
    '--data-root',
    at('data'),
    '--seed',
    '3',
    '--out',
    at(out),
    ...more,
  );

describe('rollcast fit', () => {
  test('pretrains, trains and calibrates, showing each command as it can be typed', async () => {
    const { code, out, err } = await fit('one', '--leave-out', 'others');
    expect({ code, err: code === 0 ? '' : err }).toEqual({ code: 0, err: '' });
    expect(out).toContain(
      `1/3  rollcast pretrain --out ${at('one-pretrained')} --corpus ${at('corpus.json')}`,
    );
    expect(out).toContain('--leave-out others --seed 3 --steps 4');
    expect(out).toContain(
      `2/3  rollcast train --out ${at('one')} --init ${at('one-pretrained')} --seed 3 --algo rloo`,
    );
    expect(out).toContain(`3/3  rollcast calibrate --run ${at('one')} --no-guarantee`);
    expect(new CheckpointStore(RunDirectory.open(at('one')).checkpointFolder).list()).toContain(2);
    expect(existsSync(join(at('one'), 'calibration.json'))).toBe(true);
  });

  test('does what the three commands do one by one', async () => {
    const again = await fit('two', '--leave-out', 'others');
    expect(again.code).toBe(0);
    for (const command of again.out.matchAll(/^\d\/3 {2}rollcast (.*)$/gm)) {
      const args = command[1].replaceAll(at('two'), at('three')).split(' ');
      const { code, err } = await rollcast(...args);
      expect({ args, code, err: code === 0 ? '' : err }).toEqual({ args, code: 0, err: '' });
    }
    const weights = (run: string) =>
      readFileSync(join(at(run), 'checkpoints', 'update-000002', 'weights.safetensors')).toString('hex');
    expect(weights('three')).toBe(weights('two'));
  });

  test('trains the members of an ensemble from other seeds on the same units, and lets them forecast together', async () => {
    const members = [{}, { pretrain: { steps: 3 }, train: { updates: 1 } }];
    const path = writeRecipe('members.json', { description: 'two', extends: 'recipe.json', members });
    const fitted = (...more: string[]) =>
      rollcast(
        'fit',
        '--recipe',
        path,
        '--data-root',
        at('data'),
        '--seed',
        '3',
        '--out',
        at('both'),
        ...more,
      );
    const { code, out, err } = await fitted();
    expect(code).toBe(0);
    expect(out).toContain(`3/6  rollcast pretrain --out ${at('both-2-pretrained')} --corpus`);
    expect(out).toContain('--seed 31 --split-seed 3 --steps 3');
    expect(out).toContain(
      `4/6  rollcast train --out ${at('both-2')} --init ${at('both-2-pretrained')} --seed 31`,
    );
    expect(out).toContain(`5/6  rollcast ensemble --run ${at('both')} --with ${at('both-2')}`);
    expect(out).toContain(`6/6  rollcast calibrate --run ${at('both')}`);
    expect(err).toContain('2 models forecast together');
    expect(existsSync(join(at('both'), 'ensemble.json'))).toBe(true);
    const again = await fitted('--resume');
    expect(again.out).toContain(`4/6  rollcast train --out ${at('both-2')} --resume`);
  });

  test('--tuned-share goes from the weights of the reference to those that were fine-tuned', async () => {
    const { checkpoint } = openForecastRun(at('one'));
    const weights = (model: DegradationTransformer): Float32Array[] => {
      const arrays = Object.values(model.parameters.save()).map(({ data }) => Float32Array.from(data));
      model.dispose();
      return arrays;
    };
    const tuned = readModel(checkpoint);
    const reference = weights(requireReference(checkpoint, tuned));
    const [none, half, all] = [0, 0.5, 1].map((share) => weights(readModel(checkpoint, share).model));
    none.forEach((array, i) => expect(array).toBeAllClose(reference[i]));
    expect(all).toEqual(weights(tuned.model));
    expect(all).not.toEqual(reference);
    half.forEach((array, i) =>
      expect(array).toBeAllClose(array.map((_, j) => (reference[i][j] + all[i][j]) / 2)),
    );
    const judged = async (...flags: string[]): Promise<Map<string, number>> => {
      const json = at('tuned.json');
      const few = ['--windows-per-unit', '2', '--samples', '20', '--json', json, '--only', 'cells'];
      expect((await rollcast('evaluate', '--run', at('one'), ...few, ...flags)).code).toBe(0);
      const content = JSON.parse(readFileSync(json, 'utf8')) as {
        sets: { methods: { name: string; rmse: number }[] }[];
      };
      return new Map(content.sets[0].methods.map(({ name, rmse }) => [name, rmse]));
    };
    const [untuned, usual] = [await judged('--tuned-share', '0'), await judged()];
    expect(untuned.get('policy-mean')).toBe(untuned.get('reference-mean'));
    expect(usual.get('policy-mean')).not.toBe(usual.get('reference-mean'));
    expect(await judged('--tuned-share', '1')).toEqual(usual);
    const calibrate = ['calibrate', '--run', at('one'), '--windows-per-unit', '2', '--samples', '20'];
    expect((await rollcast(...calibrate, '--tuned-share', '0')).code).toBe(0);
    expect(await judged()).toEqual(untuned);
  });

  test('with --resume goes on with the run folders that are there', async () => {
    const half = { ...recipe, train: { ...recipe.train, updates: 1 } };
    await rollcast(
      'fit',
      '--recipe',
      writeRecipe('half.json', half),
      '--data-root',
      at('data'),
      '--out',
      at('half'),
    );
    const { code, out } = await rollcast('fit', '--recipe', at('half.json'), '--out', at('half'), '--resume');
    expect(code).toBe(0);
    expect(out).toContain(`1/3  rollcast pretrain --out ${at('half-pretrained')} --resume`);
    expect(out).toContain(`2/3  rollcast train --out ${at('half')} --resume`);
  });

  test('stops at the stage that cannot be, and leaves the later ones alone', async () => {
    const wrong = { ...recipe, train: { ...recipe.train, algo: 'rlo' } };
    const { code, err } = await rollcast(
      ...[
        'fit',
        '--recipe',
        writeRecipe('wrong.json', wrong),
        '--data-root',
        at('data'),
        '--out',
        at('wrong'),
      ],
    );
    expect(code).toBe(2);
    expect(err).toContain('Unknown algorithm "rlo"');
    expect(existsSync(at('wrong'))).toBe(false);
  });

  test.each([
    [
      'an unknown name',
      ['--recipe', 'degradatio'],
      'Unknown recipe "degradatio". Known: degradation, or a JSON file of your own. Did you mean "degradation"?',
    ],
    ['a file that is not there', ['--recipe', 'none.json'], '--recipe none.json cannot be read'],
    ['a recipe of ours without data', [], '--data-root FOLDER is needed with the recipe degradation'],
    ['data that are not there', ['--data-root', '/nowhere'], '/nowhere/cmapss-fd001/train_FD001.txt'],
  ])('refuses %s', async (_, flags, message) => {
    const { code, err } = await rollcast('fit', ...flags, '--out', at('refused'));
    expect(code).toBe(2);
    expect(err).toContain(message);
    expect(existsSync(at('refused-pretrained'))).toBe(false);
  });

  test('a recipe says only how it differs from the one that it extends', async () => {
    const path = writeRecipe('longer.json', {
      ...{ description: 'longer', extends: 'recipe.json' },
      pretrain: { steps: 3 },
    });
    const { code, out } = await rollcast(
      ...['fit', '--recipe', path, '--data-root', at('data'), '--out', at('longer')],
    );
    expect(code).toBe(0);
    expect(out).toContain('--steps 3 --context 12');
    expect(out).toContain('--algo rloo --reward -crps --updates 2');
  });

  test('makes a second forecaster for kinds that are not trained on, of the same seeds and units', async () => {
    const path = writeRecipe('kinds.json', {
      ...{ description: 'kinds', extends: 'recipe.json', members: [{}, {}] },
      newKinds: {
        pretrain: { augment: 'halfTurn=0.5' },
        calibrate: { 'line-share': 0 },
      },
    });
    const { code, out } = await rollcast(
      ...['fit', '--recipe', path, '--data-root', at('data'), '--seed', '3', '--out', at('kinds')],
    );
    expect(code).toBe(0);
    const commands = [...out.matchAll(/^\d+\/12 {2}rollcast (.*)$/gm)].map(([, command]) => command);
    expect(commands.map((command) => command.split(' ')[0])).toEqual([
      ...['pretrain', 'train', 'pretrain', 'train'],
      ...['pretrain', 'train', 'pretrain', 'train', 'ensemble', 'calibrate'],
      ...['ensemble', 'calibrate'],
    ]);
    const forNewKinds = (command: string): string =>
      command.replaceAll(at('kinds'), at('kinds-new')).replace(/(--steps .*)/, '$1 --augment halfTurn=0.5');
    expect(commands[4]).toBe(forNewKinds(commands[0]));
    expect(commands[9]).toMatch(/^calibrate --run \S*kinds-new .*--line-share 0$/);
    expect(commands[10]).toBe(
      `ensemble --run ${at('kinds')} --with ${at('kinds-2')} --new-kinds ${at('kinds-new')}`,
    );
    expect(out).toContain('Forecast more of a kind that it knows:  rollcast forecast');
  });

  test('the recipe of ours is refused where its data are not', async () => {
    mkdirSync(at('no-data'));
    const { out, code } = await rollcast('fit', '--data-root', at('no-data'), '--out', at('none'));
    expect(out).toMatch(/1\/12 {2}rollcast pretrain .*--steps 12000 /);
    expect(code).toBe(2);
  });

  test.each([
    ['itself', { extends: 'odd.json' }, /odd\.json: it extends itself\./],
    ['nothing, without a corpus', {}, /odd\.json: expected corpus, a file, or extends, another recipe\./],
    ['one that is not there', { extends: 'none.json' }, /none\.json cannot be read/],
  ])('refuses a recipe that extends %s', async (_what, content, message) => {
    const path = writeRecipe('odd.json', { description: 'odd', ...content });
    const { code, err } = await rollcast('fit', '--recipe', path, '--out', at('refused'));
    expect({ code, lines: err.trim().split('\n').length }).toEqual({ code: 2, lines: 1 });
    expect(err).toMatch(message);
  });

  test('refuses a recipe with something else in it', async () => {
    const path = writeRecipe('odd.json', { ...recipe, trian: {} });
    const { code, err } = await rollcast('fit', '--recipe', path, '--out', at('refused'));
    expect(code).toBe(2);
    expect(err).toContain('recipe.trian: unknown option. Did you mean "train"?');
  });
});
