import { beforeAll, describe, expect, test } from '@jest/globals';

import { selectBackend, tf } from '@rollcast/core';

import {
  measureSpeed,
  speedTables,
  tasksNamed,
  type SpeedTask,
} from '../../../packages/cli/src/bench/speed/measure.js';
import { speedTasks } from '../../../packages/cli/src/bench/speed/tasks.js';
import { knownEnvironments } from '../../../packages/cli/src/environments.js';
import { renderTextTable } from '../../../packages/cli/src/report/table.js';
import { temporaryFolder } from '../../support/temporary.js';
import { rollcast } from '../support.js';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

beforeAll(async () => {
  await selectBackend('auto');
});

describe('every part', () => {
  test.each(speedTasks.map((task) => [`${task.group}: ${task.name}`, task] as const))(
    '%s runs and leaves no tensor',
    async (_, task) => {
      const before = tf.memory().numTensors;
      const { run, dispose } = await task.prepare();
      run();
      const during = tf.memory().numTensors;
      run();
      expect(tf.memory().numTensors).toBe(during);
      await dispose?.();
      expect(tf.memory().numTensors).toBe(before);
      expect(task.perCall).toBeGreaterThan(0);
    },
  );

  test('names are different', () => {
    expect(new Set(speedTasks.map(({ name }) => name)).size).toBe(speedTasks.length);
  });

  test('every step environment is measured alone and in a batch', () => {
    const names = knownEnvironments()
      .list()
      .flatMap(([name, { kind }]) => (kind === 'step' ? [name] : []));
    expect(names.length).toBeGreaterThan(5);
    for (const name of names)
      expect(tasksNamed(name, speedTasks).map((task) => task.name)).toEqual([
        `${name}, alone`,
        `${name}, 64 instances`,
      ]);
  });
});

const counting = (counts: Record<string, number>): SpeedTask => ({
  ...{ group: 'Tests', name: 'counting', unit: 'calls', perCall: 3 },
  prepare: () => {
    counts['prepared']++;
    return { run: () => counts['run']++, dispose: () => void counts['disposed']++ };
  },
});

test('a part is prepared once, run at least five times and disposed', async () => {
  const counts = { prepared: 0, run: 0, disposed: 0 };
  const done: number[] = [];
  const [result] = await measureSpeed([counting(counts)], 0.001, (n) => done.push(n));
  expect(counts).toMatchObject({ prepared: 1, disposed: 1 });
  expect(result.calls).toBeGreaterThanOrEqual(5);
  expect(counts.run).toBeGreaterThan(result.calls); // and the warm-up
  expect(result.perSecond * result.secondsPerCall).toBeAllClose(3, { atol: 1e-9 }); // three are made a call
  expect(done).toEqual([1]);
});

test('a part that throws ends the measurement with its message, and is disposed', async () => {
  let disposed = false;
  const part: SpeedTask = {
    ...{ group: 'Tests', name: 'broken', unit: 'calls', perCall: 1 },
    prepare: () => ({
      run: () => {
        throw new Error('no such kernel');
      },
      dispose: () => void (disposed = true),
    }),
  };
  await expect(measureSpeed([part], 0.001)).rejects.toThrow('no such kernel');
  expect(disposed).toBe(true);
});

test('parts are chosen by words of their name or group', () => {
  const names = (words: string): string[] => tasksNamed(words, speedTasks).map(({ name }) => name);
  expect(names('Acrobot-v1, alone')).toEqual(['acrobot-v1, alone']);
  expect(names('policy of 2').length).toBeGreaterThan(3);
  expect(() => names('acrobat')).toThrow(/--speed "acrobat" names nothing that is measured.*groups?: /);
});

test('a table a group, with the rate of what is counted, not of calls', () => {
  const result = { unit: 'tokens', calls: 12, margin: 0.0391 };
  const [model, parts] = speedTables([
    { ...result, group: 'Model', name: 'generate', perSecond: 41_963.4, secondsPerCall: 0.091507 },
    { ...result, group: 'Parts', name: 'a longer name', perSecond: 7_394_871, secondsPerCall: 25.123e-6 },
  ]).map(renderTextTable);
  expect(model).toMatch(/^Model\n/);
  expect(model).toMatch(/generate +42 000 +tokens +91\.5 ms +3\.9 %/);
  expect(parts).toMatch(/a longer name +7 390 000 +tokens +25\.1 µs +3\.9 %/);
  const columns = (text: string): number => text.split('\n')[1].indexOf('a second');
  expect(columns(model)).toBe(columns(parts));
});

test('rollcast bench --speed WORDS prints the table and writes JSON', async () => {
  const json = join(temporaryFolder(), 'speed.json');
  const flags = ['--speed', 'act in 4', '--speed-seconds', '0.01', '--json', json];
  const { code, out } = await rollcast('bench', ...flags);
  expect(code).toBe(0);
  expect(out).toMatch(/act in 4 environments +[\d ]+ +actions +[\d.]+ [µm]s/);
  expect(JSON.parse(readFileSync(json, 'utf8'))).toEqual([
    {
      group: expect.stringMatching(/CartPole/),
      name: 'act in 4 environments',
      unit: 'actions',
      perSecond: expect.any(Number),
      secondsPerCall: expect.any(Number),
      margin: expect.any(Number),
      calls: expect.any(Number),
    },
  ]);
});
