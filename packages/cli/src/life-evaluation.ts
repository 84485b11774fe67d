/** How good forecasts of the crossing of a threshold are, of every method that an evaluation judges. */
import {
  alphaLambda,
  crossingSummary,
  firstPassage,
  lifeMetrics,
  type AlphaLambdaScore,
  type DegradationWindow,
  type LifeMetrics,
  type LifePrediction,
  type RLDataset,
} from '@rollcast/envs';

import type { JudgedForecast } from './judged-forecasts.js';

/** Forecasts of the remaining useful life, in steps. */
export interface LifeEvaluation {
  /** In the data's own units. */
  readonly threshold: number;
  /** Windows that are left out, because their last observed value has crossed already. */
  readonly crossedAlready: number;
  /** Empty when all windows have. */
  readonly methods: readonly ({ name: string; alphaLambda: readonly AlphaLambdaScore[] } & LifeMetrics)[];
}

/** Compares when forecasts cross a threshold with when that happened; of sampled paths the median counts. */
export function judgeLives(
  windows: readonly DegradationWindow[],
  methods: readonly JudgedForecast[],
  threshold: number,
  { set, units }: RLDataset,
): LifeEvaluation {
  const oriented = set.sign * threshold;
  const horizon = windows[0].future.length;
  const last = ({ context }: DegradationWindow): number => context[context.length - 1];
  const open = windows.filter((window) => last(window) < oriented);
  const indices = windows.flatMap((window, w) => (last(window) < oriented ? [w] : []));
  // beyond the window as well: the whole life that is known
  const truths = open.map((window) => {
    const { values } = units[window.unitIndex];
    return firstPassage(values.subarray(window.start + window.context.length), last(window), oriented);
  });
  const predictions = ({ forecast: { points, paths }, each }: JudgedForecast): LifePrediction[] =>
    indices.flatMap((w, i) => {
      const ensembles = paths ? [paths[w]] : points.slice(w * each, (w + 1) * each).map((path) => [path]);
      return ensembles.map((ensemble) => {
        const passages = ensemble.map((path) => firstPassage(path, last(windows[w]), oriented));
        const predicted = crossingSummary(passages, horizon).median;
        return { unitIndex: windows[w].unitIndex, truth: truths[i], predicted, passages };
      });
    });
  const judged = (method: JudgedForecast): LifeEvaluation['methods'][number] => {
    const lives = predictions(method);
    const withinHorizon = lives.map(({ truth, predicted }) => ({
      truth: truth <= horizon ? truth : Infinity,
      predicted,
    }));
    return {
      name: method.name,
      ...lifeMetrics(withinHorizon, horizon),
      alphaLambda: alphaLambda(lives, horizon),
    };
  };
  return {
    threshold,
    crossedAlready: windows.length - open.length,
    methods: open.length === 0 ? [] : methods.map(judged),
  };
}
