import { Registry, type Algorithm, type Policy } from '@rollcast/core';
import type { z } from 'zod';

import { A2C, a2cOptions } from './a2c.js';
import { GRPO, grpoOptions } from './grpo.js';
import type { RunBudget } from './policy-gradient.js';
import { PPO, ppoOptions } from './ppo.js';
import { Reinforce, reinforceOptions } from './reinforce.js';
import { RLOO, rlooOptions } from './rloo.js';

/** Kinds of environment: whole token sequences, or single steps. */
export type EnvironmentKind = 'sequence' | 'step';

/** An algorithm that users pick by name. */
export interface AlgorithmEntry {
  readonly description: string;
  /** The kinds of environment that it runs on. */
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
}

/** A registry with the algorithms of this package. */
export function builtInAlgorithms(): Registry<AlgorithmEntry> {
  const registry = new Registry<AlgorithmEntry>('algorithm');
  registerAlgorithms(registry);
  return registry;
}
