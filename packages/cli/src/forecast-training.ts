/** Fine-tuning of forecasts: what `rollcast train` does where the environment is made from windows of data. */
import {
  ConfigError,
  RLHFCallback,
  RandomStream,
  resolveOptions,
  stageOf,
  type Algorithm,
  type Callback,
  type Checkpoint,
  type DegradationTransformer,
  type RewardDefinition,
  type RunDirectory,
} from '@rollcast/core';
import { RLHFLearner } from '@rollcast/algos';
import {
  dataOptions,
  degradationOptions,
  type DegradationEnvironment,
  type ForecastEnvironmentEntry,
} from '@rollcast/envs';
import { z } from 'zod';

import { dataRecipe, fileSource, parseRecipe, type DataFlags } from './data-source.js';
import { algorithmFor, environmentOfKind } from './environments.js';
import { parseSettings } from './flags.js';
import { klControlSettings, type KlFlags } from './kl-flags.js';
import {
  checkpointFiles,
  collectorFiles,
  openRun,
  readAlgorithmState,
  readCollector,
  readModel,
  requireReference,
  restoreCollector,
} from './model-files.js';
import { counted } from './report/table.js';
import { openTraining, trainInRun, trainingShape, type TrainingFlags } from './training.js';
import { loadWindows } from './windows.js';

/** What `config.json` of a fine-tuning run holds. */
export const forecastRunConfig = z.strictObject({
  ...trainingShape,
  init: z.string(),
  environmentOptions: degradationOptions,
  updates: z.int().min(1),
  batchSize: z.int().min(1).max(65_536),
  plotEvery: z.int().min(1),
  /** Horizons of equal shares of the updates; that of the windows throughout when left out. */
  horizonSchedule: z.array(z.int().min(1)).min(1).optional(),
  data: dataRecipe,
  /** Of a reward that is a file of the user's own; `environmentOptions.reward` is its path then. */
  rewardFileOptions: z.record(z.string(), z.unknown()).optional(),
});
export type ForecastRunConfig = z.output<typeof forecastRunConfig>;

/** Flags of a fine-tuning run. */
export interface ForecastRunFlags extends TrainingFlags, KlFlags, DataFlags {
  init?: string;
  updates?: number;
  batchSize?: number;
  reward?: string;
  credit?: 'step' | 'sequence';
  windows?: 'alike' | 'difficulty';
  horizonSchedule?: number[];
  plotEvery?: number;
}

/**
 * Flags → everything filled in. What they name is opened once here, so that bad input leaves no run folder behind.
 *
 * @param rewardFile - what the file declares that `--reward` names
 * @throws {ConfigError} listing every option that is wrong
 */
export function resolveForecastRun(
  flags: ForecastRunFlags,
  entry: ForecastEnvironmentEntry,
  rewardFile?: RewardDefinition,
): ForecastRunConfig {
  const { env, algo = 'reinforce' } = flags;
  const algorithmEntry = algorithmFor(algo, env, entry.kind);
  if (!flags.init) {
    throw new ConfigError(
      '--init RUN is needed: the run folder of the pre-trained model. Make one with rollcast pretrain --out runs/pre.',
    );
  }
  const settings = parseSettings(flags.set, [algo, 'env', ...(rewardFile ? ['reward'] : [])]);
  const { run, checkpoint } = openRun(flags.init, 'best');
  const recipe = parseRecipe(run.config['data']);
  const files = fileSource(flags);
  const algorithmOptions = resolveOptions(
    algorithmEntry.options,
    {
      ...(flags.lr !== undefined && { learningRate: flags.lr }),
      ...settings[algo],
      klControl: klControlSettings(flags, settings[algo]),
    },
    algo,
  ) as Record<string, unknown>;
  const environmentOptions = resolveOptions(
    degradationOptions,
    {
      ...(flags.reward !== undefined && { reward: flags.reward }),
      ...(flags.credit !== undefined && { credit: flags.credit }),
      ...(flags.windows !== undefined && { windows: flags.windows }),
      ...settings['env'],
    },
    'env',
  );
  const config: ForecastRunConfig = {
    init: flags.init,
    environment: env,
    environmentOptions,
    algorithm: algo,
    algorithmOptions,
    updates: flags.updates ?? 200,
    batchSize: flags.batchSize ?? 64,
    seed: flags.seed,
    plotEvery: flags.plotEvery ?? 50,
    checkpointEvery: flags.checkpointEvery,
    ...(flags.horizonSchedule && { horizonSchedule: flags.horizonSchedule }),
    ...(rewardFile && {
      rewardFileOptions: resolveOptions(rewardFile.options, settings['reward'] ?? {}, 'reward') as Record<
        string,
        unknown
      >,
    }),
    data: files ? { ...recipe, source: { files: resolveOptions(dataOptions, files, 'data') } } : recipe,
  };
  const { model, tokeniser } = readModel(checkpoint);
  let algorithm: Algorithm | undefined;
  try {
    const { train } = loadWindows(config.data);
    const environment = entry.create({ dataset: train, tokeniser }, withReward(config, rewardFile));
    const { updates, batchSize, seed } = config;
    environmentsOf(config, environment);
    algorithm = algorithmEntry.create(model, algorithmOptions, { updates, batchSize, seed });
    environment.checkPaths(algorithm.needsGreedyRollout ? 1 : (algorithm.samplesPerContext ?? 1));
  } finally {
    algorithm?.dispose();
    model.dispose();
  }
  return config;
}

/**
 * The environment of each update: with a horizon that grows in equal shares of the run, where that is asked for.
 *
 * @throws {ConfigError} when a horizon is longer than the windows, or not longer than the one before
 */
function environmentsOf(
  { horizonSchedule, updates }: ForecastRunConfig,
  environment: DegradationEnvironment,
): ((update: number) => DegradationEnvironment) | undefined {
  if (!horizonSchedule) return undefined;
  const { horizon } = environment;
  const written = horizonSchedule.join(',');
  if (horizonSchedule.some((h, i) => h > horizon || (i > 0 && h <= horizonSchedule[i - 1])))
    throw new ConfigError(
      `--horizon-schedule ${written}: horizons must rise and stay within the ${horizon} points of the windows.`,
    );
  if (updates < horizonSchedule.length)
    throw new ConfigError(
      `--horizon-schedule ${written}: ${horizonSchedule.length} horizons need as many updates or more; got ${updates}.`,
    );
  const stages = horizonSchedule.map((h) => environment.withHorizon(h));
  return (update) => stageOf(stages, update / updates);
}

/** The options of the environment, with the function in place of its path. */
function withReward(
  { environmentOptions, rewardFileOptions }: ForecastRunConfig,
  rewardFile?: RewardDefinition,
): ForecastRunConfig['environmentOptions'] {
  return rewardFile
    ? { ...environmentOptions, reward: rewardFile.create(rewardFileOptions) }
    : environmentOptions;
}

/**
 * Fine-tunes into a run folder that exists.
 *
 * @param backend - the sentence that says who computes
 * @param rewardFile - what the file declares that `--reward` names
 */
export async function runForecastTraining(
  run: RunDirectory,
  config: ForecastRunConfig,
  backend: string,
  resume: boolean,
  rewardFile?: RewardDefinition,
): Promise<void> {
  await openTraining(run, backend, resume, async (context) => {
    const { logger } = context;
    const resumed = context.checkpoint;
    const checkpoint = resumed ?? openRun(config.init, 'best').checkpoint;
    const { environmentOptions, algorithm, algorithmOptions, updates, batchSize, seed, plotEvery } = config;
    const loaded = readModel(checkpoint);
    const { model, tokeniser } = loaded;
    let referencePolicy: DegradationTransformer | undefined;
    let learner: RLHFLearner | undefined;
    try {
      const reference = resumed ? requireReference(resumed, loaded) : model.clone({ trainable: false });
      referencePolicy = reference;
      const { train, sets, notes } = loadWindows(config.data);
      for (const note of notes) logger.info(note);
      const entry = environmentOfKind(config.environment, 'forecast');
      const environment = entry.create({ dataset: train, tokeniser }, withReward(config, rewardFile));
      const { horizon } = environment;
      const units = sets.reduce((sum, set) => sum + set.train.units.length, 0);
      const windows = sets.reduce((sum, set) => sum + set.train.length, 0);
      const learnsFromRewards = algorithmFor(algorithm, config.environment, entry.kind).kinds.includes(
        'sequence',
      );
      const goal = learnsFromRewards
        ? `maximising ${String(environmentOptions.reward)}`
        : 'imitating what really followed';
      const where = sets.length > 1 ? ` in ${sets.length} sets` : '';
      logger.info(
        `${algorithm} from ${checkpoint.path}: ${counted(updates, 'update')} of ${batchSize} trajectories of ${config.horizonSchedule?.join(', then ') ?? horizon} steps, ${counted(windows, 'window')} of ${counted(units, 'unit')}${where}; ${goal}`,
      );
      const rewards: number[] = [];
      const pictures = new RLHFCallback({
        folder: run.plotFolder,
        every: plotEvery,
        policy: model,
        referencePolicy: reference,
        environment,
        random: new RandomStream(seed, 'plots'),
        history: run.readMetrics().map((record) => ({
          update: record.update,
          meanReward: record['reward/mean'],
          kl: record['kl/exactPerToken'],
        })),
      });
      const watcher: Callback = { onUpdateEnd: ({ metrics }) => void rewards.push(metrics['reward/mean']) };
      const { lastMetrics } = await trainInRun(context, {
        updates,
        checkpointEvery: config.checkpointEvery,
        progress: { label: 'fine-tuning', unit: 'updates', unitsPerUpdate: 1 },
        callbacks: [pictures, watcher],
        start: (loop) => {
          const learning = new RLHFLearner({
            policy: model,
            environment,
            environmentAt: environmentsOf(config, environment),
            algorithm,
            algorithmOptions,
            batchSize,
            seed,
            referencePolicy: reference,
            ...loop,
          });
          learner = learning;
          if (resumed) restore(resumed, learning, batchSize * horizon);
          return {
            collector: learning.collector,
            run: () => learning.fitRl(),
            stop: () => learning.stop(),
          };
        },
        files: () => ({
          ...checkpointFiles(loaded, learner!.algorithm.state(), reference),
          ...collectorFiles(learner!.collector),
        }),
        info: (metrics) =>
          `reward ${meanOf(rewards.slice(-10))}, KL ${metrics['kl/exactPerToken'].toPrecision(2)} nats/token`,
      });
      if (rewards.length > 0) {
        logger.info(
          `reward ${meanOf(rewards.slice(0, 10))} → ${meanOf(rewards.slice(-10))} (means of ten updates), KL to the reference ${lastMetrics['kl/exactPerToken'].toPrecision(2)} nats a token, ${lastMetrics['kl/exactPerSequence'].toPrecision(2)} a sequence`,
        );
      }
    } finally {
      learner?.dispose();
      referencePolicy?.dispose();
      model.dispose();
    }
  });
}

/** @param stepsPerUpdate - tokens, for checkpoints of before they were counted */
function restore(
  checkpoint: Checkpoint,
  { algorithm, collector }: RLHFLearner,
  stepsPerUpdate: number,
): void {
  algorithm.restore(readAlgorithmState(checkpoint));
  const uncounted = { steps: checkpoint.update * stepsPerUpdate, recentReturns: [] };
  restoreCollector(checkpoint, collector, readCollector(checkpoint) ?? uncounted);
}

function meanOf(numbers: readonly number[]): string {
  return (numbers.reduce((a, b) => a + b, 0) / numbers.length).toPrecision(3);
}
