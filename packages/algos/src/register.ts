import { Registry, type Algorithm, type Policy } from '@rollcast/core';
import type { z } from 'zod';

import { A2C, a2cOptions } from './a2c.js';
import { GRPO, grpoOptions } from './grpo.js';
import type { RunBudget } from './policy-gradient.js';
import { PPO, ppoOptions } from './ppo.js';
import { Reinforce, reinforceOptions } from './reinforce.js';
import { RLOO, rlooOptions } from './rloo.js';
import { ScheduledSampling, scheduledSamplingOptions } from './scheduled-sampling.js';
import { SoftUnrolling, softUnrollingOptions } from './soft-unrolling.js';
import { TeacherForcing, teacherForcingOptions } from './teacher-forcing.js';

/** Kinds of environment: whole token sequences, single steps, or forecasts, which are sequences whose truth is known. */
export type EnvironmentKind = 'sequence' | 'step' | 'forecast';

/** An algorithm that users pick by name. */
export interface AlgorithmEntry {
  readonly description: string;
  /** The kinds of environment that it runs on; what runs on sequences runs on forecasts. */
  readonly kinds: readonly EnvironmentKind[];
  readonly options: z.ZodType;
  /** Makes the algorithm for a policy; options as a user writes them. */
  readonly create: (policy: Policy, options: object, budget: RunBudget) => Algorithm;
}

/** Adds the algorithms of this package. */
export function registerAlgorithms(registry: Registry<AlgorithmEntry>): void {
  registry.register('reinforce', {
    description:
      'score-function gradient; moving-average, self-critical, value or no baseline (Williams 1992)',
    kinds: ['sequence', 'step'],
    options: reinforceOptions,
    create: (policy, options, budget) => new Reinforce(policy, options, budget),
  });
  registry.register('a2c', {
    description: 'actor and critic, one step a rollout, n-step or generalised advantages (Mnih et al. 2016)',
    kinds: ['sequence', 'step'],
    options: a2cOptions,
    create: (policy, options, budget) => new A2C(policy, options, budget),
  });
  registry.register('ppo', {
    description: 'clipped ratios, generalised advantages, value head (Schulman et al. 2017)',
    kinds: ['sequence', 'step'],
    options: ppoOptions,
    create: (policy, options, budget) => new PPO(policy, options, budget),
  });
  registry.register('rloo', {
    description: 'several trajectories a context, the others are the baseline (Ahmadian et al. 2024)',
    kinds: ['sequence'],
    options: rlooOptions,
    create: (policy, options, budget) => new RLOO(policy, options, budget),
  });
  registry.register('grpo', {
    description: 'several trajectories a context, standardised within; clipped ratios (Shao et al. 2024)',
    kinds: ['sequence'],
    options: grpoOptions,
    create: (policy, options, budget) => new GRPO(policy, options, budget),
  });
  registry.register('teacher-forcing', {
    description: 'control: cross-entropy of the true future (Williams and Zipser 1989)',
    kinds: ['forecast'],
    options: teacherForcingOptions,
    create: (policy, options, budget) => new TeacherForcing(policy, options, budget),
  });
  registry.register('scheduled-sampling', {
    description: 'control: cross-entropy of the true future, partly after own tokens (Bengio et al. 2015)',
    kinds: ['forecast'],
    options: scheduledSamplingOptions,
    create: (policy, options, budget) => new ScheduledSampling(policy, options, budget),
  });
  registry.register('soft-unrolling', {
    description: 'control: squared error of the expected path, differentiable from end to end',
    kinds: ['forecast'],
    options: softUnrollingOptions,
    create: (policy, options, budget) => new SoftUnrolling(policy, options, budget),
  });
}

/** A registry with the algorithms of this package. */
export function builtInAlgorithms(): Registry<AlgorithmEntry> {
  const registry = new Registry<AlgorithmEntry>('algorithm');
  registerAlgorithms(registry);
  return registry;
}
