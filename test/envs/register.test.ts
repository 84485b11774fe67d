import { expect, test } from '@jest/globals';

import { Registry, vectorise } from '@rollcast/core';
import { registerEnvironments, type EnvironmentEntry } from '@rollcast/envs';

const registry = new Registry<EnvironmentEntry>('environment');
registerEnvironments(registry);

test('environments are registered under their own names', () => {
  expect(registry.names()).toEqual([
    'acrobot-v1',
    'bandit-v1',
    'cart-pole-v1',
    'degradation',
    'grid-world-v1',
    'mountain-car-continuous-v0',
    'mountain-car-v0',
    'pendulum-v1',
    'token-copy-v1',
  ]);
  for (const [name, entry] of registry.list())
    if (entry.kind !== 'forecast') expect(entry.create(entry.options.parse({})).name).toBe(name);
});

test('a step environment steps the same from its entry and from its module, on workers too', async () => {
  for (const [name, entry] of registry.list()) {
    if (entry.kind !== 'step') continue;
    const workers = name === 'cart-pole-v1' ? 1 : 0; // a thread takes half a second to start
    const direct = await vectorise(() => entry.create(), { count: 2 });
    const fromModule = await vectorise(entry.source(), { count: 2, workers });
    expect(fromModule.name).toBe(name);
    expect([...fromModule.reset(3)]).toEqual([...direct.reset(3)]);
    await fromModule.close();
  }
});

test('an unknown name gives the known ones and the nearest', () => {
  expect(() => registry.get('cart-pole')).toThrow(
    /Unknown environment "cart-pole"\. Known: acrobot-v1, .*Did you mean "cart-pole-v1"\?/,
  );
});
