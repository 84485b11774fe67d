export type { Algorithm, AlgorithmState, UpdateStats } from './algorithm.js';
export { checkEnvironment, checkOptions } from './check/check-environment.js';
export type { CheckOptions, CheckReport } from './check/check-environment.js';
export { checkRules } from './check/rules.js';
export type { CheckRule, Finding } from './check/rules.js';
export { defineEnvironment, defineReward, defineSequenceEnvironment } from './define.js';
export type {
  EnvironmentDeclaration,
  EnvironmentDefinition,
  RewardDeclaration,
  RewardDefinition,
  RewardFunction,
  RewardInfo,
  RewardNumbers,
  RewardParts,
  SequenceEnvironmentDefinition,
  StepEnvironmentDefinition,
} from './define.js';
export type {
  Environment,
  Info,
  InPlaceSteps,
  SequenceBatch,
  SequenceEnvironment,
  SequenceReward,
  StepBuffers,
  StepResult,
  TrajectoryView,
} from './environment.js';
export {
  CheckpointError,
  ConfigError,
  DataError,
  EnvironmentError,
  NumericalError,
  RegistryError,
  RollcastError,
  ShapeError,
  StorageError,
  showControls,
} from './errors.js';
export type { ConfigIssue, RollcastErrorOptions } from './errors.js';
export { parseExpression } from './expression/expression.js';
export type {
  Expression,
  ExpressionOptions,
  ExpressionScope,
  ExpressionTerm,
  ExpressionVariable,
} from './expression/expression.js';
export type { ExpressionValue } from './expression/functions.js';
export { expressionLimits } from './expression/tokens.js';
export { InvariantError } from './invariants.js';
export type { Invariant } from './invariants.js';
export { nearestName, resolveOptions, suggestion, zodProblems } from './options.js';
export type {
  Decisions,
  GenerateOptions,
  Generation,
  Policy,
  PolicyScores,
  SequencePolicy,
  SequenceScores,
  SoftSequencePolicy,
  StepPolicy,
} from './policy.js';
export { philox4x32, RandomStream } from './random.js';
export { StratifiedUniforms, type Uniforms } from './stratified-uniforms.js';
export type { RandomState } from './random.js';
export { Registry } from './registry.js';
export { backendDevices, backendNames, backendReports, deviceReports, selectBackend } from './runtime.js';
export type { BackendName, BackendOptions, BackendReport, DeviceName, DeviceReport } from './runtime.js';
export { compile, tf } from './tf.js';
export type { CompiledFunction } from './tf.js';
export {
  actionArray,
  box,
  BoxSpace,
  discrete,
  DiscreteSpace,
  multiDiscrete,
  MultiDiscreteSpace,
  spaceFromSpec,
} from './spaces.js';
export type { ActionArray, Space, SpaceSpec, SpaceValue } from './spaces.js';
export { Trainer } from './trainer.js';
export type {
  CollectorTrainerOptions,
  SequenceTrainerOptions,
  TrainerOptions,
  TrainResult,
} from './trainer.js';
export type { Callback, Metrics, Progress } from './callbacks/callback.js';
export { MetricsCallback } from './callbacks/metrics-callback.js';
export { RLHFCallback } from './callbacks/rlhf-callback.js';
export type { RewardPoint, RLHFCallbackOptions } from './callbacks/rlhf-callback.js';
export { renderPng, renderSvg, writeChart, writePicture } from './charts/chart.js';
export type { Chart, ChartOption, ChartSize } from './charts/chart.js';
export { curveChart, movingAverage } from './charts/curve-chart.js';
export type { CurveChartOptions, CurvePanel, CurveSeries } from './charts/curve-chart.js';
export { errorByHorizonChart } from './charts/error-by-horizon-chart.js';
export type { ErrorByHorizonOptions } from './charts/error-by-horizon-chart.js';
export { fanChart } from './charts/fan-chart.js';
export type { FanChartOptions, FanPanel } from './charts/fan-chart.js';
export { fanStatistics, forecastChart } from './charts/forecast-chart.js';
export type { ForecastChartOptions, ForecastWindow } from './charts/forecast-chart.js';
export { intervalChart } from './charts/interval-chart.js';
export { PALETTE } from './charts/style.js';
export type { ChartInterval, IntervalChartOptions, IntervalPanel } from './charts/interval-chart.js';
export {
  generalisedAdvantages,
  maskedMoments,
  normaliseAdvantages,
  nStepAdvantages,
  rewardsToGo,
  wholeReturns,
} from './math/advantages.js';
export type { RewardSteps } from './math/advantages.js';
export {
  aggregateIntervals,
  bootstrapIntervals,
  curveIntervals,
  improvementInterval,
  profileIntervals,
} from './math/bootstrap.js';
export type { BootstrapOptions, Interval } from './math/bootstrap.js';
export { groupNormalisedAdvantages, leaveOneOutAdvantages } from './math/group-advantages.js';
export type { GroupedReturns } from './math/group-advantages.js';
export { AdaptiveKlController, DoublingKlController, FixedKlController } from './math/kl-controllers.js';
export type { AdaptiveKlOptions, KlController } from './math/kl-controllers.js';
export { exactKl, exactKlOnHost, gaussianKl, klEstimators, sampledKl, sampledKlTensor } from './math/kl.js';
export type { KlEstimator, SampledKlEstimator } from './math/kl.js';
export {
  clippedSurrogateLoss,
  dualClippedSurrogateLoss,
  entropy,
  klPenalisedSurrogateLoss,
  maskedMean,
  scoreFunctionLoss,
  valueLoss,
} from './math/losses.js';
export { linearSchedule, stageOf, warmupCosine } from './math/schedules.js';
export {
  interquartileMean,
  meanScore,
  medianScore,
  optimalityGap,
  probabilityOfImprovement,
  scoreDistribution,
} from './math/statistics.js';
export type { Aggregates, TaskScores } from './math/statistics.js';
export { sampleTokens } from './models/decoder.js';
export { DegradationTransformer, degradationTransformerOptions } from './models/degradation-transformer.js';
export type {
  DegradationTransformerOptions,
  ResolvedDegradationTransformerOptions,
} from './models/degradation-transformer.js';
export { MlpPolicy, mlpPolicyOptions } from './models/mlp-policy.js';
export type { MlpPolicyOptions, ResolvedMlpPolicyOptions } from './models/mlp-policy.js';
export { smoothEmbedding } from './models/smooth-embedding.js';
export { Adam } from './nn/adam.js';
export type { AdamOptions, AdamState } from './nn/adam.js';
export { attend, attentionMask, selfAttention } from './nn/attention.js';
export type { SelfAttentionOptions } from './nn/attention.js';
export { distributionKind } from './nn/distributions.js';
export type { ActionDistribution, DistributionKind } from './nn/distributions.js';
export { fanInUniform, orthogonal } from './nn/initialise.js';
export { GradientSteps } from './nn/gradients.js';
export type { GradientStepsOptions, LossParts, RowArray, StepInputs } from './nn/gradients.js';
export {
  embed,
  flat,
  foldNorm,
  linear,
  logSoftmax,
  normalise,
  silu,
  stopGradient,
  takeColumns,
} from './nn/ops.js';
export type { Affine } from './nn/ops.js';
export { ParameterStore } from './nn/parameters.js';
export type { NamedArray } from './nn/parameters.js';
export { applyRotary, rotaryTable, rotationMatrices } from './nn/rotary.js';
export type { RotaryTable } from './nn/rotary.js';
export { collectSequences, SequenceCollector } from './rollout/collect-sequences.js';
export type { CollectOptions, CollectorOptions } from './rollout/collect-sequences.js';
export { SequenceReferenceScorer } from './rollout/sequence-reference.js';
export { StepCollector } from './rollout/collect-steps.js';
export type { StepCollectorOptions } from './rollout/collect-steps.js';
export type { Collected, RolloutCollector } from './rollout/collector.js';
export { EpisodeStatistics } from './rollout/episode-statistics.js';
export type { EpisodeStatisticsState } from './rollout/episode-statistics.js';
export { decodeRollout, encodeRollout } from './rollout/rollout-files.js';
export { playEpisodes, playSequences } from './rollout/play-episodes.js';
export type { PlayedSequences, PlayEpisodesOptions, PlaySequencesOptions } from './rollout/play-episodes.js';
export { repeatRows } from './rollout/repeat-batch.js';
export { scoredRows } from './rollout/rollout.js';
export type { ObservationInputs, ReferenceScores, Rollout, SequenceInputs } from './rollout/rollout.js';
export { writeFileAtomically, writeFolderAtomically } from './run/atomic.js';
export { CheckpointStore } from './run/checkpoints.js';
export type { Checkpoint, CheckpointStoreOptions } from './run/checkpoints.js';
export { closeLogger, createLogger } from './run/logger.js';
export type { Logger, LoggerOptions, LogLevel } from './run/logger.js';
export { RunDirectory } from './run/run-directory.js';
export type {
  CreateRunOptions,
  MetricsRecord,
  RunDescription,
  RunKind,
  RunMode,
} from './run/run-directory.js';
export { decodeSafetensors, encodeSafetensors } from './run/safetensors.js';
export { crc32c, EventFileWriter, fileVersionRecord, scalarRecord } from './run/tfevents.js';
export { rollcastVersion } from './run/version.js';
export type { TokenSource, TokenWindows } from './tokeniser/token-windows.js';
export { fitLine, Tokeniser, tokeniserOptions } from './tokeniser/tokeniser.js';
export type { ResolvedTokeniserOptions, Scaling, TokeniserOptions } from './tokeniser/tokeniser.js';
export { ClipActions, RescaleActions } from './vector/box-actions.js';
export { InPlaceEnvironment } from './vector/in-place.js';
export type { EnvironmentModule } from './vector/load-environment.js';
export { NormaliseObservations, normaliseObservationsOptions } from './vector/normalise-observations.js';
export type { NormaliseObservationsOptions } from './vector/normalise-observations.js';
export { NormaliseRewards, normaliseRewardsOptions } from './vector/normalise-rewards.js';
export type { NormaliseRewardsOptions } from './vector/normalise-rewards.js';
export { RunningMoments } from './vector/running-moments.js';
export type { MomentsState } from './vector/running-moments.js';
export { TimeLimit } from './vector/time-limit.js';
export { vectorise, vectorOptions } from './vector/vectorise.js';
export type { VectorOptions } from './vector/vectorise.js';
export type { FinishedEpisode, VectorEnvironment, VectorStep } from './vector/vector-environment.js';
export { VectorWrapper } from './vector/vector-wrapper.js';
