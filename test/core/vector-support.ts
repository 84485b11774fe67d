import { fileURLToPath } from 'node:url';

import { afterEach, expect } from '@jest/globals';

import {
  box,
  discrete,
  EnvironmentError,
  vectorise,
  type Environment,
  type VectorEnvironment,
  type VectorStep,
} from '@rollcast/core';

import type { NoisyWalkOptions } from './noisy-walk.js';

export const module = fileURLToPath(new URL('noisy-walk.ts', import.meta.url));
const open: VectorEnvironment[] = [];

/** Vector environments that the test leaves open are closed after it. */
export async function opened(environment: Promise<VectorEnvironment>): Promise<VectorEnvironment> {
  open.push(await environment);
  return environment;
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((environment) => environment.close().catch(() => undefined)));
});

export const walks = (count: number, workers = 0, options: NoisyWalkOptions = {}, maxEpisodeSteps = 6) =>
  opened(vectorise({ module, exportName: 'NoisyWalk', options }, { count, workers, maxEpisodeSteps }));

/** Actions that depend on nothing but the step and the instance. */
export const actionsAt = (step: number, count: number): Int32Array =>
  Int32Array.from({ length: count }, (_, i) => (step * 7 + i * 3) % 3);

/** Everything that a step gives, as plain values. */
function copy(step: VectorStep): unknown {
  const { episodes, count } = { episodes: step.episodes, count: step.rewards.length };
  const size = step.observations.length / count;
  return {
    observations: [...step.observations],
    rewards: [...step.rewards],
    terminated: [...step.terminated],
    truncated: [...step.truncated],
    episodes,
    finals: episodes.map(({ instance }) => [
      ...step.finalObservations.slice(instance * size, (instance + 1) * size),
    ]),
    infos: [...step.infos],
  };
}

export function run(environment: VectorEnvironment, from: number, to: number): unknown[] {
  return Array.from({ length: to - from }, (_, i) =>
    copy(environment.step(actionsAt(from + i, environment.count))),
  );
}

export const messageOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(EnvironmentError);
    return (error as Error).message;
  }
  throw new Error('expected an EnvironmentError');
};

/** Counts up from 0; the reward is the new count, and `last` ends the episode. */
export class Counter implements Environment<number[], number> {
  readonly name = 'counter';
  readonly observationSpace = box(0, 100);
  readonly actionSpace = discrete(2);
  private count = 0;

  constructor(private readonly last = Infinity) {}

  reset(): number[] {
    this.count = 0;
    return [0];
  }

  step() {
    this.count++;
    return {
      observation: [this.count],
      reward: this.count,
      terminated: this.count === this.last,
      truncated: false,
    };
  }
}

export const still = (count: number) => new Int32Array(count);
