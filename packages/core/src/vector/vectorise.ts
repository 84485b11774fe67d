import { z } from 'zod';

import type { Environment, Info } from '../environment.js';
import { ConfigError, EnvironmentError } from '../errors.js';
import { resolveOptions } from '../options.js';
import { checkedState } from '../saved-state.js';
import { spaceFromSpec, type ActionArray, type Space } from '../spaces.js';
import { EnvironmentBatch, type InstanceState, type VectorBuffers } from './batch.js';
import { vectorBuffers, type EnvironmentSpec } from './buffers.js';
import { checkInstance, loadEnvironment, type EnvironmentModule } from './load-environment.js';
import type { FinishedEpisode, VectorEnvironment, VectorStep } from './vector-environment.js';
import { WorkerPool } from './worker-pool.js';

/** Schema of the options of `vectorise`: ranges, defaults, and what each one is. */
export const vectorOptions = z.strictObject({
  count: z.int().min(1).default(1).describe('N, instances'),
  workers: z.int().min(0).default(0).describe('worker threads; 0 steps on the thread that asks'),
  maxEpisodeSteps: z
    .int()
    .min(1)
    .optional()
    .describe('steps after which an episode is cut (default: the environment’s own limit)'),
});
/** Options of `vectorise` as a user writes them. */
export type VectorOptions = z.input<typeof vectorOptions>;

interface VectorState {
  readonly seed: number;
  readonly instances: readonly InstanceState[];
}

/** @param size - numbers of an observation */
const savedInstances = (size: number) =>
  z.object({
    seed: z.int().min(0),
    instances: z.array(
      z.object({
        episode: z.int().min(0),
        length: z.int().min(0),
        return: z.number(),
        observation: z.array(z.number()).length(size),
        environment: z.union([z.object({ actions: z.array(z.number()) }), z.object({ state: z.unknown() })]),
      }),
    ),
  });

/** Where the instances live: on this thread, or on workers. */
interface Host {
  readonly spec: EnvironmentSpec;
  readonly buffers: VectorBuffers;
  reset(seed: number): void;
  step(): [index: number, info: Info][];
  states(): InstanceState[];
  restore(seed: number, states: readonly InstanceState[]): void;
  close(): void | Promise<void>;
}

/**
 * N instances of a single environment as one.
 *
 * @param environment - makes one instance; a module (path and options) when there are workers, since a function cannot
 *   cross to a thread
 * @throws {ConfigError} when an option is wrong, the module cannot be loaded, or workers are asked for with a function
 */
export async function vectorise(
  environment: (() => Environment) | EnvironmentModule,
  options: VectorOptions = {},
): Promise<VectorEnvironment> {
  const { count, workers, maxEpisodeSteps } = resolveOptions(vectorOptions, options, 'vector');
  if (workers > 0) {
    if (typeof environment === 'function') {
      throw new ConfigError(
        `vector.workers: ${workers} workers need the environment as a module, { module, exportName, options }, since a function cannot cross to a thread; got a function. Give the module, or workers: 0.`,
      );
    }
    return new InstanceVector(
      await WorkerPool.start(environment, { count, workers, maxEpisodeSteps }),
      count,
    );
  }
  const make =
    typeof environment === 'function'
      ? () => checkInstance(environment())
      : await loadEnvironment(environment);
  return new InstanceVector(localHost(Array.from({ length: count }, make), maxEpisodeSteps), count);
}

function localHost(environments: readonly Environment[], maxEpisodeSteps?: number): Host {
  const [{ name, observationSpace, actionSpace }] = environments;
  const spec = { name, observationSpace: observationSpace.spec(), actionSpace: actionSpace.spec() };
  const buffers = vectorBuffers(spec, environments.length, false);
  const batch = new EnvironmentBatch(environments, buffers, 0, maxEpisodeSteps);
  return {
    spec,
    buffers,
    reset: (seed) => batch.reset(seed),
    step: () => batch.step(),
    states: () => batch.states(),
    restore: (seed, states) => batch.restore(seed, states),
    close: () => batch.close(),
  };
}

class InstanceVector implements VectorEnvironment {
  readonly name: string;
  readonly observationSpace: Space;
  readonly actionSpace: Space;
  readonly observationSize: number;
  private readonly buffers: VectorBuffers;
  /** Seed of the last reset; undefined before the first and after an error. */
  private seed?: number;

  constructor(
    private readonly host: Host,
    readonly count: number,
  ) {
    this.name = host.spec.name;
    this.observationSpace = spaceFromSpec(host.spec.observationSpace);
    this.actionSpace = spaceFromSpec(host.spec.actionSpace);
    this.observationSize = this.observationSpace.flatSize;
    this.buffers = host.buffers;
  }

  reset(seed: number): Float32Array {
    if (!Number.isSafeInteger(seed) || seed < 0)
      throw new ConfigError(`reset needs a seed, an integer ≥ 0; got ${seed}.`);
    this.seed = undefined;
    this.host.reset(seed);
    this.seed = seed;
    return this.buffers.observations;
  }

  step(actions: ActionArray): VectorStep {
    const seed = this.running('step');
    this.checkActions(actions);
    this.buffers.actions.set(actions);
    this.seed = undefined; // an error leaves some instances ahead of others
    const infos = this.host.step();
    this.seed = seed;
    const { observations, finalObservations, rewards, terminated, truncated } = this.buffers;
    return {
      observations,
      finalObservations,
      rewards,
      terminated,
      truncated,
      episodes: this.finishedEpisodes(),
      infos: new Map(infos),
    };
  }

  state(): VectorState {
    return { seed: this.running('state'), instances: this.host.states() };
  }

  restore(state: unknown): Float32Array {
    const { seed, instances } = state as VectorState;
    if (instances?.length !== this.count) {
      throw new EnvironmentError(
        `The saved state is of ${instances?.length ?? 'no'} instances and this vector environment has ${this.count}. Use the count that it was saved with.`,
      );
    }
    checkedState(savedInstances(this.observationSize), state, 'episodes in progress');
    this.seed = undefined;
    this.host.restore(seed, instances);
    this.seed = seed;
    return this.buffers.observations;
  }

  async close(): Promise<void> {
    await this.host.close();
  }

  private running(what: string): number {
    if (this.seed === undefined) {
      throw new EnvironmentError(
        `Environment "${this.name}": ${what} needs running episodes, and there are none before the first reset and after an error. Call reset(seed) first.`,
      );
    }
    return this.seed;
  }

  private checkActions(actions: ActionArray): void {
    const { actionSpace, count, name } = this;
    const { size } = actionSpace;
    if (actions.length !== count * size) {
      throw new EnvironmentError(
        `Environment "${name}": step needs ${count} × ${size} = ${count * size} numbers as actions; got ${actions.length}.`,
      );
    }
    for (let i = 0; i < count; i++) {
      const wrong = actionSpace.outside(actions, i * size);
      if (wrong < 0) continue;
      const wayOut = actionSpace.kind === 'box' ? ' Wrap it in ClipActions or RescaleActions.' : '';
      throw new EnvironmentError(
        `Environment "${name}", instance ${i}: an action is ${actionSpace.describe()}; got ${actions[i * size + wrong]}${size > 1 ? ` at ${wrong}` : ''}.${wayOut}`,
      );
    }
  }

  private finishedEpisodes(): FinishedEpisode[] {
    const { terminated, truncated, finalReturns, finalLengths } = this.buffers;
    const episodes: FinishedEpisode[] = [];
    for (let i = 0; i < this.count; i++) {
      if (terminated[i] === 0 && truncated[i] === 0) continue;
      episodes.push({
        instance: i,
        return: finalReturns[i],
        length: finalLengths[i],
        terminated: terminated[i] === 1,
      });
    }
    return episodes;
  }
}
