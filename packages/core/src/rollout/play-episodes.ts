/** Whole episodes by a policy that is not trained meanwhile: what evaluations are made of. */
import type { SequenceEnvironment } from '../environment.js';
import { ConfigError } from '../errors.js';
import type { SequencePolicy, StepPolicy } from '../policy.js';
import { RandomStream } from '../random.js';
import type { FinishedEpisode, VectorEnvironment } from '../vector/vector-environment.js';
import { repeatBatch } from './repeat-batch.js';
import { checkContexts, checkedReward, sumsOfRows } from './sequence-checks.js';

/** Sequences generated at a time: enough to keep the arithmetic busy, little enough to stay in memory. */
const GENERATION_BATCH = 256;

interface PlayOptions {
  /** How many. */
  episodes: number;
  /** Starts and samples; they are others than those of a training with the same seed. */
  seed: number;
  /** Takes the most likely actions instead of drawing them. */
  greedy: boolean;
  /** Told how many episodes are over. */
  onProgress?: (done: number) => void;
}

/** Who plays in what, and how many episodes. */
export interface PlayEpisodesOptions extends PlayOptions {
  /** It is reset; the caller closes it. Statistics of wrappers move unless they are frozen. */
  environment: VectorEnvironment;
  policy: StepPolicy;
  /**
   * Of the training. Draws that a policy keeps for a whole rollout are new after so many steps here too.
   *
   * @defaultValue Infinity
   */
  stepsPerRollout?: number;
}

/**
 * Plays episodes of a step environment to their end. Each instance plays its share, the first ones one more where the number
 * does not divide: taking the episodes that end first would prefer short ones. Leaves no tensor behind.
 *
 * @returns the episodes, instance by instance
 * @throws {ConfigError} when the number of episodes is not an integer ≥ 1
 */
export function playEpisodes(options: PlayEpisodesOptions): FinishedEpisode[] {
  const { environment, policy, episodes, seed, greedy, stepsPerRollout = Infinity, onProgress } = options;
  checkEpisodes(episodes);
  const { count } = environment;
  const share = (i: number): number => Math.floor(episodes / count) + (i < episodes % count ? 1 : 0);
  const played = Array.from({ length: count }, (): FinishedEpisode[] => []);
  const random = greedy ? undefined : new RandomStream(seed, 'evaluation/actions');
  let observations = environment.reset(new RandomStream(seed, 'evaluation/episodes').uint32());
  let draws: Float32Array | undefined;
  for (let done = 0, t = 0; done < episodes; t++) {
    if (random && (t % stepsPerRollout) % policy.stepsPerDraw === 0) draws = policy.draw(count, random);
    const step = environment.step(policy.act(observations, draws).actions);
    for (const episode of step.episodes) {
      const own = played[episode.instance];
      if (own.length === share(episode.instance)) continue;
      own.push(episode);
      done += 1;
      onProgress?.(done);
    }
    observations = step.observations;
  }
  return played.flat();
}

/** Who continues what, and how many sequences. */
export interface PlaySequencesOptions extends PlayOptions {
  environment: SequenceEnvironment;
  policy: SequencePolicy;
}

/** What was generated, as the environment judges it. */
export interface PlayedSequences {
  /** Sum of the rewards of each sequence. */
  readonly returns: readonly number[];
  /** Mean of each named quantity. */
  readonly components: Readonly<Record<string, number>>;
}

/**
 * Continues contexts of a sequence environment; greedy and drawn continuations of one seed are of the same contexts. Where
 * the reward compares the continuations of a context, each has as many as that needs at least. Leaves no tensor behind.
 *
 * @throws {ConfigError} when the number of episodes is not an integer ≥ 1
 * @throws {EnvironmentError} when the contexts do not fit the policy, or a reward or component is of the wrong size or not
 *   finite
 */
export function playSequences(options: PlaySequencesOptions): PlayedSequences {
  const { environment, policy, episodes, seed, greedy, onProgress } = options;
  checkEpisodes(episodes);
  const { minSamplesPerContext: samples = 1 } = environment;
  const returns: number[] = [];
  const sums: Record<string, number> = {};
  for (let part = 0; returns.length < episodes; part++) {
    const size = Math.min(GENERATION_BATCH, episodes - returns.length); // of the last context some may be too many
    const contexts = Math.ceil(size / samples);
    const sampled = environment.sample(contexts, new RandomStream(seed, `evaluation/contexts/${part}`));
    checkContexts(environment, sampled, contexts, policy.vocabularySize);
    const batch = repeatBatch(environment, sampled, samples);
    const { tokens } = policy.generate({
      contextTokens: batch.contextTokens,
      batchSize: batch.size,
      horizon: environment.horizon,
      ...(!greedy && { random: new RandomStream(seed, `evaluation/actions/${part}`) }),
    });
    const { reward, components } = checkedReward(environment, batch, tokens, part);
    returns.push(...sumsOfRows(reward, batch.size).slice(0, size));
    for (const [name, values] of Object.entries(components)) {
      const width = values.length / batch.size;
      const sum = values.subarray(0, size * width).reduce((a, b) => a + b, 0);
      sums[name] = (sums[name] ?? 0) + sum / width;
    }
    onProgress?.(returns.length);
  }
  const components = Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum / episodes]));
  return { returns, components };
}

function checkEpisodes(episodes: number): void {
  if (!Number.isInteger(episodes) || episodes < 1)
    throw new ConfigError(`episodes is an integer ≥ 1; got ${episodes}.`);
}
