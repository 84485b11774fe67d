export { A2C, a2cOptions, type A2COptions, type A2CUpdateStats, type ResolvedA2COptions } from './a2c.js';
export {
  GRPO,
  grpoOptions,
  type GRPOOptions,
  type GRPOUpdateStats,
  type ResolvedGRPOOptions,
} from './grpo.js';
export {
  KlControl,
  klControlOptions,
  type KlControlOptions,
  type ReferenceTensors,
  type ResolvedKlControlOptions,
} from './kl-control.js';
export { PolicyGradient, policyGradientShape } from './policy-gradient.js';
export type {
  PolicyGradientOptions,
  RunBudget,
  ScoredRows,
  SingleStepStats,
  StepChoices,
} from './policy-gradient.js';
export { PPO, ppoOptions, type PPOOptions, type PPOUpdateStats, type ResolvedPPOOptions } from './ppo.js';
export {
  Pretrainer,
  crossEntropy,
  pretrainOptions,
  type PretrainOptions,
  type PretrainStats,
  type ResolvedPretrainOptions,
} from './pretrain.js';
export {
  builtInAlgorithms,
  registerAlgorithms,
  type AlgorithmEntry,
  type EnvironmentKind,
} from './register.js';
export {
  Reinforce,
  meanPerStep,
  reinforceOptions,
  type ReinforceOptions,
  type ReinforceUpdateStats,
  type ResolvedReinforceOptions,
} from './reinforce.js';
export {
  RLOO,
  rlooOptions,
  type RLOOOptions,
  type RLOOUpdateStats,
  type ResolvedRLOOOptions,
} from './rloo.js';
export {
  ScheduledSampling,
  scheduledSamplingOptions,
  type ScheduledSamplingOptions,
  type ScheduledSamplingStats,
} from './scheduled-sampling.js';
export {
  SoftUnrolling,
  softUnrollingOptions,
  type SoftUnrollingOptions,
  type SoftUnrollingStats,
} from './soft-unrolling.js';
export {
  TeacherForcing,
  teacherForcingOptions,
  type TeacherForcingOptions,
  type TeacherForcingStats,
} from './teacher-forcing.js';
export { RLHFLearner, type RLHFLearnerOptions } from './rlhf-learner.js';
