import { Registry, type Algorithm, type Policy } from '@rollcast/core';
import type { z } from 'zod';

import type { RunBudget } from './policy-gradient.js';
import { PPO, ppoOptions } from './ppo.js';
import { Reinforce, reinforceOptions } from './reinforce.js';

/** An algorithm that users pick by name. */
export interface AlgorithmEntry {
  readonly description: string;
  readonly options: z.ZodType;
  readonly create: (policy: Policy, options: object, budget: RunBudget) => Algorithm;
}

/** Adds the algorithms of this package. */
export function registerAlgorithms(registry: Registry<AlgorithmEntry>): void {
  registry.register('reinforce', {
    description: 'score-function gradient with a moving-average baseline (Williams 1992)',
    options: reinforceOptions,
    create: (policy, options, budget) => new Reinforce(policy, options, budget),
  });
  registry.register('ppo', {
    description: 'clipped ratios, generalised advantages, value head (Schulman et al. 2017)',
    options: ppoOptions,
    create: (policy, options, budget) => new PPO(policy, options, budget),
  });
}

/** A registry with the algorithms of this package. */
export function builtInAlgorithms(): Registry<AlgorithmEntry> {
  const registry = new Registry<AlgorithmEntry>('algorithm');
  registerAlgorithms(registry);
  return registry;
}
