/**
 * Degradation histories made by named physical laws: what the package works with when there is no data.
 *
 * Every unit has the same law with its own coefficients (log-normal around the nominal ones) and its own measurement
 * noise. Unit k depends on the seed and on k only, so that the first ten of a hundred units are the ten of a set of ten.
 */
import { RandomStream, RegistryError, resolveOptions, suggestion } from '@rollcast/core';
import { z } from 'zod';

import { randomWear as randomWearHistory } from './random-wear.js';
import { type Direction, orientSeries, type SeriesSet, type UnitSeries } from './series.js';

/** Schema of the options of `simulate`: ranges, defaults, and what each one is. */
export const simulatorOptions = z.strictObject({
  units: z.int().min(1).max(100_000).default(40).describe('number of units'),
  length: z
    .int()
    .min(2)
    .max(1_000_000)
    .default(200)
    .describe('measurements a unit, evenly spaced over a nominal life'),
  seed: z.int().min(0).default(0).describe('seed of the stream data/simulator/NAME/UNIT'),
  variation: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe(
      'unit-to-unit variation: standard deviation of the log of each coefficient (default: by simulator)',
    ),
  noise: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe(
      'measurement noise: standard deviation as a share of the nominal wear over a life (default: by simulator)',
    ),
});
/** What a user writes. */
export type SimulatorOptions = z.input<typeof simulatorOptions>;

/** The laws that histories can be simulated by. */
export type SimulatorName =
  'paris-law' | 'gamma-process' | 'wiener-process' | 'sei-growth' | 'knee' | 'logistic-wear' | 'random-wear';

/** A physical law of wear. */
export interface Simulator {
  readonly description: string;
  readonly source: string;
  readonly valueLabel: string;
  readonly timeUnit: string;
  readonly direction: Direction;
  /** Time that `length` measurements span, in `timeUnit`. */
  readonly life: number;
  /** Nominal wear over a life, in the unit of the values; the yardstick of the noise. */
  readonly wear: number;
  /** Defaults of the options of the same name. */
  readonly variation: number;
  readonly noise: number;
  /**
   * One true history, without measurement noise. It may be shorter than `times` when the unit fails before.
   *
   * @param times - evenly spaced from 0
   * @param vary - a log-normal factor around 1, new at each call
   * @param random - for laws that are random by themselves
   */
  history(times: Float64Array, vary: () => number, random: RandomStream): Float64Array;
}

/**
 * Fatigue crack growth, da/dN = C ΔKᵐ with ΔK = Δσ √(πa) (P. Paris, F. Erdogan 1963, "A Critical Analysis of Crack
 * Propagation Laws", J. Basic Engineering 85:528), integrated in closed form for m ≠ 2:
 *
 *   a(N) = [a₀^q + q C (Δσ √π)ᵐ N]^{1/q},   q = 1 − m/2
 *
 * Half crack length a in mm, N in load cycles; a unit ends when a reaches 50 mm. The nominal coefficients give an
 * aluminium-like specimen that grows from 9 mm to 50 mm within 250 000 cycles.
 */
const parisLaw: Simulator = {
  description: 'fatigue crack length, accelerating until the specimen breaks',
  source: 'Paris and Erdogan 1963',
  valueLabel: 'crack length (mm)',
  timeUnit: 'load cycles',
  direction: 'rises',
  life: 200_000,
  wear: 22,
  variation: 0.08,
  noise: 0.002,
  history(times, vary) {
    const initial = 9;
    const broken = 50;
    const exponent = 2.9;
    const nominalLife = 250_000;
    const q = 1 - exponent / 2;
    const rate = ((broken ** q - initial ** q) / nominalLife) * vary(); // q C (Δσ √π)ᵐ < 0
    const start = (initial * vary() ** 0.5) ** q;
    const values: number[] = [];
    for (const time of times) {
      const crack = start + rate * time > 0 ? (start + rate * time) ** (1 / q) : Infinity;
      if (!(crack <= broken)) break;
      values.push(crack);
    }
    return Float64Array.from(values);
  },
};

/**
 * Gamma process: wear in independent, gamma-distributed, never negative steps (J. M. van Noortwijk 2009, "A survey of the
 * application of gamma processes in maintenance", Reliability Engineering & System Safety 94:2):
 *
 *   X(t) − X(s) ~ Gamma(shape c (tᵇ − sᵇ), scale u),   E X(t) = c u tᵇ
 *
 * Wear in mm, time in hours; b = 1.2, E X(1000 h) = 1 mm from 100 gamma units.
 */
const gammaProcess: Simulator = {
  description: 'wear in random steps that never go back',
  source: 'van Noortwijk 2009',
  valueLabel: 'wear (mm)',
  timeUnit: 'hours',
  direction: 'rises',
  life: 1000,
  wear: 1,
  variation: 0.15,
  noise: 0.005,
  history(times, vary, random) {
    const power = 1.2;
    const shapeAtLife = 100;
    const c = shapeAtLife / this.life ** power;
    const scale = (this.wear / shapeAtLife) * vary();
    return accumulate(times, (from, to) => random.gamma(c * (to ** power - from ** power)) * scale);
  },
};

/**
 * Wiener process with drift: X(t) = μ t + σ B(t), drift μ by unit (G. A. Whitmore 1995, "Estimating degradation by a
 * Wiener diffusion process subject to measurement error", Lifetime Data Analysis 1:307). Loss in %, time in hours;
 * E X(1000 h) = 10 %, standard deviation of X(1000 h) given μ: 1 %.
 */
const wienerProcess: Simulator = {
  description: 'steady drift with random ups and downs',
  source: 'Whitmore 1995',
  valueLabel: 'loss (%)',
  timeUnit: 'hours',
  direction: 'rises',
  life: 1000,
  wear: 10,
  variation: 0.2,
  noise: 0.005,
  history(times, vary, random) {
    const drift = (this.wear / this.life) * vary();
    const diffusion = 1 / Math.sqrt(this.life);
    return accumulate(
      times,
      (from, to) => drift * (to - from) + diffusion * Math.sqrt(to - from) * random.normal(),
    );
  },
};

/**
 * Growth of the solid electrolyte interphase of a lithium-ion cell, limited by diffusion, so that capacity is lost with
 * the square root of time (M. Broussely et al. 2001, J. Power Sources 97–98:13; H. J. Ploehn, P. Ramadass, R. E. White
 * 2004, J. Electrochem. Soc. 151:A456):
 *
 *   Q(t) = Q₀ (1 − k √t)
 *
 * Capacity in Ah, time in days; Q₀ = 2 Ah, k such that 15 % are lost in 1000 days.
 */
const seiGrowth: Simulator = {
  description: 'capacity lost with the square root of time',
  source: 'Broussely et al. 2001; Ploehn et al. 2004',
  valueLabel: 'capacity (Ah)',
  timeUnit: 'days',
  direction: 'falls',
  life: 1000,
  wear: 0.3,
  variation: 0.15,
  noise: 0.01,
  history(times, vary) {
    const fresh = 2 * vary() ** 0.1; // cells differ less when new than in how they age
    const rate = (0.15 / Math.sqrt(this.life)) * vary();
    return times.map((time) => fresh * Math.max(0, 1 - rate * Math.sqrt(time)));
  },
};

/**
 * Two-phase capacity fade with a knee: slow linear loss, then a fast one (P. Fermín-Cueto et al. 2020, "Identification and
 * machine learning prediction of knee-point and knee-onset in capacity degradation curves of lithium-ion cells", Energy
 * and AI 1:100006). Their bend (Bacon and Watts 1971) is replaced by a softplus, whose slope never changes sign:
 *
 *   Q(n) = Q₀ − s₁ n − (s₂ − s₁) w ln(1 + exp((n − n₁)/w))
 *
 * Capacity in Ah, n in cycles; Q₀ = 1.1 Ah, knee n₁ = 650 ± 20 %, width w = 40 cycles.
 */
const knee: Simulator = {
  description: 'slow capacity fade, then a knee and a fast one',
  source: 'Fermín-Cueto et al. 2020; Bacon and Watts 1971',
  valueLabel: 'capacity (Ah)',
  timeUnit: 'cycles',
  direction: 'falls',
  life: 900,
  wear: 0.2,
  variation: 0.15,
  noise: 0.005,
  history(times, vary) {
    const fresh = 1.1 * vary() ** 0.1;
    const slow = 4e-5 * vary();
    const extra = 6e-4 * vary();
    const bend = 650 * vary();
    const width = 40;
    const softplus = (x: number) => (x > 30 ? x : Math.log1p(Math.exp(x)));
    return times.map((n) => Math.max(0, fresh - slow * n - extra * width * softplus((n - bend) / width)));
  },
};

/**
 * Wear that starts slowly, speeds up and saturates: the logistic law (P.-F. Verhulst 1838, Corresp. math. et phys.
 * 10:113), dd/dt = d (1 − d/D)/τ, with the solution
 *
 *   d(t) = D / (1 + exp(−(t − t₀)/τ))
 *
 * Wear in mm, time in hours; D = 0.6 mm, t₀ = 500 h, τ = 100 h.
 */
const logisticWear: Simulator = {
  description: 'wear that starts slowly, speeds up and saturates',
  source: 'Verhulst 1838',
  valueLabel: 'wear (mm)',
  timeUnit: 'hours',
  direction: 'rises',
  life: 1000,
  wear: 0.6,
  variation: 0.15,
  noise: 0.005,
  history(times, vary) {
    const final = this.wear * vary();
    const middle = 500 * vary();
    const pace = 100 * vary();
    return times.map((time) => final / (1 + Math.exp(-(time - middle) / pace)));
  },
};

/** No law: the prior of `random-wear.ts`, whose units have everything in them, noise included, and differ from each other. */
const randomWear: Simulator = {
  description: 'wear of no particular law, as varied as can be: to pre-train on beside real data',
  source: 'a prior of our own',
  valueLabel: 'wear',
  timeUnit: 'steps',
  direction: 'rises',
  life: 1,
  wear: 1,
  variation: 0,
  noise: 0,
  history: (times, _, random) => randomWearHistory(times.length, random),
};

/** The laws by name. */
export const simulators: Readonly<Record<SimulatorName, Simulator>> = {
  'paris-law': parisLaw,
  'gamma-process': gammaProcess,
  'wiener-process': wienerProcess,
  'sei-growth': seiGrowth,
  knee,
  'logistic-wear': logisticWear,
  'random-wear': randomWear,
};

/** The laws of physics among them: what `all` means. */
export const physicalLaws = (Object.keys(simulators) as SimulatorName[]).filter(
  (name) => name !== 'random-wear',
);

/**
 * Histories of one law, as a set in which wear rises.
 *
 * @throws {RegistryError} for an unknown simulator, naming the nearest
 * @throws {ConfigError} for options out of range
 */
export function simulate(name: SimulatorName | (string & {}), options: SimulatorOptions = {}): SeriesSet {
  if (!Object.hasOwn(simulators, name)) {
    const known = Object.keys(simulators);
    throw new RegistryError(
      `Unknown simulator "${name}". Known: ${known.join(', ')}.${suggestion(name, known)}`,
    );
  }
  const law = simulators[name as SimulatorName];
  const { units, length, seed, ...rest } = resolveOptions(simulatorOptions, options, 'simulator');
  const variation = rest.variation ?? law.variation;
  const noise = (rest.noise ?? law.noise) * law.wear;
  const series = Array.from({ length: units }, (_, k): UnitSeries => {
    const random = new RandomStream(seed, `data/simulator/${name}/${k + 1}`);
    const times = Float64Array.from({ length }, (_, i) => (i * law.life) / (length - 1));
    const truth = law.history(times, () => Math.exp(variation * random.normal()), random.fork('process'));
    const measurement = random.fork('measurement');
    return {
      unit: `${name}-${String(k + 1).padStart(3, '0')}`,
      times: times.slice(0, truth.length),
      values: truth.map((value) => value + noise * measurement.normal()),
    };
  });
  return orientSeries(
    {
      name,
      valueLabel: law.valueLabel,
      units: series,
      notes: [`${name}: simulated (${law.source}): ${law.description}; seed ${seed}.`],
    },
    law.direction,
  );
}

/** Sums of steps, from 0 at the first time. */
function accumulate(times: Float64Array, step: (from: number, to: number) => number): Float64Array {
  let level = 0;
  return times.map((time, i) => (level += i === 0 ? 0 : step(times[i - 1], time)));
}
