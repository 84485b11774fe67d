import { RunDirectory, resolveOptions } from '@rollcast/core';
import { builtInAlgorithms } from '@rollcast/algos';
import { degradationOptions } from '@rollcast/envs';
import type { Command } from 'commander';
import { join } from 'node:path';

import { runForecastTraining, type ForecastRunConfig } from '../forecast-training.js';
import { renderTextTable } from '../report/table.js';
import { evaluationTable, verdict } from '../report/evaluation-report.js';
import { evaluateRun, writeReport } from '../run-evaluation.js';
import { pretrainRunConfig, runPretraining } from './pretrain.js';
import { addBackendFlags, startBackend, type BackendFlags } from './shared.js';

/** Sizes that finish within minutes on two cores, installation included. */
const QUICK = {
  model: { width: 32, layers: 2, heads: 2, vocabularySize: 128 },
  pretrainSteps: 300,
  updates: 60,
  batchSize: 32,
  windowsPerUnit: 20,
};

export function addQuickstart(program: Command): void {
  const command = program
    .command('quickstart')
    .description('The main job in small, on simulated cells: pre-train, fine-tune, judge; about a minute.')
    .option(
      '--out <folder>',
      'where its two runs and the page go; replaced when it exists',
      'runs/quickstart',
    );
  addBackendFlags(command).action(async (flags: { out: string } & BackendFlags) => {
    const { out } = flags;
    const backend = await startBackend(flags);
    const pretrainPath = join(out, 'pretrain');
    const trainPath = join(out, 'reinforce');
    const pretrain = quickPretrain();
    console.log('1/3  Pre-training on simulated battery cells, next token by next token.');
    await runPretraining(
      RunDirectory.create(pretrainPath, { kind: 'pretrain', config: pretrain, mode: 'force' }),
      backend,
      false,
    );
    if (process.exitCode) return; // interrupted: what was reached is saved
    console.log('\n2/3  Fine-tuning on whole 60-step trajectories with REINFORCE.');
    const train = quickTrain(pretrainPath, pretrain.data);
    await runForecastTraining(
      RunDirectory.create(trainPath, { kind: 'train', config: train, mode: 'force' }),
      train,
      backend,
      false,
    );
    if (process.exitCode) return;
    console.log('\n3/3  Judging both on cells that neither has seen.');
    const { windowsPerUnit } = QUICK;
    const { evaluations, charts } = await evaluateRun(
      { run: trainPath, windowsPerUnit, samples: 16, seed: 0 },
      backend,
    );
    const [evaluation] = evaluations;
    console.log(`\n${renderTextTable(evaluationTable(evaluation))}\n`);
    for (const sentence of verdict(evaluation)) console.log(sentence);
    const page = join(out, 'report.html');
    writeReport(page, 'Rollcast quick start: simulated battery cells', evaluations, charts, ['npm start']);
    console.log(`\nThe table and the plots on one page: ${page}`);
  });
}

function quickPretrain() {
  const { model } = QUICK;
  return resolveOptions(
    pretrainRunConfig,
    {
      data: {
        source: { simulated: { laws: ['sei-growth'], units: 40, seed: 1 } },
        windows: {},
        holdoutShare: 0.2,
        splitSeed: 1,
      },
      model,
      tokeniser: { vocabularySize: model.vocabularySize },
      pretrain: { steps: QUICK.pretrainSteps, batchSize: QUICK.batchSize, learningRate: 2e-3 },
      seed: 1,
    },
    '',
  );
}

function quickTrain(init: string, data: ForecastRunConfig['data']): ForecastRunConfig {
  const { updates, batchSize } = QUICK;
  return {
    init,
    environment: 'degradation',
    environmentOptions: resolveOptions(degradationOptions, {}, 'env'),
    algorithm: 'reinforce',
    algorithmOptions: resolveOptions(
      builtInAlgorithms().get('reinforce').options,
      { learningRate: 3e-4 },
      'reinforce',
    ) as Record<string, unknown>,
    updates,
    batchSize,
    seed: 1,
    plotEvery: 30,
    checkpointEvery: 30,
    data,
  };
}
