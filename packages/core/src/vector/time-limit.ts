import { z } from 'zod';

import type { Environment, Info, InPlaceSteps, StepBuffers, StepResult } from '../environment.js';
import { ConfigError } from '../errors.js';
import { checkedState } from '../saved-state.js';
import type { Space, SpaceValue } from '../spaces.js';
import { inPlace } from './in-place.js';

interface TimeLimitState {
  readonly steps: number;
  readonly inner: unknown;
}

const savedSteps = z.object({ steps: z.int().min(0) });

/** Cuts an episode after a number of steps: the last one is truncated unless it terminates (Gymnasium's TimeLimit). */
export class TimeLimit implements Environment, InPlaceSteps {
  readonly name: string;
  readonly observationSpace: Space;
  readonly actionSpace: Space;
  /** Absent when the wrapped environment cannot save its state. */
  readonly state?: () => TimeLimitState;
  readonly restore?: (state: unknown) => void;
  private readonly inner: InPlaceSteps;
  private steps = 0;

  /** @throws {ConfigError} when the limit is not an integer ≥ 1 */
  constructor(
    private readonly environment: Environment,
    readonly maxEpisodeSteps: number,
  ) {
    if (!Number.isInteger(maxEpisodeSteps) || maxEpisodeSteps < 1)
      throw new ConfigError(`maxEpisodeSteps must be an integer ≥ 1; got ${maxEpisodeSteps}.`);
    this.name = environment.name;
    this.observationSpace = environment.observationSpace;
    this.actionSpace = environment.actionSpace;
    this.inner = inPlace(environment);
    if (environment.state && environment.restore) {
      this.state = () => ({ steps: this.steps, inner: environment.state!() });
      this.restore = (state) => {
        const { steps } = checkedState(savedSteps, state, 'steps of an episode');
        const { inner } = state as TimeLimitState;
        environment.restore!(inner);
        this.steps = steps;
      };
    }
  }

  reset(seed: number): SpaceValue {
    this.steps = 0;
    return this.environment.reset(seed);
  }

  step(action: SpaceValue): StepResult {
    const result = this.environment.step(action);
    this.steps++;
    const cut = this.steps >= this.maxEpisodeSteps && !result.terminated;
    return { ...result, truncated: result.truncated || cut };
  }

  resetInto(seed: number, buffers: StepBuffers, index: number): void {
    this.steps = 0;
    this.inner.resetInto(seed, buffers, index);
  }

  stepInto(buffers: StepBuffers, index: number): Info | undefined {
    const info = this.inner.stepInto(buffers, index);
    this.steps++;
    if (this.steps >= this.maxEpisodeSteps && buffers.terminated[index] === 0) buffers.truncated[index] = 1;
    return info;
  }

  close(): void {
    this.environment.close?.();
  }
}
