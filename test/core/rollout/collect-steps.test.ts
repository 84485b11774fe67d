import { beforeAll, describe, expect, test } from '@jest/globals';

import {
  MlpPolicy,
  NumericalError,
  RandomStream,
  StepCollector,
  box,
  discrete,
  exactKlOnHost,
  multiDiscrete,
  tf,
  vectorise,
  type Environment,
  type StepPolicy,
  type Space,
  type VectorEnvironment,
} from '@rollcast/core';

import { useBackend } from '../../support/backends.js';
import { recordingPolicy } from '../../support/recording-policy.js';
import { expectNoTensorLeft, take } from '../../support/tensors.js';

beforeAll(() => useBackend('cpu'));

/** Counts its steps; ends at `end`; the observation is the count, the reward the count times ten. */
class Counter implements Environment {
  readonly name = 'counter';
  readonly observationSpace = box(0, 1000, [1]);
  readonly actionSpace = discrete(2);
  private count = 0;

  constructor(private readonly end: number) {}

  reset(): number[] {
    this.count = 0;
    return [0];
  }

  step(): { observation: number[]; reward: number; terminated: boolean; truncated: boolean } {
    this.count += 1;
    return {
      observation: [this.count],
      reward: 10 * this.count,
      terminated: this.count === this.end,
      truncated: false,
    };
  }

  state(): number {
    return this.count;
  }

  restore(state: unknown): void {
    this.count = state as number;
  }
}

async function collectorOf(end: number, steps: number, maxEpisodeSteps?: number) {
  const environment: VectorEnvironment = await vectorise(() => new Counter(end), {
    count: 2,
    maxEpisodeSteps,
  });
  const policy = new MlpPolicy(1, environment.actionSpace, { hidden: [4] }, 1);
  const collector = new StepCollector({ environment, policy, stepsPerRollout: steps, seed: 1 });
  return { environment, policy, collector };
}

test('a rollout holds what was seen, done and earned, instance by instance', async () => {
  const { collector, policy } = await collectorOf(3, 4);
  const { rollout, episodes } = expectNoTensorLeft(() => collector.collect(0));
  expect([rollout.batchSize, rollout.steps]).toEqual([2, 4]);
  // three steps to the end, and the first of the next episode
  expect(Array.from((rollout.inputs as { observations: Float32Array }).observations)).toEqual([
    0, 1, 2, 0, 0, 1, 2, 0,
  ]);
  expect(Array.from(rollout.rewards)).toEqual([10, 20, 30, 10, 10, 20, 30, 10]);
  expect(Array.from(rollout.terminated)).toEqual([0, 0, 1, 0, 0, 0, 1, 0]);
  // the rollout ends within an episode: it is cut there, and bootstraps from the value of what follows
  expect(Array.from(rollout.truncated)).toEqual([0, 0, 0, 1, 0, 0, 0, 1]);
  const [following] = policy.valuesOf(Float32Array.of(1));
  expect(rollout.bootstrapValues).toBeAllClose([0, 0, 0, following, 0, 0, 0, following]);
  expect(rollout.values).toBeAllClose(policy.valuesOf(Float32Array.of(0, 1, 2, 0, 0, 1, 2, 0)));
  expect(episodes!.map((episode) => [episode.instance, episode.return, episode.length])).toEqual([
    [0, 60, 3],
    [1, 60, 3],
  ]);
});

test('an end bootstraps from nothing, a time limit from the last observation of its own episode', async () => {
  const { collector, policy } = await collectorOf(100, 4, 2);
  const { rollout } = collector.collect(0);
  expect(Array.from(rollout.truncated).slice(0, 4)).toEqual([0, 1, 0, 1]);
  expect(Array.from(rollout.terminated)).toEqual(new Array(8).fill(0));
  // cut after the observation 2, not the 0 of the next episode
  const [last] = policy.valuesOf(Float32Array.of(2));
  expect(rollout.bootstrapValues).toBeAllClose([0, last, 0, last, 0, last, 0, last]);
});

test('episodes go on from rollout to rollout, and their returns are remembered', async () => {
  const { collector } = await collectorOf(6, 4);
  expect(collector.collect(0).metrics).toEqual({ 'time/steps': 8 });
  const { rollout, metrics } = collector.collect(1);
  expect(Array.from(rollout.rewards).slice(0, 4)).toEqual([50, 60, 10, 20]);
  // 10 + … + 60
  expect(metrics).toEqual({
    'time/steps': 16,
    'episode/return': 210,
    'episode/length': 6,
    'episode/returnOfLast100': 210,
  });
});

test('draws are kept for as many steps as the policy says, and are new in each rollout', async () => {
  const { environment, policy } = await collectorOf(6, 1);
  const { recording, used } = recordingPolicy(policy, 2);
  const collector = new StepCollector({ environment, policy: recording, stepsPerRollout: 3, seed: 1 });
  collector.collect(0);
  collector.collect(1);
  const distinct = [...new Set(used)];
  expect(used.map((draws) => distinct.indexOf(draws))).toEqual([0, 0, 1, 2, 2, 3]);
  // one after the other from the stream of the rollout
  const random = new RandomStream(1, 'rollout/actions/1');
  expect(distinct.slice(2)).toEqual([policy.draw(2, random), policy.draw(2, random)]);
});

test('restored from its state it collects what it would have collected', async () => {
  const first = await collectorOf(6, 4);
  first.collector.collect(0);
  const state = JSON.parse(JSON.stringify(first.collector.state())) as unknown;
  const second = await collectorOf(6, 4);
  second.collector.restore(state);
  expect(second.collector.collect(1)).toEqual(first.collector.collect(1));
  expect(second.collector.stepsDone).toBe(16);
});

test('a policy whose actions do not fit is refused with what an action is', async () => {
  const environment = await vectorise(() => new Counter(3), { count: 1 });
  const policy = new MlpPolicy(1, box(-1, 1, [2]), {}, 1);
  expect(() => new StepCollector({ environment, policy, stepsPerRollout: 4, seed: 1 })).toThrow(
    'The policy\'s actions have 2 numbers; an action of "counter" is an integer from 0 to 1.',
  );
});

describe('with a frozen reference', () => {
  /** Takes any action of its space. */
  class Anything extends Counter {
    override readonly actionSpace: never;

    constructor(space: Space) {
      super(3);
      this.actionSpace = space as never;
    }
  }

  async function collectorFor(space: Space, seeds: [policy: number, reference: number]) {
    const environment = await vectorise(() => new Anything(space), { count: 2 });
    const [policy, referencePolicy] = seeds.map((seed) =>
      shaken(new MlpPolicy(1, space, { hidden: [4] }), seed),
    );
    const collector = new StepCollector({
      environment,
      policy,
      referencePolicy,
      stepsPerRollout: 4,
      seed: 1,
    });
    return { policy, referencePolicy, collector };
  }

  /** With weights that say something: the last layer starts at almost nothing. */
  function shaken(policy: MlpPolicy, seed: number): MlpPolicy {
    const random = new RandomStream(seed, 'shake');
    const arrays = Object.entries(policy.parameters.save()).map(
      ([name, { shape, data }]) =>
        [name, { shape, data: data.map((x) => x + 0.3 * random.normal()) }] as const,
    );
    policy.parameters.load(Object.fromEntries(arrays));
    return policy;
  }

  const spaces: [string, Space, numbers: number][] = [
    ['one of three', discrete(3), 3],
    ['two choices', multiDiscrete([2, 3]), 5],
    ['numbers', box(-Infinity, Infinity, [2]), 4],
  ];

  test.each(spaces)('a copy says the same, at a KL of 0: %s', async (_what, space, numbers) => {
    const { collector } = await collectorFor(space, [1, 1]);
    const { rollout, metrics } = expectNoTensorLeft(() => collector.collect(0));
    const { logProbs, distribution, exactKl } = rollout.reference!;
    expect(logProbs).toBeAllClose(rollout.logProbs, { atol: 1e-6 });
    expect(distribution).toHaveLength(8 * numbers);
    expect(exactKl).toBeAllClose(new Array(8).fill(0), { atol: 1e-7 });
    expect(metrics['kl/exactPerStep']).toBeAllClose(0, { atol: 1e-7 });
  });

  test.each(spaces)('another gives its own scores of the same actions: %s', async (_what, space) => {
    const { collector, referencePolicy } = await collectorFor(space, [1, 2]);
    const { rollout, metrics } = collector.collect(0);
    const { observations } = rollout.inputs as { observations: Float32Array };
    const scores = referencePolicy.scoreRows({
      observations: tf.tensor2d(observations, [8, 1]),
      actions: tf.tensor(rollout.actions, [8, 1, space.size], space.kind === 'box' ? 'float32' : 'int32'),
    });
    const { logProbs, distribution, exactKl } = rollout.reference!;
    expect(logProbs).toBeAllClose(take(scores.logProbs), { atol: 1e-6 });
    expect(distribution).toBeAllClose(take(scores.distribution!()), { atol: 1e-6 });
    expect(Math.min(...exactKl)).toBeGreaterThan(1e-3);
    expect(metrics['kl/exactPerStep']).toBeAllClose(exactKl.reduce((a, b) => a + b) / 8, { atol: 1e-6 });
  });

  test('the KL is from the policy that acted to the reference, over all actions', async () => {
    const { collector, policy } = await collectorFor(discrete(3), [1, 2]);
    const { rollout } = collector.collect(0);
    const { observations } = rollout.inputs as { observations: Float32Array };
    const { logDistribution } = policy.scoreRows({
      observations: tf.tensor2d(observations, [8, 1]),
      actions: tf.tensor2d(rollout.actions, [8, 1], 'int32'),
    });
    const { exactKl, distribution } = rollout.reference!;
    expect(exactKl).toBeAllClose(exactKlOnHost(take(logDistribution!), distribution, 3), { atol: 1e-6 });
  });

  test('without one there are no reference scores and no KL', async () => {
    const { collector } = await collectorOf(3, 4);
    const { rollout, metrics } = collector.collect(0);
    expect(rollout).not.toHaveProperty('reference');
    expect(metrics).not.toHaveProperty(['kl/exactPerStep']);
  });

  test('the policy itself is refused', async () => {
    const { environment, policy } = await collectorOf(3, 4);
    const options = { environment, policy, referencePolicy: policy, stepsPerRollout: 4, seed: 1 };
    expect(() => new StepCollector(options)).toThrow(NumericalError);
    expect(() => new StepCollector(options)).toThrow('share weights');
  });

  test('a policy without a KL in closed form is refused with what it lacks', async () => {
    const { environment, policy } = await collectorOf(3, 4);
    const blunt = Object.create(policy) as StepPolicy;
    blunt.scoreRows = (rows) => ({ ...policy.scoreRows(rows), klTo: undefined });
    const referencePolicy = new MlpPolicy(1, environment.actionSpace, { hidden: [4] }, 1);
    const options = { environment, policy: blunt, referencePolicy, stepsPerRollout: 4, seed: 1 };
    expect(() => new StepCollector(options).collect(0)).toThrow(
      'scoreRows must give distribution and klTo. Leave the reference out.',
    );
  });
});
