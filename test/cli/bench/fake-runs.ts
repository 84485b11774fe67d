import { RandomStream } from '@rollcast/core';

import { skippedRun, type BenchRun, type FinishedRun } from '../../../packages/cli/src/bench/result.js';

/** A run of PPO on cart-pole that reached 500 at once, but for what is given. */
export function finishedRun(run: Partial<FinishedRun> = {}): FinishedRun {
  return {
    algorithm: 'ppo',
    environment: 'cart-pole-v1',
    seed: 0,
    steps: 1000,
    finalReturn: 500,
    stepsPerSecond: 2000,
    status: 'finished',
    seconds: 90,
    curve: [],
    ...run,
  };
}

/** The same run, had it failed. */
export function failedRun(run: BenchRun): BenchRun {
  const status = 'failed: The loss "policy" is NaN after update 12.';
  return { ...run, steps: 120, finalReturn: null, stepsPerSecond: null, status, curve: [] };
}

/** Two algorithms on two environments, noisy, PPO the better one; seeds from 0. */
export function fakeRuns(seeds: number): FinishedRun[] {
  const random = new RandomStream(7, 'fake-runs');
  const ranges = { 'cart-pole-v1': [20, 500], 'acrobot-v1': [-500, -75] } as const;
  const skills = { reinforce: 0.5, ppo: 0.8 } as const;
  return Array.from({ length: seeds }, (_, seed) => seed).flatMap((seed) =>
    Object.entries(ranges).flatMap(([environment, [low, high]]) =>
      Object.entries(skills).map(([algorithm, skill]) => {
        const finalReturn = low + (high - low) * Math.min(1, skill + 0.1 * random.normal());
        const curve = [0.1, 0.4, 0.7, 1].map((part) => ({
          step: 1000 * part,
          return: low + (finalReturn - low) * part,
        }));
        return finishedRun({ algorithm, environment, seed, finalReturn, curve });
      }),
    ),
  );
}

/** The same runs, had an algorithm not been able to act on an environment. */
export function skippedOn(environment: string, algorithm: string, runs: readonly BenchRun[]): BenchRun[] {
  return runs.map((run) =>
    run.environment === environment && run.algorithm === algorithm
      ? skippedRun({ ...run, settings: [], trainFlags: [], skipped: `${algorithm} acts elsewhere` })
      : run,
  );
}
