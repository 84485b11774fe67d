import { describe, expect, test } from '@jest/globals';

import { RandomStream } from '@rollcast/core';

import { commonSteps, sampleCurve } from '../../../packages/cli/src/bench/curves.js';
import {
  normalisationOf,
  normalise,
  referenceScores,
} from '../../../packages/cli/src/bench/reference-scores.js';
import { benchEnvironments } from '../../../packages/cli/src/bench/plan.js';
import type { BenchRun } from '../../../packages/cli/src/bench/result.js';
import { summarise, type SummaryOptions } from '../../../packages/cli/src/bench/summary.js';
import { failedRun, finishedRun, fakeRuns, skippedOn } from './fake-runs.js';

const summary = (runs: readonly BenchRun[], more: Partial<SummaryOptions> = {}) =>
  summarise(runs, { random: new RandomStream(1, 'test'), resamples: 300, ...more });

describe('scores', () => {
  test('0 is a policy at random, 1 a solved task', () => {
    const cartPole = normalisationOf('cart-pole-v1', []);
    expect([20, 260, 500, 10].map((value) => normalise(value, cartPole))).toBeAllClose([0, 0.5, 1, -1 / 48]);
    const acrobot = normalisationOf('acrobot-v1', []);
    expect([-500, -75].map((value) => normalise(value, acrobot))).toEqual([0, 1]);
  });

  test('every environment that can be benchmarked has reference returns', () => {
    expect(Object.keys(referenceScores)).toEqual(
      expect.arrayContaining(benchEnvironments().map(({ name }) => name)),
    );
    for (const { random, solved } of Object.values(referenceScores)) expect(solved).toBeGreaterThan(random);
  });

  test('an unknown environment is measured by the lowest and highest run, and the notes say so', () => {
    const runs = [2, 4, 6].map((value, i) =>
      finishedRun({ environment: './mine.ts', seed: i, finalReturn: value }),
    );
    const { tasks, notes } = summary(runs);
    expect(tasks[0].score).toBe(0.5); // (4 − 2) / (6 − 2)
    expect(notes.join()).toMatch(
      /No reference returns are known for \.\/mine\.ts.*lowest \(2\).*highest \(6\)/,
    );
  });

  test('with changed options the known returns do not hold', () => {
    const { normalisations } = summary(fakeRuns(3), { changedEnvironments: true });
    expect(normalisations.every(({ observed }) => observed)).toBe(true);
    expect(summary(fakeRuns(3)).normalisations.some(({ observed }) => observed)).toBe(false);
  });

  test('runs that are all equal score one half', () => {
    expect(
      normalise(3, normalisationOf('./mine.ts', [finishedRun({ environment: './mine.ts', finalReturn: 3 })])),
    ).toBe(0.5);
  });
});

describe('curves', () => {
  test('common steps lie where every run has been seen', () => {
    const run = (...steps: number[]) => finishedRun({ curve: steps.map((step) => ({ step, return: 0 })) });
    const steps = commonSteps([run(10, 200), run(30, 100)]);
    expect([steps[0], steps.at(-1), steps.length]).toEqual([30, 100, 50]);
    expect(commonSteps([run(10, 20), run(30, 40)])).toEqual([]);
    expect(commonSteps([run(10, 20), run()])).toEqual([]);
    expect(commonSteps([])).toEqual([]);
  });

  test('values are linear between points and constant beyond them', () => {
    const curve = [
      { step: 10, return: 0 },
      { step: 20, return: 10 },
    ];
    expect(sampleCurve(curve, [5, 10, 12, 20, 99])).toEqual([0, 0, 2, 10, 10]);
  });
});

describe('summary', () => {
  test('by hand: two algorithms, one environment, three seeds', () => {
    // scores of cart-pole: (return − 20) / 480 → ppo 1, 1, 0.5; reinforce 0, 0.5, 0
    const runs = [
      ...[500, 500, 260].map((value, seed) => finishedRun({ algorithm: 'ppo', seed, finalReturn: value })),
      ...[20, 260, 20].map((value, seed) =>
        finishedRun({ algorithm: 'reinforce', seed, finalReturn: value }),
      ),
    ];
    const { tasks, algorithms, improvements } = summary(runs);
    expect(tasks.map((task) => task.mean?.estimate)).toBeAllClose([420, 100]);
    expect(tasks.map((task) => task.deviation!)).toBeAllClose([Math.sqrt(19200), Math.sqrt(19200)]);
    expect(tasks.map(({ least, most }) => [least, most])).toEqual([
      [260, 500],
      [20, 260],
    ]);
    expect(algorithms.map(({ aggregates }) => aggregates.interquartileMean.estimate)).toBeAllClose([
      2.5 / 3,
      0.5 / 3,
    ]);
    expect(algorithms.map(({ aggregates }) => aggregates.optimalityGap.estimate)).toBeAllClose([
      0.5 / 3,
      2.5 / 3,
    ]);
    // of nine pairs ppo wins eight and ties one (0.5 with 0.5)
    expect(improvements).toHaveLength(1);
    expect(improvements[0]).toMatchObject({ algorithm: 'ppo', other: 'reinforce' });
    expect(improvements[0].estimate).toBeAllClose(8.5 / 9);
  });

  test('equal seeds give equal numbers, and they do not depend on what else is compared', () => {
    const runs = fakeRuns(5);
    expect(summary(runs)).toEqual(summary(runs));
    const alone = summary(runs.filter(({ algorithm }) => algorithm === 'ppo')).algorithms[0];
    const beside = summary(runs).algorithms.find(({ algorithm }) => algorithm === 'ppo')!;
    expect(alone.aggregates).toEqual(beside.aggregates);
  });

  test('an interval holds its estimate, and curve and profile have one a place', () => {
    const { algorithms, thresholds, curveSteps } = summary(fakeRuns(5));
    for (const { aggregates, profile, curve } of algorithms) {
      for (const { estimate, low, high } of [...Object.values(aggregates), ...profile, ...curve]) {
        expect(low).toBeLessThanOrEqual(estimate + 1e-12);
        expect(high).toBeGreaterThanOrEqual(estimate - 1e-12);
      }
      expect(profile).toHaveLength(thresholds.length);
      expect(curve).toHaveLength(curveSteps.length);
    }
  });

  test('a failed run leaves its seed out of the statistics over environments, and a note says so', () => {
    const runs = fakeRuns(5).map((run) =>
      run.algorithm === 'ppo' && run.environment === 'acrobot-v1' && run.seed === 2 ? failedRun(run) : run,
    );
    const { algorithms, tasks, notes } = summary(runs);
    expect(algorithms.map(({ algorithm, seeds }) => [algorithm, seeds])).toEqual([
      ['reinforce', [0, 1, 2, 3, 4]],
      ['ppo', [0, 1, 3, 4]],
    ]);
    const task = (environment: string) =>
      tasks.find((one) => one.algorithm === 'ppo' && one.environment === environment)!;
    expect(task('acrobot-v1')).toMatchObject({ finished: 4, failed: 1 });
    expect(task('cart-pole-v1')).toMatchObject({ finished: 5, failed: 0 });
    expect(notes.join()).toMatch(
      /ppo: 1 failed run; .*4 of 5 seeds that finished everywhere, which flatters it/,
    );
  });

  test('an algorithm that cannot act somewhere is compared where it can, and left out of statistics over all', () => {
    const runs = skippedOn('acrobot-v1', 'ppo', fakeRuns(5));
    const { algorithms, tasks, improvements, notes } = summary(runs);
    expect(algorithms.map(({ algorithm }) => algorithm)).toEqual(['reinforce']);
    expect(
      tasks
        .filter(({ algorithm }) => algorithm === 'ppo')
        .map(({ environment, finished, failed, skipped }) => [environment, finished, failed, skipped]),
    ).toEqual([
      ['cart-pole-v1', 5, 0, false],
      ['acrobot-v1', 0, 0, true],
    ]);
    // as if only the shared environment had been run
    const shared = fakeRuns(5).filter(({ environment }) => environment === 'cart-pole-v1');
    expect(improvements).toEqual(summary(shared).improvements);
    expect(improvements[0].environments).toBe(1);
    expect(summary(fakeRuns(5)).improvements[0].environments).toBe(2);
    expect(notes.join()).toMatch(/Skipped on acrobot-v1, which takes another kind of algorithm: ppo\./);
    expect(notes.join()).not.toMatch(/failed/);
  });

  test('algorithms that are skipped on the same environments share a note; a failure elsewhere has its own', () => {
    const both = skippedOn('acrobot-v1', 'ppo', skippedOn('acrobot-v1', 'reinforce', fakeRuns(3)));
    const { notes } = summary(both.map((run, i) => (i === 0 ? failedRun(run) : run)));
    expect(notes.slice(1)).toEqual([
      expect.stringMatching(/Skipped on acrobot-v1, .*: reinforce, ppo\./),
      'reinforce: 1 failed run; it is compared by the seeds that finished, which flatters it.',
    ]);
  });

  test('algorithms without an environment in common are not compared', () => {
    const runs = skippedOn('acrobot-v1', 'ppo', skippedOn('cart-pole-v1', 'reinforce', fakeRuns(5)));
    const { algorithms, improvements, tasks } = summary(runs);
    expect([algorithms, improvements]).toEqual([[], []]);
    expect(tasks.map(({ mean }) => mean !== null)).toEqual([false, true, true, false]);
  });

  test('the curve of an environment is the mean over seeds, between its own steps', () => {
    const run = (seed: number, last: number) =>
      finishedRun({
        seed,
        curve: [
          { step: 0, return: 0 },
          { step: 490, return: last },
        ],
      });
    const { tasks, taskSteps } = summary([run(0, 100), run(1, 200), run(2, 300)], { resamples: 5000 });
    expect(taskSteps.get('cart-pole-v1')).toBeAllClose(Array.from({ length: 50 }, (_, i) => 10 * i));
    const at = tasks[0].curve[25]; // step 250 of 490
    expect(at.estimate).toBeAllClose((200 * 250) / 490);
    // one of the 27 resamples of three (3.7 %, beyond the outer 2.5 %) is three times the first run, one the last
    expect([at.low!, at.high!]).toBeAllClose([(100 * 250) / 490, (300 * 250) / 490]);
  });

  test('an algorithm that fails everywhere has rows and no statistics', () => {
    const runs = fakeRuns(3).map((run) => (run.algorithm === 'ppo' ? failedRun(run) : run));
    const { algorithms, tasks, improvements, notes } = summary(runs);
    expect(algorithms.map(({ algorithm }) => algorithm)).toEqual(['reinforce']);
    expect(improvements).toEqual([]);
    expect(tasks.filter(({ mean }) => mean === null)).toHaveLength(2);
    expect(notes.join()).toMatch(/ppo: 6 failed runs; no seed finished on every environment/);
  });

  test('when everything failed there are rows and notes', () => {
    const { tasks, algorithms, curveSteps } = summary(fakeRuns(3).map(failedRun));
    expect(tasks.map(({ failed }) => failed)).toEqual([3, 3, 3, 3]);
    expect([algorithms, curveSteps]).toEqual([[], []]);
  });

  test.each([
    [1, /One seed has no interval/],
    [2, /Two seeds have no interval/],
    [3, /3 seeds allow only 10 distinct resamples/],
    [4, /4 seeds allow only 35 distinct resamples/],
  ])('%i seeds get a note', (seeds, note) => {
    const { notes, algorithms } = summary(fakeRuns(seeds));
    expect(notes.join()).toMatch(note);
    const { low } = algorithms[0].aggregates.interquartileMean;
    expect(low === null).toBe(seeds < 3);
  });

  test('ten seeds get none', () => {
    expect(summary(fakeRuns(10)).notes).toEqual([]);
  });
});
