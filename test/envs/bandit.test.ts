import { expect, test } from '@jest/globals';

import { EnvironmentError, vectorise } from '@rollcast/core';
import { Bandit, banditValues, bestArm, meanReward } from '@rollcast/envs';

const range = (n: number) => [...Array(n).keys()];

test('the best arm of each context earns 1, the others less, and all together 0', () => {
  for (const arms of [2, 5, 7]) {
    for (const context of range(4)) {
      const means = range(arms).map((arm) => meanReward(context, arm, arms));
      expect(means.indexOf(Math.max(...means))).toBe(bestArm(context, arms));
      expect(means[bestArm(context, arms)]).toBe(banditValues.optimal);
      expect(means.reduce((sum, mean) => sum + mean, 0) / arms).toBeAllClose(banditValues.uniform, {
        atol: 1e-15,
      });
    }
  }
});

test('contexts differ in their best arm', () => {
  expect(range(4).map((context) => bestArm(context, 5))).toEqual([1, 4, 2, 0]); // 1, 4, 7, 10 modulo 5
});

test('an episode is one pull, worth the mean of the arm plus noise', () => {
  const bandit = new Bandit({ noise: 0.5 });
  const deviations = range(2000).map((seed) => {
    const context = bandit.reset(seed);
    const result = bandit.step(2);
    expect([result.terminated, result.truncated]).toEqual([true, false]);
    return result.reward - meanReward(context, 2, 5);
  });
  const mean = deviations.reduce((sum, x) => sum + x, 0) / 2000;
  expect(mean).toBeAllClose(0, { atol: 0.045 }); // four standard deviations of 0.5/√2000
  expect(Math.sqrt(deviations.reduce((sum, x) => sum + x * x, 0) / 2000)).toBeAllClose(0.5, { atol: 0.035 });
});

test('without noise the best policy earns the optimum in a batch', async () => {
  const environments = await vectorise(() => new Bandit({ noise: 0 }), { count: 8 });
  let observations = environments.reset(1);
  const seen = new Set<number>();
  for (let step = 0; step < 20; step++) {
    const contexts = range(8).map((i) => observations.indexOf(1, i * 4) - i * 4); // one-hot
    contexts.forEach((context) => seen.add(context));
    const result = environments.step(Int32Array.from(contexts, (context) => bestArm(context, 5)));
    expect([...result.rewards]).toEqual(Array(8).fill(banditValues.optimal));
    expect(result.episodes.length).toBe(8);
    observations = result.observations;
  }
  expect(seen.size).toBe(4);
});

test('the noise goes on from a saved state', () => {
  const [bandit, other] = [new Bandit(), new Bandit()];
  bandit.reset(9);
  other.restore(JSON.parse(JSON.stringify(bandit.state())));
  expect(other.step(1)).toEqual(bandit.step(1));
});

test('a pull before reset, after the end, or of no arm is refused', () => {
  const bandit = new Bandit();
  expect(() => bandit.step(0)).toThrow(EnvironmentError);
  expect(() => bandit.state()).toThrow('state needs a running episode. Call reset(seed) first.');
  bandit.reset(0);
  expect(() => bandit.step(5)).toThrow('bandit-v1: an action is an integer from 0 to 4; got 5.');
  bandit.step(0);
  expect(() => bandit.step(0)).toThrow('it has ended. Call reset(seed) first.');
});
