import type { Environment, Info, InPlaceSteps, StepBuffers } from '../environment.js';
import { EnvironmentError } from '../errors.js';
import { episodeSeed } from './episode-seed.js';
import { inPlace } from './in-place.js';
import { TimeLimit } from './time-limit.js';

/** The numbers of all N instances; in shared memory when there are workers. */
export interface VectorBuffers extends StepBuffers {
  /** [N, O] last observations where an episode is over. */
  readonly finalObservations: Float32Array;
  /** [N] sum of the rewards of the episode that is over. */
  readonly finalReturns: Float64Array;
  /** [N] steps of the episode that is over. */
  readonly finalLengths: Int32Array;
}

/** One instance as saved. */
export interface InstanceState {
  readonly episode: number;
  readonly length: number;
  readonly return: number;
  readonly observation: readonly number[];
  /** What the environment's `state` gave, or the actions of the episode when it has none. */
  readonly environment: { readonly state: unknown } | { readonly actions: readonly number[] };
}

interface Instance {
  readonly environment: Environment;
  readonly steps: InPlaceSteps;
  episode: number;
  length: number;
  return: number;
  /** Actions of the running episode, row after row; only where the environment cannot save its state. */
  readonly actions?: number[];
}

/**
 * Instances `first` … `first + n − 1` of a vector environment, on the thread that made them. Steps, checks, restarts and
 * counts; what it hands over lies in the buffers.
 */
export class EnvironmentBatch {
  private readonly instances: Instance[];
  private readonly observationSize: number;
  private seed = 0;

  /**
   * @param environments - one an instance, none used elsewhere
   * @param maxEpisodeSteps - time limit; without it the environment's own
   */
  constructor(
    environments: readonly Environment[],
    private readonly buffers: VectorBuffers,
    private readonly first: number,
    maxEpisodeSteps?: number,
  ) {
    this.observationSize = environments[0].observationSpace.flatSize;
    this.instances = environments.map((environment) => {
      const limit = maxEpisodeSteps ?? environment.maxEpisodeSteps;
      const limited = limit === undefined ? environment : new TimeLimit(environment, limit);
      const saves = limited.state !== undefined && limited.restore !== undefined;
      return {
        environment: limited,
        steps: inPlace(limited),
        episode: 0,
        length: 0,
        return: 0,
        ...(!saves && { actions: [] }),
      };
    });
  }

  /** Starts episode 0 of every instance. */
  reset(seed: number): void {
    this.seed = seed;
    this.instances.forEach((instance, i) => this.start(instance, this.first + i, 0));
  }

  /** Takes the actions from the buffers; returns what the environments had to say beside the numbers. */
  step(): [index: number, info: Info][] {
    const { buffers, first, instances } = this;
    const { rewards, terminated, truncated } = buffers;
    const infos: [number, Info][] = [];
    for (let i = 0; i < instances.length; i++) {
      const instance = instances[i];
      const index = first + i;
      instance.length++;
      const info = this.stepInstance(instance, index);
      if (info) infos.push([index, info]);
      if (!Number.isFinite(rewards[index])) throw this.notFinite(instance, index, 'reward', rewards[index]);
      this.checkObservation(instance, index);
      instance.return += rewards[index];
      if (terminated[index] !== 0) truncated[index] = 0;
      else if (truncated[index] === 0) continue;
      this.finish(instance, index);
    }
    return infos;
  }

  states(): InstanceState[] {
    const { observations } = this.buffers;
    return this.instances.map((instance, i) => {
      const { episode, length, return: total, actions } = instance;
      const row = (this.first + i) * this.observationSize;
      return {
        episode,
        length,
        return: total,
        observation: Array.from(observations.subarray(row, row + this.observationSize)),
        environment: actions ? { actions: [...actions] } : { state: this.stateOf(instance, this.first + i) },
      };
    });
  }

  /** @param states - of these instances, in their order */
  restore(seed: number, states: readonly InstanceState[]): void {
    this.seed = seed;
    this.instances.forEach((instance, i) => {
      const saved = states[i];
      const index = this.first + i;
      if ('actions' in saved.environment)
        this.replay(instance, index, saved.episode, saved.environment.actions);
      else this.restoreTo(instance, index, saved.environment.state);
      instance.episode = saved.episode;
      instance.length = saved.length;
      instance.return = saved.return;
      this.buffers.observations.set(saved.observation, index * this.observationSize);
    });
  }

  close(): void {
    for (const { environment } of this.instances) environment.close?.();
  }

  private stateOf(instance: Instance, index: number): unknown {
    try {
      return instance.environment.state!();
    } catch (error) {
      throw this.failure(instance, index, error, 'state');
    }
  }

  private restoreTo(instance: Instance, index: number, state: unknown): void {
    try {
      instance.environment.restore!(state);
    } catch (error) {
      throw this.failure(instance, index, error, 'restore');
    }
  }

  private start(instance: Instance, index: number, episode: number): void {
    instance.episode = episode;
    instance.length = 0;
    instance.return = 0;
    if (instance.actions) instance.actions.length = 0;
    try {
      instance.steps.resetInto(episodeSeed(this.seed, index, episode), this.buffers, index);
    } catch (error) {
      throw this.failure(instance, index, error);
    }
    this.checkObservation(instance, index);
  }

  private stepInstance(instance: Instance, index: number): Info | undefined {
    if (instance.actions) {
      const { size } = instance.environment.actionSpace;
      for (let i = index * size; i < (index + 1) * size; i++) instance.actions.push(this.buffers.actions[i]);
    }
    try {
      return instance.steps.stepInto(this.buffers, index);
    } catch (error) {
      throw this.failure(instance, index, error);
    }
  }

  /** Keeps the last observation of the episode that is over, and starts the next one. */
  private finish(instance: Instance, index: number): void {
    const { finalObservations, finalReturns, finalLengths, observations } = this.buffers;
    const row = index * this.observationSize;
    for (let i = row; i < row + this.observationSize; i++) finalObservations[i] = observations[i];
    finalReturns[index] = instance.return;
    finalLengths[index] = instance.length;
    this.start(instance, index, instance.episode + 1);
  }

  private replay(instance: Instance, index: number, episode: number, actions: readonly number[]): void {
    const { size } = instance.environment.actionSpace;
    this.start(instance, index, episode);
    for (let at = 0; at < actions.length; at += size) {
      this.buffers.actions.set(actions.slice(at, at + size), index * size);
      this.stepInstance(instance, index);
    }
  }

  private checkObservation(instance: Instance, index: number): void {
    const { observations } = this.buffers;
    const row = index * this.observationSize;
    for (let i = 0; i < this.observationSize; i++) {
      const value = observations[row + i];
      if (value - value !== 0) throw this.notFinite(instance, index, `entry ${i} of the observation`, value);
    }
  }

  private notFinite(instance: Instance, index: number, what: string, value: number): EnvironmentError {
    const way =
      Math.abs(value) === Infinity
        ? 'float32 holds numbers up to 3.4e38'
        : 'look for a division by zero or an undefined value';
    return new EnvironmentError(
      `${this.place(instance, index)}: ${what} must be a finite number; got ${value}. The environment makes it: ${way}.`,
    );
  }

  private failure(instance: Instance, index: number, error: unknown, method?: string): EnvironmentError {
    const message = error instanceof Error ? error.message : String(error);
    const place = this.place(instance, index, method);
    return new EnvironmentError(`${place}: ${message}`, { cause: error });
  }

  private place({ environment, length, episode }: Instance, index: number, method?: string): string {
    const when = method ?? (length === 0 ? 'reset' : `step ${length}`);
    return `Environment "${environment.name}", instance ${index}, ${when} of episode ${episode}`;
  }
}
