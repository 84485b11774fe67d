/**
 * Judges a policy and its frozen reference beside naive lines on whole windows: forecasts, the table, and whether the
 * fine-tuning changed anything for sure.
 */
import {
  baselineMetrics,
  compareForecasts,
  distributionMetrics,
  forecastMetrics,
  meanPath,
  pairErrors,
  pairedBootstrap,
  unitScores,
  type BootstrapResult,
  type DistributionMetrics,
  type MethodMetrics,
  type PairedComparison,
  type UnitScores,
} from '@rollcast/envs';

import { exposureCurve, type ExposureCurve } from './exposure.js';
import {
  calibratedForecasts,
  judgedForecasts,
  naiveForecasts,
  policyForecasts,
  probabilisticForecasts,
  repeated,
  type EvaluateOptions,
  type JudgedForecast,
  type PolicyForecasts,
} from './judged-forecasts.js';
import { judgeLives, type LifeEvaluation } from './life-evaluation.js';
import { outermostShare } from './saturation.js';

/** The JSON that `rollcast evaluate --json` writes. */
export interface Evaluation {
  readonly dataset: string;
  readonly windows: number;
  readonly units: number;
  /** Of the five lines; baselines with a distribution do not take part. */
  readonly bestNaive: string;
  /** Points between forecasts, when the windows are those of a rolling backtest. */
  readonly backtest: { readonly every: number } | null;
  readonly methods: readonly MethodMetrics[];
  /** Relative change of the mean squared error from reference to policy, with a 95 % interval over units. */
  readonly change: Readonly<Record<'sample' | 'mean' | 'greedy', BootstrapResult | null>>;
  /** Pairs of methods, with 95 % intervals over units. */
  readonly comparisons: readonly ({ method: string; against: string } & PairedComparison)[];
  /** Of the same methods, in the same order. */
  readonly distribution: readonly ({ name: string } & DistributionMetrics)[];
  /** Scores by unit of the methods that are compared. */
  readonly byUnit: readonly { name: string; units: readonly UnitScores[] }[];
  /** Error by step from the true past and from the model's own forecasts. */
  readonly exposure: Readonly<Record<'reference' | 'policy', ExposureCurve>>;
  /** Share of points in the first or last bin, of what happened and of the sampled paths: where a forecast drifts off, it ends there. */
  readonly outermostShare: Readonly<Record<'truth' | 'reference' | 'policy', number>>;
  /** With a threshold: forecasts of the remaining useful life. */
  readonly life: LifeEvaluation | null;
}

/** An evaluation together with the paths that it judged, for pictures. */
export interface EvaluationWithPaths {
  readonly evaluation: Evaluation;
  readonly reference: PolicyForecasts;
  readonly policy: PolicyForecasts;
}

/** How many sequences an evaluation generates, for a progress display. */
export function generatedSequences({
  windows,
  samples,
  policy,
  referencePolicy,
}: Pick<EvaluateOptions, 'windows' | 'samples' | 'policy' | 'referencePolicy'>): number {
  return (policy === referencePolicy ? 1 : 2) * windows.length * (samples + policy.length);
}

/** Runs the whole evaluation. Leaves no tensor behind. */
export function evaluate(options: EvaluateOptions): EvaluationWithPaths {
  const { dataset, windows } = options;
  const total = generatedSequences(options);
  let done = 0;
  const tick = (n: number): void => options.onProgress?.((done += n), total);
  const reference = policyForecasts(options.referencePolicy, options, tick);
  const same = options.policy === options.referencePolicy; // of a run that was not fine-tuned
  const policy = same ? reference : policyForecasts(options.policy, options, tick);
  const { set } = dataset;
  const { bestNaive, bestNaiveRmse, methods: naive } = baselineMetrics(windows, set.sign);
  const lines = naiveForecasts(windows);
  const judged = [
    ...probabilisticForecasts(options),
    ...judgedForecasts('reference', reference),
    ...judgedForecasts('policy', policy),
    ...calibratedForecasts(policy, options),
  ];
  const rows = judged.map(({ name, forecast, each, klPerToken }) => ({
    name,
    ...forecastMetrics(repeated(windows, each), forecast, { sign: set.sign, bestNaiveRmse, klPerToken }),
  }));
  const all = [...lines, ...judged];
  const change = (pick: (forecast: PolicyForecasts) => ArrayLike<number>[][]): BootstrapResult | null => {
    const errors = pairErrors(windows, pick(reference), pick(policy));
    return errors.every(({ before }) => before > 0) ? pairedBootstrap(errors) : null;
  };
  const exposure = (members: EvaluateOptions['policy'], { sampled }: PolicyForecasts): ExposureCurve =>
    exposureCurve(members, windows, sampled.map(meanPath));
  const outermost = (paths: readonly (readonly ArrayLike<number>[])[]): number =>
    outermostShare(options.policy, windows, paths, options.trainedHorizon);
  const exposureOfReference = exposure(options.referencePolicy, reference);
  const evaluation: Evaluation = {
    dataset: set.name,
    windows: windows.length,
    units: new Set(windows.map(({ unitIndex }) => unitIndex)).size,
    bestNaive,
    backtest: options.every === undefined ? null : { every: options.every },
    methods: [...naive, ...rows],
    change: {
      sample: change(({ sampled }) => sampled),
      mean: change(({ sampled }) => sampled.map((paths) => [meanPath(paths)])),
      greedy: change(({ greedy }) => greedy.map((path) => [path])),
    },
    ...compared(all, options, bestNaive),
    distribution: all.map(({ name, forecast, each }) => ({
      name,
      ...distributionMetrics(repeated(windows, each), forecast),
    })),
    exposure: {
      reference: exposureOfReference,
      policy: same ? exposureOfReference : exposure(options.policy, policy),
    },
    outermostShare: {
      truth: outermost(windows.map(({ future }) => [future])),
      reference: outermost(reference.sampled),
      policy: outermost(policy.sampled),
    },
    life: options.threshold === undefined ? null : judgeLives(windows, all, options.threshold, dataset),
  };
  return { evaluation, reference, policy };
}

/** What is claimed to be better than what, and the scores by unit of each. */
function compared(
  all: readonly JudgedForecast[],
  { windows, policy, referencePolicy, calibration }: EvaluateOptions,
  bestNaive: string,
): Pick<Evaluation, 'comparisons' | 'byUnit'> {
  const pairs: [method: string, against: string][] = [
    ['policy-mean', bestNaive],
    ['policy-median', bestNaive],
  ];
  if (policy !== referencePolicy) {
    pairs.push(['policy-mean', 'reference-mean'], ['policy-sample', 'reference-sample']);
  }
  if (calibration) pairs.push(['policy-calibrated', 'policy-mean']);
  const byUnit = [...new Set(pairs.flat())].map((name) => {
    const { forecast, each } = all.find((method) => method.name === name)!;
    return { name, units: unitScores(repeated(windows, each), forecast) };
  });
  const of = (name: string): readonly UnitScores[] => byUnit.find((scores) => scores.name === name)!.units;
  return {
    comparisons: pairs.map(([method, against]) => ({
      method,
      against,
      ...compareForecasts(of(method), of(against)),
    })),
    byUnit,
  };
}
