/**
 * Advantages from several trajectories of the same context, on the host, row by row: B trajectories of T steps, groups of k
 * rows one after the other. They need no value head: what the other trajectories of the group got is the baseline.
 */
import { ShapeError } from '../errors.js';

/** Returns of grouped trajectories. */
export interface GroupedReturns {
  /** [B, T] rewards-to-go, or whole returns, one number on every step of a row; 0 where nothing follows. */
  readonly returns: ArrayLike<number>;
  /** B, a multiple of k. */
  readonly batchSize: number;
  /** T */
  readonly steps: number;
  /** k ≥ 2, trajectories of each context. */
  readonly samplesPerContext: number;
}

/**
 * Leave-one-out advantages (Kool et al. 2019, "Buy 4 REINFORCE samples, get a baseline for free!"; Ahmadian et al. 2024,
 * arXiv:2402.14740), at every step by itself:
 *
 *   Âᵢₜ = Gᵢₜ − bᵢₜ,   bᵢₜ = (Σⱼ Gⱼₜ − Gᵢₜ) / (k − 1)
 *
 * With one whole return on every step of a row this is the form of the papers.
 *
 * @returns [B, T]
 * @throws {ShapeError} when k < 2, k does not divide B, or the returns are not B × T numbers
 */
export function leaveOneOutAdvantages(grouped: GroupedReturns): Float32Array {
  const { returns, samplesPerContext: k } = grouped;
  const advantages = new Float32Array(returns.length);
  forEachGroup(grouped, (at, mean) => {
    // G − (kḠ − G)/(k − 1) = k/(k − 1) · (G − Ḡ), which loses no digits where returns are nearly equal
    for (const i of at) advantages[i] = (k / (k - 1)) * (returns[i] - mean);
  });
  return advantages;
}

/**
 * Group-normalised advantages (Shao et al. 2024, section 4.1.2, arXiv:2402.03300):
 *
 *   Âᵢₜ = (Gᵢₜ − meanⱼ Gⱼₜ) / (stdⱼ Gⱼ₁ + ε)
 *
 * With one whole return on every step of a row this is the paper's outcome supervision. Rewards-to-go are centred at every
 * step by itself but divided by the spread of the whole returns Gⱼ₁, so that the last steps, where little can still
 * differ, are not blown up. std has k − 1 in its denominator.
 *
 * @param epsilon - ε added to the spread; 1e-4, as in the implementation of record
 * @returns [B, T]
 * @throws {ShapeError} when k < 2, k does not divide B, or the returns are not B × T numbers
 */
export function groupNormalisedAdvantages(grouped: GroupedReturns, epsilon = 1e-4): Float32Array {
  const { returns, samplesPerContext: k } = grouped;
  const advantages = new Float32Array(returns.length);
  let spread = 0;
  forEachGroup(grouped, (at, mean, step) => {
    if (step === 0) spread = Math.sqrt(at.reduce((sum, i) => sum + (returns[i] - mean) ** 2, 0) / (k - 1));
    for (const i of at) advantages[i] = (returns[i] - mean) / (spread + epsilon);
  });
  return advantages;
}

/** Calls with the k places of every group at every step, in order, and their mean. */
function forEachGroup(
  { returns, batchSize, steps, samplesPerContext: k }: GroupedReturns,
  visit: (at: readonly number[], mean: number, step: number) => void,
): void {
  if (!Number.isInteger(k) || k < 2 || batchSize % k !== 0) {
    throw new ShapeError(
      `Groups need k ≥ 2 trajectories of each context and a batch that is a multiple of k; got k = ${k} and ${batchSize} trajectories.`,
    );
  }
  if (returns.length !== batchSize * steps) {
    throw new ShapeError(`returns must have B × T = ${batchSize} × ${steps} numbers; got ${returns.length}.`);
  }
  for (let first = 0; first < batchSize; first += k) {
    for (let t = 0; t < steps; t++) {
      const at = Array.from({ length: k }, (_, j) => (first + j) * steps + t);
      visit(at, at.reduce((sum, i) => sum + returns[i], 0) / k, t);
    }
  }
}
