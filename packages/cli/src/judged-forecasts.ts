/** The forecasts that an evaluation judges: of both policies, of naive lines, and of what engineers fit to a path. */
import { RandomStream, SequenceReferenceScorer } from '@rollcast/core';
import {
  baselines,
  DegradationEnvironment,
  calibratePaths,
  meanPath,
  medianPath,
  probabilisticBaselines,
  type Calibration,
  type DegradationWindow,
  type ForecastSet,
  type RLDataset,
} from '@rollcast/envs';

import {
  GENERATION_BATCH,
  greedyPaths,
  overMembers,
  samplePaths,
  type ForecastShape,
  type PathModel,
} from './paths.js';

export interface EvaluateOptions {
  /** Where the windows are from. */
  dataset: RLDataset;
  windows: readonly DegradationWindow[];
  /** One model, or an ensemble. */
  policy: readonly PathModel[];
  /** The frozen reference of each; `policy` itself where it was not fine-tuned. */
  referencePolicy: readonly PathModel[];
  /** Sampled paths a window. */
  samples: number;
  shape: ForecastShape;
  /** L of the training. */
  trainedHorizon: number;
  seed: number;
  /** In the data's own units: also judge the forecasts of its crossing. */
  threshold?: number;
  /** Of the policy: also judge its paths as they are moved by it. */
  calibration?: Calibration;
  /** Points between the windows of a rolling backtest, when they are of one; for the tables. */
  every?: number;
  /** Told how many of all sequences are generated. */
  onProgress?: (done: number, total: number) => void;
}

/** Oriented paths of one policy: [windows][paths][L]. */
export interface PolicyForecasts {
  readonly greedy: Float64Array[];
  readonly sampled: Float64Array[][];
  /** KL to the reference on sampled paths, in nats a token; of an ensemble the mean over its members, by weight. */
  readonly klPerToken: number;
}

/** A forecast of one method as it is judged. */
export interface JudgedForecast {
  readonly name: string;
  readonly forecast: ForecastSet;
  /** Forecasts of each window. */
  readonly each: number;
  readonly klPerToken: number | null;
}

/** What is judged of one policy: its likeliest path, one sample, and the distribution of its samples. */
export function judgedForecasts(
  prefix: string,
  { greedy, sampled, klPerToken }: PolicyForecasts,
): JudgedForecast[] {
  const judged = (kind: string, forecast: ForecastSet, each = 1): JudgedForecast => ({
    name: `${prefix}-${kind}`,
    forecast,
    each,
    klPerToken,
  });
  return [
    judged('greedy', { points: greedy }),
    // the error of one sampled path, averaged over all that were drawn: the same quantity with less luck in it
    judged('sample', { points: sampled.flat() }, sampled[0].length),
    // what to name when one number is asked for: a wild path among many does not move it
    judged('median', { points: sampled.map(medianPath) }),
    judged('mean', { points: sampled.map(meanPath), paths: sampled }),
  ];
}

/** The paths of the policy as its calibration moves them, when there is one. */
export function calibratedForecasts(
  { sampled, klPerToken }: PolicyForecasts,
  { windows, calibration }: EvaluateOptions,
): JudgedForecast[] {
  if (!calibration) return [];
  const paths = sampled.map((ofWindow, w) => calibratePaths(ofWindow, windows[w].context, calibration));
  return [
    { name: 'policy-calibrated', forecast: { points: paths.map(meanPath), paths }, each: 1, klPerToken },
  ];
}

/** The five lines. */
export function naiveForecasts(windows: readonly DegradationWindow[]): JudgedForecast[] {
  return Object.entries(baselines).map(([name, baseline]) => ({
    name,
    forecast: { points: windows.map(({ context, future }) => baseline(context, future.length)) },
    each: 1,
    klPerToken: null,
  }));
}

/** The baselines that have a distribution; a window's paths do not depend on which others are judged. */
export function probabilisticForecasts({ windows, samples, seed }: EvaluateOptions): JudgedForecast[] {
  return Object.entries(probabilisticBaselines).map(([name, baseline]) => {
    const ofWindows = windows.map(({ context, future, unit, start }) =>
      baseline(
        context,
        future.length,
        samples,
        new RandomStream(seed, `evaluation/${name}/${unit}/${start}`),
      ),
    );
    const points = ofWindows.map(({ mean }) => mean);
    return {
      name,
      forecast: { points, paths: ofWindows.map(({ paths }) => paths) },
      each: 1,
      klPerToken: null,
    };
  });
}

/** Every window several times, one after the other. */
export function repeated(windows: readonly DegradationWindow[], each: number): readonly DegradationWindow[] {
  return each === 1 ? windows : windows.flatMap((window) => new Array<DegradationWindow>(each).fill(window));
}

/**
 * Greedy and sampled paths of one policy. Reference and policy draw from the same uniform numbers, which makes their
 * comparison a paired one.
 */
export function policyForecasts(
  members: readonly PathModel[],
  options: EvaluateOptions,
  tick: (n: number) => void,
): PolicyForecasts {
  const { dataset, windows, samples, shape, trainedHorizon, seed, referencePolicy } = options;
  const { horizon } = dataset;
  const contexts = windows.map(({ context }) => context);
  const request = { members, contexts, horizon, trainedHorizon, onBatch: tick, ...shape };
  const greedy = greedyPaths(request);
  const sampled = samplePaths(request, samples, (w) => {
    const { unit, start } = windows[w];
    return new RandomStream(seed, `evaluation/sample/${unit}/${start}`);
  });
  const klOf = (member: PathModel, i: number): number =>
    member === referencePolicy[i] ? 0 : klToReference(member, referencePolicy[i], options);
  return { greedy, sampled, klPerToken: overMembers(members, klOf) };
}

/** Exact KL of one member on one sampled path a window, in nats a token. */
function klToReference(
  { model, tokeniser }: PathModel,
  referencePolicy: PathModel,
  { dataset, windows, seed }: EvaluateOptions,
): number {
  const environment = new DegradationEnvironment(dataset, tokeniser);
  const { horizon } = environment;
  const random = new RandomStream(seed, 'evaluation/kl');
  const reference = new SequenceReferenceScorer(referencePolicy.model);
  let sum = 0;
  for (let start = 0; start < windows.length; start += GENERATION_BATCH) {
    const batch = environment.batch(windows.slice(start, start + GENERATION_BATCH));
    const { contextTokens, size: batchSize } = batch;
    const paths = model.generate({ contextTokens, batchSize, horizon, random, withDistribution: true });
    for (const kl of reference.score(batch, paths, horizon).exactKl) sum += kl;
  }
  reference.dispose();
  return sum / (windows.length * horizon);
}
