/**
 * Pendulum-v1: swing a pendulum up and hold it there with a torque too weak to lift it at once.
 *
 * Constants and order of operations are Gymnasium's: float64, but for the terms of the float32 action, which NumPy keeps
 * in float32 (each `single` below) until they meet the state. Observations are cast to float32.
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

/** Schema of the options of `Pendulum`: ranges, defaults, and what each one is. */
export const pendulumOptions = z.strictObject({
  gravity: z.number().default(10).describe('gravitational acceleration, m/s²'),
});
/** Options of `Pendulum` as a user writes them. */
export type PendulumOptions = z.input<typeof pendulumOptions>;

const single = Math.fround;
/** N m. */
const MAX_TORQUE = 2;
/** rad/s. */
const MAX_SPEED = 8;
/** s, one step. */
const STEP = 0.05;
/** kg and m. */
const MASS = 1;
const LENGTH = 1;
/** rad and rad/s: each number of the start is uniform in ± its own. */
const START = [Math.PI, 1] as const;

const clip = (value: number, limit: number): number => Math.max(-limit, Math.min(limit, value));

/** An angle as one of [−π, π), by the modulo that takes the sign of the divisor. */
function normaliseAngle(angle: number): number {
  const turn = 2 * Math.PI;
  const rest = (angle + Math.PI) % turn;
  return (rest < 0 ? rest + turn : rest) - Math.PI;
}

/** A pendulum, to be swung up and held by a limited torque. */
export class Pendulum extends InPlaceEnvironment {
  readonly name = 'pendulum-v1';
  readonly observationSpace = box([-1, -1, -MAX_SPEED], [1, 1, MAX_SPEED]);
  readonly actionSpace = box(-MAX_TORQUE, MAX_TORQUE);
  override readonly maxEpisodeSteps = 200;
  private readonly gravity: number;
  private theta = 0;
  private thetaDot = 0;

  /** @throws {ConfigError} when an option is wrong */
  constructor(options: PendulumOptions = {}) {
    super();
    this.gravity = resolveOptions(pendulumOptions, options, 'pendulum').gravity;
  }

  protected start(random: RandomStream): void {
    this.theta = START[0] * (2 * random.uniform() - 1);
    this.thetaDot = START[1] * (2 * random.uniform() - 1);
  }

  stepInto(buffers: StepBuffers, index: number): undefined {
    const torque = clip(buffers.actions[index], MAX_TORQUE);
    const { theta, thetaDot } = this;
    const cost =
      normaliseAngle(theta) ** 2 +
      0.1 * (thetaDot * thetaDot) +
      single(single(0.001) * single(torque * torque));
    const acceleration =
      ((3 * this.gravity) / (2 * LENGTH)) * Math.sin(theta) +
      single(single(3.0 / (MASS * LENGTH ** 2)) * torque);
    this.thetaDot = clip(thetaDot + acceleration * STEP, MAX_SPEED);
    this.theta = theta + this.thetaDot * STEP;
    this.observe(buffers.observations, index * 3);
    buffers.rewards[index] = -cost;
    buffers.terminated[index] = 0;
    buffers.truncated[index] = 0;
    return undefined;
  }

  protected observe(out: Float32Array, offset: number): void {
    out[offset] = Math.cos(this.theta);
    out[offset + 1] = Math.sin(this.theta);
    out[offset + 2] = this.thetaDot;
  }

  /** Angle (rad, 0 is upright, not wrapped) and angular velocity (rad/s). */
  protected numbers(): number[] {
    return [this.theta, this.thetaDot];
  }

  protected setNumbers([theta, thetaDot]: readonly number[]): void {
    this.theta = theta;
    this.thetaDot = thetaDot;
  }

  /** A torque outside the box is clipped, as in Gymnasium. */
  protected override accepts(action: SpaceValue): boolean {
    return typeof action === 'object' && action?.length === 1 && Number.isFinite(action[0]);
  }
}
