import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from '@jest/globals';

import { tf } from '@rollcast/core';

import { temporaryFolder } from '../support/temporary.js';
import { cellsCsv, expectSuccess, rollcast, tiny, type CommandResult } from './support.js';

// A model that is too small to be good: what is tested is what becomes of its paths.
const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const file = (name: string, content: string): string => {
  writeFileSync(at(name), content);
  return at(name);
};
const cells = cellsCsv(3, 60);
const data = at('cells.csv');

/** A CSV as rows of cells by column. */
function table(name: string): Record<string, string>[] {
  const [header, ...rows] = readFileSync(at(name), 'utf8').trim().split('\n');
  const columns = header.split(',');
  return rows.map((row) => Object.fromEntries(row.split(',').map((cell, i) => [columns[i], cell])));
}

const forecast = (out: string, ...args: string[]): Promise<CommandResult> =>
  rollcast('forecast', '--run', at('pre'), '--paths', '20', '--out', at(out), ...args);

async function succeed(out: string, ...args: string[]): Promise<CommandResult> {
  return expectSuccess(await forecast(out, ...args), args);
}

beforeAll(async () => {
  file('training.csv', cellsCsv(4, 60));
  file('cells.csv', cells);
  const { code, err } = await rollcast(
    ...['pretrain', '--data', at('training.csv'), '--context', '12', '--horizon', '8', ...tiny],
    ...['--steps', '40', '--batch-size', '16', '--lr', '0.02', '--seed', '1', '--out', at('pre')],
  );
  expect({ code, err: code === 0 ? '' : err }).toEqual({ code: 0, err: '' });
});

describe('deciles of each unit', () => {
  test('come at the steps after its last point, in the order and the direction of the data', async () => {
    const { out } = await succeed('plain.csv', '--data', data);
    expect(out).toMatch(/capacity_ah of 3 units, 8 steps ahead, 20 sampled paths each/);
    const rows = table('plain.csv');
    expect(rows).toHaveLength(3 * 8);
    expect(rows.slice(0, 2).map(({ unit, step, time }) => [unit, step, time])).toEqual([
      ['cell-0', '1', '61'],
      ['cell-0', '2', '62'],
    ]);
    const levels = [10, 20, 30, 40, 50, 60, 70, 80, 90].map((percent) => `q${percent}`);
    expect(Object.keys(rows[0])).toEqual(['unit', 'step', 'time', 'mean', 'median', ...levels]);
    for (const row of rows) {
      const deciles = levels.map((level) => Number(row[level]));
      expect(deciles).toEqual([...deciles].sort((a, b) => a - b));
      expect(row['median']).toBe(row['q50']);
      expect(Number(row['mean'])).toBeLessThan(1.2); // a capacity, not a negated one
      expect(Number(row['mean'])).toBeGreaterThan(0.5);
    }
  });

  test('fall for a falling series and rise for a rising one', async () => {
    const rising = cells.replace(/[\d.]+$/gm, (value) => (2 - Number(value)).toFixed(6));
    await succeed('rising.csv', '--data', file('rising-data.csv', rising));
    const [falls, rises] = [table('plain.csv'), table('rising.csv')];
    falls.forEach((row, i) => {
      // the same model sees the same wear: deciles are mirrored at 1, the lowest becomes the highest
      expect(Number(rises[i]['q90'])).toBeAllClose(2 - Number(row['q10']), { atol: 1e-5 });
      expect(Number(rises[i]['mean'])).toBeAllClose(2 - Number(row['mean']), { atol: 1e-5 });
    });
  });

  test('are those of the sampled paths, which do not depend on the other units', async () => {
    await succeed('paths.csv', '--data', data, '--sample-paths', '--json', at('paths.json'));
    const paths = table('paths-paths.csv');
    expect(Object.keys(paths[0])).toHaveLength(3 + 20);
    const [first] = table('paths.csv');
    const values = Object.entries(paths[0]).flatMap(([name, value]) =>
      name.startsWith('path') ? [Number(value)] : [],
    );
    expect(Number(first['mean'])).toBeAllClose(values.reduce((a, b) => a + b, 0) / 20, { atol: 1e-8 });
    // rank 0.1 · 21 = 2.1 of twenty
    const [, second, third] = values.sort((a, b) => a - b);
    expect(Number(first['q10'])).toBeAllClose(second + 0.1 * (third - second), { atol: 1e-8 });
    const alone = cells.split('\n').filter((line, i) => i === 0 || line.startsWith('cell-1'));
    await succeed('alone.csv', '--data', file('alone-data.csv', alone.join('\n')));
    expect(table('alone.csv')).toEqual(table('paths.csv').filter(({ unit }) => unit === 'cell-1'));
    const json = JSON.parse(readFileSync(at('paths.json'), 'utf8')) as {
      units: { unit: string; paths: [] }[];
    };
    expect(json.units.map(({ unit, paths: of }) => [unit, of.length])).toEqual(
      ['cell-0', 'cell-1', 'cell-2'].map((unit) => [unit, 20]),
    );
  });

  test('are the same with the same seed, and others with another', async () => {
    await succeed('again.csv', '--data', data);
    await succeed('other.csv', '--data', data, '--seed', '1');
    expect(readFileSync(at('again.csv'))).toEqual(readFileSync(at('plain.csv')));
    expect(readFileSync(at('other.csv'))).not.toEqual(readFileSync(at('plain.csv')));
  });

  test('leave no tensor behind', async () => {
    const before = tf.memory().numTensors;
    await succeed('tensors.csv', '--data', data, '--threshold', '1.02');
    expect(tf.memory().numTensors).toBe(before);
  });

  test('go beyond the trained horizon from their own last points', async () => {
    const { err } = await succeed('far.csv', '--data', data, '--horizon', '40');
    expect(err).toMatch(
      /the horizon of 40 steps goes beyond the 8 .* beyond them a path goes on from its own last 12 points/,
    );
    const rows = table('far.csv');
    expect(rows).toHaveLength(3 * 40);
    expect(rows.every(({ mean }) => Number.isFinite(Number(mean)))).toBe(true);
  });
});

describe('crossing a threshold', () => {
  // cell-0 ends near 1.053 and loses 0.0008 a cycle, cell-2 near 1.029 and 0.0012 a cycle
  test('has median and 10–90 % in the time of the data, from the direction of wear', async () => {
    const { err, out } = await succeed(
      ...(['rul.csv', '--data', data, '--threshold', '1.02', '--horizon', '30'] as const),
      ...['--plot', at('rul.svg'), '--json', at('rul.json')],
    );
    expect(err).toMatch(
      /capacity_ah falls with wear, so the threshold is crossed where it is at or below 1\.02\./,
    );
    expect(out).toMatch(/RUL median \(cycle\)/);
    const lives = table('rul-crossing.csv');
    expect(lives.map(({ unit, last_time }) => [unit, last_time])).toEqual(
      ['cell-0', 'cell-1', 'cell-2'].map((unit) => [unit, '60']),
    );
    const json = JSON.parse(readFileSync(at('rul.json'), 'utf8')) as {
      threshold: object;
      units: { crossing: { median: number | null; censoredShare: number; crossedBy: number[] } }[];
    };
    expect(json.threshold).toEqual({ value: 1.02, crossedWhen: 'at or below' });
    const shares = table('rul.csv');
    json.units.forEach(({ crossing }, u) => {
      const { crossedBy, censoredShare, median } = crossing;
      expect(crossedBy).toEqual([...crossedBy].sort((a, b) => a - b));
      expect(crossedBy.at(-1)! + censoredShare).toBeAllClose(1, { atol: 1e-9 });
      expect(Number(shares[30 * u + 29]['crossed_share'])).toBeAllClose(crossedBy.at(-1)!, { atol: 1e-9 });
      expect(lives[u]['rul_median']).toBe(median === null ? '' : String(Number(median.toPrecision(10))));
      if (median !== null) expect(crossedBy[Math.ceil(median)]).toBeGreaterThan(0.5 - 1e-9);
    });
    expect(json.units.some(({ crossing }) => crossing.median !== null)).toBe(true);
    expect(readFileSync(at('rul.svg'), 'utf8')).toMatch(/cell-0[\s\S]*RUL/);
  });

  test('that no path crosses within the horizon is censored, and no error', async () => {
    const { out } = await succeed('never.csv', '--data', data, '--threshold', '0.2');
    expect(out).toMatch(/> 8 +> 8 +> 8 +100 %/);
    expect(out).toMatch(/3 of 3 units cross the threshold 0\.2 on no path within 8 steps: .* censored/);
    expect(table('never-crossing.csv')[0]).toMatchObject({
      rul_median: '',
      rul_q90: '',
      censored_share: '1',
      censored_after: '8',
    });
  });
});

describe('units that cannot be forecast are left out by name, the others are forecast, exit code 1', () => {
  const good = cells.split('\n').filter((line) => line.startsWith('cell-0'));
  /** Cells of 60 cycles that lose 0.001 a cycle from 1 on, with one thing changed. */
  const bad = (name: string, change: (time: number, value: string) => string): string[] =>
    Array.from({ length: 60 }, (_, i) =>
      change(i + 1, (1 - 0.001 * i + 0.0001 * (i % 3)).toFixed(5)),
    ).flatMap((line) => (line === '' ? [] : [`${name},${line}`]));
  const plain = (time: number, value: string): string => `${time},${value}`;
  const write = (name: string, lines: string[]): string =>
    file(name, ['cell,cycle,capacity_ah', ...good, ...lines].join('\n'));

  const cases: [what: string, lines: string[], message: RegExp, ...more: string[]][] = [
    [
      'a short history',
      bad('x', (t, v) => (t > 11 ? '' : plain(t, v))),
      /x: 11 points, and the model reads 12\./,
    ],
    [
      'a NaN',
      bad('x', (t, v) => plain(t, t === 30 ? 'NaN' : v)),
      /x: .*\.csv:91, column "capacity_ah": expected a number; got NaN/,
    ],
    [
      'a blank cell',
      bad('x', (t, v) => plain(t, t === 30 ? '' : v)),
      /x: .*\.csv:91, column "capacity_ah": expected a number; the cell is blank/,
    ],
    [
      'a large gap in time',
      bad('x', (t, v) => plain(t > 55 ? t + 20 : t, v)),
      /x: a gap of 21 after time 55, more than 5 median time steps of 1/,
    ],
    ['a time that comes twice', bad('x', (t, v) => plain(t === 30 ? 29 : t, v)), /x: .*time 29 twice/],
    ['a history that does not change', bad('x', (t) => plain(t, '1')), /x: constant at 1\./],
    [
      'a threshold that is crossed already',
      bad('x', plain),
      /x: has crossed already: 0\.9412 at cycle 60 is at or below the threshold 0\.95, since cycle \d+\./,
      '--threshold',
      '0.95',
    ],
  ];
  test.each(cases)('%s', async (what, lines, message, ...more) => {
    const name = what.replaceAll(' ', '-');
    const result = await forecast(`${name}.csv`, '--data', write(`${name}-data.csv`, lines), ...more);
    expect(result.err).toMatch(message);
    expect(result.err).toMatch(/Left out, 1 of 2 units:/);
    expect(result.err).not.toMatch(/\n\s+at /); // no stack trace
    expect(result.code).toBe(1);
    expect(new Set(table(`${name}.csv`).map(({ unit }) => unit))).toEqual(new Set(['cell-0']));
  });

  test('all of them: nothing is written', async () => {
    const all = file('short-data.csv', 'cell,cycle,capacity_ah\na,1,3\na,2,2\nb,1,3\nb,2,1\n');
    const result = await forecast('nothing.csv', '--data', all);
    expect(result.code).toBe(1);
    expect(result.err).toMatch(/No unit could be forecast; nothing was written/);
    expect(result.err).toMatch(/a: 2 points[\s\S]*b: 2 points/);
    expect(existsSync(at('nothing.csv'))).toBe(false);
  });

  test('uneven time steps are resampled with a notice, and forecast at the median step', async () => {
    const uneven = write(
      'uneven-data.csv',
      bad('x', (t, v) => plain(t === 55 ? 2 * t + 0.5 : 2 * t, v)),
    );
    const { err } = await succeed('uneven.csv', '--data', uneven);
    expect(err).toMatch(
      /time steps are uneven in 1 of 2 units \(x\): their last points were resampled to the median step/,
    );
    const times = table('uneven.csv').flatMap(({ unit, time }) => (unit === 'x' ? [time] : []));
    expect(times.slice(0, 3)).toEqual(['122', '124', '126']);
  });
});

describe('a request that cannot be carried out has one message, exit code 2, and writes nothing', () => {
  const refused = async (message: RegExp, ...args: string[]): Promise<void> => {
    const result = await rollcast('forecast', ...args);
    expect(result.err).toMatch(message);
    expect(result.err).not.toMatch(/\n\s+at /);
    expect(result.err).not.toMatch(/backend:/); // before anything is computed
    expect(result.code).toBe(2);
  };
  const out = ['--out', at('refused.csv')];
  const run = ['--run', at('pre')];

  test('a run of another kind', async () => {
    mkdirSync(at('step'));
    const config = {
      rollcast: '0.1.0',
      kind: 'train',
      config: { environment: 'cart-pole-v1', instances: 4 },
    };
    writeFileSync(join(at('step'), 'config.json'), JSON.stringify(config));
    await refused(
      /--run .*step is a run on a step environment, which makes no forecasts/,
      ...['--run', at('step'), '--data', data, ...out],
    );
  });

  test('no run, no data, unknown columns, a missing file', async () => {
    await refused(/There is no run at/, '--run', at('gone'), '--data', data, ...out);
    await refused(/--data FILE is needed/, ...run, ...out);
    await refused(/no column "soh"/, ...run, '--data', data, '--value-column', 'soh', ...out);
    await refused(/gone\.csv: no such file/, ...run, '--data', at('gone.csv'), ...out);
  });

  test('a file that cannot be written, or would replace another', async () => {
    await refused(/--out names a file; .* is a folder/, ...run, '--data', data, '--out', folder);
    const inFile = join(data, 'out.csv');
    await refused(/--out .*: its folder cannot be made/, ...run, '--data', data, '--out', inFile);
    await refused(/is the same file as that of --data/, ...run, '--data', data, '--out', data);
    const same = ['--json', at('refused.csv')];
    await refused(/--json .* is the same file as that of --out/, ...run, '--data', data, ...out, ...same);
    await refused(
      /ends in \.svg or \.png; got plot\.pdf/,
      ...run,
      '--data',
      data,
      ...out,
      '--plot',
      'plot.pdf',
    );
    expect(readFileSync(data, 'utf8')).toBe(cells);
    expect(existsSync(at('refused.csv'))).toBe(false);
  });

  test('numbers that are none', async () => {
    await refused(/--threshold.*Expected a number\./, ...run, '--data', data, ...out, '--threshold', 'low');
    await refused(/--horizon.*whole number from 1/, ...run, '--data', data, ...out, '--horizon', '0');
    await refused(/--paths.*whole number from 10/, ...run, '--data', data, ...out, '--paths', '3');
  });
});

test('names with control characters are shown without them, in text and in pictures', async () => {
  // a colour, an end of line, clear the screen; the last unit is too short, so that it is listed as left out
  const named = (text: string): string =>
    text
      .replaceAll('cell-0', 'a\u001b[31m')
      .replaceAll('cell-1', '"b\nb"')
      .replaceAll('cell-2', 'c\u001b[2J');
  const rows = cells.trimEnd().split('\n').slice(0, -55);
  const hostile = file('hostile.csv', `${named(rows.join('\n'))}\n`);
  const { code, out, err } = await forecast('h.csv', '--data', hostile, '--plot', at('h.svg'));
  expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining('c\\x1b[2J: ') });
  expect(out).toMatch(/\na\\x1b\[31m .*\nb\\nb /s);
  const svg = readFileSync(at('h.svg'), 'utf8');
  expect(svg).toContain('a\\x1b[31m');
  // eslint-disable-next-line no-control-regex
  for (const text of [out, err, svg]) expect(text).not.toMatch(/[\0-\x09\x0b-\x1f]/);
  const png = await forecast('h.csv', '--data', hostile, '--plot', at('h.png'));
  expect(png.err).not.toContain('error');
  expect(readFileSync(at('h.png')).subarray(1, 4).toString()).toBe('PNG');
});

test('a fine-tuned run forecasts too', async () => {
  const trained = await rollcast(
    ...['train', '--init', at('pre'), '--updates', '1', '--batch-size', '4', '--out', at('tuned')],
  );
  expect(trained.code).toBe(0);
  const { code } = await rollcast(
    ...['forecast', '--run', at('tuned'), '--data', data, '--paths', '10', '--out', at('tuned.csv')],
  );
  expect(code).toBe(0);
  expect(table('tuned.csv')).toHaveLength(3 * 8);
});

describe('evaluate judges distributions, and with a threshold lives', () => {
  const evaluation = async (name: string, ...args: string[]) => {
    const { code, out } = await rollcast(
      ...['evaluate', '--run', at('pre'), '--data', data, '--samples', '9', '--windows-per-unit', '4'],
      ...['--json', at(name), ...args],
    );
    expect(code).toBe(0);
    const json = JSON.parse(readFileSync(at(name), 'utf8')) as {
      windows: number;
      methods: { name: string; mae: number; coverage80: number | null }[];
      distribution: {
        name: string;
        intervals: Record<string, { coverage: number }> | null;
        rmseByStep: [];
      }[];
      life: null | {
        crossedAlready: number;
        methods: { name: string; windows: number; notCrossing: number; rmse: number | null }[];
      };
    };
    return { json, out };
  };

  test('of every method of the table, consistent with it', async () => {
    const { json, out } = await evaluation('evaluation.json');
    expect(out).toMatch(/MASE +WQL +cover 50 % +width 50 %/);
    expect(json.life).toBeNull();
    expect(json.distribution.map(({ name }) => name)).toEqual(json.methods.map(({ name }) => name));
    json.distribution.forEach(({ intervals, rmseByStep }, i) => {
      expect(intervals?.['80'].coverage ?? null).toBe(json.methods[i].coverage80);
      expect(rmseByStep).toHaveLength(8);
    });
  });

  // cell-0 falls from 1.1 to 1.053: within its windows 1.08 is crossed, or was, or is not reached yet
  test('lives are of windows that have not crossed yet', async () => {
    const { json, out } = await evaluation('lives.json', '--threshold', '1.08');
    expect(out).toMatch(/PHM08/);
    const { methods, crossedAlready } = json.life!;
    expect(methods.map(({ name }) => name)).toEqual(json.methods.map(({ name }) => name));
    expect(crossedAlready).toBeGreaterThan(0);
    for (const { name, windows, notCrossing, rmse } of methods) {
      const each = name.endsWith('sample') ? 9 : 1;
      expect(windows + notCrossing).toBe(each * (json.windows - crossedAlready));
      expect(windows).toBeGreaterThan(0);
      expect(rmse).not.toBeNull();
    }
  });

  test('a threshold that all windows have crossed is said, not divided by', async () => {
    const { json, out } = await evaluation('past.json', '--threshold', '2');
    expect(out).toMatch(/Every window has crossed the threshold 2 already/);
    expect(json.life).toMatchObject({ crossedAlready: json.windows, methods: [] });
  });
});
