import { describe, expect, test } from '@jest/globals';

import { TimeLimit, type InPlaceEnvironment } from '@rollcast/core';
import { Acrobot, CartPole, MountainCar, MountainCarContinuous, Pendulum } from '@rollcast/envs';

import { readGolden, type RecordedEpisode, type Recording } from './gymnasium.js';

/**
 * The largest |ours − Gymnasium's| / max(1, |Gymnasium's|) of a float64 number. One step is some tens of operations, and
 * sine and cosine may differ in their last bit; 2⁻⁵² is 2.2e-16.
 */
const ROUNDING = 4e-15;

interface Case {
  readonly make: () => InPlaceEnvironment;
  /** From a recorded state to ours; `step` is 0 at the start of an episode. */
  readonly toState?: (state: readonly number[], step: number) => number[];
  /** Where Gymnasium's state is float32, ours must be the same number. */
  readonly tolerance?: number;
  /** What the reward may differ by beyond rounding. */
  readonly rewardSlack?: (action: number) => number;
  /** Gymnasium takes the cosine of the start in float32: the last bit or two of its observation differ. */
  readonly startTolerance?: number;
}

const cases: Record<string, Case> = {
  'cart-pole-v1': { make: () => new CartPole() },
  'acrobot-v1': { make: () => new Acrobot(), startTolerance: 2 ** -22 },
  'mountain-car-v0': { make: () => new MountainCar() },
  'mountain-car-continuous-v0': {
    make: () => new MountainCarContinuous(),
    toState: (state, step) => [...state, step === 0 ? 1 : 0],
    tolerance: 0,
  },
  'pendulum-v1': {
    make: () => new Pendulum(),
    // NumPy squares the float32 torque by powf, which misses the nearest float32 by one about once in a thousand times
    rewardSlack: (action) => 0.001 * Math.min(4, action ** 2) * 2 ** -22,
  },
};

const deviation = (ours: readonly number[], theirs: readonly number[]): number =>
  Math.max(...theirs.map((value, i) => Math.abs(ours[i] - value) / Math.max(1, Math.abs(value))));

const actionOf = (environment: InPlaceEnvironment, action: number): number | number[] =>
  environment.actionSpace.kind === 'discrete' ? action : [action];

/** Every recorded transition, each from Gymnasium's own state. */
function forEachTransition(
  episodes: readonly RecordedEpisode[],
  visit: (episode: RecordedEpisode, step: number) => void,
): number {
  let transitions = 0;
  for (const episode of episodes) {
    episode.actions.forEach((_, step) => visit(episode, step));
    transitions += episode.actions.length;
  }
  return transitions;
}

describe.each(Object.entries(cases))(
  '%s',
  (
    name,
    {
      make,
      toState = (state) => [...state],
      tolerance = ROUNDING,
      rewardSlack = () => 0,
      startTolerance = 0,
    },
  ) => {
    const { episodes, timeLimit } = readGolden<Recording>(name);
    const environment = make();

    test('steps as Gymnasium does, from each of 1000 recorded states', () => {
      const transitions = forEachTransition(episodes, (episode, step) => {
        const action = episode.actions[step];
        environment.restore(toState(episode.states[step], step));
        const result = environment.step(actionOf(environment, action));
        const next = episode.states[step + 1];
        expect(deviation(environment.state().slice(0, next.length), next)).toBeLessThanOrEqual(tolerance);
        const reward = episode.rewards[step];
        expect(Math.abs(result.reward - reward)).toBeLessThanOrEqual(
          ROUNDING * Math.max(1, Math.abs(reward)) + rewardSlack(action),
        );
        expect([...result.observation]).toEqual(episode.observations[step + 1].map(Math.fround));
        expect(result.terminated).toBe(episode.terminated[step] === 1);
      });
      expect(transitions).toBeGreaterThanOrEqual(1000);
    });

    test('shows the starts that Gymnasium drew as Gymnasium does', () => {
      for (const { states, observations } of episodes) {
        environment.restore(toState(states[0], 0));
        expect([...environment.observation()]).toBeAllClose(observations[0].map(Math.fround), {
          atol: startTolerance,
        });
      }
    });

    test('ends and is cut where Gymnasium ends and cuts', () => {
      const limited = new TimeLimit(make(), timeLimit);
      expect(make().maxEpisodeSteps).toBe(timeLimit);
      for (const { states, actions, terminated, truncated } of episodes) {
        actions.forEach((action, step) => {
          // each step from Gymnasium's state: an open loop would let rounding grow with the chaos of the Acrobot
          limited.restore!({ steps: step, inner: toState(states[step], step) });
          const result = limited.step(actionOf(environment, action));
          expect([result.terminated, result.truncated]).toEqual([
            terminated[step] === 1,
            truncated[step] === 1,
          ]);
        });
      }
    });
  },
);

test('the recordings hold ends of both kinds', () => {
  const count = (name: string, flag: 'terminated' | 'truncated') =>
    readGolden<Recording>(name).episodes.reduce(
      (sum, episode) => sum + episode[flag].filter(Boolean).length,
      0,
    );
  for (const name of Object.keys(cases)) {
    expect(count(name, 'truncated')).toBeGreaterThan(0);
    if (name !== 'pendulum-v1') expect(count(name, 'terminated')).toBeGreaterThan(0);
  }
});
