/**
 * CartPole-v1: push a cart left or right so that the pole on it stays up (Barto, Sutton and Anderson 1983, IEEE SMC 13(5)).
 *
 * Constants and order of operations are Gymnasium's: explicit Euler steps of float64, observations cast to float32.
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

/** Schema of the options of `CartPole`: ranges, defaults, and what each one is. */
export const cartPoleOptions = z.strictObject({
  suttonBartoReward: z
    .boolean()
    .default(false)
    .describe('0 while the pole is up and −1 when it falls, instead of 1 at every step'),
});
/** Options of `CartPole` as a user writes them. */
export type CartPoleOptions = z.input<typeof cartPoleOptions>;

/** m/s². */
const GRAVITY = 9.8;
/** kg. */
const POLE_MASS = 0.1;
/** kg, of cart and pole. */
const TOTAL_MASS = POLE_MASS + 1.0;
/** m, half the pole. */
const HALF_LENGTH = 0.5;
const POLE_MASS_LENGTH = POLE_MASS * HALF_LENGTH;
/** N. */
const FORCE = 10;
/** s, one step. */
const TAU = 0.02;
/** m, cart positions beyond are an end. */
const POSITION_LIMIT = 2.4;
/** rad, 12°: angles beyond are an end. */
const ANGLE_LIMIT = (12 * 2 * Math.PI) / 360;
/** Each number of the start is uniform in ± this. */
const START = 0.05;

/** A pole on a cart, to be kept upright by pushes to the left and right. */
export class CartPole extends InPlaceEnvironment {
  readonly name = 'cart-pole-v1';
  readonly observationSpace = box(
    [-2 * POSITION_LIMIT, -Infinity, -2 * ANGLE_LIMIT, -Infinity],
    [2 * POSITION_LIMIT, Infinity, 2 * ANGLE_LIMIT, Infinity],
  );
  readonly actionSpace = discrete(2);
  override readonly maxEpisodeSteps = 500;
  private readonly upReward: number;
  private readonly fallReward: number;
  private x = 0;
  private xDot = 0;
  private theta = 0;
  private thetaDot = 0;

  /** @throws {ConfigError} when an option is wrong */
  constructor(options: CartPoleOptions = {}) {
    super();
    const { suttonBartoReward } = resolveOptions(cartPoleOptions, options, 'cartPole');
    this.upReward = suttonBartoReward ? 0 : 1;
    this.fallReward = suttonBartoReward ? -1 : 1;
  }

  protected start(random: RandomStream): void {
    const draw = () => START * (2 * random.uniform() - 1);
    this.setNumbers([draw(), draw(), draw(), draw()]);
  }

  stepInto(buffers: StepBuffers, index: number): undefined {
    const { x, xDot, theta, thetaDot } = this;
    const force = buffers.actions[index] === 1 ? FORCE : -FORCE;
    const cos = Math.cos(theta);
    const sin = Math.sin(theta);
    // equations of motion by Florian (2007), https://coneural.org/florian/papers/05_cart_pole.pdf
    const temp = (force + POLE_MASS_LENGTH * (thetaDot * thetaDot) * sin) / TOTAL_MASS;
    const thetaAcc =
      (GRAVITY * sin - cos * temp) / (HALF_LENGTH * (4.0 / 3.0 - (POLE_MASS * (cos * cos)) / TOTAL_MASS));
    const xAcc = temp - (POLE_MASS_LENGTH * thetaAcc * cos) / TOTAL_MASS;
    this.x = x + TAU * xDot;
    this.xDot = xDot + TAU * xAcc;
    this.theta = theta + TAU * thetaDot;
    this.thetaDot = thetaDot + TAU * thetaAcc;
    this.observe(buffers.observations, index * 4);
    const fell =
      this.x < -POSITION_LIMIT ||
      this.x > POSITION_LIMIT ||
      this.theta < -ANGLE_LIMIT ||
      this.theta > ANGLE_LIMIT;
    buffers.rewards[index] = fell ? this.fallReward : this.upReward;
    buffers.terminated[index] = fell ? 1 : 0;
    buffers.truncated[index] = 0;
    return undefined;
  }

  protected observe(out: Float32Array, offset: number): void {
    out[offset] = this.x;
    out[offset + 1] = this.xDot;
    out[offset + 2] = this.theta;
    out[offset + 3] = this.thetaDot;
  }

  /** Position (m), velocity (m/s), angle (rad, 0 is upright), angular velocity (rad/s). */
  protected numbers(): number[] {
    return [this.x, this.xDot, this.theta, this.thetaDot];
  }

  protected setNumbers([x, xDot, theta, thetaDot]: readonly number[]): void {
    this.x = x;
    this.xDot = xDot;
    this.theta = theta;
    this.thetaDot = thetaDot;
  }
}
