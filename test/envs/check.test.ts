import { describe, expect, test } from '@jest/globals';

import { Registry, Tokeniser, checkEnvironment } from '@rollcast/core';
import {
  DegradationEnvironment,
  RLDataset,
  registerEnvironments,
  simulate,
  type EnvironmentEntry,
} from '@rollcast/envs';

const registry = new Registry<EnvironmentEntry>('environment');
registerEnvironments(registry);

describe('built-in environments keep every rule of checkEnvironment', () => {
  const dataset = new RLDataset(simulate('paris-law', { units: 4 }));
  test.each(registry.list())('%s', (_, entry) => {
    const make = (): ReturnType<Parameters<typeof checkEnvironment>[0]> =>
      entry.kind === 'forecast' ? new DegradationEnvironment(dataset, new Tokeniser()) : entry.create({});
    // the clock stands still, so that a busy machine is no finding
    expect(checkEnvironment(make, { now: () => 0, steps: 1000 }).findings).toEqual([]);
  });

  test.each(['-crps', '-energyScore - 0.5*variogram', '-mse'])('the degradation job with %s', (reward) => {
    const make = () => new DegradationEnvironment(dataset, new Tokeniser(), { reward });
    expect(make().minSamplesPerContext).toBe(reward === '-mse' ? 1 : 3);
    expect(checkEnvironment(make, { now: () => 0 }).findings).toEqual([]);
  });
});
