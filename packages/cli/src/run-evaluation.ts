/** The whole evaluation of a run of forecasts: which models judge which sets, the pictures, and the page. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { writeFileAtomically, type RunDirectory } from '@rollcast/core';

import { calibrationOf, calibrationToJudge, shapeOf, type CalibrationFile } from './calibration.js';
import { withLogger } from './commands/shared.js';
import { fileSource } from './data-source.js';
import {
  openForecaster,
  readForecaster,
  type ForecasterChoice,
  type ForecastingRun,
  type LoadedForecaster,
} from './ensemble.js';
import { evaluate, generatedSequences, type Evaluation } from './evaluation.js';
import {
  evaluationSets,
  judgedWindows,
  pointsBetween,
  type JudgedWindows,
  type SetChoice,
  type WindowChoice,
} from './evaluation-sets.js';
import type { EvaluateOptions } from './judged-forecasts.js';
import { forecasterNotes, forecasterOf, memberWeights, weighted } from './kinds.js';
import { refuseOtherWindows } from './model-files.js';
import type { ForecastShape } from './paths.js';
import { progress, type ProgressDisplay } from './progress.js';
import {
  drawCharts,
  evaluationCharts,
  evaluationTables,
  overviewTable,
  verdict,
} from './report/evaluation-report.js';
import { renderReport, type ReportChart } from './report/html.js';
import type { JudgedSet } from './windows.js';

/** What to judge, and on what. */
export interface EvaluateRequest extends SetChoice, WindowChoice, Partial<ForecastShape>, ForecasterChoice {
  run: string;
  samples: number;
  seed: number;
  calibrated?: boolean;
}

/** Sets that are forecast by the same models, and how. */
interface Judgement {
  readonly forecasting: ForecastingRun;
  readonly shape: ForecastShape;
  readonly calibration?: CalibrationFile;
  readonly judged: readonly JudgedWindows[];
  readonly notes: readonly string[];
}

/** Sets of kinds that the run knows, and the others, which it may leave to another. */
function judgements(own: ForecastingRun, sets: readonly JudgedSet[], request: EvaluateRequest): Judgement[] {
  const known = sets.filter(({ kind }) => kind !== undefined);
  const others = sets.filter(({ kind }) => kind === undefined);
  const parts = own.newKinds ? [known, others] : [sets];
  return parts
    .filter(({ length }) => length > 0)
    .map((part) => {
      const forecasting = forecasterOf(own, part[0].kind);
      const shape = shapeOf(request, forecasting.run);
      const heldOut = fileSource(request) === undefined && part.some(({ kind }) => kind !== undefined);
      const chosen = calibrationToJudge(forecasting, request.calibrated, { sets: part, heldOut, shape });
      const kinds = part.map(({ kind }) => kind);
      const notes = [...forecasterNotes(own, kinds), ...(chosen.note === undefined ? [] : [chosen.note])];
      const judged = judgedWindows(part, request, chosen.file);
      return { forecasting, shape, calibration: chosen.file, judged, notes };
    });
}

/** The models of a forecaster and their references, the same array where none was fine-tuned, with weights. */
function policies(
  { members, references }: LoadedForecaster,
  weights: readonly number[],
): Pick<EvaluateOptions, 'policy' | 'referencePolicy'> {
  const policy = weighted(members, weights);
  if (members === references) return { policy, referencePolicy: policy };
  const referencePolicy = weighted(references, weights).map((reference, i) =>
    references[i] === members[i] ? policy[i] : reference,
  );
  return { policy, referencePolicy };
}

/**
 * The whole evaluation of a run, set by set, its pictures drawn into the run's folder.
 *
 * @param backend - the sentence that says who computes
 */
export async function evaluateRun(
  flags: EvaluateRequest,
  backend: string,
): Promise<{ run: RunDirectory; evaluations: Evaluation[]; charts: ReportChart[] }> {
  const own = openForecaster(flags.run, flags);
  const { run } = own;
  const { sets, notes } = evaluationSets(flags, run);
  const parts = judgements(own, sets, flags);
  return withLogger(run, async (logger) => {
    for (const note of [backend, ...notes, ...parts.flatMap((part) => part.notes)]) logger.info(note);
    const loaded: LoadedForecaster[] = [];
    let bar: ProgressDisplay | undefined;
    try {
      for (const { forecasting, shape } of parts)
        loaded.push(readForecaster(forecasting, { ...shape, withReferences: true }));
      const { description } = loaded[0]; // of each: others are not named in an ensemble
      const { contextLength, horizon } = sets[0].dataset;
      refuseOtherWindows(loaded[0], {
        contextLength,
        horizon: flags.horizon ? description.horizon : horizon,
      });
      if (horizon > description.horizon) {
        logger.info(
          `the horizon of ${horizon} steps goes beyond the ${description.horizon} that the model was trained for`,
        );
      }
      if (loaded.every(({ members, references }) => members === references))
        logger.info('this run was not fine-tuned: policy and reference are the same model');
      const { samples, seed, threshold } = flags;
      const jobs = parts.flatMap(({ judged, shape, calibration }, i) =>
        judged.map((set) => ({
          set,
          options: {
            dataset: set.dataset,
            windows: set.windows,
            ...policies(loaded[i], memberWeights(own, set.kind)),
            samples,
            shape,
            trainedHorizon: description.horizon,
            seed,
            threshold,
            calibration: calibration && calibrationOf(calibration, set.kind),
            every: flags.backtest ? pointsBetween(flags) : undefined,
          },
        })),
      );
      const total = jobs.reduce((sum, { options }) => sum + generatedSequences(options), 0);
      const shown = progress({ label: 'evaluating', total, unit: 'sequences' });
      bar = shown;
      const evaluations: Evaluation[] = [];
      const charts: ReportChart[] = [];
      let before = 0;
      for (const { set, options } of jobs) {
        const result = evaluate({ ...options, onProgress: (done) => shown.tick(before + done) });
        before += generatedSequences(options);
        evaluations.push(result.evaluation);
        const named = jobs.length > 1 ? set.name : undefined;
        const drawn = evaluationCharts(result, set.windows, set.windows[0].set, named);
        charts.push(...(await drawCharts(run.plotFolder, drawn)));
      }
      const caption =
        'What the fine-tuning saw, update by update: windows are drawn at random, so the reward is noisy.';
      return { run, evaluations, charts: [...charts, ...trainingChart(run, 'reward', caption)] };
    } finally {
      bar?.done();
      for (const one of loaded) one.dispose();
    }
  });
}

/** The curve that the training left, if there is one. */
export function trainingChart({ plotFolder }: RunDirectory, name: string, caption: string): ReportChart[] {
  const file = join(plotFolder, `${name}.svg`);
  if (!existsSync(file)) return [];
  return [{ title: 'Training', svg: readFileSync(file, 'utf8'), caption }];
}

/** The page of an evaluation, of one set or of several. */
export function writeReport(
  file: string,
  title: string,
  evaluations: readonly Evaluation[],
  charts: readonly ReportChart[],
  commands: readonly string[],
): void {
  const told = (evaluation: Evaluation): string[] =>
    verdict(evaluation).map((text) => (evaluations.length > 1 ? `${evaluation.dataset}: ${text}` : text));
  const page = renderReport({
    title,
    summary: evaluations.flatMap(told),
    tables: [
      ...(evaluations.length > 1 ? [overviewTable(evaluations)] : []),
      ...evaluations.flatMap(evaluationTables),
    ],
    charts,
    commands,
  });
  writeFileAtomically(file, page);
}
