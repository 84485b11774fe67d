/**
 * Returns and advantages, on the host, row by row: B trajectories of T steps. Rows may hold several episodes one after
 * the other, and padding; every real row end is marked as terminated or truncated.
 */
import { ShapeError } from '../errors.js';

/** The part of a rollout that returns and advantages are made of; all [B, T], row by row. */
export interface RewardSteps {
  readonly batchSize: number;
  readonly steps: number;
  readonly rewards: ArrayLike<number>;
  /** 1 where the episode ended in this step: nothing follows. */
  readonly terminated: ArrayLike<number>;
  /** 1 where the episode was cut after this step: the value of the next state follows. */
  readonly truncated: ArrayLike<number>;
  /** V(s_{t+1}) where truncated. */
  readonly bootstrapValues: ArrayLike<number>;
  /** 1 for real steps. */
  readonly mask: ArrayLike<number>;
}

function checkShapes(data: RewardSteps, values?: ArrayLike<number>): void {
  const size = data.batchSize * data.steps;
  const parts = {
    rewards: data.rewards,
    terminated: data.terminated,
    truncated: data.truncated,
    bootstrapValues: data.bootstrapValues,
    mask: data.mask,
    values,
  };
  for (const [name, part] of Object.entries(parts)) {
    if (part && part.length !== size) {
      throw new ShapeError(
        `${name} must have B × T = ${data.batchSize} × ${data.steps} numbers; got ${part.length}.`,
      );
    }
  }
}

/**
 * Discounted sum of the rewards from each step on:
 *
 *   Gₜ = rₜ + γ · (terminated: 0, truncated: V(sₜ₊₁), otherwise Gₜ₊₁)
 *
 * @param gamma - γ in [0, 1]
 * @returns [B, T], 0 on padding
 * @throws {ShapeError} when a part is not B × T long
 */
export function rewardsToGo(data: RewardSteps, gamma: number): Float32Array {
  checkShapes(data);
  const { batchSize, steps, rewards, terminated, truncated, bootstrapValues, mask } = data;
  const returns = new Float32Array(batchSize * steps);
  for (let b = 0; b < batchSize; b++) {
    let following = 0;
    for (let i = (b + 1) * steps - 1; i >= b * steps; i--) {
      if (!mask[i]) continue;
      // terminated wins where both are set: nothing follows an end
      if (terminated[i]) following = 0;
      else if (truncated[i]) following = bootstrapValues[i];
      following = rewards[i] + gamma * following;
      returns[i] = following;
    }
  }
  return returns;
}

/**
 * Generalised advantage estimation (Schulman et al. 2016, eq. 16, arXiv:1506.02438):
 *
 *   δₜ = rₜ + γ V(sₜ₊₁) − V(sₜ),   Âₜ = δₜ + γλ Âₜ₊₁,   stopping at every end and cut
 *
 * @param values - [B, T] V(sₜ) at collection
 * @param gamma - γ in [0, 1]
 * @param gaeLambda - λ in [0, 1]; 1 gives Monte Carlo advantages, 0 the one-step error
 * @returns advantages and value targets Â + V, both [B, T], 0 on padding
 * @throws {ShapeError} when a part is not B × T long
 */
export function generalisedAdvantages(
  data: RewardSteps,
  values: ArrayLike<number>,
  gamma: number,
  gaeLambda: number,
): { advantages: Float32Array; returns: Float32Array } {
  checkShapes(data, values);
  const { batchSize, steps, rewards, terminated, truncated, bootstrapValues, mask } = data;
  const advantages = new Float32Array(batchSize * steps);
  const returns = new Float32Array(batchSize * steps);
  for (let b = 0; b < batchSize; b++) {
    let nextValue = 0;
    let nextAdvantage = 0;
    for (let i = (b + 1) * steps - 1; i >= b * steps; i--) {
      if (!mask[i]) continue; // padding carries the running advantage through
      if (terminated[i]) {
        nextValue = 0;
        nextAdvantage = 0;
      } else if (truncated[i]) {
        nextValue = bootstrapValues[i];
        nextAdvantage = 0;
      }
      const delta = rewards[i] + gamma * nextValue - values[i];
      nextAdvantage = delta + gamma * gaeLambda * nextAdvantage;
      nextValue = values[i];
      advantages[i] = nextAdvantage;
      returns[i] = nextAdvantage + values[i];
    }
  }
  return { advantages, returns };
}

/**
 * Advantages from n-step returns (Mnih et al. 2016, section 4.2, arXiv:1602.01783):
 *
 *   Rₜ = rₜ + γ rₜ₊₁ + … + γⁿ⁻¹ rₜ₊ₙ₋₁ + γⁿ V(sₜ₊ₙ),   Âₜ = Rₜ − V(sₜ),   shorter at every end and cut
 *
 * @param values - [B, T] V(sₜ) at collection
 * @param gamma - γ in [0, 1]
 * @param n - steps of reward before the value; 1 is the one-step error (λ = 0), T or more goes to the end of the row (λ = 1)
 * @returns advantages and value targets R, both [B, T], 0 on padding
 * @throws {ShapeError} when a part is not B × T long, or n is no integer ≥ 1
 */
export function nStepAdvantages(
  data: RewardSteps,
  values: ArrayLike<number>,
  gamma: number,
  n: number,
): { advantages: Float32Array; returns: Float32Array } {
  checkShapes(data, values);
  if (!Number.isInteger(n) || n < 1) throw new ShapeError(`n-step returns need an integer n ≥ 1; got ${n}.`);
  const { batchSize, steps, rewards, terminated, truncated, bootstrapValues, mask } = data;
  const advantages = new Float32Array(batchSize * steps);
  const returns = new Float32Array(batchSize * steps);
  for (let b = 0; b < batchSize; b++) {
    const real = realSteps(b, steps, mask);
    real.forEach((i, first) => {
      let discount = 1;
      let sum = 0;
      for (let m = first; m < real.length; m++) {
        if (m === first + n) {
          sum += discount * values[real[m]];
          break;
        }
        sum += discount * rewards[real[m]];
        discount *= gamma;
        if (terminated[real[m]]) break;
        if (truncated[real[m]]) {
          sum += discount * bootstrapValues[real[m]];
          break;
        }
      }
      returns[i] = sum;
      advantages[i] = sum - values[i];
    });
  }
  return { advantages, returns };
}

/** Places of the real steps of row b, in their order. */
function realSteps(b: number, steps: number, mask: ArrayLike<number>): number[] {
  return Array.from({ length: steps }, (_, t) => b * steps + t).filter((i) => mask[i]);
}

/**
 * The return of each whole row on all of its steps: its first real reward-to-go, repeated.
 *
 * @param returns - [B, T] rewards-to-go
 * @param mask - [B, T], 1 for real steps
 * @returns [B, T], 0 on padding
 */
export function wholeReturns(
  returns: ArrayLike<number>,
  { batchSize, steps, mask }: Pick<RewardSteps, 'batchSize' | 'steps' | 'mask'>,
): Float32Array {
  const whole = new Float32Array(batchSize * steps);
  for (let b = 0; b < batchSize; b++) {
    const real = realSteps(b, steps, mask);
    for (const i of real) whole[i] = returns[real[0]];
  }
  return whole;
}

/**
 * Mean and standard deviation of the entries where the mask is 1.
 *
 * @returns `{ mean, std }` with the population standard deviation
 */
export function maskedMoments(x: ArrayLike<number>, mask: ArrayLike<number>): { mean: number; std: number } {
  let count = 0;
  let mean = 0;
  for (let i = 0; i < x.length; i++) if (mask[i]) mean += (x[i] - mean) / ++count;
  let square = 0;
  for (let i = 0; i < x.length; i++) if (mask[i]) square += (x[i] - mean) ** 2 / count;
  return { mean, std: Math.sqrt(square) };
}

/**
 * Standardised over the real steps: (A − mean) / (std + 1e-8), 0 on padding.
 *
 * @throws {ShapeError} with fewer than two real steps, whose standard deviation would mean nothing, or when the two
 *   differ in length
 */
export function normaliseAdvantages(advantages: ArrayLike<number>, mask: ArrayLike<number>): Float32Array {
  if (advantages.length !== mask.length) {
    throw new ShapeError(
      `Advantages and mask must be equally long; got ${advantages.length} and ${mask.length}.`,
    );
  }
  let real = 0;
  for (let i = 0; i < mask.length; i++) real += mask[i] ? 1 : 0;
  if (real < 2) throw new ShapeError(`Advantages can be normalised over two steps or more; got ${real}.`);
  const { mean, std } = maskedMoments(advantages, mask);
  const normal = new Float32Array(advantages.length);
  for (let i = 0; i < normal.length; i++) normal[i] = mask[i] ? (advantages[i] - mean) / (std + 1e-8) : 0;
  return normal;
}
