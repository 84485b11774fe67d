import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import { jobName, planJobs, trainCommand, type BenchPlan } from '../../../packages/cli/src/bench/job.js';
import { failureMessage, stepsSoFar } from '../../../packages/cli/src/bench/result.js';
import { runJobs, type BenchProgress } from '../../../packages/cli/src/bench/runner.js';
import { temporaryFolder } from '../../support/temporary.js';
import { fakeTraining, type Behaviour } from './fake-training.js';

const plan: BenchPlan = {
  algorithms: [
    { name: 'reinforce', kinds: ['sequence', 'step'] },
    { name: 'ppo', kinds: ['sequence', 'step'] },
  ],
  environments: [{ name: 'cart-pole-v1', kind: 'step' }],
  seed: 3,
  seeds: 2,
  steps: 1000,
  settings: [],
  trainFlags: [],
  stepFlags: [],
};
const jobs = planJobs(plan);
const started = (out: string): string[] =>
  existsSync(join(out, 'started.txt'))
    ? readFileSync(join(out, 'started.txt'), 'utf8').trim().split('\n')
    : [];

describe('jobs', () => {
  test('one a combination, seed by seed', () => {
    expect(jobs.map(({ algorithm, seed }) => [algorithm, seed])).toEqual([
      ['reinforce', 3],
      ['ppo', 3],
      ['reinforce', 4],
      ['ppo', 4],
    ]);
  });

  test('a setting goes to its algorithm, one of the environment to all', () => {
    const [reinforce, ppo] = planJobs({ ...plan, settings: ['ppo.gamma=0.9', 'env.size=3'] });
    expect(reinforce.settings).toEqual(['env.size=3']);
    expect(ppo.settings).toEqual(['ppo.gamma=0.9', 'env.size=3']);
  });

  test('flags and settings of one kind of environment go to that kind', () => {
    const mixed = planJobs({
      ...plan,
      environments: [...plan.environments, { name: 'token-copy-v1', kind: 'sequence' }],
      settings: ['policy.hidden=[32]', 'model.width=16', 'ppo.gamma=0.9'],
      trainFlags: ['--backend', 'wasm'],
      stepFlags: ['--preset', 'zoo'],
    });
    const [onSteps, onTokens] = mixed.filter(({ algorithm, seed }) => algorithm === 'ppo' && seed === 3);
    expect(onSteps).toMatchObject({
      environment: 'cart-pole-v1',
      settings: ['policy.hidden=[32]', 'ppo.gamma=0.9'],
      trainFlags: ['--backend', 'wasm', '--preset', 'zoo'],
    });
    expect(onTokens).toMatchObject({
      environment: 'token-copy-v1',
      settings: ['model.width=16', 'ppo.gamma=0.9'],
      trainFlags: ['--backend', 'wasm'],
    });
  });

  test('a combination that cannot be is there, with the reason', () => {
    const withRloo = [...plan.algorithms, { name: 'rloo', kinds: ['sequence'] as const }];
    expect(planJobs({ ...plan, algorithms: withRloo, seeds: 1 }).map(({ skipped }) => skipped)).toEqual([
      undefined,
      undefined,
      'rloo acts on sequence environments, and cart-pole-v1 is a step environment',
    ]);
  });

  test('other settings, steps, seeds and paths give other names', () => {
    const others = [
      ...jobs,
      ...planJobs({ ...plan, steps: 10 }),
      ...planJobs({ ...plan, settings: ['env.size=3'] }),
      ...planJobs({ ...plan, trainFlags: ['--backend', 'wasm'] }),
      ...planJobs({ ...plan, environments: [{ name: './a/env.ts', kind: 'step' }] }),
      ...planJobs({ ...plan, environments: [{ name: './b/env.ts', kind: 'step' }] }),
    ].map(jobName);
    expect(new Set(others).size).toBe(others.length);
    expect(others.every((name) => /^[\w-]+$/.test(name))).toBe(true);
    expect(jobName(jobs[0])).toBe('reinforce-cart-pole-v1-1000-seed-3');
  });

  test('the command is rollcast train, in this Node', () => {
    const [, job] = planJobs({ ...plan, settings: ['ppo.gamma=0.9'], trainFlags: ['--backend', 'wasm'] });
    const { program, args } = trainCommand(job, 'runs/bench/x');
    expect(program).toBe(process.execPath);
    expect(existsSync(args[0])).toBe(true);
    expect(args[0]).toMatch(/cli.bin.rollcast\.js$/);
    expect(args.slice(1).join(' ')).toBe(
      'train --env cart-pole-v1 --algo ppo --seed 3 --steps 1000 --out runs/bench/x --set ppo.gamma=0.9 --backend wasm',
    );
  });
});

describe('runs', () => {
  test('results come in the order of the jobs, whichever ends first', async () => {
    const out = temporaryFolder();
    const { runs, stopped } = await runJobs(jobs, { out, parallel: 3, command: fakeTraining(out) });
    expect(stopped).toBe(false);
    expect(runs.map((run) => [run.algorithm, run.seed, run.finalReturn, run.status])).toEqual([
      ['reinforce', 3, 300, 'finished'],
      ['ppo', 3, 350, 'finished'],
      ['reinforce', 4, 400, 'finished'],
      ['ppo', 4, 450, 'finished'],
    ]);
    expect(runs[0].curve).toHaveLength(4);
    expect(runs[0].seconds).toBeGreaterThan(0);
  });

  test.each<[Behaviour, string]>([
    ['fails', 'failed: The loss "policy" is NaN after update 3.'],
    ['throws', 'failed: TypeError: x is not a function'],
    ['garbage', 'failed: result.json is damaged: it is not JSON'],
    ['no result', 'failed: the training ended without result.json; its log may say why'],
    ['wrong result', 'failed: result.json.finalReturn'],
    ['no episode', 'failed: no episode ended in 1000 steps; train for more with --steps'],
  ])('a training that %p is a row, not the end', async (behaviour, status) => {
    const out = temporaryFolder();
    const command = fakeTraining(out, ({ algorithm }) => (algorithm === 'ppo' ? behaviour : 'well'));
    const { runs } = await runJobs(jobs.slice(0, 2), { out, parallel: 1, command });
    expect(runs[0].status).toBe('finished');
    expect(runs[1]).toMatchObject({ finalReturn: null, stepsPerSecond: null, curve: [], steps: 500 });
    expect(runs[1].status.startsWith(status)).toBe(true);
    expect(runs[1].status).not.toContain('\n');
  });

  test('a program that cannot be started is a row', async () => {
    const out = temporaryFolder();
    const command = () => ({ program: join(out, 'nothing-here'), args: [] });
    const { runs } = await runJobs(jobs.slice(0, 1), { out, parallel: 1, command });
    expect(runs[0].status).toMatch(/^failed: spawn .*nothing-here ENOENT$/);
  });

  test('what finished is not run again; what failed is', async () => {
    const out = temporaryFolder();
    const options = { out, parallel: 1 };
    const failing = fakeTraining(out, ({ algorithm }) => (algorithm === 'ppo' ? 'fails' : 'well'));
    await runJobs(jobs.slice(0, 2), { ...options, command: failing });
    const { runs } = await runJobs(jobs.slice(0, 3), { ...options, command: fakeTraining(out) });
    expect(runs.map(({ status }) => status)).toEqual(['finished', 'finished', 'finished']);
    expect(started(out)).toEqual([
      'reinforce cart-pole-v1 3',
      'ppo cart-pole-v1 3',
      'ppo cart-pole-v1 3',
      'reinforce cart-pole-v1 4',
    ]);
  });

  test.each([
    ['of other settings', '"steps":1000', '"steps":2000'],
    ['of another version', '"rollcast":"', '"rollcast":"0.0.0-'],
  ])('a result %s is replaced', async (_, from, to) => {
    const out = temporaryFolder();
    const options = { out, parallel: 1, command: fakeTraining(out) };
    await runJobs(jobs.slice(0, 1), options);
    const file = join(out, `${jobName(jobs[0])}.json`);
    const before = readFileSync(file, 'utf8');
    expect(before).toContain(from);
    writeFileSync(file, before.replaceAll(from, to));
    const { runs } = await runJobs(jobs.slice(0, 1), options);
    expect(runs[0].status).toBe('finished');
    expect(started(out)).toHaveLength(2);
    expect(readFileSync(file, 'utf8')).toContain(from);
  });

  test('a run folder whose record cannot be read may be anyone’s', async () => {
    const out = temporaryFolder();
    const options = { out, parallel: 1, command: fakeTraining(out) };
    await runJobs(jobs.slice(0, 1), options);
    writeFileSync(join(out, `${jobName(jobs[0])}.json`), '{"rollcast":"0.1');
    await expect(runJobs(jobs.slice(0, 1), options)).rejects.toThrow(/was not made by rollcast bench/);
    expect(started(out)).toHaveLength(1);
  });

  test('a folder that no benchmark made is left alone, and nothing is started', async () => {
    const out = temporaryFolder();
    const taken = join(out, jobName(jobs[1]));
    mkdirSync(taken);
    writeFileSync(join(taken, 'thesis.txt'), 'mine');
    await expect(runJobs(jobs, { out, parallel: 2, command: fakeTraining(out) })).rejects.toThrow(
      /ppo-cart-pole-v1-1000-seed-3 is there and was not made by rollcast bench; move it/,
    );
    expect(readdirSync(taken)).toEqual(['thesis.txt']);
    expect(started(out)).toEqual([]);
  });

  test('stopping ends a training that does not listen, keeps what finished, and the next call goes on', async () => {
    const out = temporaryFolder();
    const abort = new AbortController();
    const command = fakeTraining(out, ({ algorithm }) => (algorithm === 'ppo' ? 'hangs' : 'well'));
    const first = await runJobs(jobs, {
      out,
      parallel: 1,
      command,
      signal: abort.signal,
      grace: 100,
      progressEvery: 20,
      onProgress: ({ steps }) => {
        if (steps === 1500) abort.abort(); // one run of 1000, and half of the one that hangs
      },
    });
    expect(first.stopped).toBe(true);
    expect(first.runs.map(({ algorithm, seed }) => [algorithm, seed])).toEqual([['reinforce', 3]]);
    expect(started(out)).toEqual(['reinforce cart-pole-v1 3', 'ppo cart-pole-v1 3']);

    const second = await runJobs(jobs, { out, parallel: 1, command: fakeTraining(out) });
    expect(second.stopped).toBe(false);
    expect(second.runs.map(({ status }) => status)).toEqual(Array(4).fill('finished'));
    expect(started(out)).toHaveLength(5);
  });

  test('nothing is started when it is stopped before the start', async () => {
    const out = temporaryFolder();
    const { runs, stopped } = await runJobs(jobs, {
      out,
      parallel: 2,
      command: fakeTraining(out),
      signal: AbortSignal.abort(),
    });
    expect([runs, stopped]).toEqual([[], true]);
    expect(started(out)).toEqual([]);
  });

  test('progress counts runs, failures and steps', async () => {
    const out = temporaryFolder();
    const seen: BenchProgress[] = [];
    const command = fakeTraining(out, ({ seed }) => (seed === 4 ? 'fails' : 'well'));
    await runJobs(jobs, { out, parallel: 1, command, onProgress: (progress) => seen.push(progress) });
    expect(seen.at(-1)).toEqual({ ended: 4, failed: 2, steps: 4000 });
  });
});

describe('what a training left', () => {
  test('the steps so far are those of the last whole line', () => {
    const folder = temporaryFolder();
    expect(stepsSoFar(folder)).toBe(0);
    writeFileSync(
      join(folder, 'metrics.jsonl'),
      '{"update":1,"time/steps":128}\n{"update":2,"time/steps":256}\n{"upd',
    );
    expect(stepsSoFar(folder)).toBe(256);
    writeFileSync(join(folder, 'metrics.jsonl'), `${'{"time/steps":7}\n'.repeat(5000)}{"time/steps":9}\n`);
    expect(stepsSoFar(folder)).toBe(9);
    writeFileSync(join(folder, 'metrics.jsonl'), 'not json\n');
    expect(stepsSoFar(folder)).toBe(0);
  });

  test.each([
    ['step 1\nerror: first\nerror: No such data.\n(add --help)\n', 1, null, 'No such data.'],
    ['a.js:3\n  x()\n  ^\n\nRangeError: too far\n    at a.js:3\n', 1, null, 'RangeError: too far'],
    [
      '<--- Last few GCs --->\nFATAL ERROR: heap out of memory\n',
      134,
      null,
      'FATAL ERROR: heap out of memory',
    ],
    ['', 3, null, 'the process ended with exit code 3'],
    ['training: 3/9 updates\r', null, 'SIGKILL', 'the process was ended by SIGKILL'],
  ])('the message of the log %j', (log, code, signal, message) => {
    expect(failureMessage(log, code, signal)).toBe(message);
  });
});
