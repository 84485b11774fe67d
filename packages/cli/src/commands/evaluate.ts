import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { ConfigError, resolveOptions, writeFileAtomically, type RunDirectory } from '@rollcast/core';
import { DegradationEnvironment, RLDataset, dataOptions, type DegradationWindow } from '@rollcast/envs';
import type { Command } from 'commander';

import {
  addDataFlags,
  fileSource,
  loadSource,
  loadWindows,
  parseRecipe,
  type DataFlags,
} from '../data-source.js';
import { evaluate, generatedSequences, type Evaluation, type EvaluationWithPaths } from '../evaluation.js';
import { integer } from '../flags.js';
import { openForecastRun, readModel, readReference, type CheckpointChoice } from '../model-files.js';
import { progress } from '../progress.js';
import { drawCharts, evaluationCharts, evaluationTable, verdict } from '../report/evaluation-report.js';
import { renderReport, type ReportChart } from '../report/html.js';
import { renderTextTable } from '../report/table.js';
import {
  addBackendFlags,
  addCheckpointFlag,
  prepareFile,
  startBackend,
  withLogger,
  type BackendFlags,
} from './shared.js';

/** What to judge, and on what. */
interface EvaluateRequest extends DataFlags {
  run: string;
  checkpoint?: CheckpointChoice;
  windowsPerUnit: number;
  samples: number;
  seed: number;
}

interface EvaluateFlags extends EvaluateRequest, BackendFlags {
  json?: string;
}

export function addEvaluate(program: Command): void {
  const command = program
    .command('evaluate')
    .description(
      'Judge a run beside naive lines and its frozen reference, on held-out units or on other data.',
    )
    .requiredOption('--run <folder>', 'run to judge');
  addCheckpointFlag(command)
    .option('--windows-per-unit <count>', 'evenly spaced windows of each unit', integer(1), 40)
    .option('--samples <paths>', 'sampled paths a window', integer(2), 16)
    .option('--seed <number>', 'seed of the sampled paths', integer(0), 0)
    .option('--json <file>', 'also write the table as JSON');
  addBackendFlags(addDataFlags(command));
  command.action(runEvaluate);
}

async function runEvaluate(flags: EvaluateFlags): Promise<void> {
  if (flags.json) prepareFile('--json', flags.json);
  const { run, result, charts } = await evaluateRun(flags, await startBackend(flags));
  const { evaluation } = result;
  if (flags.json) writeFileAtomically(flags.json, `${JSON.stringify(evaluation, null, 2)}\n`);
  console.log(`\n${renderTextTable(evaluationTable(evaluation))}\n`);
  for (const sentence of verdict(evaluation)) console.log(sentence);
  writeReport(run.reportFile, `Evaluation of ${run.path}`, evaluation, charts, [
    `npx rollcast evaluate --run ${flags.run}`,
  ]);
  console.log(`\nPage with the pictures: ${run.reportFile}${flags.json ? `; numbers: ${flags.json}` : ''}`);
}

/**
 * The whole evaluation of a run, its pictures drawn into the run's folder.
 *
 * @param backend - the sentence that says who computes
 */
export async function evaluateRun(
  flags: EvaluateRequest,
  backend: string,
): Promise<{ run: RunDirectory; result: EvaluationWithPaths; charts: ReportChart[] }> {
  const { run, checkpoint } = openForecastRun(flags.run, flags.checkpoint);
  const { dataset, windows } = evaluationWindows(flags, run);
  return withLogger(run, async (logger) => {
    logger.info(backend);
    for (const note of dataset.notes) logger.info(note);
    const loaded = readModel(checkpoint);
    const { contextLength, horizon } = loaded.description;
    if (dataset.contextLength !== contextLength || dataset.horizon !== horizon) {
      throw new ConfigError(
        `The run's model reads ${contextLength} points and forecasts ${horizon}; its data recipe says ${dataset.contextLength} and ${dataset.horizon}.`,
      );
    }
    const reference = readReference(checkpoint, loaded);
    if (!reference) logger.info('this run was not fine-tuned: policy and reference are the same model');
    const environment = new DegradationEnvironment(dataset, loaded.tokeniser);
    const bar = progress({
      label: 'evaluating',
      total: generatedSequences({ windows, samples: flags.samples }),
      unit: 'sequences',
    });
    try {
      const result = evaluate({
        environment,
        windows,
        policy: loaded.model,
        referencePolicy: reference ?? loaded.model,
        samples: flags.samples,
        seed: flags.seed,
        onProgress: (done) => bar.tick(done),
      });
      bar.done();
      const charts = await drawCharts(run.plotFolder, evaluationCharts(result, windows, dataset.set));
      return { run, result, charts: [...charts, ...trainingChart(run)] };
    } finally {
      bar.done();
      reference?.dispose();
      loaded.model.dispose();
    }
  });
}

/** The curve of reward and KL that the training left, if there is one. */
function trainingChart({ plotFolder }: RunDirectory): ReportChart[] {
  const file = join(plotFolder, 'reward.svg');
  if (!existsSync(file)) return [];
  const caption =
    'What the fine-tuning saw, update by update: windows are drawn at random, so the reward is noisy.';
  return [{ title: 'Training', svg: readFileSync(file, 'utf8'), caption }];
}

/** The page of an evaluation. */
export function writeReport(
  file: string,
  title: string,
  evaluation: Evaluation,
  charts: readonly ReportChart[],
  commands: readonly string[],
): void {
  const page = renderReport({
    title,
    summary: verdict(evaluation),
    tables: [evaluationTable(evaluation)],
    charts,
    commands,
  });
  writeFileAtomically(file, page);
}

/** Held-out units of the run, or all units of the files given. */
function evaluationWindows(
  flags: EvaluateRequest,
  run: RunDirectory,
): { dataset: RLDataset; windows: readonly DegradationWindow[] } {
  const recipe = parseRecipe(run.config['data']);
  const files = fileSource(flags);
  const dataset = files
    ? new RLDataset(loadSource({ files: resolveOptions(dataOptions, files, 'data') }), recipe.windows)
    : loadWindows(recipe).heldOut;
  return { dataset, windows: dataset.evenlySpacedWindows(flags.windowsPerUnit) };
}
