import {
  CheckpointStore,
  ConfigError,
  DegradationTransformer,
  RunDirectory,
  Tokeniser,
  degradationTransformerOptions,
  resolveOptions,
  tokeniserOptions,
  type Checkpoint,
  type Logger,
} from '@rollcast/core';
import { Pretrainer, pretrainOptions } from '@rollcast/algos';
import { saturationShare, simulators, tokenSource } from '@rollcast/envs';
import { Option, type Command } from 'commander';
import { z } from 'zod';

import { corpusSource, type CorpusFlags } from '../corpus.js';
import { addDataFlags, addWindowFlags, dataRecipe, fileSource, type DataFlags } from '../data-source.js';
import { collect, integer, list, number, parseSettings, quoted } from '../flags.js';
import { listenForInterrupt } from '../interrupt.js';
import { checkpointFiles, readAlgorithmState, readModel, type LoadedModel } from '../model-files.js';
import { progress, type ProgressDisplay } from '../progress.js';
import { counted } from '../report/table.js';
import { goOn } from '../training.js';
import { HELD_OUT, Looks, Validation } from '../validation.js';
import { loadWindows, type LoadedWindows } from '../windows.js';
import {
  addBackendFlags,
  addRunFlags,
  changedByFlags,
  runMode,
  startBackend,
  withLogger,
  type BackendFlags,
  type RunFlags,
} from './shared.js';

/** What `config.json` of a pre-training run holds. */
export const pretrainRunConfig = z.strictObject({
  data: dataRecipe,
  model: degradationTransformerOptions,
  tokeniser: tokeniserOptions,
  pretrain: z.strictObject({
    ...pretrainOptions.shape,
    validateEvery: z
      .int()
      .min(1)
      .default(50)
      .describe('steps between two looks at the held-out windows; the best of them is kept'),
    patience: z
      .int()
      .min(0)
      .default(0)
      .describe('looks at the held-out windows without improvement after which training stops; 0: never'),
  }),
  seed: z.int().min(0),
});
export type PretrainRunConfig = z.output<typeof pretrainRunConfig>;

interface PretrainFlags extends DataFlags, CorpusFlags, RunFlags, BackendFlags {
  simulator: string[];
  units: number;
  context: number;
  horizon: number;
  stride: number;
  holdout: number;
  steps: number;
  batchSize: number;
  lr: number;
  seed: number;
  splitSeed?: number;
  set: string[];
}

export function addPretrain(program: Command): void {
  const command = program
    .command('pretrain')
    .description('Teach a new transformer the next token, on data files or on simulated wear.');
  addWindowFlags(addDataFlags(command))
    .addOption(
      new Option(
        '--corpus <file>',
        'instead of --data: several data sets and simulators with weights, as JSON',
      ).conflicts(['data', 'simulator', 'units']),
    )
    .option('--data-root <folder>', "folder of the corpus's files (default: that of the corpus file)")
    .option('--leave-out <sets>', 'sets of the corpus that are not trained on', list)
    .option(
      '--augment <key=value>',
      'an augmentation in place of that of the corpus, for example halfTurn=0.5; repeatable',
      collect,
      [],
    )
    .option('--simulator <laws>', `without --data: ${Object.keys(simulators).join(', ')}, or all`, list, [
      'all',
    ])
    .option('--units <count>', 'without --data: simulated units of each law', integer(2, 100_000), 40)
    .option(
      '--holdout <share>',
      'share of the units that is never trained on',
      number({ above: 0, below: 1 }),
      0.2,
    )
    .option('--steps <count>', 'gradient steps', integer(1), pretrainOptions.parse({}).steps)
    .option('--batch-size <windows>', 'windows a step', integer(1), pretrainOptions.parse({}).batchSize)
    .option('--lr <rate>', 'peak learning rate', number({ above: 0 }), pretrainOptions.parse({}).learningRate)
    .option('--seed <number>', 'seed of the split, the weights and the order of the windows', integer(0), 0)
    .option(
      '--split-seed <number>',
      'seed of which units are held out: that of another run, to forecast together with it (default: --seed)',
      integer(0),
    )
    .option(
      '--set <group.key=value>',
      'any other option of model, tokeniser or pretrain, for example model.layers=2; repeatable',
      collect,
      [],
    );
  addRunFlags(addBackendFlags(command));
  command.action(async (flags: PretrainFlags, self: Command) => {
    const backend = await startBackend(flags);
    if (flags.resume) changedByFlags(flags, self, []);
    const config = flags.resume ? RunDirectory.open(flags.out).config : resolvePretrain(flags);
    const run = RunDirectory.create(flags.out, { kind: 'pretrain', config, mode: runMode(flags) });
    await runPretraining(run, backend, flags.resume === true);
  });
}

/** Flags → everything filled in. Data are read once here, so that bad data leave no run folder behind. */
function resolvePretrain(flags: PretrainFlags): PretrainRunConfig {
  const files = fileSource(flags);
  const corpus = corpusSource(flags);
  const settings = parseSettings(flags.set, ['model', 'tokeniser', 'pretrain']);
  const { context: contextLength, horizon, stride, seed } = flags;
  const vocabularySize = settings['tokeniser']?.['vocabularySize'] ?? settings['model']?.['vocabularySize'];
  const shared = vocabularySize === undefined ? {} : { vocabularySize };
  const config = resolveOptions(
    pretrainRunConfig,
    {
      data: {
        source: corpus
          ? { corpus }
          : files
            ? { files }
            : { simulated: { laws: flags.simulator, units: flags.units, seed: flags.splitSeed ?? seed } },
        windows: { contextLength, horizon, stride },
        holdoutShare: flags.holdout,
        splitSeed: flags.splitSeed ?? seed,
      },
      model: { attentionWindow: contextLength + horizon, ...settings['model'], ...shared },
      tokeniser: { ...settings['tokeniser'], ...shared },
      pretrain: {
        steps: flags.steps,
        batchSize: flags.batchSize,
        learningRate: flags.lr,
        ...settings['pretrain'],
      },
      seed,
    },
    '',
  );
  new DegradationTransformer({ ...config.model, layers: 1 }).dispose(); // refuses what cannot be built
  if (loadWindows(config.data).sets.every(({ heldOut }) => !heldOut))
    throw new ConfigError(
      'Every set of the corpus has one unit, so that none can be held out. Add a set of two units or more.',
    );
  return config;
}

/**
 * Pre-trains into a run folder that exists, and leaves its best checkpoint marked.
 *
 * @param backend - the sentence that says who computes
 */
export async function runPretraining(run: RunDirectory, backend: string, resume: boolean): Promise<void> {
  const config = resolveOptions(pretrainRunConfig, run.config, '');
  await withLogger(run, async (logger) => {
    logger.info(backend);
    const data = loadWindows(config.data);
    for (const note of data.notes) logger.info(note);
    const store = new CheckpointStore(run.checkpointFolder);
    const checkpoint = resume ? goOn(run, logger) : undefined;
    const loaded = checkpoint ? readModel(checkpoint) : newModel(config);
    try {
      describeStart(logger, loaded, data);
      await preTrain(config, { run, logger, store, checkpoint, loaded, data });
    } finally {
      loaded.model.dispose();
    }
  });
}

/** What a pre-training works with. */
interface PretrainParts {
  run: RunDirectory;
  logger: Logger;
  store: CheckpointStore;
  /** Where it goes on. */
  checkpoint?: Checkpoint;
  loaded: LoadedModel;
  data: LoadedWindows;
}

async function preTrain(
  config: PretrainRunConfig,
  { run, logger, store, checkpoint, loaded, data }: PretrainParts,
): Promise<void> {
  const { model, tokeniser } = loaded;
  const validation = new Validation(data.sets, tokeniser);
  const { validateEvery, patience, ...options } = config.pretrain;
  const { steps } = options;
  const looks = new Looks(patience, checkpoint ? earlierLooks(run, store, logger) : []);
  const trainer = new Pretrainer(model, tokenSource(data.train, tokeniser), options, config.seed);
  let stopped = false;
  const interrupt = listenForInterrupt(() => (stopped = true));
  let bar: ProgressDisplay | undefined;
  try {
    if (checkpoint) trainer.restore(readAlgorithmState(checkpoint));
    bar = progress({ label: 'pre-training', total: steps, from: trainer.stepsDone, unit: 'steps' });
    while (trainer.stepsDone < steps && !stopped && !looks.exhausted) {
      const stats = trainer.step();
      const done = trainer.stepsDone;
      const metrics: Record<string, number> = {
        'pretrain/crossEntropy': stats.loss,
        'pretrain/gradNorm': stats.gradNorm,
        'pretrain/learningRate': stats.learningRate,
      };
      await new Promise((resolve) => setImmediate(resolve));
      const validates = done % validateEvery === 0 || done === steps;
      if (validates) Object.assign(metrics, validation.look(model));
      run.appendMetrics({ ...metrics, update: done });
      if (validates || stopped) {
        run.flushMetrics();
        const best = validates && looks.add(metrics[HELD_OUT]);
        store.save(done, checkpointFiles(loaded, trainer.state()), { best });
      }
      bar.tick(
        done,
        `cross-entropy ${stats.loss.toFixed(3)} nats, held out ${Number.isFinite(looks.best) ? looks.best.toFixed(3) : '–'}`,
      );
    }
  } finally {
    bar?.done();
    interrupt.release();
    trainer.dispose();
  }
  logger.info(
    trainer.stepsDone < steps && !looks.exhausted
      ? `stopped after ${trainer.stepsDone} of ${steps} steps; continue with: rollcast pretrain --out ${quoted(run.path)} --resume`
      : `done${looks.exhausted ? ` after ${trainer.stepsDone} of ${steps} steps: nothing improved in the last ${patience} looks` : ''}: held-out cross-entropy ${looks.best.toFixed(3)} nats a token (guessing: ${Math.log(model.vocabularySize).toFixed(3)}); best checkpoint update-${store.best()} in ${run.path}`,
  );
}

/** What earlier looks found, in order; the checkpoint of the best is marked, whatever a killed process or damage has left. */
function earlierLooks(run: RunDirectory, store: CheckpointStore, logger: Logger): number[] {
  const looks = run.readMetrics().filter((record) => HELD_OUT in record);
  const kept = store.list();
  const [best] = looks
    .filter(({ update }) => kept.includes(update))
    .sort((a, b) => a[HELD_OUT] - b[HELD_OUT]); // stable: the first of equals
  let marked: number | undefined;
  try {
    marked = store.best();
  } catch (error) {
    logger.warn(`${(error as Error).message} It is marked anew, by the metrics.`);
  }
  if (best && best.update !== marked) store.markBest(best.update);
  return looks.map((record) => record[HELD_OUT]);
}

function newModel(config: PretrainRunConfig): LoadedModel {
  const model = new DegradationTransformer(config.model, config.seed);
  const { contextLength, horizon } = config.data.windows;
  return {
    model,
    tokeniser: new Tokeniser(config.tokeniser),
    description: { model: model.config, tokeniser: config.tokeniser, contextLength, horizon },
  };
}

function describeStart(logger: Logger, { model, tokeniser }: LoadedModel, { sets }: LoadedWindows): void {
  const { layers, width, heads } = model.config;
  const { scaling, bins, vocabularySize } = tokeniser.config;
  const weights = sets.reduce((sum, { weight }) => sum + weight, 0);
  for (const { name, weight, train, heldOut } of sets) {
    const share = `${name}, ${((100 * weight) / weights).toFixed(0)} % of the windows`;
    logger.info(
      `data${sets.length > 1 ? ` (${share})` : ''}: ${counted(train.units.length, 'unit')} to train on (${counted(train.length, 'window')}), ${heldOut?.units.length ?? 0} held out (${heldOut?.length ?? 0})`,
    );
  }
  logger.info(`model: ${layers} layers, ${width} wide, ${heads} heads, ${model.parameters.size} parameters`);
  const saturated = sets.flatMap(({ name, heldOut }) =>
    heldOut ? [{ name, share: saturationShare(heldOut.evenlySpacedWindows(), tokeniser) }] : [],
  );
  const told = saturated.map(
    ({ name, share }) => `${(100 * share).toFixed(2)} %${saturated.length > 1 ? ` (${name})` : ''}`,
  );
  logger.info(
    `tokens: ${vocabularySize} ${bins} bins of ${scaling}; ${told.join(', ')} of held-out future points saturate`,
  );
}
