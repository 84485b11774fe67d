export type { Algorithm, AlgorithmState, UpdateStats } from './algorithm.js';
export type { Callback, Metrics, Progress } from './callbacks/callback.js';
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
export { nearestName, resolveOptions, suggestion } from './options.js';
export type { GenerateOptions, Generation, PolicyScores, SequencePolicy } from './policy.js';
export { RandomStream, philox4x32, type RandomState } from './random.js';
export { Registry } from './registry.js';
export type { ReferenceScores, Rollout, SequenceInputs } from './rollout/rollout.js';
export { tf } from './tf.js';
