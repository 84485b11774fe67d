import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, expect, test } from '@jest/globals';

import { DegradationTransformer, RandomStream, Tokeniser, tf } from '@rollcast/core';

import { greedyPaths, memberShares, samplePaths } from '../../packages/cli/src/paths.js';
import { temporaryFolder } from '../support/temporary.js';
import { cellsCsv, refused, rollcast, succeed, tiny, type CommandResult } from './support.js';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const few = ['--windows-per-unit', '3', '--samples', '20'];

interface EvaluationJson {
  methods: { name: string; rmse: number; klPerToken: number | null }[];
}
const json = (name: string): EvaluationJson => JSON.parse(readFileSync(at(name), 'utf8')) as EvaluationJson;

const pretrain = (name: string, ...more: string[]): Promise<CommandResult> =>
  succeed(
    ...['pretrain', '--data', at('cells.csv'), '--context', '12', '--horizon', '8', '--holdout', '0.5'],
    ...[...tiny, '--steps', '20', '--batch-size', '16', '--lr', '0.02', '--out', at(name), ...more],
  );

beforeAll(async () => {
  writeFileSync(at('cells.csv'), cellsCsv(8, 60));
  await pretrain('first', '--seed', '1');
  await pretrain('second', '--seed', '11', '--split-seed', '1', '--set', 'tokeniser.scaling=line-noise');
  await pretrain('other-split', '--seed', '2');
});

test('members sample equally many paths, each as it would by itself, and the median of their likeliest is the likeliest', () => {
  const member = (seed: number) => ({
    model: new DegradationTransformer({ vocabularySize: 16, width: 8, heads: 2, layers: 1 }, seed),
    tokeniser: new Tokeniser({ vocabularySize: 16 }),
  });
  const members = [member(1), member(2), member(3)];
  const contexts = [Float64Array.of(0, 1, 2, 3.5, 4), Float64Array.of(3, 2, 2, 1, 0)];
  const shape = { horizon: 4, trainedHorizon: 4, trim: 0, lineShare: 0 };
  const stream = (c: number): RandomStream => new RandomStream(5, `window-${c}`);
  const before = tf.memory().numTensors;
  const together = samplePaths({ members, contexts, ...shape }, 8, stream);
  expect(tf.memory().numTensors).toBe(before);
  const alone = members.map((one, i) =>
    samplePaths({ members: [one], contexts, ...shape }, i < 2 ? 3 : 2, (c) =>
      i === 0 ? stream(c) : stream(c).fork(`member-${i}`),
    ),
  );
  expect(together).toEqual(contexts.map((_, c) => alone.flatMap((ofMember) => ofMember[c])));
  const likeliest = members.map((one) => greedyPaths({ members: [one], contexts, ...shape }));
  greedyPaths({ members, contexts, ...shape }).forEach((path, c) =>
    path.forEach((value, t) =>
      expect(value).toBeAllClose(likeliest.map((ofMember) => ofMember[c][t]).sort((a, b) => a - b)[1]),
    ),
  );
  for (const { model } of members) model.dispose();
});

test('members that weigh more sample more paths, and their likeliest counts as often in the median', () => {
  const member = (seed: number, weight: number) => ({
    model: new DegradationTransformer({ vocabularySize: 16, width: 8, heads: 2, layers: 1 }, seed),
    tokeniser: new Tokeniser({ vocabularySize: 16 }),
    weight,
  });
  const members = [member(1, 3), member(2, 3), member(3, 1)];
  const contexts = [Float64Array.of(0, 1, 2, 3.5, 4)];
  const shape = { contexts, horizon: 4, trainedHorizon: 4, trim: 0, lineShare: 0 };
  const stream = (): RandomStream => new RandomStream(5, 'window');
  // of 10 paths 4.29, 4.29 and 1.43: the last one is that which rounding down cost the most
  for (const [samples, counts] of [
    [7, [3, 3, 1]],
    [10, [4, 4, 2]],
    [2, [1, 1, 0]],
  ] as const) {
    const alone = members.flatMap((one, i) =>
      counts[i] === 0
        ? []
        : samplePaths({ members: [one], ...shape }, counts[i], () =>
            i === 0 ? stream() : stream().fork(`member-${i}`),
          )[0],
    );
    expect(samplePaths({ members, ...shape }, samples, stream)).toEqual([alone]);
  }
  const ofFirst = greedyPaths({ members: members.slice(0, 1), ...shape });
  const heavy = [{ ...members[0], weight: 5 }, members[1], members[2]];
  expect(greedyPaths({ members: heavy, ...shape })).toEqual(ofFirst);
  expect(memberShares(members)).toBeAllClose([3 / 7, 3 / 7, 1 / 7]);
  for (const { model } of members) model.dispose();
});

test('an ensemble is judged, calibrated and used as one, and --no-ensemble takes the first model alone', async () => {
  const before = tf.memory().numTensors;
  const evaluate = async (...more: string[]): Promise<EvaluationJson> => {
    await succeed('evaluate', '--run', at('first'), ...few, '--json', at('judged.json'), ...more);
    return json('judged.json');
  };
  const first = await evaluate();
  const { out } = await succeed('ensemble', '--run', at('first'), '--with', at('second'));
  expect(out).toMatch(/ensemble\.json\. 2 models forecast together from now on\./);
  expect(JSON.parse(readFileSync(at('first/ensemble.json'), 'utf8'))).toMatchObject({
    members: ['../second'],
  });
  const both = await evaluate();
  expect(both.methods.map(({ name }) => name)).toEqual(first.methods.map(({ name }) => name));
  expect(both).not.toEqual(first);
  expect(await evaluate('--no-ensemble')).toEqual(first);
  expect(tf.memory().numTensors).toBe(before);

  await succeed('calibrate', '--run', at('first'), ...few);
  const forecast = (...more: string[]): Promise<CommandResult> =>
    succeed(
      ...['forecast', '--run', at('first'), '--data', at('cells.csv'), '--paths', '20'],
      ...['--out', at('f.csv'), ...more],
    );
  const { err } = await forecast();
  expect(err).toMatch(
    /2 models forecast together \(rollcast ensemble\); --no-ensemble takes the first alone\./,
  );
  expect(err).toMatch(/intervals are calibrated on/);
  expect((await forecast('--no-ensemble')).err).toMatch(
    /intervals are not calibrated: .*was made with 2 models, and this is 1/,
  );
  await refused(/--calibrated: .*made with 2 models, and this is 1; run rollcast calibrate --run .* --no-ensemble/, ...['evaluate', '--run', at('first'), '--calibrated', '--no-ensemble']); // prettier-ignore
});

test('a calibration is not used once a member has other weights', async () => {
  await pretrain('third', '--seed', '4', '--split-seed', '1');
  await succeed('ensemble', '--run', at('first'), '--with', at('second'));
  await succeed('calibrate', '--run', at('first'), ...few);
  await succeed('ensemble', '--run', at('first'), '--with', at('third'));
  const forecast = ['forecast', '--run', at('first'), '--data', at('cells.csv'), '--out', at('h.csv')];
  expect((await succeed(...forecast)).err).toMatch(
    /intervals are not calibrated: .*was made with other weights than .*third.* has/,
  );
  await refused(/--calibrated: .*other weights than .*third.* has; run rollcast calibrate --run/, ...forecast, '--calibrated'); // prettier-ignore
  await succeed('calibrate', '--run', at('first'), ...few);
  expect((await succeed(...forecast)).err).toMatch(/intervals are calibrated on/);
});

test('runs that cannot forecast together are refused, and nothing is written', async () => {
  await refused(
    /other-split has other data than .*second, or holds out other units.*--split-seed/,
    ...['ensemble', '--run', at('second'), '--with', at('other-split')],
  );
  await pretrain('longer', '--seed', '1', '--horizon', '10');
  await refused(
    /longer reads 12 points and forecasts 10, and .*second 12 and 8/,
    ...['ensemble', '--run', at('second'), '--with', at('longer')],
  );
  await refused(
    /--with names a run twice, or the run itself/,
    'ensemble',
    '--run',
    at('second'),
    '--with',
    at('second'),
  );
  await refused(/There is no run at/, 'ensemble', '--run', at('second'), '--with', at('gone'));
  expect(existsSync(at('second/ensemble.json'))).toBe(false);
});

test('a member that is gone, and a damaged file, are named with the way out', async () => {
  const use = ['forecast', '--run', at('first'), '--data', at('cells.csv'), '--out', at('g.csv')];
  await succeed('ensemble', '--run', at('first'), '--with', at('second'));
  renameSync(at('second'), at('moved'));
  await refused(/names a run that is gone, .*second\. .*--no-ensemble/, ...use);
  await succeed(...use, '--no-ensemble');
  renameSync(at('moved'), at('second'));
  const content = readFileSync(at('first/ensemble.json'), 'utf8');
  for (const damaged of ['{', content.replace('"members"', '"membres"')]) {
    writeFileSync(at('first/ensemble.json'), damaged);
    const { code, err } = await rollcast(...use);
    expect(err).toMatch(
      /ensemble\.json (is not JSON|cannot be used: .*)\. Run rollcast ensemble again, or delete it\./,
    );
    expect(code).not.toBe(0);
  }
  expect(existsSync(at('g.csv'))).toBe(true);
});
