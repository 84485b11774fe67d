import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from '@jest/globals';

import { tf } from '@rollcast/core';
import { CALIBRATED_LEVELS } from '@rollcast/envs';

import { temporaryFolder } from '../support/temporary.js';
import { cellsCsv, refused, rollcast, succeed, tiny, type CommandResult } from './support.js';

// A model that is too small to be good: what is tested is what becomes of its intervals.
const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const run = ['--run', at('pre')];
const few = ['--windows-per-unit', '4', '--samples', '20'];

interface CalibrationJson {
  update: number;
  sets: { name: string; units: string[]; windows: number }[];
  samples: number;
  calibration: { blockLength: number; levels: number[]; factors: number[][]; guaranteed: number };
  bySet: Record<string, CalibrationJson['calibration']>;
}
interface EvaluationJson {
  windows: number;
  units: number;
  backtest: { every: number } | null;
  methods: { name: string; rmse: number; coverage80: number | null }[];
  comparisons: { method: string; against: string; rmseRatio: { value: number; low: number | null } }[];
  byUnit: { name: string; units: { unit: string; windows: number }[] }[];
  distribution: { name: string; intervals: Record<string, { width: number }> | null; rmseByStep: number[] }[];
  exposure: Record<string, { teacherForced: number[]; freeRunning: number[]; crossEntropy: number[] }>;
  life: null | { methods: { name: string; alphaLambda: { lambda: number; units: number }[] }[] };
}
const json = <T>(name: string): T => JSON.parse(readFileSync(at(name), 'utf8')) as T;
const calibrationFile = 'pre/calibration.json';

beforeAll(async () => {
  writeFileSync(at('cells.csv'), cellsCsv(12, 60));
  await succeed(
    ...[
      'pretrain',
      '--data',
      at('cells.csv'),
      '--context',
      '12',
      '--horizon',
      '8',
      '--holdout',
      '0.5',
      ...tiny,
    ],
    ...['--steps', '30', '--batch-size', '16', '--lr', '0.02', '--seed', '1', '--out', at('pre')],
  );
});

describe('calibrate', () => {
  test('writes what it found, on half of the held-out units, and judges it on the other half', async () => {
    const before = tf.memory().numTensors;
    const { out } = await succeed('calibrate', ...run, ...few);
    expect(tf.memory().numTensors).toBe(before);
    expect(out).toMatch(
      /cells: 12 windows of 3 units that did not calibrate\ninterval +coverage +guaranteed +plain +width/,
    );
    expect(out).toMatch(/calibration\.json, the guaranteed one; --no-guarantee writes the plain one\./);
    expect(out).toMatch(/Calibrated on 12 windows of 3 units of cells/);
    expect(out).toMatch(
      /50 % intervals are guaranteed .*; 80 and 90 % intervals are not guaranteed: they need 9 and 19/,
    );
    const { sets, samples, calibration } = json<CalibrationJson>(calibrationFile);
    expect(sets).toMatchObject([{ name: 'cells', windows: 12 }]);
    expect(sets[0].units).toHaveLength(3);
    expect(samples).toBe(20);
    expect(calibration).toMatchObject({ blockLength: 1, levels: [...CALIBRATED_LEVELS], guaranteed: 0.75 });
    expect(calibration.factors.map(({ length }) => length)).toEqual(new Array(8).fill(12));
    expect(calibration.factors.flat().every((factor) => factor >= 0)).toBe(true);
  });

  test('comes to the same again, and to something else with other units', async () => {
    const first = readFileSync(at(calibrationFile), 'utf8');
    await succeed('calibrate', ...run, ...few);
    expect(readFileSync(at(calibrationFile), 'utf8')).toBe(first);
    await succeed('calibrate', ...run, ...few, '--seed', '1');
    expect(readFileSync(at(calibrationFile), 'utf8')).not.toBe(first);
  });

  test('takes all units, or other data, or leaves the correction out', async () => {
    writeFileSync(at('others.csv'), cellsCsv(2, 40));
    const { out } = await succeed(
      ...['calibrate', ...run, '--data', at('others.csv'), '--share', '1', '--no-guarantee', ...few],
    );
    expect(out).toMatch(/others: all units calibrated, none is left/);
    expect(out).toMatch(/nothing is guaranteed: .*--no-guarantee/);
    expect(json<CalibrationJson>(calibrationFile).sets).toMatchObject([
      { name: 'others', units: ['cell-0', 'cell-1'] },
    ]);
  });

  test('refuses shares and samples that are none', async () => {
    await refused(/--share is a share of the units, at most 1; got 2/, 'calibrate', ...run, '--share', '2');
    await refused(/--share.*> 0/, 'calibrate', ...run, '--share', '0');
    await refused(/--samples.*from 20/, 'calibrate', ...run, '--samples', '3');
    await refused(/There is no run at/, 'calibrate', '--run', at('gone'));
  });
});

describe('a calibrated run', () => {
  beforeAll(async () => {
    await succeed('calibrate', ...run, ...few);
  });
  const forecast = (name: string, ...args: string[]): Promise<CommandResult> =>
    succeed(
      ...['forecast', ...run, '--data', at('cells.csv'), '--paths', '19', '--out', at(`${name}.csv`)],
      ...['--json', at(`${name}.json`), ...args],
    );
  interface ForecastJson {
    calibrated: boolean;
    units: { median: number[]; deciles: Record<string, number[]> }[];
  }

  test('forecasts calibrated intervals by itself and says so; --no-calibrated leaves them as they were', async () => {
    const plain = await forecast('plain', '--no-calibrated');
    expect(plain.err).toMatch(
      /intervals are not calibrated \(--no-calibrated\), though .*calibration\.json exists/,
    );
    const moved = await forecast('moved');
    expect(moved.err).toMatch(/intervals are calibrated on 3 units of cells; --no-calibrated turns it off/);
    const [before, after] = [json<ForecastJson>('plain.json'), json<ForecastJson>('moved.json')];
    expect([before.calibrated, after.calibrated]).toEqual([false, true]);
    const { calibration } = json<CalibrationJson>(calibrationFile);
    const k = calibration.levels.indexOf(0.9);
    before.units.forEach(({ median, deciles }, u) => {
      expect(after.units[u].median).toBeAllClose(median, { atol: 1e-3 });
      expect(after.units[u].deciles).not.toEqual(deciles);
    });
    // capacities fall, wear rises: the upper quantile of wear is the lower one of capacity; rank 0.9 · 20 is whole
    const reach = ({ units: [{ median, deciles }] }: ForecastJson, t: number): number =>
      median[t] - deciles['q10'][t];
    const widest = (t: number): number =>
      Math.max(
        ...calibration.levels.flatMap((p, i) => (p > 0.5 && p <= 0.9 ? [calibration.factors[t][i]] : [])),
      );
    for (let t = 0; t < 8; t++) {
      expect(reach(after, t)).toBeGreaterThan(0.8 * calibration.factors[t][k] * reach(before, t));
      expect(reach(after, t)).toBeLessThan(1.2 * widest(t) * reach(before, t) + 1e-3);
    }
  });

  test('is judged beside the plain one, on units that did not calibrate', async () => {
    const { out } = await succeed('evaluate', ...run, ...few, '--calibrated', '--json', at('judged.json'));
    expect(out).toMatch(/policy-calibrated/);
    const { windows, units, methods, comparisons, byUnit } = json<EvaluationJson>('judged.json');
    expect([windows, units]).toEqual([12, 3]);
    expect(methods.at(-1)!.name).toBe('policy-calibrated');
    expect(comparisons.map(({ method, against }) => [method, against])).toContainEqual([
      'policy-calibrated',
      'policy-mean',
    ]);
    const calibrating = json<CalibrationJson>(calibrationFile).sets[0].units;
    for (const { unit } of byUnit[0].units) expect(calibrating).not.toContain(unit);
  });

  test('is judged by itself on other data, where nothing calibrated', async () => {
    writeFileSync(at('others.csv'), cellsCsv(2, 60));
    const evaluate = (data: string, ...more: string[]): Promise<CommandResult> =>
      succeed(...['evaluate', ...run, ...few, '--data', at(data), '--json', at('other.json')], ...more);
    const { err } = await evaluate('others.csv');
    expect(err).toMatch(/intervals are calibrated on .*; --no-calibrated turns it off\./);
    expect(json<EvaluationJson>('other.json').methods.at(-1)!.name).toBe('policy-calibrated');
    expect((await evaluate('others.csv', '--no-calibrated')).out).not.toMatch(/policy-calibrated/);
    expect((await evaluate('cells.csv')).err).toMatch(
      /intervals are not calibrated: units of .* calibrated them; --calibrated judges the others\./,
    );
  });

  test('forecasts in the shape that it was calibrated in, unless asked otherwise', async () => {
    await succeed('calibrate', ...run, ...few, '--line-share', '0.6');
    const [, own] = [await forecast('asked', '--line-share', '0.6'), await forecast('own')];
    expect(own.err).toMatch(/intervals are calibrated on 3 units/);
    expect(json('own.json')).toEqual(json('asked.json'));
    const other = await forecast('other', '--line-share', '0.1');
    expect(other.err).toMatch(
      /not calibrated: .*was made with --tuned-share 1 --trim 0\.01 --line-share 0\.6, and this is --tuned-share 1 --trim 0\.01 --line-share 0\.1/,
    );
    expect(json('other.json')).not.toEqual(json('own.json'));
    await succeed('calibrate', ...run, ...few);
    expect((await forecast('again')).err).toMatch(/intervals are calibrated on/);
    expect(json('again.json')).toEqual(json('own.json'));
    await succeed('calibrate', ...run, ...few, '--line-share', '0.1');
  });

  test('of another checkpoint is not used, and refused when it is asked for', async () => {
    const content = readFileSync(at(calibrationFile), 'utf8');
    writeFileSync(at(calibrationFile), content.replace(/"update": \d+/, '"update": 7'));
    const { err } = await forecast('stale');
    expect(err).toMatch(/intervals are not calibrated: .*was made for update 7, and this is update \d+/);
    await refused(
      /--calibrated: .*was made for update 7.*run rollcast calibrate/,
      'evaluate',
      ...run,
      '--calibrated',
    );
    writeFileSync(at(calibrationFile), '{');
    await refused(
      /calibration\.json is not JSON\. Run rollcast calibrate again/,
      'evaluate',
      ...run,
      '--calibrated',
    );
    await succeed('calibrate', ...run, ...few);
    writeFileSync(at(calibrationFile), content.replace(/"guaranteed": [\d.]+/, '"guaranteed": 2'));
    await refused(
      /calibration\.json cannot be used: calibration\.guaranteed/,
      'evaluate',
      ...run,
      '--calibrated',
    );
    rmSync(at(calibrationFile));
    await refused(
      /has no calibration\.json; make it with rollcast calibrate --run/,
      'evaluate',
      ...run,
      '--calibrated',
    );
    expect(existsSync(at(calibrationFile))).toBe(false);
    await succeed('calibrate', ...run, ...few, '--share', '1');
    await refused(/all 6 units calibrated, and none is left to judge/, 'evaluate', ...run, '--calibrated');
  });
});

test('a run on a corpus is calibrated on half of the held-out units of each set, or of those that are named', async () => {
  const sets = [
    { name: 'long', files: ['cells.csv'] },
    { name: 'other', files: ['more.csv'] },
    { name: 'few', files: ['few.csv'] },
    { name: 'laws', simulated: { laws: ['knee'], units: 8, length: 50 } },
  ];
  writeFileSync(at('more.csv'), cellsCsv(6, 50));
  writeFileSync(at('few.csv'), cellsCsv(2, 50));
  writeFileSync(at('corpus.json'), JSON.stringify({ sets }));
  const corpus = ['--run', at('corpus')];
  await succeed(
    ...[
      'pretrain',
      '--corpus',
      at('corpus.json'),
      '--context',
      '12',
      '--horizon',
      '8',
      '--holdout',
      '0.5',
      ...tiny,
    ],
    ...['--steps', '5', '--batch-size', '8', '--out', at('corpus')],
  );
  const { out } = await succeed('calibrate', ...corpus, ...few);
  expect(out).toMatch(
    /long: 12 windows of 3 units that did not[\s\S]*other: 4 windows of 1 unit that did not/,
  );
  expect(out).toContain('Not calibrated on few: fewer than 3 units do not speak for their kind');
  // simulated beside real data: there to learn from
  expect(out).not.toContain('laws');
  const { sets: made, calibration } = json<CalibrationJson>('corpus/calibration.json');
  expect(made.map(({ name, units }) => [name, units.length])).toEqual([
    ['long', 3],
    ['other', 2],
  ]);
  expect(calibration.guaranteed).toBeAllClose((3 / 4 + 2 / 3) / 2);
  // each set by its own units alone
  const { bySet } = json<CalibrationJson>('corpus/calibration.json');
  expect(Object.entries(bySet).map(([name, { guaranteed }]) => [name, guaranteed])).toEqual([
    ['long', 3 / 4],
    ['other', 2 / 3],
  ]);
  expect(out).toMatch(/long: 50 % intervals are guaranteed[\s\S]*together: /);
  await succeed('evaluate', ...corpus, ...few, '--calibrated', '--json', at('corpus.eval.json'));
  const { sets: judged } = json<{ sets: EvaluationJson[] }>('corpus.eval.json');
  expect(judged.map(({ units }) => units)).toEqual([3, 1, 1]);
  const widthOf = async (...choice: string[]): Promise<number> => {
    const file = at('as.eval.json');
    const data = ['--data', at('few.csv'), '--json', file];
    await succeed('evaluate', ...corpus, ...few, ...data, ...choice);
    const { distribution } = json<EvaluationJson>('as.eval.json');
    return distribution.find(({ name }) => name === 'policy-calibrated')!.intervals!['80'].width;
  };
  const [together, long, other] = [
    await widthOf('--calibrated'),
    await widthOf('--like', 'long'),
    await widthOf('--like', 'other'),
  ];
  expect(new Set([together, long, other]).size).toBe(3);
  const forecast = ['forecast', ...corpus, '--data', at('few.csv'), '--paths', '20', '--out', at('as.csv')];
  expect((await succeed(...forecast, '--like', 'other')).err).toMatch(/calibrated as those of other; /);
  expect((await succeed(...forecast, '--like', 'few')).err).toMatch(
    /not calibrated: no unit of few calibrated; --calibrated takes the factors of all sets together/,
  );
  expect((await succeed(...forecast)).err).toMatch(/not calibrated: no unit of such a kind calibrated/);
  expect((await succeed(...forecast, '--calibrated')).err).toMatch(/calibrated on 3 units of long/);
  await refused(
    /--like lang: the run was not trained on such a set; known: long, other, few, laws\. Did you mean "long"/,
    ...forecast,
    '--like',
    'lang',
  );
  await refused(/--like long is for other data \(--data\) and for sets that were left out; the run was trained on long/, 'evaluate', ...corpus, '--like', 'long'); // prettier-ignore
  await succeed('calibrate', ...corpus, ...few, '--only', 'other');
  const alone = json<CalibrationJson>('corpus/calibration.json');
  expect(alone.sets.map(({ name }) => name)).toEqual(['other']);
  expect(alone.bySet).toEqual({});
});

describe('evaluate', () => {
  test('a rolling backtest forecasts every so many points and tells each unit', async () => {
    const { out } = await succeed(
      ...['evaluate', ...run, '--samples', '4', '--backtest', '--every', '15', '--json', at('backtest.json')],
    );
    // 60 points: 12 seen, 8 ahead, so that forecasts start at 0, 15 and 30
    const { windows, backtest, byUnit } = json<EvaluationJson>('backtest.json');
    expect({ windows, backtest }).toEqual({ windows: 18, backtest: { every: 15 } });
    expect(byUnit[0].units.map(({ windows: of }) => of)).toEqual([3, 3, 3, 3, 3, 3]);
    expect(out).toMatch(/policy-mean, forecast every 15 points, unit by unit/);
    expect(out).toMatch(/paired bootstrap over 6 units/);
    await refused(/--every needs --backtest/, 'evaluate', ...run, '--every', '5');
    const both = await rollcast('evaluate', ...run, '--backtest', '--windows-per-unit', '4');
    expect(both.code).toBe(2);
    expect(both.err).toMatch(/'--backtest' cannot be used with option '--windows-per-unit/);
  });

  test('judges gamma process, quadratic path, exposure and lives along the way', async () => {
    const { out } = await succeed(
      ...[
        'evaluate',
        ...run,
        '--samples',
        '9',
        '--windows-per-unit',
        '20',
        '--threshold',
        '1.06',
        '--json',
        at('all.json'),
      ],
    );
    const { methods, comparisons, distribution, exposure, life } = json<
      EvaluationJson & { bestNaive: string }
    >('all.json');
    for (const name of ['gamma-process', 'quadratic-path']) {
      expect(methods.find((method) => method.name === name)!.coverage80).not.toBeNull();
      expect(comparisons.map(({ against }) => against)).not.toContain(name);
    }
    const best = methods.find(({ name }) => name === comparisons[0].against)!;
    const mean = methods.find(({ name }) => name === 'policy-mean')!;
    expect(comparisons[0].rmseRatio.value).toBeAllClose(mean.rmse / best.rmse, { rtol: 1e-9 });
    expect(comparisons[0].rmseRatio.low).toBeLessThanOrEqual(comparisons[0].rmseRatio.value);
    const { rmseByStep } = distribution.find(({ name }) => name === 'policy-mean')!;
    expect(exposure['policy'].freeRunning).toBeAllClose(rmseByStep, { rtol: 1e-9 });
    // the first step has the same past either way: the mean of nine paths is the mean of the model but for their number
    expect(exposure['policy'].teacherForced).toHaveLength(8);
    expect(exposure['policy'].crossEntropy.every((nats) => nats > 0)).toBe(true);
    expect(out).toMatch(/Exposure: at step 8 the RMSE is .* from the true past and .* from own forecasts/);
    expect(
      life!.methods.find(({ name }) => name === 'policy-mean')!.alphaLambda.map(({ lambda }) => lambda),
    ).toEqual([0.25, 0.5, 0.75]);
    expect(out).toMatch(/λ = 0\.5 \(\d+ units\)/);
    expect(readFileSync(at('pre/report.html'), 'utf8')).toMatch(/Exposure bias/);
    expect(existsSync(at('pre/plots/evaluation-exposure.svg'))).toBe(true);
  });
});
