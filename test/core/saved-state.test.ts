import { describe, expect, test } from '@jest/globals';

import {
  CheckpointError,
  EpisodeStatistics,
  NormaliseObservations,
  NormaliseRewards,
  vectorise,
} from '@rollcast/core';
import { CartPole } from '@rollcast/envs';

const normalised = async () =>
  new NormaliseRewards(new NormaliseObservations(await vectorise(() => new CartPole(), { count: 2 })));

type Json = { [key: string]: Json } & Json[];

/** What was saved, with one thing in it changed. */
function changed(state: unknown, change: (state: Json) => void): unknown {
  const copy = JSON.parse(JSON.stringify(state)) as Json;
  change(copy);
  return copy;
}

describe('what a checkpoint says is looked at before a run goes on from it', () => {
  test.each<[string, (rewards: Json) => void, RegExp]>([
    [
      'a negative variance',
      ({ inner }) => (inner.own.variance[0] = -1 as never),
      /statistics of a normaliser.*variance\.0/,
    ],
    ['a mean too few', ({ inner }) => inner.own.mean.pop(), /statistics of a normaliser.*mean/],
    [
      'no count',
      ({ own }) => delete (own.moments as Partial<Json>).count,
      /statistics of a normaliser.*count/,
    ],
    [
      'a return that is text',
      ({ own }) => (own.returns[1] = 'x' as never),
      /returns of a normaliser.*returns\.1/,
    ],
    [
      'an observation that is null',
      ({ inner }) => (inner.inner.instances[1].observation[0] = null as never),
      /episodes in progress.*instances\.1\.observation\.0/,
    ],
    [
      'half an episode',
      ({ inner }) => (inner.inner.instances[0].episode = 0.5 as never),
      /episodes in progress.*episode/,
    ],
  ])('%s is refused, by name', async (_, change, message) => {
    const environment = await normalised();
    environment.reset(1);
    environment.step(Int32Array.of(0, 1));
    const state: unknown = environment.state();
    expect(() => environment.restore(changed(state, change))).toThrow(CheckpointError);
    expect(() => environment.restore(changed(state, change))).toThrow(message);
    expect([...environment.restore(state)].every(Number.isFinite)).toBe(true);
    await environment.close();
  });

  test.each([
    [{ steps: 1e308, recentReturns: [] }],
    [{ steps: -1, recentReturns: [] }],
    [{ steps: 1, recentReturns: [null] }],
    [{ steps: 1 }],
    [null],
  ])('counts %p are refused, and those of before stay', (state) => {
    const statistics = new EpisodeStatistics();
    statistics.add(7, [2]);
    expect(() => statistics.restore(state as never)).toThrow(/counts of steps and episodes cannot be used/);
    expect([statistics.stepsDone, statistics.recentReturn]).toEqual([7, 2]);
  });
});
