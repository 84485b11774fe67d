import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import { startRollcast, succeed, until, type RunningCommand } from '../support/child.js';
import { expectSameRun } from '../support/same-run.js';
import { smallCartPole, smallForecast, smallPretraining } from '../support/small-runs.js';
import { temporaryFolder } from '../support/temporary.js';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const lines = (run: string): number =>
  existsSync(join(run, 'metrics.jsonl'))
    ? readFileSync(join(run, 'metrics.jsonl'), 'utf8').split('\n').length - 1
    : 0;
const tokens = [
  'train',
  '--env',
  'token-copy-v1',
  '--batch-size',
  '4',
  '--updates',
  '3000',
  '--set',
  'model.width=8',
];

/** Starts a command, and signals it once it has made some progress. */
async function interrupted(command: readonly string[], out: string, signal: 'SIGINT' | 'SIGTERM') {
  const running = startRollcast([...command, '--out', out]);
  await until(running, () => lines(out) >= 3);
  running.child.kill(signal);
  return { running, ended: await running.ended };
}

describe('one signal: a checkpoint after the step in progress, then 130 or 143', () => {
  test.each([
    ['a step environment', 'SIGINT', 130, smallCartPole('ppo', 3000)],
    ['a sequence environment', 'SIGTERM', 143, tokens],
    ['pre-training', 'SIGTERM', 143, [...smallPretraining, '--steps', '100000']],
    ['pre-training', 'SIGINT', 130, [...smallPretraining, '--steps', '100000']],
  ] as const)('%s, %s', async (name, signal, code, command) => {
    const out = at(`${name}-${signal}`);
    const { ended } = await interrupted(command, out, signal);
    expect({ code: ended.code, signal: ended.signal }).toEqual({ code, signal: null });
    expect(ended.err).toMatch(`${signal}: stopping after this step and writing a checkpoint`);
    expect(ended.err).toMatch(
      new RegExp(`stopped after \\d+ of \\d+ .*continue with: rollcast ${command[0]} --out`),
    );
    const done = String(lines(out)).padStart(6, '0');
    expect(readdirSync(join(out, 'checkpoints')).at(-1)).toBe(`update-${done}`);
    expect(existsSync(join(out, '.lock'))).toBe(false);
  });

  test('forecasts: stopped so and resumed, the run ends as the one that was not', async () => {
    await succeed(...smallPretraining, '--steps', '2', '--out', at('pre'));
    const command = smallForecast('reinforce', 40, at('pre'));
    const { ended } = await interrupted(command, at('stopped'), 'SIGTERM');
    expect(ended.code).toBe(143);
    await succeed('train', '--resume', '--out', at('stopped'));
    await succeed(...command, '--out', at('whole'));
    expectSameRun(at('stopped'), at('whole'));
  });

  test('bench: the trainings under way are ended, and the same command goes on', async () => {
    const out = at('bench');
    const { running } = await startedBench(out);
    running.child.kill('SIGTERM');
    const { code, err } = await running.ended;
    expect(code).toBe(143);
    expect(err).toMatch(/Stopped: 0 of 2 runs are there\. The same command goes on/);
  });
});

test('a bench that is killed (SIGKILL) leaves no training behind', async () => {
  const { running, training } = await startedBench(at('killed'));
  running.child.kill('SIGKILL');
  await running.ended;
  await pause(500); // to hear of it, between two updates
  const then = lines(training);
  await pause(1000); // many updates
  expect(lines(training)).toBe(then);
});

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

/** A benchmark of hours, and the folder of a training of it that is under way. */
async function startedBench(out: string): Promise<{ running: RunningCommand; training: string }> {
  const plan = ['--algos', 'ppo', '--envs', 'cart-pole-v1', '--seeds', '2', '--steps', '100000000'];
  const running = startRollcast(['bench', ...plan, '--out', out]);
  let training: string | undefined;
  await until(running, () => {
    const runs = existsSync(out) ? readdirSync(out).map((name) => join(out, name)) : [];
    return (training = runs.find((run) => lines(run) > 0)) !== undefined;
  });
  return { running, training: training! };
}
