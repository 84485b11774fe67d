import { describe, expect, test } from '@jest/globals';

import {
  box,
  ClipActions,
  ConfigError,
  NormaliseObservations,
  NormaliseRewards,
  RandomStream,
  RescaleActions,
  RunningMoments,
  vectorise,
  type ActionArray,
  type VectorEnvironment,
  type VectorStep,
} from '@rollcast/core';

import { readGolden } from '../envs/gymnasium.js';
import { actionsAt, Counter, messageOf, run, still, walks } from './vector-support.js';

/** A vector environment of given observations, rewards and ends, one row a step; the first observations are zeros. */
class Scripted implements VectorEnvironment {
  readonly name = 'scripted';
  readonly observationSpace;
  readonly actionSpace = box(-2, 6);
  at = 0;
  received: number[] = [];

  constructor(
    readonly count: number,
    readonly observationSize: number,
    private readonly steps: readonly {
      rewards?: number[];
      observations?: number[];
      terminated?: number[];
      truncated?: number[];
    }[],
  ) {
    this.observationSpace = box(-Infinity, Infinity, [observationSize]);
  }

  reset(): Float32Array {
    return new Float32Array(this.count * this.observationSize);
  }

  step(actions: ActionArray): VectorStep {
    this.received = [...actions];
    const zeros = new Array<number>(this.count).fill(0);
    const row = this.steps[this.at++];
    const terminated = Uint8Array.from(row.terminated ?? zeros);
    const truncated = Uint8Array.from(row.truncated ?? zeros, (cut, i) => (terminated[i] ? 0 : cut));
    const observations = Float32Array.from(row.observations ?? this.reset());
    return {
      observations,
      finalObservations: observations.map((x) => x + 1),
      rewards: Float64Array.from(row.rewards ?? zeros),
      terminated,
      truncated,
      episodes: [...terminated.keys()]
        .filter((i) => terminated[i] + truncated[i] > 0)
        .map((instance) => ({ instance, return: 0, length: 1, terminated: terminated[instance] === 1 })),
      infos: new Map(),
    };
  }

  state(): number {
    return this.at;
  }

  restore(state: unknown): Float32Array {
    this.at = state as number;
    return this.at === 0 ? this.reset() : Float32Array.from(this.steps[this.at - 1].observations!);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

interface WrapperGolden {
  moments: { batches: number[][][]; path: { mean: number[]; variance: number[]; count: number }[] };
  rewards: {
    gamma: number;
    steps: { rewards: number[]; terminated: number[]; truncated: number[]; normalised: number[] }[];
  };
}

describe('normalisation', () => {
  const golden = readGolden<WrapperGolden>('wrappers');
  const noActions = new Float32Array(3);

  test('running moments are those of Gymnasium’s RunningMeanStd', () => {
    const moments = new RunningMoments(2);
    golden.moments.batches.forEach((batch, i) => {
      moments.update(batch.flat());
      const { mean, variance, count } = golden.moments.path[i];
      expect([...moments.mean]).toBeAllClose(mean, { rtol: 1e-13 });
      expect([...moments.variance]).toBeAllClose(variance, { rtol: 1e-13 });
      expect(moments.count).toBe(count);
    });
  });

  test('rewards are normalised as by Gymnasium’s NormalizeReward', () => {
    const wrapped = new NormaliseRewards(new Scripted(3, 1, golden.rewards.steps), { gamma: 0.9 });
    wrapped.reset(0);
    for (const { normalised } of golden.rewards.steps) {
      // Gymnasium accumulates returns in float32
      expect([...wrapped.step(noActions).rewards]).toBeAllClose(normalised, { rtol: 2e-6, atol: 1e-6 });
    }
  });

  test('observations are normalised by the statistics of all seen so far, the last ones of an episode not counted', () => {
    const random = new RandomStream(1, 'observations');
    const steps = Array.from({ length: 6 }, (_, t) => ({
      observations: Array.from({ length: 6 }, (_, i) =>
        i % 2 === 0 ? 5 + random.normal() : 100 * random.normal(),
      ),
      truncated: [0, t === 3 ? 1 : 0, 0],
    }));
    const wrapped = new NormaliseObservations(new Scripted(3, 2, steps));
    wrapped.reset(0);
    const seen: number[][] = [
      [0, 0, 0],
      [0, 0, 0],
    ]; // by column, the zeros of the reset first
    // the start counts for 1e-4 observations of mean 0 and variance 1
    const statistics = (values: number[]) => {
      const n = values.length + 1e-4;
      const mean = values.reduce((sum, x) => sum + x, 0) / n;
      const variance = (values.reduce((sum, x) => sum + (x - mean) ** 2, 0) + 1e-4 * (1 + mean ** 2)) / n;
      return { mean, deviation: Math.sqrt(variance + 1e-8) };
    };
    steps.forEach(({ observations }, t) => {
      observations.forEach((x, i) => seen[i % 2].push(Math.fround(x)));
      const [a, b] = seen.map(statistics);
      const normal = (x: number, i: number) =>
        i % 2 === 0 ? (x - a.mean) / a.deviation : (x - b.mean) / b.deviation;
      const step = wrapped.step(noActions);
      expect([...step.observations]).toBeAllClose(observations.map(normal), { atol: 2e-6 });
      if (t === 3) {
        const last = observations.slice(2, 4).map((x, i) => normal(x + 1, i)); // Scripted: 1 more than the next one
        expect([...step.finalObservations.slice(2, 4)]).toBeAllClose(last, { atol: 2e-6 });
      }
    });
  });

  test('what lies beyond ±clip is clipped', () => {
    const steps = [
      { observations: [1], rewards: [1] },
      { observations: [-1e6], rewards: [50] },
    ];
    const make = (clip: number) => new NormaliseObservations(new Scripted(1, 1, steps), { clip });
    const wrapped = make(0.5);
    wrapped.reset(0);
    expect(wrapped.step(noActions.slice(0, 1)).observations[0]).toBe(0.5);
    expect(wrapped.step(noActions.slice(0, 1)).observations[0]).toBe(-0.5);
    const rewards = new NormaliseRewards(new Scripted(1, 1, steps), { clip: 1.25 });
    rewards.reset(0);
    rewards.frozen = true; // variance 1
    expect(rewards.step(noActions.slice(0, 1)).rewards[0]).toBeAllClose(1, { atol: 1e-8 });
    expect(rewards.step(noActions.slice(0, 1)).rewards[0]).toBe(1.25);
    expect(() => make(0)).toThrow(ConfigError);
  });

  test('frozen statistics stay as they are', async () => {
    const wrapped = new NormaliseRewards(new NormaliseObservations(await walks(2)));
    const observations = wrapped.inner as NormaliseObservations;
    wrapped.reset(0);
    run(wrapped, 0, 10);
    [wrapped.frozen, observations.frozen] = [true, true];
    const before = JSON.stringify([wrapped.moments.state(), observations.moments.state()]);
    run(wrapped, 10, 20);
    expect(JSON.stringify([wrapped.moments.state(), observations.moments.state()])).toBe(before);
    [wrapped.frozen, observations.frozen] = [false, false];
    run(wrapped, 20, 21);
    expect(JSON.stringify([wrapped.moments.state(), observations.moments.state()])).not.toBe(before);
  });

  test('statistics are saved and a run goes on with them bit for bit', async () => {
    const make = async () => new NormaliseRewards(new NormaliseObservations(await walks(3)));
    const wrapped = await make();
    wrapped.reset(8);
    run(wrapped, 0, 12);
    const last = [...wrapped.step(actionsAt(12, 3)).observations];
    const saved = JSON.parse(JSON.stringify(wrapped.state())) as unknown;
    const rest = run(wrapped, 13, 30);
    const fresh = await make();
    expect([...fresh.restore(saved)]).toEqual(last);
    expect(run(fresh, 13, 30)).toEqual(rest);
  });

  test('episode returns are those of the raw rewards', async () => {
    const wrapped = new NormaliseRewards(await vectorise(() => new Counter(2)));
    wrapped.reset(0);
    wrapped.step(still(1));
    expect(wrapped.step(still(1)).episodes[0].return).toBe(3); // 1 + 2
  });
});

describe('actions of boxes', () => {
  test('ClipActions brings any number into the box', () => {
    const inner = new Scripted(3, 1, [{}]);
    const wrapped = new ClipActions(inner);
    expect(wrapped.actionSpace).toEqual(box(-Infinity, Infinity));
    wrapped.step(Float32Array.of(-9, 0.5, 7));
    expect(inner.received).toEqual([-2, 0.5, 6]);
  });

  test('RescaleActions maps [−1, 1] onto the box and clips what lies beyond', () => {
    const inner = new Scripted(4, 1, [{}]);
    const wrapped = new RescaleActions(inner);
    expect(wrapped.actionSpace).toEqual(box(-1, 1));
    wrapped.step(Float32Array.of(-1, 0, 1, 3)); // of [−2, 6]: the middle is 2
    expect(inner.received).toEqual([-2, 2, 6, 6]);
  });

  test('both are refused where actions are not a box', async () => {
    const environments = await walks(1);
    for (const wrap of [ClipActions, RescaleActions]) {
      expect(messageOf(() => new wrap(environments))).toBe(
        `${wrap.name} needs an environment whose actions are a box; an action of "noisy-walk" is an integer from 0 to 2. Leave the wrapper out.`,
      );
    }
  });
});
