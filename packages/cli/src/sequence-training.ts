/** Training on sequence environments: what `rollcast train` does where whole token sequences are generated and rewarded. */
import {
  ConfigError,
  DegradationTransformer,
  SequenceCollector,
  Trainer,
  degradationTransformerOptions,
  resolveOptions,
  type Algorithm,
  type RunDirectory,
  type SequenceEnvironment,
} from '@rollcast/core';
import { builtInAlgorithms } from '@rollcast/algos';
import type { SequenceEnvironmentEntry } from '@rollcast/envs';
import { z } from 'zod';

import { algorithmFor } from './environments.js';
import { parseSettings } from './flags.js';
import { klControlSettings, withoutReference, type KlFlags } from './kl-flags.js';
import { loadPolicy, openStart, policyFiles, restorePolicy } from './model-files.js';
import { counted } from './report/table.js';
import { openTraining, shownReturn, trainInRun, trainingShape, type TrainingFlags } from './training.js';

/** What `config.json` of a run on a sequence environment holds. */
export const sequenceRunConfig = z.strictObject({
  ...trainingShape,
  /** The run that policy and reference start from; without it there is no reference. */
  init: z.string().optional(),
  modelOptions: degradationTransformerOptions,
  updates: z.int().min(1),
  batchSize: z.int().min(1).max(65_536),
});
export type SequenceRunConfig = z.output<typeof sequenceRunConfig>;

/** Flags of a run on a sequence environment. */
export interface SequenceRunFlags extends TrainingFlags, KlFlags {
  init?: string;
  updates?: number;
  steps?: number;
  batchSize?: number;
}

/**
 * Where training starts from nothing, steps are larger than the algorithms' defaults, which are for fine-tuning, and a little
 * entropy keeps tokens from being given up before they were tried.
 */
const FROM_NOTHING: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  ppo: { learningRate: 1e-3, updateEpochs: 4, entropyCoef: 0.02 },
  grpo: { learningRate: 1e-3, updateEpochs: 2, entropyCoef: 0.02 },
};
const FROM_NOTHING_OTHERS = { learningRate: 2e-3, entropyCoef: 0.04 };

/** Everything that takes part in a run; `dispose` frees it. */
export interface SequenceParts {
  readonly environment: SequenceEnvironment;
  readonly policy: DegradationTransformer;
  readonly referencePolicy?: DegradationTransformer;
  readonly algorithm: Algorithm;
  readonly collector: SequenceCollector;
  dispose(): void;
}

/**
 * Makes what a configuration says; the weights of a run that starts from another are still to be loaded.
 *
 * @throws {ConfigError} when options are wrong or do not fit together; nothing is left open then
 */
function makeParts(config: SequenceRunConfig, entry: SequenceEnvironmentEntry): SequenceParts {
  const { batchSize, updates, seed, modelOptions } = config;
  const opened: { dispose(): void }[] = [];
  const open = <Part extends { dispose(): void }>(part: Part): Part => {
    opened.unshift(part);
    return part;
  };
  const dispose = (): void => opened.forEach((part) => part.dispose());
  try {
    const environment = entry.create(config.environmentOptions);
    const policy = open(new DegradationTransformer(modelOptions, seed));
    const referencePolicy =
      config.init === undefined ? undefined : open(new DegradationTransformer(modelOptions, 0, false));
    const algorithm = open(
      builtInAlgorithms()
        .get(config.algorithm)
        .create(policy, config.algorithmOptions, { updates, batchSize, seed }),
    );
    const collector = open(
      new SequenceCollector({
        environment,
        policy,
        referencePolicy,
        batchSize,
        seed,
        samplesPerContext: algorithm.samplesPerContext,
        greedyBaseline: algorithm.needsGreedyRollout,
      }),
    );
    return { environment, policy, referencePolicy, algorithm, collector, dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

/**
 * Flags → everything filled in. Everything is made once, so that bad input leaves no run folder behind.
 *
 * @throws {ConfigError} listing every option that is wrong
 */
export function resolveSequenceRun(
  flags: SequenceRunFlags,
  entry: SequenceEnvironmentEntry,
): SequenceRunConfig {
  const { env, algo = 'ppo', init, batchSize = 64 } = flags;
  const { options: algorithmSchema } = algorithmFor(algo, env, entry.kind);
  const settings = parseSettings(flags.set, [algo, 'env', 'model']);
  const environmentOptions = resolveOptions(entry.options, settings['env'] ?? {}, 'env') as Record<
    string,
    unknown
  >;
  const environment = entry.create(environmentOptions);
  const given = settings[algo];
  const algorithmOptions = {
    ...(init === undefined && (FROM_NOTHING[algo] ?? FROM_NOTHING_OTHERS)),
    ...(flags.lr !== undefined && { learningRate: flags.lr }),
    ...given,
    klControl: init === undefined ? withoutReference(flags, given) : klControlSettings(flags, given),
  };
  const tokensPerUpdate = batchSize * environment.horizon;
  const config: SequenceRunConfig = {
    ...(init !== undefined && { init }),
    environment: env,
    environmentOptions,
    algorithm: algo,
    algorithmOptions: resolveOptions(algorithmSchema, algorithmOptions, algo) as Record<string, unknown>,
    modelOptions:
      init === undefined
        ? newModel(environment, settings['model'])
        : modelOf(init, environment, settings['model']),
    updates:
      flags.steps === undefined
        ? (flags.updates ?? 200)
        : Math.max(1, Math.floor(flags.steps / tokensPerUpdate)),
    batchSize,
    seed: flags.seed,
    checkpointEvery: flags.checkpointEvery,
  };
  const parts = makeParts(config, entry);
  try {
    if (init !== undefined) loadPolicy(openStart(init, 'sequence').checkpoint, parts.policy);
  } finally {
    parts.dispose();
  }
  return config;
}

/** The options of a fresh model for an environment: its tokens, and attention over everything that it reads and writes. */
function newModel(
  { name, vocabularySize, contextLength, horizon }: SequenceEnvironment,
  settings: Readonly<Record<string, unknown>> = {},
): SequenceRunConfig['modelOptions'] {
  const asked = settings['vocabularySize'] ?? vocabularySize;
  if (asked !== vocabularySize) {
    throw new ConfigError(
      `model.vocabularySize is that of the environment: "${name}" speaks ${vocabularySize} tokens; got ${JSON.stringify(asked)}. Leave it out.`,
    );
  }
  return resolveOptions(
    degradationTransformerOptions,
    { vocabularySize, attentionWindow: contextLength + horizon, ...settings },
    'model',
  );
}

/** The options of the model that another run has trained. */
function modelOf(
  init: string,
  { name, vocabularySize }: SequenceEnvironment,
  settings: Readonly<Record<string, unknown>> = {},
): SequenceRunConfig['modelOptions'] {
  const [key] = Object.keys(settings);
  if (key !== undefined) {
    throw new ConfigError(
      `model.${key} cannot be set with --init ${init}: the model is the one that run has trained.`,
    );
  }
  const { modelOptions } = resolveOptions(sequenceRunConfig, openStart(init, 'sequence').run.config, init);
  if (modelOptions.vocabularySize !== vocabularySize) {
    throw new ConfigError(
      `--init ${init}: its model speaks ${modelOptions.vocabularySize} tokens and "${name}" ${vocabularySize}. Start from a run on an environment of the same tokens, or leave --init out.`,
    );
  }
  return modelOptions;
}

/**
 * Trains into a run folder that exists. One generated token counts as a step, one sequence as an episode.
 *
 * @param backend - the sentence that says who computes
 */
export async function runSequenceTraining(
  run: RunDirectory,
  config: SequenceRunConfig,
  entry: SequenceEnvironmentEntry,
  backend: string,
  resume: boolean,
): Promise<void> {
  await openTraining(run, backend, resume, async (context) => {
    const parts = makeParts(config, entry);
    const { policy, referencePolicy, algorithm, collector, environment } = parts;
    const { updates, batchSize, init } = config;
    try {
      if (context.checkpoint) restorePolicy(context.checkpoint, parts);
      else if (init !== undefined) {
        const { checkpoint } = openStart(init, 'sequence');
        for (const model of [policy, referencePolicy!]) loadPolicy(checkpoint, model);
      }
      context.logger.info(
        `${config.algorithm} on ${config.environment}${init === undefined ? '' : ` from ${init}`}: ${counted(updates, 'update')} of ${batchSize} × ${environment.horizon} tokens, ${policy.parameters.size} parameters, seed ${config.seed}`,
      );
      await trainInRun(context, {
        updates,
        checkpointEvery: config.checkpointEvery,
        progress: { label: 'training', unit: 'tokens', unitsPerUpdate: batchSize * environment.horizon },
        curveLabel: 'generated tokens',
        start: (loop) => {
          const trainer = new Trainer({ collector, algorithm, ...loop });
          return { collector, run: () => trainer.run(), stop: () => trainer.stop() };
        },
        files: () => policyFiles(parts),
        info: (metrics) =>
          `return ${shownReturn(collector)}${init === undefined ? '' : `, KL ${metrics['kl/exactPerToken'].toPrecision(2)} nats/token`}`,
      });
    } finally {
      parts.dispose();
    }
  });
}
