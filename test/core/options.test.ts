import { expect, test } from '@jest/globals';
import { z } from 'zod';

import {
  ConfigError,
  Registry,
  RegistryError,
  backendNames,
  nearestName,
  resolveOptions,
  selectBackend,
} from '@rollcast/core';

const schema = z.strictObject({
  gamma: z.number().min(0).max(1).default(0.99),
  clipRange: z.number().gt(0).default(0.2),
  inner: z.strictObject({ target: z.number().optional() }).prefault({}),
});

function problems(input: unknown): ConfigError {
  try {
    resolveOptions(schema, input, 'ppo');
  } catch (error) {
    if (error instanceof ConfigError) return error;
  }
  throw new Error('nothing was refused');
}

test('what is left out is filled in', () => {
  expect(resolveOptions(schema, undefined, 'ppo')).toEqual({ gamma: 0.99, clipRange: 0.2, inner: {} });
});

test('every problem is reported at once, each with its path', () => {
  const { issues } = problems({ gamma: 2, clipRnge: 0.1, inner: { tarjet: 1 } });
  expect(issues.map((issue) => issue.path).sort()).toEqual(['ppo.clipRnge', 'ppo.gamma', 'ppo.inner.tarjet']);
});

test('an unknown option suggests the nearest, inner ones included', () => {
  expect(problems({ clipRnge: 0.1 }).message).toBe(
    'ppo.clipRnge: unknown option. Did you mean "clipRange"? Known: gamma, clipRange, inner.',
  );
  expect(problems({ inner: { tarjet: 1 } }).message).toContain('Did you mean "target"?');
});

test('a value out of range says what came', () => {
  expect(problems({ gamma: 2 }).message).toMatch(/^ppo\.gamma: .*got 2\.$/);
  expect(problems({ gamma: 'high' }).message).toMatch(/number.*got "high"\.$/);
});

test('names that are far from every known one suggest nothing', () => {
  expect(nearestName('PPO', ['ppo', 'reinforce'])).toBe('ppo');
  expect(nearestName('completely-else', ['ppo', 'reinforce'])).toBeUndefined();
});

test('a registry knows its entries by name, once, in order', () => {
  const registry = new Registry<{ description: string }>('algorithm');
  registry.register('reinforce', { description: 'r' });
  registry.register('ppo', { description: 'p' });
  expect(registry.names()).toEqual(['ppo', 'reinforce']);
  expect(registry.list()[0]).toEqual(['ppo', { description: 'p' }]);
  expect(() => registry.register('ppo', { description: 'again' })).toThrow(RegistryError);
  expect(() => registry.get('reinforc')).toThrow(
    'Unknown algorithm "reinforc". Known: ppo, reinforce. Did you mean "reinforce"?',
  );
});

test('an unknown backend suggests the nearest', async () => {
  await expect(selectBackend('wsm')).rejects.toThrow('Did you mean "wasm"?');
  expect(backendNames).toContain('tensorflow-gpu');
  await expect(selectBackend('cpu')).resolves.toBe('cpu');
});
