/**
 * Wear of no particular law: a broad prior to pre-train on, so that a model has seen something like the next data set. A
 * history is a sum of what real ones are made of: one or two trends, a process around them, events, and a measurement.
 * Shares and ranges are ours, drawn wide; the idea of learning to forecast from synthetic series is that of Dooley et al. 2023
 * (ForecastPFN, arXiv:2311.01933) and of the kernel synthesis of Ansari et al. 2024 (Chronos, arXiv:2403.07815).
 */
import type { RandomStream } from '@rollcast/core';

/** Random numbers by the ranges that this file thinks in. */
class Draws {
  constructor(readonly stream: RandomStream) {}

  chance(probability: number): boolean {
    return this.stream.uniform() < probability;
  }
  between(low: number, high: number): number {
    return low + (high - low) * this.stream.uniform();
  }
  /** Log-uniform. */
  magnitude(low: number, high: number): number {
    return low * (high / low) ** this.stream.uniform();
  }
  normal(): number {
    return this.stream.normal();
  }
  /** Exponential with mean 1. */
  waiting(): number {
    return -Math.log(1 - this.stream.uniform());
  }
}

/** A trend over the share of the life that has passed, t in [0, 1]. */
type Trend = (draws: Draws, points: number) => (t: number, i: number) => number;

const softplus = (x: number): number => (x > 30 ? x : Math.log1p(Math.exp(x)));

const line: Trend = () => (t) => t;

const power: Trend = (draws) => {
  const exponent = draws.magnitude(0.3, 4);
  const age = draws.chance(0.5) ? 0 : draws.between(0, 0.5);
  return (t) => (t + age) ** exponent;
};

const exponential: Trend = (draws) => {
  const rate = draws.between(-5, 7);
  return Math.abs(rate) < 0.01 ? (t) => t : (t) => Math.expm1(rate * t) / rate;
};

/** Growth that would become infinite soon after the end, as a crack's does. */
const blowUp: Trend = (draws) => {
  const exponent = draws.between(0.3, 3);
  const end = draws.magnitude(1.01, 2);
  return (t) => (1 - t / end) ** -exponent;
};

/** Slow, then fast. */
const knee: Trend = (draws) => {
  const bend = draws.between(0.1, 0.95);
  const width = draws.magnitude(0.004, 0.15);
  const slow = draws.magnitude(0.03, 1);
  const exponent = draws.chance(0.5) ? 1 : draws.between(1, 2.5);
  return (t) => slow * t + (width * softplus((t - bend) / width)) ** exponent;
};

/** A fast start that slows down, then a knee. */
const lateKnee: Trend = (draws) => {
  const exponent = draws.between(0.3, 0.8);
  const bend = draws.between(0.4, 0.95);
  const width = draws.magnitude(0.01, 0.15);
  const fast = draws.between(1, 8);
  return (t) => t ** exponent + fast * width * softplus((t - bend) / width);
};

const logistic: Trend = (draws) => {
  const middle = draws.between(0, 1.1);
  const width = draws.magnitude(0.03, 0.3);
  return (t) => 1 / (1 + Math.exp(-(t - middle) / width));
};

/** Always upwards, at a pace that wanders: the integral of exp of an Ornstein-Uhlenbeck process. */
const wanderingPace: Trend = (draws, points) => {
  const memory = Math.exp(-draws.magnitude(2, 30) / points);
  const deviation = draws.between(0.2, 1.2);
  let logPace = deviation * draws.normal();
  let sum = 0;
  const values = Float64Array.from({ length: points }, () => {
    logPace = memory * logPace + Math.sqrt(1 - memory * memory) * deviation * draws.normal();
    return (sum += Math.exp(logPace));
  });
  return (_, i) => values[i];
};

/** Knees twice: they are what forecasts are most needed for. */
const trends = [line, power, exponential, blowUp, knee, knee, lateKnee, logistic, wanderingPace];

function addTrend(values: Float64Array, draws: Draws, height: number): void {
  const trend = trends[draws.stream.integer(trends.length)](draws, values.length);
  const shape = values.map((_, i) => trend(i / (values.length - 1), i));
  const { low, range } = extent(shape);
  const scale = height / Math.max(range, 1e-12);
  const start = shape[0] - low;
  shape.forEach((y, i) => (values[i] += scale * (y - low - start)));
}

/** What happens around a trend; `range` is that of the trend, and the unit of every size. */
type Process = (values: Float64Array, range: number, draws: Draws) => void;

const randomWalk: Process = (values, range, draws) => {
  const step = (3 * draws.magnitude(1e-3, 0.15) * range) / Math.sqrt(values.length);
  let level = 0;
  values.forEach((y, i) => {
    values[i] = y + level;
    level += step * draws.normal();
  });
};

/** The rises of the trend come in gamma-distributed steps of the same mean. */
const gammaSteps: Process = (values, _, draws) => {
  const shape = draws.magnitude(0.3, 100);
  let before = values[0];
  let level = values[0];
  for (let i = 1; i < values.length; i++) {
    const rise = values[i] - before;
    before = values[i];
    level += rise > 0 ? (rise * draws.stream.gamma(shape)) / shape : rise;
    values[i] = level;
  }
};

/** An autoregressive wander; `smooth` filters it once more. */
const wander =
  (smooth: boolean): Process =>
  (values, range, draws) => {
    const deviation = draws.magnitude(1e-3, smooth ? 0.1 : 0.08) * range;
    const memory = Math.exp(-1 / draws.magnitude(smooth ? 4 : 2, 60));
    let state = smooth ? 0 : draws.normal();
    let filtered = 0;
    values.forEach((y, i) => {
      state = memory * state + Math.sqrt(1 - memory * memory) * draws.normal();
      filtered = smooth ? memory * filtered + 1.5 * (1 - memory) * state : state;
      values[i] = y + deviation * filtered;
    });
  };

const season: Process = (values, range, draws) => {
  const height = draws.magnitude(0.003, 0.06) * range;
  const period = draws.magnitude(5, 150);
  const phase = draws.between(0, 2 * Math.PI);
  values.forEach((y, i) => (values[i] = y + height * Math.sin(phase + (2 * Math.PI * i) / period)));
};

/** Recoveries after rests that are soon lost again, as of a battery's capacity. */
const recoveries: Process = (values, range, draws) => {
  const probability = draws.magnitude(0.01, 0.1);
  const size = draws.magnitude(0.01, 0.12) * range;
  const memory = Math.exp(-1 / draws.magnitude(1, 25));
  let gain = 0;
  values.forEach((y, i) => {
    gain *= memory;
    if (draws.chance(probability)) gain += size * draws.waiting();
    values[i] = y - gain;
  });
};

const lastingJumps: Process = (values, range, draws) => {
  const probability = draws.magnitude(0.003, 0.03);
  const size = draws.magnitude(0.01, 0.2) * range;
  let level = 0;
  values.forEach((y, i) => {
    if (draws.chance(probability)) level += size * draws.normal();
    values[i] = y + level;
  });
};

/** White noise, sometimes with heavy tails (Student's t, 3 degrees of freedom), sometimes growing or shrinking. */
const measurement: Process = (values, range, draws) => {
  const deviation = (draws.chance(0.3) ? draws.magnitude(0.02, 0.35) : draws.magnitude(1e-5, 0.2)) * range;
  const heavy = draws.chance(0.2);
  const growth = draws.chance(0.1) ? draws.between(-1, 2) : 0;
  values.forEach((y, i) => {
    const heavier = heavy ? Math.sqrt(draws.stream.gamma(1.5) / 1.5) : 1;
    values[i] = y + (deviation * draws.normal() * (1 + (growth * i) / values.length)) / heavier;
  });
};

const outliers: Process = (values, range, draws) => {
  const probability = draws.magnitude(0.003, 0.03);
  const size = draws.magnitude(0.02, 0.4) * range;
  const upwards = draws.chance(0.7);
  values.forEach((y, i) => {
    if (draws.chance(probability)) {
      values[i] = y + size * (upwards ? 1 : draws.normal()) * draws.between(0.3, 1.5);
    }
  });
};

const rounding: Process = (values, range, draws) => {
  const unit = draws.magnitude(5e-4, 0.03) * range;
  values.forEach((y, i) => (values[i] = Math.round(y / unit) * unit));
};

/** At most one of these, with these probabilities. */
const processes: readonly (readonly [number, Process])[] = [
  [0.25, randomWalk],
  [0.15, gammaSteps],
  [0.2, wander(false)],
  [0.15, wander(true)],
];
/** Each of these for itself, in this order. */
const additions: readonly (readonly [number, Process])[] = [
  [0.12, season],
  [0.15, recoveries],
  [0.1, lastingJumps],
  [0.88, measurement],
  [0.06, outliers],
  [0.12, rounding],
];

/** A unit's life is between this share and all of the points offered. */
const SHORTEST_LIFE = 0.3;

/**
 * One history; the trend rises by about 1 over the life. One history in 17 is turned round, so that a model does not take for
 * granted which way wear goes.
 *
 * @param mostPoints - at least 2; the history has 0.3 to 1 times as many
 */
export function randomWear(mostPoints: number, stream: RandomStream): Float64Array {
  const draws = new Draws(stream);
  const values = new Float64Array(Math.max(2, Math.round(mostPoints * draws.magnitude(SHORTEST_LIFE, 1))));
  addTrend(values, draws, 1);
  if (draws.chance(0.35)) addTrend(values, draws, draws.magnitude(0.05, 1) * (draws.chance(0.2) ? -1 : 1));
  const range = Math.max(extent(values).range, 1e-9);
  let share = stream.uniform();
  const process = processes.find(([probability]) => (share -= probability) < 0);
  process?.[1](values, range, draws);
  for (const [probability, add] of additions) if (draws.chance(probability)) add(values, range, draws);
  return draws.chance(0.06) ? values.map((y) => -y) : values;
}

function extent(values: Float64Array): { low: number; range: number } {
  const low = values.reduce((a, b) => Math.min(a, b));
  return { low, range: values.reduce((a, b) => Math.max(a, b)) - low };
}
