export {
  KlControl,
  klControlOptions,
  type KlControlOptions,
  type ReferenceTensors,
  type ResolvedKlControlOptions,
} from './kl-control.js';
export type { RunBudget } from './policy-gradient.js';
export { PPO, ppoOptions, type PPOOptions, type PPOUpdateStats, type ResolvedPPOOptions } from './ppo.js';
export {
  Pretrainer,
  crossEntropy,
  pretrainOptions,
  type PretrainOptions,
  type PretrainStats,
  type ResolvedPretrainOptions,
  type TokenWindows,
} from './pretrain.js';
export { builtInAlgorithms, registerAlgorithms, type AlgorithmEntry } from './register.js';
export {
  Reinforce,
  meanPerStep,
  reinforceOptions,
  type ReinforceOptions,
  type ReinforceUpdateStats,
  type ResolvedReinforceOptions,
} from './reinforce.js';
export { RLHFLearner, type RLHFLearnerOptions } from './rlhf-learner.js';
