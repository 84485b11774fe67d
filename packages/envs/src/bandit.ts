/**
 * A contextual bandit: one context, one arm, one reward, over. The best arm differs from context to context and is known.
 *
 * It is written in the plain form of the contract: `reset` and `step` with result objects.
 */
import {
  discrete,
  EnvironmentError,
  RandomStream,
  resolveOptions,
  type DiscreteSpace,
  type Environment,
  type RandomState,
  type StepResult,
} from '@rollcast/core';
import { z } from 'zod';

export const banditOptions = z.strictObject({
  contexts: z.int().min(1).max(65_536).default(4).describe('contexts C, drawn uniformly'),
  arms: z.int().min(2).max(65_536).default(5).describe('arms A'),
  noise: z.number().min(0).default(0.1).describe('standard deviation σ of the reward'),
});
export type BanditOptions = z.input<typeof banditOptions>;

/** The best arm of a context: a*(c) = (3c + 1) mod A. */
export function bestArm(context: number, arms: number): number {
  return (3 * context + 1) % arms;
}

/** Mean reward of an arm: μ(c, a) = cos(2π(a − a*(c))/A). The best arm gives 1, a uniform choice 0. */
export function meanReward(context: number, arm: number, arms: number): number {
  return Math.cos((2 * Math.PI * (arm - bestArm(context, arms))) / arms);
}

/** Expected reward of the best policy, and of one that chooses uniformly. */
export const banditValues = { optimal: 1, uniform: 0 } as const;

interface BanditState {
  readonly context: number;
  readonly random: RandomState;
}

export class Bandit implements Environment<number, number> {
  readonly name = 'bandit-v1';
  readonly observationSpace: DiscreteSpace;
  readonly actionSpace: DiscreteSpace;
  private readonly options: z.output<typeof banditOptions>;
  private context?: number;
  private random!: RandomStream;

  /** @throws {ConfigError} when an option is wrong */
  constructor(options: BanditOptions = {}) {
    this.options = resolveOptions(banditOptions, options, 'bandit');
    this.observationSpace = discrete(this.options.contexts);
    this.actionSpace = discrete(this.options.arms);
  }

  reset(seed: number): number {
    this.random = new RandomStream(seed, this.name);
    this.context = this.random.integer(this.options.contexts);
    return this.context;
  }

  /** @throws {EnvironmentError} before `reset`, after the end, and for an arm that does not exist */
  step(arm: number): StepResult<number> {
    const { context } = this;
    if (context === undefined) {
      throw new EnvironmentError(
        `${this.name}: step needs a running episode; there is none yet or it has ended. Call reset(seed) first.`,
      );
    }
    if (!this.actionSpace.contains(arm))
      throw new EnvironmentError(`${this.name}: an action is ${this.actionSpace.describe()}; got ${arm}.`);
    this.context = undefined;
    const { arms, noise } = this.options;
    const reward = meanReward(context, arm, arms) + noise * this.random.normal();
    return { observation: context, reward, terminated: true, truncated: false };
  }

  /** @throws {EnvironmentError} between episodes, where there is nothing to save */
  state(): BanditState {
    if (this.context === undefined)
      throw new EnvironmentError(`${this.name}: state needs a running episode. Call reset(seed) first.`);
    return { context: this.context, random: this.random.state() };
  }

  restore(state: unknown): void {
    const { context, random } = state as BanditState;
    this.context = context;
    this.random = RandomStream.fromState(random);
  }
}
