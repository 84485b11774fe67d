import { cpSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from '@jest/globals';

import { temporaryFolder } from '../support/temporary.js';
import { lastCheckpoint, metrics, printed, rollcast, succeed, timeless } from './support.js';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const tiny = ['--set', 'model.width=8', '--set', 'model.heads=2', '--set', 'model.layers=1'];
const short = ['--batch-size', '8', '--updates', '4', '--checkpoint-every', '2', '--seed', '3'];

const train = (name: string, ...args: string[]): Promise<string> =>
  printed('train', '--env', 'token-copy-v1', '--out', at(name), ...args);
const result = (name: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(at(name), 'result.json'), 'utf8')) as Record<string, unknown>;
const config = (name: string): Record<string, Record<string, unknown>> =>
  (
    JSON.parse(readFileSync(join(at(name), 'config.json'), 'utf8')) as {
      config: Record<string, Record<string, unknown>>;
    }
  ).config;

beforeAll(() => train('start', ...tiny, ...short, '--set', 'env.horizon=3'));

describe.each(['reinforce', 'a2c', 'ppo', 'rloo', 'grpo'])('%s from nothing', (algo) => {
  test('trained, cut and resumed is the same as not cut, byte for byte', async () => {
    await train(algo, '--algo', algo, ...tiny, ...short);
    expect(metrics(at(algo))).toHaveLength(4);
    // 4 updates of 8 sequences of 6 tokens; the return is the mean over all 32 of them
    const rewards = metrics(at(algo)).map((record) => record['reward/mean']);
    expect(result(algo)).toMatchObject({ steps: 192, stepsPerSecond: expect.any(Number) });
    expect(result(algo)['finalReturn']).toBeAllClose(rewards.reduce((a, b) => a + b) / 4, { atol: 1e-6 });
    expect((result(algo)['curve'] as { step: number }[]).map(({ step }) => step)).toEqual([48, 96, 144, 192]);
    expect(existsSync(join(at(algo), 'plots', 'return.png'))).toBe(true);

    cpSync(at(algo), at(`${algo}-cut`), { recursive: true });
    rmSync(join(at(`${algo}-cut`), 'checkpoints', 'update-000004'), { recursive: true });
    await succeed('train', '--resume', '--out', at(`${algo}-cut`));
    expect(lastCheckpoint(at(`${algo}-cut`))).toEqual(lastCheckpoint(at(algo)));
    expect(timeless(metrics(at(`${algo}-cut`)))).toEqual(timeless(metrics(at(algo))));
  });
});

test('the model speaks the tokens of the environment and sees all of them; --steps counts tokens', async () => {
  const env = ['--set', 'env.vocabularySize=5', '--set', 'env.horizon=4', '--set', 'env.contextLength=3'];
  await train('sized', ...tiny, ...env, '--batch-size', '8', '--steps', '100');
  expect(config('sized')['modelOptions']).toMatchObject({
    vocabularySize: 5,
    attentionWindow: 7,
    width: 8,
    layers: 1,
  });
  // 100 tokens are three updates of 8 × 4
  expect(config('sized')['updates']).toBe(3);
  expect(result('sized')).toMatchObject({ steps: 96 });
});

test('without --init there is no reference and no KL', () => {
  expect(config('start')['algorithmOptions']).toMatchObject({ klControl: { coefficient: 0 } });
  expect(lastCheckpoint(at('start'))).not.toHaveProperty(['reference.safetensors']);
  expect(metrics(at('start'))[0]).not.toHaveProperty(['kl/exactPerToken']);
});

describe('with --init', () => {
  const initialised = ['--init', at('start'), ...short, '--algo', 'reinforce'];

  test('the weights of that run are start and frozen reference: the KL starts at 0', async () => {
    await train('tuned', ...initialised, '--lr', '0.01');
    const { modelOptions, algorithmOptions } = config('tuned');
    expect(modelOptions).toEqual(config('start')['modelOptions']);
    expect(algorithmOptions).toMatchObject({ learningRate: 0.01, klControl: { coefficient: 0.3 } });
    const kl = metrics(at('tuned')).map((record) => record['kl/exactPerToken']);
    expect(kl[0]).toBeAllClose(0, { atol: 1e-6 });
    expect(kl[3]).toBeGreaterThan(1e-5);
    const [start, tuned] = [lastCheckpoint(at('start')), lastCheckpoint(at('tuned'))];
    expect(tuned['reference.safetensors']).toEqual(start['weights.safetensors']);
    expect(tuned['weights.safetensors']).not.toEqual(start['weights.safetensors']);
  });

  test('a resumed run has its reference, even when the run that it came from is gone', async () => {
    cpSync(at('start'), at('gone'), { recursive: true });
    await train('whole', '--init', at('gone'), ...short, '--kl-target', '0.05', '--lr', '0.01');
    cpSync(at('whole'), at('cut'), { recursive: true });
    rmSync(join(at('cut'), 'checkpoints', 'update-000004'), { recursive: true });
    rmSync(at('gone'), { recursive: true });
    await succeed('train', '--resume', '--out', at('cut'));
    expect(lastCheckpoint(at('cut'))).toEqual(lastCheckpoint(at('whole')));
    expect(timeless(metrics(at('cut')))).toEqual(timeless(metrics(at('whole'))));
  });

  test.each([
    ['other tokens', ['--set', 'env.vocabularySize=5'], 'its model speaks 8 tokens and "token-copy-v1" 5'],
    ['another model', ['--set', 'model.width=16'], 'model.width cannot be set with --init'],
  ])('%s is one message and no folder', async (_what, args, message) => {
    await refused([...initialised, ...args], message);
  });

  test('a run of another kind is refused by name', async () => {
    const step = ['--env', 'bandit-v1', '--steps', '8', '--instances', '2', '--steps-per-rollout', '4'];
    await succeed('train', ...step, '--out', at('bandit'));
    await refused(
      ['--init', at('bandit')],
      'is a run on a step environment; training on a sequence environment starts from a run on a sequence environment.',
    );
  });
});

async function refused(args: string[], message: string): Promise<void> {
  const out = at('refused');
  const { code, err } = await rollcast('train', '--env', 'token-copy-v1', ...args, '--out', out);
  expect({ code, folder: existsSync(out) }).toEqual({ code: 2, folder: false });
  expect(err).toContain(message);
  expect(err.trim().split('\n')).toHaveLength(1);
}

test.each([
  ['a flag of forecasts', ['--reward', '-mse'], '--reward means nothing with --env token-copy-v1: it is for forecasts.'],
  [
    'a flag of step environments',
    ['--preset', 'zoo'],
    '--preset means nothing with --env token-copy-v1: it is for step environments.',
  ],
  ['a vocabulary of its own', ['--set', 'model.vocabularySize=9'], '"token-copy-v1" speaks 8 tokens; got 9. Leave it out.'],
  ['an option that no model has', ['--set', 'model.widht=9'], 'model.widht: unknown option. Did you mean "width"?'],
  ['an option that the environment has not', ['--set', 'env.length=9'], 'env.length: unknown option.'],
  ['a KL without a reference', ['--kl-coef', '0.1'], '--kl-coef needs --init RUN'],
  ['the same by --set', ['--set', 'ppo.klControl.coefficient=1'], 'klControl needs --init RUN'],
  ['groups that do not divide the batch', ['--algo', 'rloo', '--batch-size', '6'], 'rloo.samplesPerContext must divide'],
  ['a start that is not there', ['--init', at('nowhere')], 'There is no run at'],
])('%s is one message and no folder', (_what, args, message) => refused(args, message)); // prettier-ignore

test('a resumed run takes another length and nothing else', async () => {
  const { code, err } = await rollcast('train', '--resume', '--out', at('start'), '--lr', '1');
  expect(code).toBe(2);
  expect(err).toContain(
    '--lr cannot be changed by --resume: a resumed run keeps its configuration. Only --updates, --backend, --device and --threads may be given.',
  );
  await succeed('train', '--resume', '--out', at('start'), '--updates', '5');
  expect(metrics(at('start'))).toHaveLength(5);
});
