import { describe, expect, jest, test } from '@jest/globals';

import {
  ConfigError,
  discrete,
  multiDiscrete,
  TimeLimit,
  vectorise,
  type Environment,
  type FinishedEpisode,
} from '@rollcast/core';

import { makeNoisyWalk, NoisyWalk } from './noisy-walk.js';
import { actionsAt, Counter, messageOf, module, opened, run, still, walks } from './vector-support.js';

describe('episodes', () => {
  test('an instance whose episode is over starts the next one and hands over the last observation', async () => {
    const environments = await vectorise(() => new Counter(2), { count: 1 });
    expect([...environments.reset(0)]).toEqual([0]);
    const first = environments.step(still(1));
    expect([first.observations[0], first.terminated[0], first.episodes]).toEqual([1, 0, []]);
    const second = environments.step(still(1));
    expect(second.observations[0]).toBe(0); // of the new episode
    expect(second.finalObservations[0]).toBe(2); // of the old one
    expect([second.terminated[0], second.truncated[0]]).toEqual([1, 0]);
    expect(second.episodes).toEqual([{ instance: 0, return: 3, length: 2, terminated: true }]); // 1 + 2
    expect(environments.step(still(1)).observations[0]).toBe(1);
  });

  test('a time limit truncates, and the last observation is handed over to bootstrap from', async () => {
    const environments = await vectorise(() => new Counter(), { count: 1, maxEpisodeSteps: 3 });
    environments.reset(0);
    environments.step(still(1));
    environments.step(still(1));
    const last = environments.step(still(1));
    expect([last.terminated[0], last.truncated[0], last.finalObservations[0], last.observations[0]]).toEqual([
      0, 1, 3, 0,
    ]);
    expect(last.episodes).toEqual([{ instance: 0, return: 6, length: 3, terminated: false }]);
  });

  test('an episode that ends on the last step of its time limit counts as terminated', async () => {
    const environments = await vectorise(() => new Counter(3), { count: 1, maxEpisodeSteps: 3 });
    environments.reset(0);
    environments.step(still(1));
    environments.step(still(1));
    const last = environments.step(still(1));
    expect([last.terminated[0], last.truncated[0]]).toEqual([1, 0]);
  });

  test('an environment that ends and cuts at once has terminated', async () => {
    const both = { observation: [0], reward: 0, terminated: true, truncated: true };
    const environments = await vectorise(() => Object.assign(new Counter(), { step: () => both }));
    environments.reset(0);
    const { terminated, truncated } = environments.step(still(1));
    expect([terminated[0], truncated[0]]).toEqual([1, 0]);
  });

  test('instances end on their own, each with its own statistics', async () => {
    const lengths = [2, 3];
    let made = 0;
    const environments = await vectorise(() => new Counter(lengths[made++]), { count: 2 });
    environments.reset(0);
    const finished: FinishedEpisode[] = [];
    for (let step = 0; step < 6; step++) finished.push(...environments.step(still(2)).episodes);
    expect(finished.map(({ instance, length }) => [instance, length])).toEqual([
      [0, 2],
      [1, 3],
      [0, 2],
      [0, 2],
      [1, 3],
    ]);
  });

  test('the time limit of the environment itself holds unless another is given', async () => {
    const make = () => Object.assign(new Counter(), { maxEpisodeSteps: 2 });
    const own = await vectorise(make, {});
    own.reset(0);
    own.step(still(1));
    expect(own.step(still(1)).truncated[0]).toBe(1);
    const given = await vectorise(make, { maxEpisodeSteps: 4 });
    given.reset(0);
    given.step(still(1));
    expect(given.step(still(1)).truncated[0]).toBe(0);
  });

  test('a time limit around a single environment truncates its last step', () => {
    const limited = new TimeLimit(new Counter(), 2);
    limited.reset(0);
    expect(limited.step(0).truncated).toBe(false);
    expect(limited.step(0).truncated).toBe(true);
    expect(() => new TimeLimit(new Counter(), 0)).toThrow('maxEpisodeSteps must be an integer ≥ 1; got 0.');
  });

  test('observations of discrete spaces are one-hot', async () => {
    const make = () => ({
      name: 'pair',
      observationSpace: multiDiscrete([2, 3]),
      actionSpace: discrete(1),
      reset: () => [1, 0],
      step: () => ({ observation: [0, 2], reward: 0, terminated: false, truncated: false }),
    });
    const environments = await vectorise(make);
    expect([...environments.reset(0)]).toEqual([0, 1, 1, 0, 0]);
    expect([...environments.step(still(1)).observations]).toEqual([1, 0, 0, 0, 1]);
  });
});

describe('seeds', () => {
  test('the same seed gives the same run, another seed another one', async () => {
    const environments = await walks(3);
    const runOf = (seed: number) => [[...environments.reset(seed)], run(environments, 0, 20)];
    const first = runOf(1);
    expect(runOf(1)).toEqual(first);
    expect(runOf(2)).not.toEqual(first);
  });

  test('instances and episodes draw from streams of their own', async () => {
    const environments = await walks(3);
    const starts = new Set<number>();
    const keep = (observations: Float32Array) => observations.forEach((x, i) => i % 2 === 0 && starts.add(x));
    keep(environments.reset(5));
    let begun = 3;
    for (let step = 0; step < 30; step++) {
      const { observations, episodes } = environments.step(actionsAt(step, 3));
      for (const { instance } of episodes) starts.add(observations[2 * instance]);
      begun += episodes.length;
    }
    expect(begun).toBeGreaterThan(10);
    expect(starts.size).toBe(begun);
  });

  test('the first instances of many are those of few', async () => {
    const [few, many] = [await walks(2), await walks(5)];
    expect([...many.reset(3)].slice(0, 4)).toEqual([...few.reset(3)]);
  });
});

describe('workers', () => {
  test('0, 1 and 3 workers give the same run bit for bit, and go on from each other’s states', async () => {
    const count = 5;
    const alone = await walks(count);
    const first = [...alone.reset(11)];
    const expected = run(alone, 0, 15);
    const middle = JSON.parse(JSON.stringify(alone.state())) as unknown;
    const rest = run(alone, 15, 30);
    for (const workers of [1, 3]) {
      const environments = await walks(count, workers);
      expect([environments.name, environments.observationSize]).toEqual(['noisy-walk', 2]);
      expect(environments.actionSpace).toEqual(alone.actionSpace);
      expect([...environments.reset(11)]).toEqual(first);
      expect(run(environments, 0, 15)).toEqual(expected);
      expect(JSON.parse(JSON.stringify(environments.state()))).toEqual(middle);
      environments.reset(99);
      environments.restore(middle);
      expect(run(environments, 15, 30)).toEqual(rest);
    }
  });

  test('a notification that comes after its request was carried out makes no second step', async () => {
    const alone = await walks(2);
    alone.reset(11);
    const expected = run(alone, 0, 15);
    const environments = await walks(2, 1);
    environments.reset(11);
    const { notify } = Atomics;
    // as when this thread is held up between the request and its notification: the worker has answered and waits again
    const late = jest.spyOn(Atomics, 'notify').mockImplementation(((control: Int32Array, word: number) => {
      notify(control, word);
      const until = performance.now() + 5;
      while (control[0] !== control[1] || performance.now() < until);
      return notify(control, word);
    }) as typeof notify);
    try {
      expect(run(environments, 0, 15)).toEqual(expected);
    } finally {
      late.mockRestore();
    }
  });

  test('a failure in a worker reads as it does without', async () => {
    const messages: string[] = [];
    for (const workers of [0, 2]) {
      const environments = await walks(4, workers, { failAt: 2, failure: 'throw', edge: 100 });
      environments.reset(0);
      environments.step(still(4));
      messages.push(messageOf(() => environments.step(still(4))));
      expect(messageOf(() => environments.step(still(4)))).toContain(
        'after an error. Call reset(seed) first.',
      );
      environments.reset(0);
      environments.step(still(4)); // and goes on after a reset
    }
    expect(messages[0]).toBe('Environment "noisy-walk", instance 0, step 2 of episode 0: the sensor is off');
    expect(messages[1]).toBe(messages[0]);
  });

  test.each(['exit', 'vanish'] as const)(
    'a worker that ends (%s) is an error within a moment, not a wait for ever',
    async (failure) => {
      const environments = await walks(2, 1, { failAt: 1, failure });
      environments.reset(0);
      const started = performance.now();
      expect(messageOf(() => environments.step(still(2)))).toBe(
        'The worker of the instances 0 to 1 has ended. An environment may have called process.exit or run out of memory; try it with workers: 0.',
      );
      expect(performance.now() - started).toBeLessThan(10_000);
      expect(messageOf(() => environments.reset(0))).toMatch(/has ended/);
    },
  );

  test('a worker that ends while it makes its instances is an error', async () => {
    const ending = { module: 'data:text/javascript,process.exit(3)' };
    await expect(vectorise(ending, { workers: 1 })).rejects.toThrow(
      'A worker ended while it made its instances; try it with workers: 0.',
    );
  });

  test('a slow step is waited for', async () => {
    const environments = await walks(2, 1, { failAt: 1, failure: 'slow' });
    environments.reset(0);
    expect(environments.step(still(2)).rewards).toHaveLength(2);
    expect(environments.state()).toBeDefined(); // a request that lies behind the looks at whether the worker is there
  });

  test('a function cannot cross to a thread', async () => {
    await expect(vectorise(() => new NoisyWalk(), { workers: 2 })).rejects.toThrow(
      /2 workers need the environment as a module.* got a function\. Give the module, or workers: 0\./,
    );
  });

  test('a module that cannot be loaded or does not export the environment is named', async () => {
    for (const workers of [0, 1]) {
      await expect(vectorise({ module: './no-such-file.js' }, { workers })).rejects.toThrow(
        'The environment module "./no-such-file.js" cannot be loaded',
      );
      await expect(vectorise({ module }, { workers })).rejects.toThrow(
        /must export "default", a class or a function that makes an environment; it exports .*NoisyWalk/,
      );
    }
  });

  test('an export may be a function as well as a class', async () => {
    const environments = await opened(
      vectorise({ module, exportName: 'makeNoisyWalk', options: {} }, { count: 2 }),
    );
    const classes = await walks(2);
    expect(environments.reset(1)).toEqual(classes.reset(1));
  });
});

describe('states', () => {
  test('an environment continues bit for bit from its state, or from its replayed actions when it has none', async () => {
    for (const savesState of [true, false]) {
      const environments = await vectorise(() => makeNoisyWalk({ savesState }), {
        count: 3,
        maxEpisodeSteps: 6,
      });
      environments.reset(4);
      run(environments, 0, 9);
      const saved = JSON.parse(JSON.stringify(environments.state())) as {
        instances: { environment: object }[];
      };
      expect(Object.keys(saved.instances[0].environment)).toEqual([savesState ? 'state' : 'actions']);
      const rest = run(environments, 9, 25);
      const fresh = await vectorise(() => makeNoisyWalk({ savesState }), { count: 3, maxEpisodeSteps: 6 });
      fresh.restore(saved);
      expect(run(fresh, 9, 25)).toEqual(rest);
    }
  });

  test('a state of another number of instances is refused', async () => {
    const [two, three] = [await walks(2), await walks(3)];
    two.reset(0);
    expect(messageOf(() => three.restore(two.state()))).toBe(
      'The saved state is of 2 instances and this vector environment has 3. Use the count that it was saved with.',
    );
  });
});

describe('bad input', () => {
  test('a step before the first reset is refused', async () => {
    const environments = await walks(1);
    expect(messageOf(() => environments.step(still(1)))).toBe(
      'Environment "noisy-walk": step needs running episodes, and there are none before the first reset and after an error. Call reset(seed) first.',
    );
  });

  test('an action outside the space is refused before any instance steps', async () => {
    const environments = await walks(3);
    environments.reset(0);
    const before = JSON.stringify(environments.state());
    expect(messageOf(() => environments.step(Int32Array.of(0, 1, 3)))).toBe(
      'Environment "noisy-walk", instance 2: an action is an integer from 0 to 2; got 3.',
    );
    expect(messageOf(() => environments.step(Float32Array.of(0, 0.5, 1)))).toContain('instance 1');
    expect(messageOf(() => environments.step(still(2)))).toContain(
      'needs 3 × 1 = 3 numbers as actions; got 2.',
    );
    expect(JSON.stringify(environments.state())).toBe(before);
  });

  test.each([
    ['nanReward', 'reward must be a finite number; got NaN'],
    ['nanObservation', 'entry 1 of the observation must be a finite number; got NaN'],
    ['infiniteObservation', 'entry 0 of the observation must be a finite number; got Infinity'],
    ['shortObservation', 'an observation must be numbers of the shape [2] from -Infinity to Infinity'],
  ] as const)('%s names the environment, the instance and the step', async (failure, text) => {
    let made = 0;
    const make = () => new NoisyWalk(made++ === 1 ? { failAt: 3, failure, edge: 100 } : { edge: 100 });
    const environments = await vectorise(make, { count: 2 });
    environments.reset(0);
    environments.step(still(2));
    environments.step(still(2));
    const message = messageOf(() => environments.step(still(2)));
    expect(message).toContain('Environment "noisy-walk", instance 1, step 3 of episode 0: ');
    expect(message).toContain(text);
  });

  test('an observation that is not a number at reset is named as such', async () => {
    const make = () => Object.assign(new Counter(), { reset: () => [NaN] });
    const environments = await vectorise(make);
    expect(messageOf(() => environments.reset(0))).toContain('instance 0, reset of episode 0: entry 0');
  });

  test('what is no environment, and options that are wrong, are refused', async () => {
    await expect(vectorise(() => ({ name: 'half' }) as Environment)).rejects.toThrow(
      'missing: observationSpace, actionSpace, reset, step.',
    );
    await expect(vectorise(() => new Counter(), { count: 0 })).rejects.toThrow(ConfigError);
    const environments = await vectorise(() => new Counter());
    expect(() => environments.reset(-1)).toThrow('reset needs a seed, an integer ≥ 0; got -1.');
  });
});
