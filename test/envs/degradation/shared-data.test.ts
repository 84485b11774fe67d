import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { describe, expect, test } from '@jest/globals';

import { baselineMetrics, loadSeries, RLDataset, type DataOptions } from '@rollcast/envs';

/** Real data beside the repository; not part of it. */
const folder = fileURLToPath(new URL('../../../../shared/data/', import.meta.url));
const present = existsSync(folder);
if (!present) console.info(`skipped: no real data in ${folder}`);

/** RMSE of the five baselines as published with the data, with as many digits as there. */
type Row = [
  file: string,
  options: Omit<DataOptions, 'files'>,
  windows: number,
  rmse: readonly [string, string, string, string, string],
  best: string,
];

const rows: Row[] = [
  ['cmapss-fd001/train_FD001.txt', { sensor: 's11' }, 3981, ['0.206', '0.156', '0.181', '0.212', '0.432'], 'line-40'],
  ['cmapss-fd001/train_FD001.txt', { healthIndex: true }, 3981, ['0.798', '0.537', '0.570', '0.603', '1.072'], 'line-40'],
  ['severson-mit/capacity_2017-05-12.csv', {}, 1840, ['0.01045', '0.00409', '0.00411', '0.00488', '0.00966'], 'line-40'],
  ['severson-mit/capacity_2017-06-30.csv', {}, 1671, ['0.01629', '0.00757', '0.00786', '0.00782', '0.01347'], 'line-40'],
  ['xjtu-battery/capacity.csv', {}, 2178, ['0.0425', '0.0348', '0.0321', '0.0243', '0.0545'], 'line-20'],
  ['calce-cs2/capacity.csv', { valueColumn: 'capacity_ah' }, 80, ['0.0521', '0.0482', '0.0464', '0.0636', '0.1509'], 'last-value-plus-slope'],
  ['virkler/virkler_odd.csv', { points: 200 }, 1360, ['6.39', '3.21', '3.07', '2.68', '1.77'], 'parabola'],
  ['nasa-battery/capacity.csv', {}, 80, ['0.1614', '0.1087', '0.1015', '0.1198', '0.2877'], 'last-value-plus-slope'],
]; // prettier-ignore

(present ? describe : describe.skip)(`real data in ${folder}`, () => {
  test.each(rows)(
    '%s %j: %i windows and the published baseline errors',
    (file, options, count, rmse, best) => {
      const set = loadSeries({ files: [folder + file], ...options });
      const windows = new RLDataset(set).evenlySpacedWindows();
      expect(windows).toHaveLength(count);
      const { methods, bestNaive } = baselineMetrics(windows, set.sign);
      // Half a unit of the last digit, and a little for values that the table rounded twice (0.034746 → 0.03475 → 0.0348).
      const lastDigit = 10 ** -(rmse[0].length - 2);
      expect(methods.map((row) => row.rmse)).toBeAllClose(rmse.map(Number), { atol: 0.55 * lastDigit });
      expect(bestNaive).toBe(best);
    },
  );

  test('batteries fall and are turned round, the health index rises', () => {
    expect(loadSeries({ files: [`${folder}nasa-battery/capacity.csv`] }).direction).toBe('falls');
    expect(loadSeries({ files: [`${folder}cmapss-fd001/train_FD001.txt`] }).direction).toBe('rises');
  });

  test('a Severson cell that is too short is skipped and named', () => {
    const set = loadSeries({ files: [`${folder}severson-mit/capacity_2017-06-30.csv`] });
    const dataset = new RLDataset(set);
    expect([set.units.length, dataset.units.length]).toEqual([43, 42]);
    expect(dataset.skipped[0].reason).toBe('36 points');
  });
});
