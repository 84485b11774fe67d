import type { Environment, EnvironmentModule, Registry, SequenceEnvironment } from '@rollcast/core';
import { z } from 'zod';

import { Acrobot } from './acrobot.js';
import { Bandit, banditOptions, type BanditOptions } from './bandit.js';
import { CartPole, cartPoleOptions, type CartPoleOptions } from './cart-pole.js';
import { type WindowSource } from './degradation/dataset.js';
import {
  DegradationEnvironment,
  degradationOptions,
  type DegradationOptions,
} from './degradation/environment.js';
import { type ValueTokeniser } from './degradation/tokeniser.js';
import { GridWorld, gridWorldOptions, type GridWorldOptions } from './grid-world.js';
import {
  MountainCarContinuous,
  mountainCarContinuousOptions,
  type MountainCarContinuousOptions,
} from './mountain-car-continuous.js';
import { MountainCar, mountainCarOptions, type MountainCarOptions } from './mountain-car.js';
import { Pendulum, pendulumOptions, type PendulumOptions } from './pendulum.js';
import { TokenCopy, tokenCopyOptions, type TokenCopyOptions } from './token-copy.js';

interface Entry {
  readonly description: string;
  /** Schema of the options, for `--help` and configuration files. */
  readonly options: z.ZodType;
}

/** An environment of steps: one action, one observation at a time. */
export interface StepEnvironmentEntry extends Entry {
  readonly kind: 'step';
  /** Makes one instance. */
  create(options?: unknown): Environment;
  /** The same for `vectorise`, which can hand it to worker threads. */
  source(options?: unknown): EnvironmentModule;
}

/** An environment of whole sequences that needs nothing but its options. */
export interface SequenceEnvironmentEntry extends Entry {
  readonly kind: 'sequence';
  /** Makes the environment. */
  create(options?: unknown): SequenceEnvironment;
}

/** What a forecast environment is made from: windows of data and the tokeniser of the checkpoint. */
export interface SequenceEnvironmentParts {
  readonly dataset: WindowSource;
  readonly tokeniser: ValueTokeniser;
}

/** An environment of whole sequences over the user's data. */
export interface ForecastEnvironmentEntry extends Entry {
  readonly kind: 'forecast';
  /** Makes the environment over windows of data. */
  create(parts: SequenceEnvironmentParts, options?: DegradationOptions): DegradationEnvironment;
}

/** An environment that users pick by name. */
export type EnvironmentEntry = StepEnvironmentEntry | SequenceEnvironmentEntry | ForecastEnvironmentEntry;

/** Adds the environments of this package; importing the package registers nothing. */
export function registerEnvironments(registry: Registry<EnvironmentEntry>): void {
  registry.register('degradation', {
    kind: 'forecast',
    description: 'continue a degradation history by L points; rewarded on the whole trajectory',
    options: degradationOptions,
    create: ({ dataset, tokeniser }, options) => new DegradationEnvironment(dataset, tokeniser, options),
  });
  registry.register('token-copy-v1', {
    kind: 'sequence',
    description: 'generate the context again; optimum: the horizon',
    options: tokenCopyOptions,
    create: (options) => new TokenCopy(options as TokenCopyOptions),
  });
  registry.register('cart-pole-v1', {
    kind: 'step',
    description: 'keep a pole on a cart upright; 2 actions, solved at 475 of 500',
    options: cartPoleOptions,
    create: (options) => new CartPole(options as CartPoleOptions),
    source: (options) => moduleOf('cart-pole', 'CartPole', options),
  });
  registry.register('acrobot-v1', {
    kind: 'step',
    description: 'swing a chain of two links over a height; 3 actions, solved at −100',
    options: z.strictObject({}),
    create: () => new Acrobot(),
    source: (options) => moduleOf('acrobot', 'Acrobot', options),
  });
  registry.register('mountain-car-v0', {
    kind: 'step',
    description: 'rock a weak car out of a valley; 3 actions, solved at −110',
    options: mountainCarOptions,
    create: (options) => new MountainCar(options as MountainCarOptions),
    source: (options) => moduleOf('mountain-car', 'MountainCar', options),
  });
  registry.register('mountain-car-continuous-v0', {
    kind: 'step',
    description: 'the same with a force in [−1, 1] that is paid for; solved at 90',
    options: mountainCarContinuousOptions,
    create: (options) => new MountainCarContinuous(options as MountainCarContinuousOptions),
    source: (options) => moduleOf('mountain-car-continuous', 'MountainCarContinuous', options),
  });
  registry.register('pendulum-v1', {
    kind: 'step',
    description: 'swing a pendulum up and hold it; a torque in [−2, 2]',
    options: pendulumOptions,
    create: (options) => new Pendulum(options as PendulumOptions),
    source: (options) => moduleOf('pendulum', 'Pendulum', options),
  });
  registry.register('bandit-v1', {
    kind: 'step',
    description: 'one arm of a contextual bandit; optimum 1, a uniform choice 0',
    options: banditOptions,
    create: (options) => new Bandit(options as BanditOptions),
    source: (options) => moduleOf('bandit', 'Bandit', options),
  });
  registry.register('grid-world-v1', {
    kind: 'step',
    description: 'walk to the far corner of n × n cells; optimum −n²/(n + 1)',
    options: gridWorldOptions,
    create: (options) => new GridWorld(options as GridWorldOptions),
    source: (options) => moduleOf('grid-world', 'GridWorld', options),
  });
}

function moduleOf(stem: string, exportName: string, options: unknown): EnvironmentModule {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return { module: new URL(`./${stem}.${extension}`, import.meta.url).href, exportName, options };
}
