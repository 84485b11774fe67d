/**
 * Tasks whose best return is known in closed form, and what a policy earns in them when it takes its likeliest action: exactly,
 * by looking at every start, so that no luck is in it.
 */
import { RandomStream, type DegradationTransformer, type MlpPolicy } from '@rollcast/core';
import { GridWorld, meanReward, type TokenCopy } from '@rollcast/envs';

/** One-hot rows 0 … n−1, [n, n]: all observations of a discrete space. */
const allStates = (n: number): Float32Array =>
  Float32Array.from({ length: n * n }, (_, i) => Number(i % (n + 1) === 0));

/** Contexts are equally likely: max over arms of cos(2π(a − a*)/A), which is 1 for a = a*. */
export function bestBanditReturn(contexts: number, arms: number): number {
  let sum = 0;
  for (let c = 0; c < contexts; c++) {
    const best = (3 * c + 1) % arms;
    sum += Math.max(...Array.from({ length: arms }, (_, a) => Math.cos((2 * Math.PI * (a - best)) / arms)));
  }
  return sum / contexts;
}

/** Expected reward of the likeliest arm, over all contexts. */
export function greedyBanditReturn(policy: MlpPolicy, contexts: number, arms: number): number {
  const { actions } = policy.act(allStates(contexts));
  return Array.from(actions).reduce((sum, arm, c) => sum + meanReward(c, arm, arms), 0) / contexts;
}

/** Minus the mean number of moves from a cell that is not the far corner: Σ (row + column distance)/(n² − 1) = n²/(n + 1). */
export function bestGridReturn(size: number): number {
  let moves = 0;
  for (let row = 0; row < size; row++)
    for (let column = 0; column < size; column++) moves += size - 1 - row + (size - 1 - column);
  return -moves / (size ** 2 - 1);
}

/** Mean return of the likeliest moves over all starts, each followed until it arrives or the time is over. */
export function greedyGridReturn(policy: MlpPolicy, size: number): number {
  const { actions } = policy.act(allStates(size ** 2));
  const world = new GridWorld({ size });
  const returns = new Map<number, number>();
  for (let seed = 0; returns.size < size ** 2 - 1; seed++) {
    let cell = world.reset(seed);
    const start = cell;
    if (returns.has(start)) continue;
    let sum = 0;
    for (let done = false; !done && -sum < world.maxEpisodeSteps;) {
      const step = world.step(actions[cell]);
      sum += step.reward;
      cell = step.observation;
      done = step.terminated;
    }
    returns.set(start, sum);
  }
  return [...returns.values()].reduce((sum, x) => sum + x, 0) / returns.size;
}

/** Every token is right: 1 for each of the L. */
export function bestCopyReturn({ horizon }: TokenCopy): number {
  return horizon;
}

/** Mean return of the likeliest tokens over all contexts where there are at most `most`, and over so many of them otherwise. */
export function greedyCopyReturn(
  policy: DegradationTransformer,
  environment: TokenCopy,
  most = 1024,
): number {
  const { vocabularySize: v, contextLength: w, horizon } = environment;
  const all = v ** w;
  const batch =
    all <= most
      ? {
          size: all,
          contextTokens: Int32Array.from(
            { length: all * w },
            (_, i) => Math.floor(Math.floor(i / w) / v ** (i % w)) % v,
          ),
        }
      : environment.sample(most, new RandomStream(7, 'contexts'));
  const { tokens } = policy.generate({ contextTokens: batch.contextTokens, batchSize: batch.size, horizon });
  return environment.reward(batch, tokens).reward.reduce((sum, x) => sum + x, 0) / batch.size;
}
