import { describe, expect, test } from '@jest/globals';

import { EnvironmentError, vectorise, type InPlaceEnvironment } from '@rollcast/core';
import { Acrobot, CartPole, MountainCar, MountainCarContinuous, Pendulum } from '@rollcast/envs';

interface Case {
  readonly make: () => InPlaceEnvironment;
  /** Range of each number of the start. */
  readonly start: readonly (readonly [low: number, high: number])[];
  readonly action: number | number[];
  readonly badActions: readonly (number | number[])[];
}

const around = (limit: number): readonly [number, number] => [-limit, limit];
const four = (limit: number) => Array.from({ length: 4 }, () => around(limit));

const cases: Record<string, Case> = {
  'cart-pole-v1': {
    make: () => new CartPole(),
    start: four(0.05),
    action: 1,
    badActions: [2, -1, 0.5, NaN, [1]],
  },
  'acrobot-v1': { make: () => new Acrobot(), start: four(0.1), action: 2, badActions: [3, -1, 1.5] },
  'mountain-car-v0': {
    make: () => new MountainCar(),
    start: [[-0.6, -0.4], around(0)],
    action: 2,
    badActions: [3, -1],
  },
  'mountain-car-continuous-v0': {
    make: () => new MountainCarContinuous(),
    start: [[-0.6, -0.4], around(0)],
    action: [0.5],
    badActions: [[NaN], [1, 1], 1],
  },
  'pendulum-v1': {
    make: () => new Pendulum(),
    start: [around(Math.PI), around(1)],
    action: [0.5],
    badActions: [[NaN], [Infinity], [1, 1], 1],
  },
};

describe.each(Object.entries(cases))('%s', (name, { make, start, action, badActions }) => {
  test('starts are uniform over the documented range', () => {
    const environment = make();
    const starts = Array.from({ length: 1000 }, (_, seed) => {
      environment.reset(seed);
      return environment.state();
    });
    start.forEach(([low, high], i) => {
      const values = starts.map((state) => state[i]);
      const [width, middle] = [high - low, (high + low) / 2];
      expect(Math.min(...values)).toBeGreaterThanOrEqual(low);
      expect(Math.max(...values)).toBeLessThanOrEqual(high);
      // standard deviation of the mean: width/√12/√1000 ≈ 0.009 width
      expect(values.reduce((sum, x) => sum + x, 0) / 1000).toBeAllClose(middle, {
        atol: 0.04 * width + 1e-12,
      });
      expect(Math.max(...values) - Math.min(...values)).toBeGreaterThanOrEqual(0.97 * width);
    });
  });

  test('an episode is a function of seed and actions', () => {
    const run = (seed: number) => {
      const environment = make();
      const seen = [...environment.reset(seed)];
      for (let i = 0; i < 5; i++) seen.push(...environment.step(action).observation);
      return seen;
    };
    expect(run(3)).toEqual(run(3));
    expect(run(3)).not.toEqual(run(4));
  });

  test('an episode goes on bit for bit from its state', () => {
    const [environment, other] = [make(), make()];
    environment.reset(5);
    environment.step(action);
    other.restore(JSON.parse(JSON.stringify(environment.state())));
    for (let i = 0; i < 5; i++) expect(other.step(action)).toEqual(environment.step(action));
  });

  test('observations lie in the space', () => {
    const environment = make();
    expect(environment.observationSpace.contains(environment.reset(1))).toBe(true);
    for (let i = 0; i < 5; i++)
      expect(environment.observationSpace.contains(environment.step(action).observation)).toBe(true);
  });

  test('steps the same in a batch as alone', async () => {
    const environments = await vectorise(make, { count: 2 });
    environments.reset(7);
    const { instances } = environments.state() as {
      instances: { environment: { state: { inner: unknown } } }[];
    };
    const alone = make();
    alone.restore(instances[1].environment.state.inner);
    const actions = environments.actionSpace.kind === 'box' ? Float32Array.of(0, 0.5) : Int32Array.of(0, 1);
    const { observations, rewards } = environments.step(actions);
    const result = alone.step(environments.actionSpace.kind === 'box' ? [0.5] : 1);
    expect([...observations.slice(observations.length / 2)]).toEqual([...result.observation]);
    expect(rewards[1]).toBe(result.reward);
  });

  test('a step before reset is refused', () => {
    const text = `${name}: step needs a running episode; there is none yet or it has ended. Call reset(seed) first.`;
    expect(() => make().step(action)).toThrow(new EnvironmentError(text));
  });

  test('an action that cannot be taken is refused', () => {
    const environment = make();
    environment.reset(0);
    for (const bad of badActions) {
      expect(() => environment.step(bad)).toThrow(
        `${name}: an action is ${environment.actionSpace.describe()}; got `,
      );
    }
  });

  test('a state of another form is refused', () => {
    const environment = make();
    for (const bad of [[1], 'x', null, environment.state().map(() => NaN)])
      expect(() => environment.restore(bad)).toThrow('restore needs the');
  });
});

test('CartPole ends beyond 2.4 m and 12°, pays for the last step too, and refuses to go on', () => {
  const environment = new CartPole();
  for (const [state, terminated] of [
    [[2.39, 0.4, 0, 0], false], // 2.39 + 0.02 · 0.4 = 2.398
    [[2.39, 0.6, 0, 0], true], // 2.402
    [[-2.39, -0.6, 0, 0], true],
    [[0, 0, 0.2, 0.4], false], // 0.2 + 0.02 · 0.4 = 0.208; 12° are 0.20944
    [[0, 0, 0.2, 0.5], true], // 0.21
    [[0, 0, -0.2, -0.5], true],
  ] as const) {
    environment.restore([...state]);
    const result = environment.step(1);
    expect([result.reward, result.terminated]).toEqual([1, terminated]);
  }
  expect(() => environment.step(1)).toThrow('it has ended. Call reset(seed) first.');
});

test('CartPole pays as Sutton and Barto do when asked', () => {
  const environment = new CartPole({ suttonBartoReward: true });
  environment.restore([0, 0, 0, 0]);
  expect(environment.step(1).reward).toBe(0);
  environment.restore([3, 0, 0, 0]);
  expect(environment.step(1).reward).toBe(-1);
});

test('MountainCar arrives at 0.5 only as fast as asked, and stops at the left wall', () => {
  for (const [goalVelocity, arrives] of [
    [0, true],
    [0.05, false],
  ] as const) {
    const environment = new MountainCar({ goalVelocity });
    environment.restore([0.49, 0.02]);
    expect(environment.step(2).terminated).toBe(arrives);
    environment.restore([-1.19, -0.05]);
    environment.step(0);
    expect(environment.state()).toEqual([-1.2, 0]);
  }
});

test('MountainCarContinuous pays 100 at the goal less a tenth of the squared force, clipped or not', () => {
  const environment = new MountainCarContinuous();
  environment.restore([0.44, 0.03, 0]);
  const result = environment.step([2]);
  expect([result.terminated, result.reward]).toEqual([true, 100 - 2 ** 2 * 0.1]);
});

test('Pendulum takes a torque beyond ±2 as ±2 and swings by its gravity', () => {
  const stepFrom = (torque: number, gravity?: number) => {
    const environment = new Pendulum({ gravity });
    environment.restore([1, 0]);
    return environment.step([torque]).observation[2];
  };
  expect(stepFrom(5)).toBe(stepFrom(2));
  expect(stepFrom(0, 0)).toBe(0);
  expect(stepFrom(0, 10)).toBeAllClose(0.05 * 15 * Math.sin(1), { atol: 1e-7 });
});

test('options are checked', () => {
  expect(() => new Pendulum({ gravty: 1 } as never)).toThrow(
    /pendulum\.gravty: unknown option\. Did you mean "gravity"\?/,
  );
});
