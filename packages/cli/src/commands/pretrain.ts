import {
  CheckpointStore,
  DegradationTransformer,
  RunDirectory,
  Tokeniser,
  degradationTransformerOptions,
  resolveOptions,
  tokeniserOptions,
  type Logger,
} from '@rollcast/core';
import { Pretrainer, crossEntropy, pretrainOptions } from '@rollcast/algos';
import { saturationShare, simulators, tokenWindows, type RLDataset } from '@rollcast/envs';
import type { Command } from 'commander';
import { z } from 'zod';

import {
  addDataFlags,
  addWindowFlags,
  dataRecipe,
  fileSource,
  loadWindows,
  type DataFlags,
} from '../data-source.js';
import { collect, integer, list, number, parseSettings } from '../flags.js';
import { listenForInterrupt } from '../interrupt.js';
import { checkpointFiles, readAlgorithmState, readModel, type LoadedModel } from '../model-files.js';
import { progress } from '../progress.js';
import { goOn } from '../training.js';
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
  pretrain: pretrainOptions,
  seed: z.int().min(0),
});
export type PretrainRunConfig = z.output<typeof pretrainRunConfig>;

interface PretrainFlags extends DataFlags, RunFlags, BackendFlags {
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
  set: string[];
}

/** Steps between two looks at the held-out windows; the best of them is kept. */
const VALIDATE_EVERY = 50;
/** Held-out windows that a look takes, spread evenly over the units. */
const VALIDATION_WINDOWS = 128;
/** The metric of a look. */
const HELD_OUT = 'validation/crossEntropy';

export function addPretrain(program: Command): void {
  const command = program
    .command('pretrain')
    .description('Teach a new transformer the next token, on data files or on simulated wear.');
  addWindowFlags(addDataFlags(command))
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
  const settings = parseSettings(flags.set, ['model', 'tokeniser', 'pretrain']);
  const { context: contextLength, horizon, stride, seed } = flags;
  const vocabularySize = settings['tokeniser']?.['vocabularySize'] ?? settings['model']?.['vocabularySize'];
  const shared = vocabularySize === undefined ? {} : { vocabularySize };
  const config = resolveOptions(
    pretrainRunConfig,
    {
      data: {
        source: files ? { files } : { simulated: { laws: flags.simulator, units: flags.units, seed } },
        windows: { contextLength, horizon, stride },
        holdoutShare: flags.holdout,
        splitSeed: seed,
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
  loadWindows(config.data);
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
    const { train, heldOut, notes } = loadWindows(config.data);
    for (const note of notes) logger.info(note);
    const store = new CheckpointStore(run.checkpointFolder);
    const checkpoint = resume ? goOn(run, logger) : undefined;
    const loaded = checkpoint ? readModel(checkpoint) : newModel(config);
    const { model, tokeniser } = loaded;
    describeStart(logger, loaded, train, heldOut);
    const windows = tokenWindows(train, tokeniser);
    const validation = tokenWindows(heldOut, tokeniser);
    const validated = Array.from({ length: Math.min(VALIDATION_WINDOWS, validation.length) }, (_, i) =>
      Math.floor((i * validation.length) / Math.min(VALIDATION_WINDOWS, validation.length)),
    );
    const trainer = new Pretrainer(model, windows, config.pretrain, config.seed);
    let best = Infinity;
    if (checkpoint) {
      trainer.restore(readAlgorithmState(checkpoint));
      best = bestSoFar(run, store, logger);
    }
    const { steps } = config.pretrain;
    const bar = progress({ label: 'pre-training', total: steps, unit: 'steps' });
    let stopped = false;
    const interrupt = listenForInterrupt(() => (stopped = true));
    try {
      while (trainer.stepsDone < steps && !stopped) {
        const stats = trainer.step();
        const done = trainer.stepsDone;
        const metrics: Record<string, number> = {
          'pretrain/crossEntropy': stats.loss,
          'pretrain/gradNorm': stats.gradNorm,
          'pretrain/learningRate': stats.learningRate,
        };
        await new Promise((resolve) => setImmediate(resolve));
        const validates = done % VALIDATE_EVERY === 0 || done === steps;
        if (validates) metrics[HELD_OUT] = crossEntropy(model, validation, validated);
        run.appendMetrics({ ...metrics, update: done });
        if (validates || stopped) {
          const held = metrics[HELD_OUT] ?? Infinity;
          run.flushMetrics();
          store.save(done, checkpointFiles(loaded, trainer.state()), { best: held < best });
          best = Math.min(best, held);
        }
        bar.tick(
          done,
          `cross-entropy ${stats.loss.toFixed(3)} nats, held out ${Number.isFinite(best) ? best.toFixed(3) : '–'}`,
        );
      }
    } finally {
      bar.done();
      interrupt.release();
      trainer.dispose();
      model.dispose();
    }
    logger.info(
      trainer.stepsDone < steps
        ? `stopped after ${trainer.stepsDone} of ${steps} steps; continue with: rollcast pretrain --out ${run.path} --resume`
        : `done: held-out cross-entropy ${best.toFixed(3)} nats a token (guessing: ${Math.log(model.vocabularySize).toFixed(3)}); best checkpoint update-${store.best()} in ${run.path}`,
    );
  });
}

/** The lowest held-out cross-entropy so far; its checkpoint is marked as the best, whatever a killed process or damage has left. */
function bestSoFar(run: RunDirectory, store: CheckpointStore, logger: Logger): number {
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
  return Math.min(...looks.map((record) => record[HELD_OUT]));
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

function describeStart(
  logger: Logger,
  { model, tokeniser }: LoadedModel,
  train: RLDataset,
  heldOut: RLDataset,
): void {
  const { layers, width, heads } = model.config;
  const { scaling, bins, vocabularySize } = tokeniser.config;
  logger.info(
    `data: ${train.units.length} units to train on (${train.length} windows), ${heldOut.units.length} held out (${heldOut.length})`,
  );
  logger.info(`model: ${layers} layers, ${width} wide, ${heads} heads, ${model.parameters.size} parameters`);
  const share = saturationShare(heldOut.evenlySpacedWindows(), tokeniser);
  logger.info(
    `tokens: ${vocabularySize} ${bins} bins of ${scaling}; ${(100 * share).toFixed(2)} % of held-out future points saturate`,
  );
}
