/**
 * MountainCarContinuous-v0: the mountain car with a force that is chosen freely and paid for.
 *
 * Constants and order of operations are Gymnasium's. Its state is float32 after the first step, and with a float32 action
 * NumPy does nearly all of the arithmetic in float32; each `single` below is one of its roundings. A force that had to be
 * clipped is a Python float there and stays float64 until it meets the velocity.
 */
import {
  box,
  InPlaceEnvironment,
  resolveOptions,
  type RandomStream,
  type SpaceValue,
  type StepBuffers,
} from '@rollcast/core';
import { z } from 'zod';

/** Schema of the options of `MountainCarContinuous`: ranges, defaults, and what each one is. */
export const mountainCarContinuousOptions = z.strictObject({
  goalVelocity: z.number().default(0).describe('least velocity at the goal that ends the episode'),
});
/** Options of `MountainCarContinuous` as a user writes them. */
export type MountainCarContinuousOptions = z.input<typeof mountainCarContinuousOptions>;

const single = Math.fround;
const MIN_POSITION = single(-1.2);
const MAX_POSITION = single(0.6);
const MAX_SPEED = single(0.07);
const GOAL_POSITION = single(0.45);
const POWER = 0.0015;
const GRAVITY = 0.0025;
/** The start is uniform in here, at rest. */
const START = [-0.6, -0.4] as const;

const clip = (value: number, low: number, high: number): number => Math.max(low, Math.min(high, value));

/** A car too weak for its hill, with a force that is paid for. */
export class MountainCarContinuous extends InPlaceEnvironment {
  readonly name = 'mountain-car-continuous-v0';
  readonly observationSpace = box([MIN_POSITION, -MAX_SPEED], [MAX_POSITION, MAX_SPEED]);
  readonly actionSpace = box(-1, 1);
  override readonly maxEpisodeSteps = 999;
  private readonly goalVelocity: number;
  private position = 0;
  private velocity = 0;
  /** Before the first step the position is float64. */
  private fresh = true;

  /** @throws {ConfigError} when an option is wrong */
  constructor(options: MountainCarContinuousOptions = {}) {
    super();
    const resolved = resolveOptions(mountainCarContinuousOptions, options, 'mountainCarContinuous');
    this.goalVelocity = single(resolved.goalVelocity);
  }

  protected start(random: RandomStream): void {
    this.position = START[0] + (START[1] - START[0]) * random.uniform();
    this.velocity = 0;
    this.fresh = true;
  }

  stepInto(buffers: StepBuffers, index: number): undefined {
    const action = buffers.actions[index];
    const slope = GRAVITY * Math.cos(this.fresh ? 3 * this.position : single(3 * this.position));
    const push =
      Math.abs(action) > 1
        ? Math.sign(action) * POWER - slope
        : single(single(action * single(POWER)) - single(slope));
    const velocity = this.fresh ? this.velocity + push : single(this.velocity + single(push));
    const clipped = clip(velocity, -MAX_SPEED, MAX_SPEED);
    this.position = clip(single(this.position + clipped), MIN_POSITION, MAX_POSITION);
    this.velocity = this.position === MIN_POSITION && clipped < 0 ? 0 : single(clipped);
    this.fresh = false;
    this.observe(buffers.observations, index * 2);
    const arrived = this.position >= GOAL_POSITION && this.velocity >= this.goalVelocity;
    buffers.rewards[index] = (arrived ? 100 : 0) - action * action * 0.1;
    buffers.terminated[index] = arrived ? 1 : 0;
    buffers.truncated[index] = 0;
    return undefined;
  }

  protected observe(out: Float32Array, offset: number): void {
    out[offset] = this.position;
    out[offset + 1] = this.velocity;
  }

  protected numbers(): number[] {
    return [this.position, this.velocity, this.fresh ? 1 : 0];
  }

  protected setNumbers([position, velocity, fresh]: readonly number[]): void {
    this.position = position;
    this.velocity = velocity;
    this.fresh = fresh === 1;
  }

  /** A force outside the box is clipped, and paid for as given, as in Gymnasium. */
  protected override accepts(action: SpaceValue): boolean {
    return typeof action === 'object' && action?.length === 1 && Number.isFinite(action[0]);
  }
}
