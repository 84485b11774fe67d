/**
 * MountainCar-v0: rock a car that is too weak for the slope out of a valley (Moore 1990, thesis, Cambridge TR 209).
 *
 * Constants and order of operations are Gymnasium's, in float64; observations are cast to float32.
 */
import {
  box,
  discrete,
  InPlaceEnvironment,
  resolveOptions,
  type RandomStream,
  type StepBuffers,
} from '@rollcast/core';
import { z } from 'zod';

/** Schema of the options of `MountainCar`: ranges, defaults, and what each one is. */
export const mountainCarOptions = z.strictObject({
  goalVelocity: z.number().default(0).describe('least velocity at the goal that ends the episode'),
});
/** Options of `MountainCar` as a user writes them. */
export type MountainCarOptions = z.input<typeof mountainCarOptions>;

const MIN_POSITION = -1.2;
const MAX_POSITION = 0.6;
const MAX_SPEED = 0.07;
const GOAL_POSITION = 0.5;
const FORCE = 0.001;
const GRAVITY = 0.0025;
/** The start is uniform in here, at rest. */
const START = [-0.6, -0.4] as const;

const clip = (value: number, low: number, high: number): number => Math.max(low, Math.min(high, value));

/** A car too weak for its hill, with three actions. */
export class MountainCar extends InPlaceEnvironment {
  readonly name = 'mountain-car-v0';
  readonly observationSpace = box([MIN_POSITION, -MAX_SPEED], [MAX_POSITION, MAX_SPEED]);
  readonly actionSpace = discrete(3);
  override readonly maxEpisodeSteps = 200;
  private readonly goalVelocity: number;
  private position = 0;
  private velocity = 0;

  /** @throws {ConfigError} when an option is wrong */
  constructor(options: MountainCarOptions = {}) {
    super();
    this.goalVelocity = resolveOptions(mountainCarOptions, options, 'mountainCar').goalVelocity;
  }

  protected start(random: RandomStream): void {
    this.position = START[0] + (START[1] - START[0]) * random.uniform();
    this.velocity = 0;
  }

  stepInto(buffers: StepBuffers, index: number): undefined {
    const push = (buffers.actions[index] - 1) * FORCE + Math.cos(3 * this.position) * -GRAVITY;
    this.velocity = clip(this.velocity + push, -MAX_SPEED, MAX_SPEED);
    this.position = clip(this.position + this.velocity, MIN_POSITION, MAX_POSITION);
    if (this.position === MIN_POSITION && this.velocity < 0) this.velocity = 0;
    this.observe(buffers.observations, index * 2);
    const arrived = this.position >= GOAL_POSITION && this.velocity >= this.goalVelocity;
    buffers.rewards[index] = -1;
    buffers.terminated[index] = arrived ? 1 : 0;
    buffers.truncated[index] = 0;
    return undefined;
  }

  protected observe(out: Float32Array, offset: number): void {
    out[offset] = this.position;
    out[offset + 1] = this.velocity;
  }

  protected numbers(): number[] {
    return [this.position, this.velocity];
  }

  protected setNumbers([position, velocity]: readonly number[]): void {
    this.position = position;
    this.velocity = velocity;
  }
}
