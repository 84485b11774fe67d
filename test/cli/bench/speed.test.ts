import { beforeAll, describe, expect, test } from '@jest/globals';

import { selectBackend, tf } from '@rollcast/core';

import { measureSpeed, speedTable, speedTasks } from '../../../packages/cli/src/bench/speed.js';
import { renderTextTable } from '../../../packages/cli/src/report/table.js';

beforeAll(async () => {
  await selectBackend('auto');
});

describe('every part', () => {
  test.each(speedTasks.map((task) => [task.name, task] as const))(
    '%s runs and leaves no tensor',
    (_, task) => {
      const before = tf.memory().numTensors;
      const { run, dispose } = task.prepare();
      run();
      const during = tf.memory().numTensors;
      run();
      expect(tf.memory().numTensors).toBe(during);
      dispose?.();
      expect(tf.memory().numTensors).toBe(before);
      expect(task.perCall).toBeGreaterThan(0);
    },
  );

  test('names are different', () => {
    expect(new Set(speedTasks.map(({ name }) => name)).size).toBe(speedTasks.length);
  });
});

test('a part is prepared once, run at least five times and disposed', async () => {
  const counts = { prepared: 0, run: 0, disposed: 0 };
  const done: number[] = [];
  const part = {
    name: 'counting',
    unit: 'calls',
    perCall: 1,
    prepare: () => {
      counts.prepared++;
      return { run: () => counts.run++, dispose: () => counts.disposed++ };
    },
  };
  const [result] = await measureSpeed(0.001, (n) => done.push(n), [part]);
  expect(counts).toMatchObject({ prepared: 1, disposed: 1 });
  expect(result.calls).toBeGreaterThanOrEqual(5);
  expect(counts.run).toBeGreaterThan(result.calls); // and the warm-up
  expect(done).toEqual([1]);
});

test('a part that throws ends the measurement with its message, and is disposed', async () => {
  let disposed = false;
  const part = {
    name: 'broken',
    unit: 'calls',
    perCall: 1,
    prepare: () => ({
      run: () => {
        throw new Error('no such kernel');
      },
      dispose: () => (disposed = true),
    }),
  };
  await expect(measureSpeed(0.001, undefined, [part])).rejects.toThrow('no such kernel');
  expect(disposed).toBe(true);
});

test('the rate is that of what is counted, not of calls', () => {
  const table = speedTable([
    { name: 'tokens', unit: 'tokens', perSecond: 41963.4, margin: 0.0391, calls: 12 },
  ]);
  expect(renderTextTable(table)).toMatch(/tokens +41963 +tokens +3\.9 % +12/);
});
