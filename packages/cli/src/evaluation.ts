/**
 * Judges a policy and its frozen reference beside naive lines on whole windows: forecasts, the table, and whether the
 * fine-tuning changed anything for sure.
 */
import { RandomStream, exactKlOnHost, maskedMoments, tf, type DegradationTransformer } from '@rollcast/core';
import {
  baselineMetrics,
  baselines,
  crossingSummary,
  distributionMetrics,
  firstPassage,
  forecastMetrics,
  lifeMetrics,
  meanPath,
  pairErrors,
  pairedBootstrap,
  type BootstrapResult,
  type DegradationEnvironment,
  type DegradationWindow,
  type DistributionMetrics,
  type ForecastSet,
  type LifeForecast,
  type LifeMetrics,
  type MethodMetrics,
} from '@rollcast/envs';

import { GENERATION_BATCH, generatePaths } from './paths.js';

export interface EvaluateOptions {
  environment: DegradationEnvironment;
  windows: readonly DegradationWindow[];
  policy: DegradationTransformer;
  referencePolicy: DegradationTransformer;
  /** Sampled paths a window. */
  samples: number;
  seed: number;
  /** In the data's own units: also judge the forecasts of its crossing. */
  threshold?: number;
  /** Told how many of all sequences are generated. */
  onProgress?: (done: number, total: number) => void;
}

/** The JSON that `rollcast evaluate --json` writes. */
export interface Evaluation {
  readonly dataset: string;
  readonly windows: number;
  readonly units: number;
  readonly bestNaive: string;
  readonly methods: readonly MethodMetrics[];
  /** Relative change of the mean squared error from reference to policy, with a 95 % interval over units. */
  readonly change: Readonly<Record<'sample' | 'mean' | 'greedy', BootstrapResult | null>>;
  /** Of the same methods, in the same order. */
  readonly distribution: readonly ({ name: string } & DistributionMetrics)[];
  /** With a threshold: forecasts of the remaining useful life. */
  readonly life: LifeEvaluation | null;
}

/** Forecasts of the remaining useful life, in steps. */
export interface LifeEvaluation {
  /** In the data's own units. */
  readonly threshold: number;
  /** Windows that are left out, because their last observed value has crossed already. */
  readonly crossedAlready: number;
  /** Empty when all windows have. */
  readonly methods: readonly ({ name: string } & LifeMetrics)[];
}

/** Oriented paths of one policy: [windows][paths][L]. */
interface PolicyForecasts {
  readonly greedy: Float64Array[];
  readonly sampled: Float64Array[][];
  /** KL to the reference on sampled paths, in nats a token. */
  readonly klPerToken: number;
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
}: Pick<EvaluateOptions, 'windows' | 'samples'>): number {
  return 2 * windows.length * (samples + 1);
}

/** Runs the whole evaluation. Leaves no tensor behind. */
export function evaluate(options: EvaluateOptions): EvaluationWithPaths {
  const { windows } = options;
  const total = generatedSequences(options);
  let done = 0;
  const tick = (n: number): void => options.onProgress?.((done += n), total);
  const reference = forecasts(options.referencePolicy, options, tick);
  const policy = forecasts(options.policy, options, tick);
  const { set } = windows[0];
  const { bestNaive, bestNaiveRmse, methods: naive } = baselineMetrics(windows, set.sign);
  const judged = [...judgedForecasts('reference', reference), ...judgedForecasts('policy', policy)];
  const rows = judged.map(({ name, forecast, each, klPerToken }) => ({
    name,
    ...forecastMetrics(repeated(windows, each), forecast, { sign: set.sign, bestNaiveRmse, klPerToken }),
  }));
  const all = [...naiveForecasts(windows), ...judged];
  const compare = (pick: (forecast: PolicyForecasts) => ArrayLike<number>[][]): BootstrapResult | null => {
    const errors = pairErrors(windows, pick(reference), pick(policy));
    return errors.every(({ before }) => before > 0) ? pairedBootstrap(errors) : null;
  };
  const evaluation: Evaluation = {
    dataset: set.name,
    windows: windows.length,
    units: new Set(windows.map(({ unitIndex }) => unitIndex)).size,
    bestNaive,
    methods: [...naive, ...rows],
    change: {
      sample: compare(({ sampled }) => sampled),
      mean: compare(({ sampled }) => sampled.map((paths) => [meanPath(paths)])),
      greedy: compare(({ greedy }) => greedy.map((path) => [path])),
    },
    distribution: all.map(({ name, forecast, each }) => ({
      name,
      ...distributionMetrics(repeated(windows, each), forecast),
    })),
    life: options.threshold === undefined ? null : judgeLives(windows, all, options.threshold, set.sign),
  };
  return { evaluation, reference, policy };
}

/** A forecast of one method as it is judged. */
interface JudgedForecast {
  readonly name: string;
  readonly forecast: ForecastSet;
  /** Forecasts of each window. */
  readonly each: number;
  readonly klPerToken: number | null;
}

function judgedForecasts(prefix: string, { greedy, sampled, klPerToken }: PolicyForecasts): JudgedForecast[] {
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
    judged('mean', { points: sampled.map(meanPath), paths: sampled }),
  ];
}

function naiveForecasts(windows: readonly DegradationWindow[]): JudgedForecast[] {
  return Object.entries(baselines).map(([name, baseline]) => ({
    name,
    forecast: { points: windows.map(({ context, future }) => baseline(context, future.length)) },
    each: 1,
    klPerToken: null,
  }));
}

/** Every window several times, one after the other. */
function repeated(windows: readonly DegradationWindow[], each: number): readonly DegradationWindow[] {
  return each === 1 ? windows : windows.flatMap((window) => new Array<DegradationWindow>(each).fill(window));
}

/** Compares when forecasts cross a threshold with when that happened; of sampled paths the median counts. */
function judgeLives(
  windows: readonly DegradationWindow[],
  methods: readonly JudgedForecast[],
  threshold: number,
  sign: 1 | -1,
): LifeEvaluation {
  const oriented = sign * threshold;
  const horizon = windows[0].future.length;
  const last = ({ context }: DegradationWindow): number => context[context.length - 1];
  const open = windows.flatMap((window, w) => (last(window) < oriented ? [w] : []));
  const passage = (path: ArrayLike<number>, w: number): number =>
    firstPassage(path, last(windows[w]), oriented);
  const lives = ({ forecast: { points, paths }, each }: JudgedForecast): LifeForecast[] =>
    open.flatMap((w) => {
      const truth = passage(windows[w].future, w);
      const ensembles = paths ? [paths[w]] : points.slice(w * each, (w + 1) * each).map((path) => [path]);
      return ensembles.map((ensemble) => {
        const passages = ensemble.map((path) => passage(path, w));
        return { truth, predicted: crossingSummary(passages, horizon).median };
      });
    });
  return {
    threshold,
    crossedAlready: windows.length - open.length,
    methods:
      open.length === 0
        ? []
        : methods.map((method) => ({ name: method.name, ...lifeMetrics(lives(method), horizon) })),
  };
}

/**
 * Greedy and sampled paths of one policy. Reference and policy draw from the same uniform numbers, which makes their
 * comparison a paired one.
 */
function forecasts(
  model: DegradationTransformer,
  options: EvaluateOptions,
  tick: (n: number) => void,
): PolicyForecasts {
  const { windows, samples, seed, referencePolicy } = options;
  const { tokeniser, horizon } = options.environment;
  const contexts = windows.map(({ context }) => context);
  const paths = (random?: RandomStream): Float64Array[] =>
    generatePaths({ model, tokeniser, contexts, horizon, random, onBatch: tick });
  const greedy = paths();
  const sampled: Float64Array[][] = windows.map(() => []);
  for (let s = 0; s < samples; s++) {
    paths(new RandomStream(seed, `evaluation/sample/${s}`)).forEach((path, w) => sampled[w].push(path));
  }
  const klPerToken = model === referencePolicy ? 0 : klToReference(model, options);
  return { greedy, sampled, klPerToken };
}

/** Exact KL on one sampled path a window, in nats a token. */
function klToReference(model: DegradationTransformer, options: EvaluateOptions): number {
  const { environment, windows, referencePolicy, seed } = options;
  const { horizon, contextLength } = environment;
  const random = new RandomStream(seed, 'evaluation/kl');
  let sum = 0;
  for (let start = 0; start < windows.length; start += GENERATION_BATCH) {
    const batch = environment.batch(windows.slice(start, start + GENERATION_BATCH));
    const { tokens, logDistribution } = model.generate({
      contextTokens: batch.contextTokens,
      batchSize: batch.size,
      horizon,
      random,
      withDistribution: true,
    });
    const ofReference = tf.tidy(() => {
      const contexts = tf.tensor2d(batch.contextTokens, [batch.size, contextLength], 'int32');
      return referencePolicy.score(contexts, tf.tensor2d(tokens, [batch.size, horizon], 'int32'))
        .logDistribution;
    });
    const kl = exactKlOnHost(logDistribution!, ofReference.dataSync(), model.vocabularySize);
    ofReference.dispose();
    sum +=
      maskedMoments(
        kl,
        kl.map(() => 1),
      ).mean * batch.size;
  }
  return sum / windows.length;
}
