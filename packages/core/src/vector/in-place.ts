/** The two ways to write an environment, made one: in place, or by result objects that are copied into place. */
import type { Environment, Info, InPlaceSteps, StepBuffers, StepResult } from '../environment.js';
import { EnvironmentError } from '../errors.js';
import { RandomStream } from '../random.js';
import { actionArray, type BoxSpace, type Space, type SpaceValue } from '../spaces.js';

/** Buffers of one instance. */
export function ownBuffers({ actionSpace, observationSpace }: Environment): StepBuffers {
  return {
    actions: actionArray(actionSpace, 1),
    observations: new Float32Array(observationSpace.flatSize),
    rewards: new Float64Array(1),
    terminated: new Uint8Array(1),
    truncated: new Uint8Array(1),
  };
}

/** The environment's own fast path, or one around `reset` and `step`. */
export function inPlace(environment: Environment): InPlaceSteps {
  const steps = environment as Environment & Partial<InPlaceSteps>;
  return steps.resetInto && steps.stepInto ? (steps as InPlaceSteps) : new CopiedSteps(environment);
}

/** Copies what `reset` and `step` return, and checks that it has the right form. */
class CopiedSteps implements InPlaceSteps {
  private readonly observationSize: number;

  constructor(private readonly environment: Environment) {
    this.observationSize = environment.observationSpace.flatSize;
  }

  resetInto(seed: number, buffers: StepBuffers, index: number): void {
    this.write(this.environment.reset(seed), buffers, index);
  }

  stepInto(buffers: StepBuffers, index: number): Info | undefined {
    const { kind, size } = this.environment.actionSpace;
    const { actions } = buffers;
    const result = this.environment.step(
      kind === 'discrete' ? actions[index] : actions.slice(index * size, (index + 1) * size),
    );
    if (typeof result?.reward !== 'number') {
      throw new EnvironmentError(
        `step must return { observation, reward, terminated, truncated } with a number as reward; got ${JSON.stringify(result)}.`,
      );
    }
    this.write(result.observation, buffers, index);
    buffers.rewards[index] = result.reward;
    buffers.terminated[index] = result.terminated ? 1 : 0;
    buffers.truncated[index] = result.truncated ? 1 : 0;
    return result.info;
  }

  /** A box may hold NaN here: the batch says which entry. An integer must be one of the space's. */
  private write(observation: SpaceValue, { observations }: StepBuffers, index: number): void {
    const space = this.environment.observationSpace;
    const fits =
      space.kind === 'box'
        ? typeof observation === 'object' && observation?.length === space.size
        : space.contains(observation);
    if (!fits) {
      const got = typeof observation === 'object' ? `${observation?.length} numbers` : observation;
      throw new EnvironmentError(
        `an observation must be ${space.describe()}, as observationSpace says; got ${got}. Correct one of the two.`,
      );
    }
    space.flatten(observation, observations, index * this.observationSize);
  }
}

/**
 * Base of environments that step in place. A subclass says how an episode starts, steps and looks; `reset` and `step`
 * follow from that.
 */
export abstract class InPlaceEnvironment implements Environment<Float32Array>, InPlaceSteps {
  abstract readonly name: string;
  abstract readonly observationSpace: BoxSpace;
  abstract readonly actionSpace: Space;
  readonly maxEpisodeSteps?: number;
  private own?: StepBuffers;
  private running = false;

  abstract stepInto(buffers: StepBuffers, index: number): Info | undefined;
  /** Draws the start of an episode. */
  protected abstract start(random: RandomStream): void;
  /** Writes the observation of the present state. */
  protected abstract observe(out: Float32Array, offset: number): void;
  /** The state of the episode as numbers. */
  protected abstract numbers(): number[];
  /** Goes on from what `numbers` gave. */
  protected abstract setNumbers(numbers: readonly number[]): void;

  resetInto(seed: number, { observations }: StepBuffers, index: number): void {
    this.start(new RandomStream(seed, this.name));
    this.observe(observations, index * this.observationSpace.size);
  }

  reset(seed: number): Float32Array {
    this.own ??= ownBuffers(this);
    this.resetInto(seed, this.own, 0);
    this.running = true;
    return this.own.observations.slice();
  }

  /** @throws {EnvironmentError} before `reset`, after the end of an episode, and for an action that cannot be taken */
  step(action: SpaceValue): StepResult<Float32Array> {
    if (!this.running) {
      throw new EnvironmentError(
        `${this.name}: step needs a running episode; there is none yet or it has ended. Call reset(seed) first.`,
      );
    }
    if (!this.accepts(action)) {
      const got = typeof action === 'object' ? `[${Array.from(action ?? []).join(', ')}]` : String(action);
      throw new EnvironmentError(`${this.name}: an action is ${this.actionSpace.describe()}; got ${got}.`);
    }
    const own = (this.own ??= ownBuffers(this));
    if (typeof action === 'number') own.actions[0] = action;
    else own.actions.set(action);
    const info = this.stepInto(own, 0);
    this.running = own.terminated[0] === 0;
    return {
      observation: own.observations.slice(),
      reward: own.rewards[0],
      terminated: own.terminated[0] === 1,
      truncated: own.truncated[0] === 1,
      ...(info && { info }),
    };
  }

  /** The numbers that the next step depends on. */
  state(): number[] {
    return this.numbers();
  }

  /** @throws {EnvironmentError} when the numbers are not those of `state` */
  restore(state: unknown): void {
    const expected = this.numbers().length;
    if (!Array.isArray(state) || state.length !== expected || !state.every(Number.isFinite)) {
      throw new EnvironmentError(
        `${this.name}: restore needs the ${expected} finite numbers that state() gave; got ${JSON.stringify(state)}.`,
      );
    }
    this.setNumbers(state as number[]);
    this.running = true;
  }

  /** The observation of the present state. */
  observation(): Float32Array {
    const out = new Float32Array(this.observationSpace.size);
    this.observe(out, 0);
    return out;
  }

  /** Whether the action can be taken; environments that clip, as Gymnasium's do, take any finite number. */
  protected accepts(action: SpaceValue): boolean {
    return this.actionSpace.contains(action);
  }
}
