/** Judges what was learnt on a step or sequence environment: returns of whole episodes, greedy and sampled. */
import {
  DegradationTransformer,
  MlpPolicy,
  RandomStream,
  bootstrapIntervals,
  playEpisodes,
  playSequences,
  resolveOptions,
  vectorise,
  type Checkpoint,
  type FinishedEpisode,
  type RunDirectory,
} from '@rollcast/core';

import { entryOfRun } from './environments.js';
import { loadPolicy, subjectOf } from './model-files.js';
import { counted, type Table } from './report/table.js';
import { sequenceRunConfig } from './sequence-training.js';
import { stepRunConfig, wrapped } from './step-parts.js';
import { savedMoments } from './step-start.js';

export const playModes = ['greedy', 'sampled'] as const;
export type PlayMode = (typeof playModes)[number];

/** Instances stepped together; with more of them the last episodes are waited for in vain. */
const INSTANCES = 32;
/** With fewer episodes there is no interval. */
const LEAST_FOR_INTERVAL = 3;

export interface EpisodeEvaluationOptions {
  /** The file or package of the user's own, named now, that the run was on. */
  env?: string;
  episodes: number;
  seed: number;
  modes: readonly PlayMode[];
  /** Told how many of all episodes are over. */
  onProgress?: (done: number) => void;
}

/** What numbers of many episodes come to. */
export interface Spread {
  readonly mean: number;
  /** Sample standard deviation; null of one episode. */
  readonly std: number | null;
  /** 95 % percentile bootstrap interval of the mean; null with fewer than three episodes. */
  readonly low: number | null;
  readonly high: number | null;
  readonly min: number;
  readonly max: number;
}

/** One way of acting. */
export interface PlayedMethod {
  readonly name: PlayMode;
  readonly return: Spread;
  readonly length: Spread;
  /** Mean of each named quantity of a sequence environment. */
  readonly components: Readonly<Record<string, number>>;
  /** One an episode. */
  readonly returns: readonly number[];
  readonly lengths: readonly number[];
}

/** The JSON that `rollcast evaluate --json` writes. */
export interface EpisodeEvaluation {
  readonly environment: string;
  readonly algorithm: string;
  /** Updates of the checkpoint that was judged. */
  readonly updates: number;
  readonly episodes: number;
  readonly seed: number;
  readonly methods: readonly PlayedMethod[];
}

/** Lets the policy of a checkpoint act as often as asked, as the run saw its environment. */
export async function evaluateEpisodes(
  run: RunDirectory,
  checkpoint: Checkpoint,
  options: EpisodeEvaluationOptions,
): Promise<EpisodeEvaluation> {
  const methods =
    subjectOf(run) === 'step'
      ? await playSteps(run, checkpoint, options)
      : await playTokens(run, checkpoint, options);
  const { environment, algorithm } = run.config as { environment: string; algorithm: string };
  const { episodes, seed } = options;
  return { environment, algorithm, updates: checkpoint.update, episodes, seed, methods };
}

async function playSteps(
  run: RunDirectory,
  checkpoint: Checkpoint,
  { env, modes, episodes, seed, onProgress }: EpisodeEvaluationOptions,
): Promise<PlayedMethod[]> {
  const config = resolveOptions(stepRunConfig, run.config, '');
  const entry = await entryOfRun(env ?? config.environment, 'step');
  const raw = await vectorise(() => entry.create(config.environmentOptions), {
    count: Math.min(episodes, INSTANCES),
  });
  let policy: MlpPolicy | undefined;
  try {
    // returns are those of the raw rewards in any case
    const { environment, normaliser } = wrapped(raw, { ...config, normaliseRewards: false });
    if (normaliser) {
      normaliser.frozen = true;
      normaliser.moments.restore(savedMoments(checkpoint, config));
    }
    const acting = (policy = new MlpPolicy(
      environment.observationSize,
      environment.actionSpace,
      config.policyOptions,
    ));
    loadPolicy(checkpoint, acting);
    return modes.map((name, m) => {
      const played: FinishedEpisode[] = playEpisodes({
        environment,
        policy: acting,
        stepsPerRollout: config.stepsPerRollout,
        episodes,
        seed,
        greedy: name === 'greedy',
        onProgress: (done) => onProgress?.(m * episodes + done),
      });
      const [returns, lengths] = [
        played.map((episode) => episode.return),
        played.map(({ length }) => length),
      ];
      return method(name, returns, lengths, {}, seed);
    });
  } finally {
    policy?.dispose();
    await raw.close();
  }
}

async function playTokens(
  run: RunDirectory,
  checkpoint: Checkpoint,
  { env, modes, episodes, seed, onProgress }: EpisodeEvaluationOptions,
): Promise<PlayedMethod[]> {
  const config = resolveOptions(sequenceRunConfig, run.config, '');
  const entry = await entryOfRun(env ?? config.environment, 'sequence');
  const environment = entry.create(config.environmentOptions);
  const policy = new DegradationTransformer(config.modelOptions);
  try {
    loadPolicy(checkpoint, policy);
    return modes.map((name, m) => {
      const { returns, components } = playSequences({
        environment,
        policy,
        episodes,
        seed,
        greedy: name === 'greedy',
        onProgress: (done) => onProgress?.(m * episodes + done),
      });
      const lengths = returns.map(() => environment.horizon);
      return method(name, returns, lengths, components, seed);
    });
  } finally {
    policy.dispose();
  }
}

function method(
  name: PlayMode,
  returns: readonly number[],
  lengths: readonly number[],
  components: Readonly<Record<string, number>>,
  seed: number,
): PlayedMethod {
  return {
    name,
    return: spreadOf(returns, new RandomStream(seed, 'evaluation/bootstrap/return')),
    length: spreadOf(lengths, new RandomStream(seed, 'evaluation/bootstrap/length')),
    components,
    returns,
    lengths,
  };
}

/** @param random - draws the episodes of the bootstrap */
export function spreadOf(numbers: readonly number[], random: RandomStream): Spread {
  const mean = meanOf(numbers);
  const squares = numbers.reduce((sum, x) => sum + (x - mean) ** 2, 0);
  const [interval] =
    numbers.length < LEAST_FOR_INTERVAL
      ? []
      : bootstrapIntervals([[numbers]], ([[resampled]]) => [meanOf(resampled)], { random });
  return {
    mean,
    std: numbers.length > 1 ? Math.sqrt(squares / (numbers.length - 1)) : null,
    low: interval?.low ?? null,
    high: interval?.high ?? null,
    min: numbers.reduce((a, b) => Math.min(a, b)),
    max: numbers.reduce((a, b) => Math.max(a, b)),
  };
}

function meanOf(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0) / numbers.length;
}

/** One row a way of acting, one column a quantity. */
export function episodeTable({
  environment,
  algorithm,
  updates,
  episodes,
  methods,
}: EpisodeEvaluation): Table {
  const components = Object.keys(methods[0].components);
  return {
    title: `${environment}, ${algorithm} after ${counted(updates, 'update')}: ${counted(episodes, 'episode')}`,
    columns: [
      { label: 'actions', align: 'left' },
      { label: 'mean return' },
      { label: '95 % from' },
      { label: 'to' },
      { label: 'std' },
      { label: 'min' },
      { label: 'max' },
      { label: 'mean length' },
      { label: 'shortest' },
      { label: 'longest' },
      ...components.map((label) => ({ label })),
    ],
    rows: methods.map(({ name, return: returns, length, components: means }) => [
      name,
      returns.mean,
      returns.low,
      returns.high,
      returns.std,
      returns.min,
      returns.max,
      length.mean,
      length.min,
      length.max,
      ...components.map((component) => means[component]),
    ]),
  };
}
