export { Acrobot } from './acrobot.js';
export { Bandit, banditOptions, banditValues, bestArm, meanReward } from './bandit.js';
export type { BanditOptions } from './bandit.js';
export { CartPole, cartPoleOptions } from './cart-pole.js';
export type { CartPoleOptions } from './cart-pole.js';
export { AugmentedWindows, augmentOptions } from './degradation/augmentation.js';
export type { AugmentOptions, ResolvedAugmentOptions } from './degradation/augmentation.js';
export {
  baselines,
  fitParabola,
  lastValue,
  lastValuePlusSlope,
  lineThroughContext,
  lineThroughLastHalf,
  parabola,
} from './degradation/baselines.js';
export type { BaselineName, Forecast, ParabolaFit } from './degradation/baselines.js';
export { pairedBootstrap, pairErrors } from './degradation/bootstrap.js';
export type { BootstrapResult, PairedErrors } from './degradation/bootstrap.js';
export {
  CALIBRATED_LEVELS,
  calibratePaths,
  fitCalibration,
  weightsTowards,
} from './degradation/conformal.js';
export type { Calibration, CalibrationOptions, CalibrationSet } from './degradation/conformal.js';
export { crossingSummary, firstPassage } from './degradation/crossing.js';
export type { CrossingSummary } from './degradation/crossing.js';
export { dataFormats, dataOptions } from './degradation/data-options.js';
export type { DataOptions, ResolvedDataOptions } from './degradation/data-options.js';
export { datasetOptions, RLDataset } from './degradation/dataset.js';
export type { DegradationWindow, RLDatasetOptions, WindowSource } from './degradation/dataset.js';
export {
  INTERVALS,
  distributionMetrics,
  intervalScore,
  meanAbsoluteScaledError,
  rmseByStep,
  weightedQuantileLoss,
} from './degradation/distribution-metrics.js';
export type { DistributionMetrics, IntervalScore } from './degradation/distribution-metrics.js';
export { difficulty, drawByDifficulty } from './degradation/difficulty.js';
export { DegradationEnvironment, degradationOptions } from './degradation/environment.js';
export type {
  DegradationBatch,
  DegradationOptions,
  ResolvedDegradationOptions,
} from './degradation/environment.js';
export { evenContext, MOST_STEPS_MISSING } from './degradation/even-context.js';
export type { EvenContext } from './degradation/even-context.js';
export {
  bestLineError,
  crossingError,
  forecastQuantities,
  lineScale,
  windowScale,
} from './degradation/forecast-quantities.js';
export type { ForecastQuantities } from './degradation/forecast-quantities.js';
export { groupQuantities, shareOfDistance } from './degradation/group-quantities.js';
export type { GroupQuantities } from './degradation/group-quantities.js';
export { alphaLambda, CONE, LAMBDAS } from './degradation/alpha-lambda.js';
export type { AlphaLambdaScore, LifePrediction } from './degradation/alpha-lambda.js';
export { lifeMetrics, phm08Score } from './degradation/life-metrics.js';
export type { LifeForecast, LifeMetrics } from './degradation/life-metrics.js';
export { DEFAULT_HEALTH_SENSORS } from './degradation/load-cmapss.js';
export { loadSeries } from './degradation/load.js';
export type { LoadRules } from './degradation/load.js';
export {
  baselineMetrics,
  crpsOfSorted,
  errorRatio,
  forecastMetrics,
  REPORTED_STEPS,
} from './degradation/metrics.js';
export type { ForecastMetrics, ForecastSet, MethodMetrics, MetricOptions } from './degradation/metrics.js';
export { compareForecasts, unitScores } from './degradation/paired-comparison.js';
export type { IntervalEstimate, PairedComparison, UnitScores } from './degradation/paired-comparison.js';
export {
  meanPath,
  medianPath,
  weightedMedianPath,
  quantileOfSorted,
  quantilePaths,
  sampleQuantile,
} from './degradation/path-statistics.js';
export { resampleUnit } from './degradation/resample.js';
export {
  fitGammaProcess,
  gammaProcess,
  probabilisticBaselines,
  quadraticPath,
} from './degradation/probabilistic-baselines.js';
export type {
  GammaProcessFit,
  ProbabilisticBaselineName,
  ProbabilisticForecast,
  ProbabilisticForecaster,
} from './degradation/probabilistic-baselines.js';
export { DEFAULT_REWARD, parseReward, quantities, rewardSeries } from './degradation/reward-expression.js';
export type {
  QuantityName,
  QuantityValues,
  RewardExpression,
  RewardTerm,
  SeriesName,
} from './degradation/reward-expression.js';
export { createReward, expressionReward, rewardOptions } from './degradation/reward.js';
export type {
  ForecastSeries,
  ResolvedRewardOptions,
  Reward,
  RewardFunction,
  RewardInfo,
  RewardOptions,
  ScoredForecast,
} from './degradation/reward.js';
export { detectDirection, listNames, orient, orientSeries, splitUnits } from './degradation/series.js';
export type {
  Direction,
  RawSeries,
  SeriesSet,
  SkippedUnit,
  SplitOptions,
  UnitSeries,
} from './degradation/series.js';
export { physicalLaws, simulate, simulatorOptions, simulators } from './degradation/simulators.js';
export type { Simulator, SimulatorName, SimulatorOptions } from './degradation/simulators.js';
export { saturationShare, tokenSource, tokenWindows, windowTokens } from './degradation/teacher-forcing.js';
export type { ValueTokeniser } from './degradation/tokeniser.js';
export { towardsLine } from './degradation/towards-line.js';
export { WindowMixture } from './degradation/window-mixture.js';
export type { MixturePart } from './degradation/window-mixture.js';
export { GridWorld, gridWorldOptimalReturn, gridWorldOptions, gridWorldValue } from './grid-world.js';
export type { GridWorldOptions } from './grid-world.js';
export { MountainCarContinuous, mountainCarContinuousOptions } from './mountain-car-continuous.js';
export type { MountainCarContinuousOptions } from './mountain-car-continuous.js';
export { MountainCar, mountainCarOptions } from './mountain-car.js';
export type { MountainCarOptions } from './mountain-car.js';
export { Pendulum, pendulumOptions } from './pendulum.js';
export type { PendulumOptions } from './pendulum.js';
export { registerEnvironments } from './register.js';
export type {
  EnvironmentEntry,
  ForecastEnvironmentEntry,
  SequenceEnvironmentEntry,
  SequenceEnvironmentParts,
  StepEnvironmentEntry,
} from './register.js';
export { TokenCopy, tokenCopyOptions, tokenCopyValues } from './token-copy.js';
export type { TokenCopyOptions } from './token-copy.js';
