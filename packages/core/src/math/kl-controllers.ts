import { ConfigError, NumericalError } from '../errors.js';

/** Decides how strongly the KL to the reference is penalised. */
export interface KlController {
  /** β, for the update that comes next. */
  readonly coefficient: number;
  /**
   * Told after each update what the KL of its rollout was.
   *
   * @param kl - mean KL to the reference in nats a token
   * @param episodes - trajectories in the rollout
   */
  update(kl: number, episodes: number): void;
  /** Goes on with a saved coefficient. */
  restore(coefficient: number): void;
}

/** β stays what it is. */
export class FixedKlController implements KlController {
  constructor(public coefficient: number) {
    if (!(coefficient >= 0)) throw new ConfigError(`klCoef must be ≥ 0; got ${coefficient}.`);
  }

  update(): void {}

  /** Goes on with a saved coefficient. */
  restore(coefficient: number): void {
    this.coefficient = coefficient;
  }
}

/** What an adaptive coefficient of the KL follows. */
export interface AdaptiveKlOptions {
  /** KL to hold, in nats a token, > 0. */
  target: number;
  /** β at the start, > 0. */
  initial: number;
  /** Episodes over which β can change by e^{±0.2}; the usual choice is 1 % of all episodes of the run. */
  horizonEpisodes: number;
}

/**
 * Proportional controller (Ziegler et al. 2019, section 2.2, arXiv:1909.08593):
 *
 *   e = clip(KL / target − 1, −0.2, 0.2),   β ← β · (1 + e · n / horizon)
 *
 * n counts episodes. β(1 + …) is kept above a tenth of β, so that a short horizon cannot make it zero or negative.
 */
export class AdaptiveKlController implements KlController {
  coefficient: number;

  constructor(private readonly options: AdaptiveKlOptions) {
    for (const [name, value] of Object.entries(options)) {
      if (!(value > 0 && Number.isFinite(value)))
        throw new ConfigError(`klControl.${name} must be > 0; got ${value}.`);
    }
    this.coefficient = options.initial;
  }

  /** @throws {NumericalError} when the KL is not finite */
  update(kl: number, episodes: number): void {
    if (!Number.isFinite(kl))
      throw new NumericalError(`The KL to the reference became ${kl}; the KL controller cannot follow it.`);
    const error = Math.min(0.2, Math.max(-0.2, kl / this.options.target - 1));
    this.coefficient *= Math.max(0.1, 1 + (error * episodes) / this.options.horizonEpisodes);
  }

  /** Goes on with a saved coefficient. */
  restore(coefficient: number): void {
    this.coefficient = coefficient;
  }
}

/** Largest factor by which the doubling controller goes away from its start, either way. */
const DOUBLING_REACH = 2 ** 20;

/**
 * The controller of PPO's penalty form (Schulman et al. 2017, section 4, arXiv:1707.06347):
 *
 *   β ← β / 2 where KL < target / 1.5,   β ← 2 β where KL > 1.5 · target
 *
 * Departure: β stays within 2^±20 of its start, so that a long stretch without movement can be undone.
 */
export class DoublingKlController implements KlController {
  coefficient: number;

  /**
   * @param options - KL to hold, in nats a step, and β at the start; both > 0
   * @throws {ConfigError} when one is not
   */
  constructor(private readonly options: { target: number; initial: number }) {
    for (const [name, value] of Object.entries(options)) {
      if (!(value > 0 && Number.isFinite(value)))
        throw new ConfigError(`The ${name} of a KL controller must be > 0; got ${value}.`);
    }
    this.coefficient = options.initial;
  }

  /** @throws {NumericalError} when the KL is not finite */
  update(kl: number): void {
    const { target, initial } = this.options;
    if (!Number.isFinite(kl))
      throw new NumericalError(`The KL to the old policy became ${kl}; the KL controller cannot follow it.`);
    if (kl < target / 1.5) this.coefficient = Math.max(this.coefficient / 2, initial / DOUBLING_REACH);
    if (kl > target * 1.5) this.coefficient = Math.min(this.coefficient * 2, initial * DOUBLING_REACH);
  }

  /** Goes on with a saved coefficient. */
  restore(coefficient: number): void {
    this.coefficient = coefficient;
  }
}
