import {
  CheckpointStore,
  ConfigError,
  MetricsCallback,
  RLHFCallback,
  RandomStream,
  Registry,
  RunDirectory,
  resolveOptions,
  type Callback,
} from '@rollcast/core';
import { RLHFLearner, builtInAlgorithms } from '@rollcast/algos';
import {
  registerEnvironments,
  rewardOptions,
  type EnvironmentEntry,
  type ForecastEnvironmentEntry,
  type StepEnvironmentEntry,
} from '@rollcast/envs';
import { Option, type Command } from 'commander';
import { z } from 'zod';

import {
  addDataFlags,
  dataRecipe,
  fileSource,
  loadWindows,
  parseRecipe,
  type DataFlags,
} from '../data-source.js';
import { collect, integer, number, parseSettings } from '../flags.js';
import { listenForInterrupt } from '../interrupt.js';
import { checkpointFiles, openRun, readAlgorithmState, readModel, readReference } from '../model-files.js';
import { progress } from '../progress.js';
import { presetNames, type PresetName } from '../step-presets.js';
import { resolveStepRun, runStepTraining, stepRunConfig, type StepRunConfig } from '../step-training.js';
import {
  addBackendFlags,
  addRunFlags,
  runMode,
  startBackend,
  withLogger,
  type BackendFlags,
  type RunFlags,
} from './shared.js';

/** What `config.json` of a fine-tuning run holds. */
export const trainRunConfig = z.strictObject({
  init: z.string(),
  environment: z.string(),
  environmentOptions: rewardOptions,
  algorithm: z.string(),
  algorithmOptions: z.record(z.string(), z.unknown()),
  updates: z.int().min(1),
  batchSize: z.int().min(1),
  seed: z.int().min(0),
  plotEvery: z.int().min(1),
  checkpointEvery: z.int().min(1),
  data: dataRecipe,
});
export type TrainRunConfig = z.output<typeof trainRunConfig>;

interface TrainFlags extends DataFlags, RunFlags, BackendFlags {
  env: string;
  init: string;
  algo: string;
  updates: number;
  batchSize: number;
  lr?: number;
  seed: number;
  reward?: string;
  credit?: 'step' | 'sequence';
  klCoef?: number;
  klTarget?: number;
  plotEvery: number;
  checkpointEvery: number;
  steps: number;
  instances?: number;
  stepsPerRollout?: number;
  workers: number;
  preset: PresetName;
  set: string[];
}

/** The environments that can be named. */
export function knownEnvironments(): Registry<EnvironmentEntry> {
  const registry = new Registry<EnvironmentEntry>('environment');
  registerEnvironments(registry);
  return registry;
}

/** @throws {ConfigError} when the environment is not made from windows of data */
function forecastEnvironment(name: string): ForecastEnvironmentEntry {
  const entry = knownEnvironments().get(name);
  if (entry.kind !== 'forecast') throw new ConfigError(`"${name}" is no forecast environment.`);
  return entry;
}

/** The environment's entry when it is one of steps. @throws {ConfigError} when this command cannot train on it */
function stepEnvironment(name: string): StepEnvironmentEntry | undefined {
  const registry = knownEnvironments();
  const entry = registry.get(name);
  if (entry.kind === 'step') return entry;
  if (entry.kind === 'forecast') return undefined;
  const trainable = registry.list().filter(([, { kind }]) => kind !== 'sequence');
  throw new ConfigError(
    `--env: rollcast train has no model for the token task "${name}"; use it as a library. Known here: ${trainable.map(([known]) => known).join(', ')}.`,
  );
}

/** What a step environment has use for; the other flags are for forecasts. */
const STEP_RUN_FLAGS = [
  ...['env', 'algo', 'lr', 'seed', 'set', 'checkpointEvery', 'out', 'force', 'resume', 'backend', 'device', 'threads'],
  ...['steps', 'instances', 'stepsPerRollout', 'workers', 'preset'],
]; // prettier-ignore
const STEP_ONLY_FLAGS = STEP_RUN_FLAGS.slice(-5);

/** @throws {ConfigError} naming the first flag that the environment has no use for */
function refuseFlags(command: Command, environment: string, useless: (name: string) => boolean): void {
  const wrong = command.options.find(
    (option) =>
      useless(option.attributeName()) && command.getOptionValueSource(option.attributeName()) === 'cli',
  );
  if (wrong) {
    const kind = useless('steps') ? 'step environments' : 'forecasts';
    throw new ConfigError(`${wrong.long} means nothing with --env ${environment}: it is for ${kind}.`);
  }
}

export function addTrain(program: Command): void {
  const command = program
    .command('train')
    .description(
      'Fine-tune a pre-trained model on whole generated trajectories, or train a small policy on a step environment.',
    )
    .option('--env <name>', 'environment', 'degradation')
    .option('--init <run>', 'run to start from; its data and split are used unless --data is given')
    .option('--algo <name>', 'algorithm; rollcast list shows all', 'reinforce')
    .option('--updates <count>', 'updates in all', integer(1), 200)
    .option('--batch-size <trajectories>', 'trajectories an update', integer(1), 64)
    .option('--lr <rate>', 'learning rate (default: by algorithm)', number({ above: 0 }))
    .option('--seed <number>', 'seed of contexts, samples and minibatches', integer(0), 0)
    .option(
      '--reward <expression>',
      'what is maximised, of mse, mae, nonMonotonicity, finalError (default: "-mse")',
    )
    .addOption(
      new Option(
        '--credit <how>',
        'reward at each step, or one for the whole sequence (default: step)',
      ).choices(['step', 'sequence']),
    )
    .addOption(
      new Option('--kl-coef <beta>', 'fixed weight of the KL to the reference (default: 0.3)')
        .argParser(number({ least: 0 }))
        .conflicts('klTarget'),
    )
    .option('--kl-target <nats>', 'KL to hold, in nats a token: the weight then adapts', number({ above: 0 }))
    .option('--plot-every <updates>', 'updates between pictures of forecasts', integer(1), 50)
    .option('--checkpoint-every <updates>', 'updates between checkpoints', integer(1), 50)
    .option('--steps <count>', 'step environments: steps in all', integer(1), 100_000)
    .option(
      '--instances <count>',
      'step environments: instances stepped together (default: by preset)',
      integer(1),
    )
    .option(
      '--steps-per-rollout <count>',
      'step environments: steps of each instance a rollout (default: by preset)',
      integer(1),
    )
    .option('--workers <count>', 'step environments: worker threads, for slow ones', integer(0), 0)
    .addOption(
      new Option('--preset <name>', 'step environments: published settings to start from')
        .choices([...presetNames])
        .default('cleanrl'),
    )
    .option(
      '--set <group.key=value>',
      'any option of the algorithm or of env, for example ppo.clipRange=0.1; repeatable',
      collect,
      [],
    );
  addRunFlags(addBackendFlags(addDataFlags(command)));
  command.action(async (flags: TrainFlags, self: Command) => {
    const backend = await startBackend(flags);
    if (flags.resume) {
      const config = resumedConfig(flags, self);
      const run = RunDirectory.create(flags.out, { kind: 'train', config, mode: 'resume' });
      if ('instances' in config)
        await runStepTraining(run, config, stepEnvironment(config.environment)!, backend, true);
      else await runTraining(run, config, backend, true);
      return;
    }
    const steps = stepEnvironment(flags.env);
    if (steps) {
      refuseFlags(self, flags.env, (name) => !STEP_RUN_FLAGS.includes(name));
      const config = await resolveStepRun(
        { ...flags, algo: self.getOptionValueSource('algo') === 'cli' ? flags.algo : 'ppo' },
        steps,
      );
      const run = RunDirectory.create(flags.out, { kind: 'train', config, mode: runMode(flags) });
      await runStepTraining(run, config, steps, backend, false);
    } else {
      refuseFlags(self, flags.env, (name) => STEP_ONLY_FLAGS.includes(name));
      const config = resolveTrain(flags);
      const run = RunDirectory.create(flags.out, { kind: 'train', config, mode: runMode(flags) });
      await runTraining(run, config, backend, false);
    }
  });
}

/** Flags → everything filled in. What they name is opened once here, so that bad input leaves no run folder behind. */
function resolveTrain(flags: TrainFlags): TrainRunConfig {
  forecastEnvironment(flags.env);
  const { options: algorithmSchema } = builtInAlgorithms().get(flags.algo);
  if (!flags.init) {
    throw new ConfigError(
      '--init RUN is needed: the run folder of the pre-trained model. Make one with rollcast pretrain --out runs/pre.',
    );
  }
  const settings = parseSettings(flags.set, [flags.algo, 'env']);
  const { run, checkpoint } = openRun(flags.init, 'best');
  const recipe = parseRecipe(run.config['data']);
  const files = fileSource(flags);
  const given = settings[flags.algo] ?? {};
  const klControl = {
    ...(flags.klCoef !== undefined && { kind: 'fixed', coefficient: flags.klCoef }),
    ...(flags.klTarget !== undefined && { kind: 'adaptive', target: flags.klTarget }),
    ...(given['klControl'] as object | undefined),
  };
  const algorithmOptions = resolveOptions(
    algorithmSchema,
    { ...(flags.lr !== undefined && { learningRate: flags.lr }), ...given, klControl },
    flags.algo,
  ) as Record<string, unknown>;
  const environmentOptions = resolveOptions(
    rewardOptions,
    {
      ...(flags.reward !== undefined && { reward: flags.reward }),
      ...(flags.credit !== undefined && { credit: flags.credit }),
      ...settings['env'],
    },
    'env',
  );
  const config: TrainRunConfig = {
    init: flags.init,
    environment: flags.env,
    environmentOptions,
    algorithm: flags.algo,
    algorithmOptions,
    updates: flags.updates,
    batchSize: flags.batchSize,
    seed: flags.seed,
    plotEvery: flags.plotEvery,
    checkpointEvery: flags.checkpointEvery,
    data: files
      ? {
          ...recipe,
          source: { files: resolveOptions(dataRecipe.shape.source.options[0].shape.files, files, 'data') },
        }
      : recipe,
  };
  const loaded = readModel(checkpoint);
  const { train } = loadWindows(config.data);
  forecastEnvironment(config.environment).create(
    { dataset: train, tokeniser: loaded.tokeniser },
    environmentOptions,
  );
  const { updates, batchSize, seed } = config;
  builtInAlgorithms()
    .get(config.algorithm)
    .create(loaded.model, algorithmOptions, { updates, batchSize, seed })
    .dispose();
  loaded.model.dispose();
  return config;
}

/** What the folder says; only the length of the run may be raised, and the number of workers changed. */
function resumedConfig(flags: TrainFlags, command: Command): TrainRunConfig | StepRunConfig {
  const { run } = openRun(flags.out);
  const steps = 'instances' in run.config;
  const length = steps ? 'steps' : 'updates';
  const allowed = ['out', 'resume', 'backend', 'device', 'threads', length, ...(steps ? ['workers'] : [])];
  const given = command.options.filter(
    (option) => command.getOptionValueSource(option.attributeName()) === 'cli',
  );
  const other = given.find((option) => !allowed.includes(option.attributeName()));
  if (other) {
    throw new ConfigError(
      `${other.long} cannot be changed by --resume: a resumed run keeps its configuration. Only --${length}, --backend, --device and --threads may be given.`,
    );
  }
  const changed = Object.fromEntries(
    given
      .map((option) => option.attributeName())
      .filter((name) => [length, 'workers'].includes(name))
      .map((name) => [name, flags[name as 'steps' | 'updates' | 'workers']]),
  );
  return steps
    ? { ...resolveOptions(stepRunConfig, run.config, ''), ...changed }
    : { ...resolveOptions(trainRunConfig, run.config, ''), ...changed };
}

/**
 * Fine-tunes into a run folder that exists.
 *
 * @param backend - the sentence that says who computes
 */
export async function runTraining(
  run: RunDirectory,
  config: TrainRunConfig,
  backend: string,
  resume: boolean,
): Promise<void> {
  await withLogger(run, async (logger) => {
    logger.info(backend);
    const store = new CheckpointStore(run.checkpointFolder);
    const checkpoint = resume ? store.load('latest') : openRun(config.init, 'best').checkpoint;
    if (resume) run.rewindMetrics(checkpoint.update); // before anything reads what is to be forgotten
    const loaded = readModel(checkpoint);
    const referencePolicy = resume
      ? readReference(checkpoint, loaded)!
      : loaded.model.clone({ trainable: false });
    const { train, notes } = loadWindows(config.data);
    for (const note of notes) logger.info(note);
    const {
      environmentOptions,
      algorithm,
      algorithmOptions,
      updates,
      batchSize,
      seed,
      plotEvery,
      checkpointEvery,
    } = config;
    const environment = forecastEnvironment(config.environment).create(
      { dataset: train, tokeniser: loaded.tokeniser },
      environmentOptions,
    );
    logger.info(
      `${algorithm} from ${checkpoint.path}: ${updates} updates of ${batchSize} trajectories of ${environment.horizon} steps, ${train.length} windows of ${train.units.length} units; maximising ${String(environmentOptions.reward)}`,
    );
    const bar = progress({ label: 'fine-tuning', total: updates, unit: 'updates' });
    const rewards: number[] = [];
    const callbacks: Callback[] = [
      new MetricsCallback(run),
      new RLHFCallback({
        folder: run.plotFolder,
        every: plotEvery,
        policy: loaded.model,
        referencePolicy,
        environment,
        random: new RandomStream(seed, 'plots'),
        history: run.readMetrics().map((record) => ({
          update: record.update,
          meanReward: record['reward/mean'],
          kl: record['kl/exactPerToken'],
        })),
      }),
      {
        onUpdateEnd({ update, metrics }) {
          rewards.push(metrics['reward/mean']);
          const recent = rewards.slice(-10);
          const mean = recent.reduce((a, b) => a + b, 0) / recent.length;
          bar.tick(
            update,
            `reward ${mean.toPrecision(3)}, KL ${metrics['kl/exactPerToken'].toPrecision(2)} nats/token`,
          );
          if (update % checkpointEvery === 0) save(update);
        },
        onTrainingEnd({ update }) {
          if (store.list().at(-1) !== update) save(update);
        },
      },
    ];
    const learner = new RLHFLearner({
      policy: loaded.model,
      environment,
      algorithm,
      algorithmOptions,
      batchSize,
      updates,
      seed,
      callbacks,
      startUpdate: resume ? checkpoint.update : 0,
      referencePolicy,
    });
    const save = (update: number): void => {
      store.save(update, checkpointFiles(loaded, learner.algorithm.state(), referencePolicy));
    };
    if (resume) {
      learner.algorithm.restore(readAlgorithmState(checkpoint));
    }
    const interrupt = listenForInterrupt(() => learner.stop());
    try {
      const { reason, updates: done, lastMetrics } = await learner.fitRl();
      bar.done();
      const mean = (part: number[]): string => (part.reduce((a, b) => a + b, 0) / part.length).toPrecision(3);
      if (rewards.length > 0) {
        logger.info(
          `reward ${mean(rewards.slice(0, 10))} → ${mean(rewards.slice(-10))} (means of ten updates), KL to the reference ${lastMetrics['kl/exactPerToken'].toPrecision(2)} nats a token, ${lastMetrics['kl/exactPerSequence'].toPrecision(2)} a sequence`,
        );
      }
      logger.info(
        reason === 'stopped'
          ? `stopped after ${done} of ${updates} updates; continue with: rollcast train --out ${run.path} --resume`
          : `done: checkpoint, metrics and plots in ${run.path}; judge it with: rollcast evaluate --run ${run.path}`,
      );
    } finally {
      bar.done();
      interrupt.release();
      learner.dispose();
      referencePolicy.dispose();
      loaded.model.dispose();
    }
  });
}
