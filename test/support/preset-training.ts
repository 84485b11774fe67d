/** Training with a preset, as `rollcast train` does it, for tests of what is learnt. */
import { Trainer, playEpisodes } from '@rollcast/core';
import type { StepEnvironmentEntry } from '@rollcast/envs';

import { knownEnvironments } from '../../packages/cli/src/environments.js';
import { makeParts } from '../../packages/cli/src/step-parts.js';
import type { PresetName } from '../../packages/cli/src/step-presets.js';
import { resolveStepRun } from '../../packages/cli/src/step-training.js';

/** What is trained, and when it is enough. */
export interface PresetTraining {
  env: string;
  algo?: string;
  preset: PresetName;
  seed: number;
  steps: number;
  /** Ends the training early, given the returns of all its episodes so far. */
  enough?: (returns: readonly number[]) => boolean;
  /** Episodes that the most likely actions play in the end. @defaultValue 0 */
  greedyEpisodes?: number;
}

export const mean = (numbers: readonly number[]): number =>
  numbers.reduce((a, b) => a + b, 0) / numbers.length;

/** @returns the returns of all training episodes, and the mean return of the most likely actions in the end, where they play */
export async function trainPreset({
  enough,
  greedyEpisodes = 0,
  ...task
}: PresetTraining): Promise<{ returns: number[]; greedy: number | undefined }> {
  const { env, algo = 'ppo', seed } = task;
  const entry = knownEnvironments().get(env) as StepEnvironmentEntry;
  const flags = { ...task, algo, workers: 0, checkpointEvery: 1, set: [] };
  const parts = await makeParts(await resolveStepRun(flags, entry), entry);
  const { environment, normaliser, policy, algorithm, collector, updates } = parts;
  const returns: number[] = [];
  await new Trainer({
    ...{ collector, algorithm, updates },
    callbacks: [
      {
        onRolloutEnd: ({ episodes }) => void returns.push(...episodes!.map((episode) => episode.return)),
        onUpdateEnd: () => (enough?.(returns) ? 'stop' : undefined),
      },
    ],
  }).run();
  if (normaliser) normaliser.frozen = true;
  const greedy =
    greedyEpisodes > 0
      ? mean(
          playEpisodes({ environment, policy, episodes: greedyEpisodes, seed, greedy: true }).map(
            (episode) => episode.return,
          ),
        )
      : undefined;
  console.log(
    `${algo} on ${env}, seed ${seed}: training ${mean(returns.slice(-100))} (${returns.length} episodes, ${collector.stepsDone} steps), greedy ${greedy ?? 'not played'}`,
  );
  await parts.dispose();
  return { returns, greedy };
}
