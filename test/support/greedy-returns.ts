import {
  NormaliseObservations,
  NormaliseRewards,
  VectorWrapper,
  type StepPolicy,
  type VectorEnvironment,
} from '@rollcast/core';

/**
 * Returns of episodes from new starts in which the most likely action is taken, in the order in which they end. The
 * statistics of the wrappers stay as they are.
 */
export function greedyReturns(
  environment: VectorEnvironment,
  policy: StepPolicy,
  { episodes, seed }: { episodes: number; seed: number },
): number[] {
  for (let wrapped = environment; wrapped instanceof VectorWrapper; wrapped = wrapped.inner)
    if (wrapped instanceof NormaliseObservations || wrapped instanceof NormaliseRewards)
      wrapped.frozen = true;
  const returns: number[] = [];
  let observations = environment.reset(seed);
  while (returns.length < episodes) {
    const step = environment.step(policy.act(observations).actions);
    returns.push(...step.episodes.map((episode) => episode.return));
    observations = step.observations;
  }
  return returns.slice(0, episodes);
}
