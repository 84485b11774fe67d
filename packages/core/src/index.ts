export type { Algorithm, AlgorithmState, UpdateStats } from './algorithm.js';
export type { Callback, Metrics, Progress } from './callbacks/callback.js';
export { MetricsCallback } from './callbacks/metrics-callback.js';
export { RLHFCallback, type RewardPoint, type RLHFCallbackOptions } from './callbacks/rlhf-callback.js';
export {
  renderPng,
  renderSvg,
  writeChart,
  type Chart,
  type ChartOption,
  type ChartSize,
} from './charts/chart.js';
export {
  curveChart,
  movingAverage,
  type CurveChartOptions,
  type CurvePanel,
  type CurveSeries,
} from './charts/curve-chart.js';
export { errorByHorizonChart, type ErrorByHorizonOptions } from './charts/error-by-horizon-chart.js';
export {
  fanStatistics,
  forecastChart,
  type ForecastChartOptions,
  type ForecastWindow,
} from './charts/forecast-chart.js';
export type { SequenceBatch, SequenceEnvironment, SequenceReward, TrajectoryView } from './environment.js';
export {
  CheckpointError,
  ConfigError,
  DataError,
  EnvironmentError,
  NumericalError,
  RegistryError,
  RollcastError,
  ShapeError,
  type ConfigIssue,
} from './errors.js';
export type { NamedArray } from './nn/parameters.js';
export { nearestName, resolveOptions, suggestion } from './options.js';
export type { GenerateOptions, Generation, PolicyScores, SequencePolicy } from './policy.js';
export { RandomStream, philox4x32, type RandomState } from './random.js';
export { Registry } from './registry.js';
export type { ReferenceScores, Rollout, SequenceInputs } from './rollout/rollout.js';
export { writeFileAtomically, writeFolderAtomically } from './run/atomic.js';
export { CheckpointStore, type Checkpoint, type CheckpointStoreOptions } from './run/checkpoints.js';
export { closeLogger, createLogger, type Logger, type LoggerOptions, type LogLevel } from './run/logger.js';
export {
  RunDirectory,
  type CreateRunOptions,
  type MetricsRecord,
  type RunDescription,
  type RunKind,
  type RunMode,
} from './run/run-directory.js';
export { decodeSafetensors, encodeSafetensors } from './run/safetensors.js';
export { crc32c, EventFileWriter, fileVersionRecord, scalarRecord } from './run/tfevents.js';
export { rollcastVersion } from './run/version.js';
export { tf } from './tf.js';
export { Adam, type AdamOptions, type AdamState } from './nn/adam.js';
export { gradientStep, type GradientStepOptions, type LossParts } from './nn/gradients.js';
export { ParameterStore } from './nn/parameters.js';
export { attend, attentionMask } from './nn/attention.js';
export { embed, gelu, layerNorm, linear } from './nn/ops.js';
export { applyRotary, rotaryTable, type RotaryTable } from './nn/rotary.js';
export {
  DegradationTransformer,
  degradationTransformerOptions,
  sampleTokens,
  type DegradationTransformerOptions,
  type ResolvedDegradationTransformerOptions,
} from './models/degradation-transformer.js';
export { smoothEmbedding } from './models/smooth-embedding.js';
export {
  backendNames,
  backendReports,
  selectBackend,
  type BackendName,
  type BackendReport,
} from './runtime.js';
export {
  Tokeniser,
  fitLine,
  tokeniserOptions,
  type ResolvedTokeniserOptions,
  type Scaling,
  type TokeniserOptions,
} from './tokeniser/tokeniser.js';
export {
  generalisedAdvantages,
  maskedMoments,
  normaliseAdvantages,
  rewardsToGo,
  type RewardSteps,
} from './math/advantages.js';
export {
  exactKl,
  exactKlOnHost,
  klEstimators,
  sampledKl,
  sampledKlTensor,
  type KlEstimator,
  type SampledKlEstimator,
} from './math/kl.js';
export {
  AdaptiveKlController,
  FixedKlController,
  type AdaptiveKlOptions,
  type KlController,
} from './math/kl-controllers.js';
export { clippedSurrogateLoss, entropy, maskedMean, scoreFunctionLoss, valueLoss } from './math/losses.js';
export { linearSchedule, warmupCosine } from './math/schedules.js';
export { collectSequences, type CollectOptions } from './rollout/collect-sequences.js';
export { Trainer, type TrainResult, type TrainerOptions } from './trainer.js';
