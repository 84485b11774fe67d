/**
 * Acrobot-v1: swing a chain of two links over a height by a torque on the joint between them (Sutton 1996, NIPS 8; the
 * equations of Sutton and Barto's book, as Gymnasium's default).
 *
 * Constants and order of operations are Gymnasium's: one Runge–Kutta step of float64, observations cast to float32. The
 * start alone is rounded to float32 there, and so it is here.
 */
import { box, discrete, InPlaceEnvironment, type RandomStream, type StepBuffers } from '@rollcast/core';

/** s, one step. */
const STEP = 0.2;
/** rad/s, where angular velocities are clipped. */
const MAX_VELOCITY_1 = 4 * Math.PI;
const MAX_VELOCITY_2 = 9 * Math.PI;
/** m/s². */
const GRAVITY = 9.8;
/** kg, m, m, kg m²: mass of a link, its length, the distance to its centre of mass, its moment of inertia. */
const MASS = 1;
const LENGTH = 1;
const CENTRE = 0.5;
const INERTIA = 1;
/** Each number of the start is uniform in ± this. */
const START = 0.1;

type State = [theta1: number, theta2: number, dTheta1: number, dTheta2: number];

/** Time derivative of the state under a torque (N m) on the second joint. */
function derivative([theta1, theta2, dTheta1, dTheta2]: State, torque: number): State {
  const cos2 = Math.cos(theta2);
  const sin2 = Math.sin(theta2);
  const d1 =
    MASS * CENTRE ** 2 + MASS * (LENGTH ** 2 + CENTRE ** 2 + 2 * LENGTH * CENTRE * cos2) + INERTIA + INERTIA;
  const d2 = MASS * (CENTRE ** 2 + LENGTH * CENTRE * cos2) + INERTIA;
  const phi2 = MASS * CENTRE * GRAVITY * Math.cos(theta1 + theta2 - Math.PI / 2);
  const phi1 =
    -MASS * LENGTH * CENTRE * (dTheta2 * dTheta2) * sin2 -
    2 * MASS * LENGTH * CENTRE * dTheta2 * dTheta1 * sin2 +
    (MASS * CENTRE + MASS * LENGTH) * GRAVITY * Math.cos(theta1 - Math.PI / 2) +
    phi2;
  const ddTheta2 =
    (torque + (d2 / d1) * phi1 - MASS * LENGTH * CENTRE * (dTheta1 * dTheta1) * sin2 - phi2) /
    (MASS * CENTRE ** 2 + INERTIA - (d2 * d2) / d1);
  const ddTheta1 = -(d2 * ddTheta2 + phi1) / d1;
  return [dTheta1, dTheta2, ddTheta1, ddTheta2];
}

/** state + h · slope. */
function along(state: State, h: number, slope: State): State {
  return [state[0] + h * slope[0], state[1] + h * slope[1], state[2] + h * slope[2], state[3] + h * slope[3]];
}

/** One step of the classical fourth-order Runge–Kutta method. */
function rungeKutta(state: State, torque: number): State {
  const k1 = derivative(state, torque);
  const k2 = derivative(along(state, STEP / 2, k1), torque);
  const k3 = derivative(along(state, STEP / 2, k2), torque);
  const k4 = derivative(along(state, STEP, k3), torque);
  const next = (i: 0 | 1 | 2 | 3) => state[i] + (STEP / 6) * (k1[i] + 2 * k2[i] + 2 * k3[i] + k4[i]);
  return [next(0), next(1), next(2), next(3)];
}

/** An angle as one of [−π, π]. */
function wrap(angle: number): number {
  let wrapped = angle;
  while (wrapped > Math.PI) wrapped -= 2 * Math.PI;
  while (wrapped < -Math.PI) wrapped += 2 * Math.PI;
  return wrapped;
}

const clip = (value: number, limit: number): number => Math.max(-limit, Math.min(limit, value));

/** A chain of two links, to be swung over a height by the torque at its joint. */
export class Acrobot extends InPlaceEnvironment {
  readonly name = 'acrobot-v1';
  readonly observationSpace = box(
    [-1, -1, -1, -1, -MAX_VELOCITY_1, -MAX_VELOCITY_2],
    [1, 1, 1, 1, MAX_VELOCITY_1, MAX_VELOCITY_2],
  );
  readonly actionSpace = discrete(3);
  override readonly maxEpisodeSteps = 500;
  private current: State = [0, 0, 0, 0];

  protected start(random: RandomStream): void {
    const draw = () => Math.fround(START * (2 * random.uniform() - 1));
    this.current = [draw(), draw(), draw(), draw()];
  }

  stepInto(buffers: StepBuffers, index: number): undefined {
    const next = rungeKutta(this.current, buffers.actions[index] - 1);
    const theta1 = wrap(next[0]);
    const theta2 = wrap(next[1]);
    this.current = [theta1, theta2, clip(next[2], MAX_VELOCITY_1), clip(next[3], MAX_VELOCITY_2)];
    this.observe(buffers.observations, index * 6);
    const over = -Math.cos(theta1) - Math.cos(theta2 + theta1) > 1;
    buffers.rewards[index] = over ? 0 : -1;
    buffers.terminated[index] = over ? 1 : 0;
    buffers.truncated[index] = 0;
    return undefined;
  }

  protected observe(out: Float32Array, offset: number): void {
    const [theta1, theta2, dTheta1, dTheta2] = this.current;
    out[offset] = Math.cos(theta1);
    out[offset + 1] = Math.sin(theta1);
    out[offset + 2] = Math.cos(theta2);
    out[offset + 3] = Math.sin(theta2);
    out[offset + 4] = dTheta1;
    out[offset + 5] = dTheta2;
  }

  /** Angles (rad) of the first link from hanging and of the second from the first, then their velocities (rad/s). */
  protected numbers(): number[] {
    return [...this.current];
  }

  protected setNumbers(numbers: readonly number[]): void {
    this.current = [...numbers] as State;
  }
}
