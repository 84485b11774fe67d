import { describe, expect, test } from '@jest/globals';

import { RandomStream, ShapeError } from '@rollcast/core';
import {
  CALIBRATED_LEVELS,
  calibratePaths,
  fitCalibration,
  quantilePaths,
  weightsTowards,
  type Calibration,
  type DegradationWindow,
} from '@rollcast/envs';

import { errorOf, ramp, windowOf as anyWindow } from './support.js';

/** A constant context has no mean step, so that its paths are left as close together as they are. */
const windowOf = (unit: number, future: number[], context = [0, 0]): DegradationWindow =>
  anyWindow(context, future, { unit });

/** 19 paths of one step, −9 … 9: rank p · 20, so that the deciles are −8, −6, … 8, the median 0, q₀.₉₅ 9, q₀.₂₅ −5. */
const nineteen = ramp(19, (i) => [i - 9]);
const factorOf = ({ factors, levels }: Calibration, p: number, block = 0): number =>
  factors[block][levels.indexOf(p)];
const fit = (truths: [unit: number, truth: number][], finiteSample = true): Calibration =>
  fitCalibration(
    [{ windows: truths.map(([unit, y]) => windowOf(unit, [y])), paths: truths.map(() => nineteen) }],
    { finiteSample },
  );

describe('factors', () => {
  // Truths 1 … 9 of nine units: scores y/8 of q₀.₉. 1/10 Σ F ≥ 0.9 asks for all nine: 9/8. q₀.₆ = 2: the sixth, 6/2.
  test('are the least that hold the level when the unit to come counts as one that none reaches', () => {
    const calibration = fit(ramp(9, (u) => [u, u + 1]));
    expect(factorOf(calibration, 0.9)).toBeAllClose(9 / 8);
    expect(factorOf(calibration, 0.6)).toBeAllClose(6 / 2);
    expect(calibration.guaranteed).toBeAllClose(0.9);
  });

  // Without it 1/9 Σ F ≥ 0.6 asks for the sixth of nine too (5.4), ≥ 0.8 for the eighth (7.2): y = 8, q₀.₈ = 6.
  test('are plain quantiles without the correction, and nothing is guaranteed', () => {
    const calibration = fit(ramp(9, (u) => [u, u + 1]), false); // prettier-ignore
    expect(factorOf(calibration, 0.8)).toBeAllClose(8 / 6);
    expect(calibration.guaranteed).toBe(0);
  });

  test('of a level that so few units cannot guarantee are plain quantiles', () => {
    // three units guarantee 3/4: q₀.₇₅ = 5 takes all three, y = 4; q₀.₈ needs 2.4 of three: the third as well, y = 4 of 6
    const calibration = fit([[0, 2], [1, 3], [2, 4]]); // prettier-ignore
    expect(factorOf(calibration, 0.75)).toBeAllClose(4 / 5);
    expect(factorOf(calibration, 0.8)).toBeAllClose(4 / 6);
    expect(calibration.guaranteed).toBeAllClose(0.75);
  });

  test('below the median are of truths below it, each side by itself', () => {
    // of nine truths −4, 0 … 0 the lowest decides at 0.1: −4 of q₀.₁ = −8; above, all lie at the median already
    const calibration = fit(ramp(9, (u) => [u, u === 0 ? -4 : 0]));
    expect(factorOf(calibration, 0.1)).toBeAllClose(0.5);
    expect(factorOf(calibration, 0.9)).toBe(0);
  });

  test('units weigh alike, however many windows they have', () => {
    // unit 0 has 98 windows with y = 1, unit 1 one with y = 3, without correction: 3 is needed for every level above ½
    const truths: [number, number][] = [...ramp(98, (): [number, number] => [0, 1]), [1, 3]];
    expect(factorOf(fit(truths, false), 0.6)).toBeAllClose(3 / 2);
  });

  test('sets weigh alike, however many units they have', () => {
    const one = ramp(98, (u) => windowOf(u, [1]));
    const two = [windowOf(0, [3])];
    const sets = [one, two].map((windows) => ({ windows, paths: windows.map(() => nineteen) }));
    const calibration = fitCalibration(sets, { finiteSample: false });
    expect(factorOf(calibration, 0.6)).toBeAllClose(3 / 2);
    // half of 98/99 and half of 1/2
    expect(fitCalibration(sets).guaranteed).toBeAllClose((98 / 99 + 1 / 2) / 2);
  });

  test('of one set take the others as two more units', () => {
    // two units of the second of two sets: half for itself, a quarter for each of both
    expect(weightsTowards(1, 2, 2)).toBeAllClose([0.25, 0.75]);
    // none of its own: all sets alike
    expect(weightsTowards(0, 0, 4)).toBeAllClose([0.25, 0.25, 0.25, 0.25]);
    // truths 1 and 3: the second set decides at 0.6 as soon as it has more than 0.4 of the weight
    const sets = [1, 3].map((truth) => ({ windows: [windowOf(0, [truth])], paths: [nineteen] }));
    const factor = (setWeights: number[]): number =>
      factorOf(fitCalibration(sets, { finiteSample: false, setWeights }), 0.6);
    expect(factor([0.61, 0.39])).toBeAllClose(1 / 2);
    expect(factor([0.59, 0.41])).toBeAllClose(3 / 2);
    expect(fitCalibration(sets, { setWeights: [0.25, 0.75] }).guaranteed).toBeAllClose(1 / 2);
    expect(errorOf(() => fitCalibration(sets, { setWeights: [1] })).message).toMatch(
      /2 sets needs as many weights; got 1/,
    );
  });

  test('differ between blocks of a twelfth of the horizon', () => {
    // 24 steps: blocks of two; the truth of block b is b
    const paths = nineteen.map(([x]) => ramp(24, () => x));
    const windows = [windowOf(0, ramp(24, (t) => Math.floor(t / 2)))]; // prettier-ignore
    const calibration = fitCalibration([{ windows, paths: [paths] }], { finiteSample: false });
    expect(calibration.blockLength).toBe(2);
    expect(calibration.factors.map((_, b) => factorOf(calibration, 0.9, b))).toBeAllClose(
      ramp(12, (b) => b / 8),
    );
  });

  test('are refused without windows, and with paths that do not fit', () => {
    expect(errorOf(() => fitCalibration([]))).toBeInstanceOf(ShapeError);
    const wrong = { windows: [windowOf(0, [1, 2])], paths: [nineteen] };
    expect(errorOf(() => fitCalibration([wrong])).message).toMatch(/a future of 2 steps; got 1/);
  });
});

describe('paths', () => {
  /** Factors by level for every step. */
  const calibration = (factors: Record<string, number>, blockLength = 1): Calibration => ({
    blockLength,
    levels: CALIBRATED_LEVELS,
    factors: [CALIBRATED_LEVELS.map((p) => factors[p] ?? 1)],
    guaranteed: 0,
  });

  test('are moved so that their quantiles are those of the factors, the wider one never inside a narrower', () => {
    const factors = [0.5, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 2, 2.1];
    const moved = calibratePaths(nineteen, [0, 0], { ...calibration({}), factors: [factors] });
    // the rank 20 p of each level is whole; q₀.₀₅ = −9 · 0.5 would lie within q₀.₁ = −8 · 1.1
    const below = [-8 * 1.1, -8 * 1.1, -6 * 1.2, -5 * 1.3, -4 * 1.4, -2 * 1.5];
    const above = [2 * 1.6, 4 * 1.7, 5 * 1.8, 6 * 1.9, 8 * 2, 9 * 2.1];
    const quantiles = quantilePaths(moved, CALIBRATED_LEVELS).map(([q]) => q);
    expect(quantiles).toBeAllClose([...below, ...above], { atol: 1e-9 });
  });

  test('between two levels lie between them, beyond the last one its factor goes on', () => {
    const factors = { 0.6: 2, 0.7: 2, 0.75: 2, 0.8: 2, 0.9: 2, 0.95: 3 };
    const moved = calibratePaths([...nineteen, [20], [-20]], [0, 0], calibration(factors));
    // 21 paths, rank p · 22: q₀.₉ = 8.8, q₀.₉₅ is rank 20.9, 9 + 0.9 (20 − 9) = 18.9 → 56.7, then 3 · (20 − 18.9)
    expect(moved[19][0]).toBeAllClose(56.7 + 3 * 1.1, { atol: 1e-9 });
    expect(moved[20][0]).toBeAllClose(-20, { atol: 1e-9 });
  });

  test('keep their order and their median', () => {
    const random = new RandomStream(1, 'test');
    const paths = ramp(19, () => {
      let value = 0;
      return ramp(30, () => (value += random.uniform()));
    });
    const unlike = { ...calibration({}, 5), factors: [CALIBRATED_LEVELS.map((p) => (p < 0.5 ? 0.5 : 3))] };
    const moved = calibratePaths(paths, [0, 0], unlike);
    const order = (of: readonly ArrayLike<number>[], t: number): number[] =>
      ramp(19, (m) => m).sort((a, b) => of[a][t] - of[b][t]);
    for (let t = 0; t < 30; t++) expect(order(moved, t)).toEqual(order(paths, t));
    expect(quantilePaths(moved, [0.5])[0]).toBeAllClose(quantilePaths(paths, [0.5])[0], { atol: 1e-9 });
  });

  test('go on with the last block beyond the calibrated horizon', () => {
    const two = { ...calibration({}), factors: [1, 4].map((f) => CALIBRATED_LEVELS.map(() => f)) };
    const moved = calibratePaths(nineteen.map(([x]) => [x, x, x, x]), [0, 0], two); // prettier-ignore
    expect(Array.from(moved[18])).toBeAllClose([9, 36, 36, 36], { atol: 1e-9 });
  });

  test('that all fall into one bin are kept a tenth of the mean step of the context apart', () => {
    // mean step 2: ε = 0.2, shifts 0.2 (2i + 1 − 2)/2 for i = 0, 1
    const moved = calibratePaths([[5], [5]], [1, 3, 5], calibration({}));
    expect(moved.map(([x]) => x)).toBeAllClose([4.9, 5.1], { atol: 1e-9 });
  });
});

/**
 * Units with a wear rate of their own and truths far wider than the paths say: intervals of units that are exchangeable with those
 * that calibrated hold their share. Blocks are single steps; one window a unit makes the trials independent given the factors.
 */
describe('coverage of exchangeable units', () => {
  const sample = (random: RandomStream, unit: number): { window: DegradationWindow; paths: number[][] } => {
    const noise = 1 + random.uniform(); // the paths know how noisy a unit is, but not by how much they are wrong
    const draw = (wrong: number): number[] => ramp(3, (t) => wrong * noise * (t + 1) * random.normal());
    return { window: windowOf(unit, draw(3), [0, 1]), paths: ramp(99, () => draw(1)) };
  };
  const coverage = (calibrating: number, judged: number, seed: number, finiteSample: boolean): number[] => {
    const random = new RandomStream(seed, 'test/units');
    const units = ramp(calibrating, (u) => sample(random, u));
    const set = { windows: units.map(({ window }) => window), paths: units.map(({ paths }) => paths) };
    const calibration = fitCalibration([set], { finiteSample });
    const held = [0.1, 0.9, 0.25, 0.75].map(() => 0);
    for (let u = 0; u < judged; u++) {
      const { window, paths } = sample(random, u);
      const moved = calibratePaths(paths, window.context, calibration);
      quantilePaths(moved, [0.1, 0.9, 0.25, 0.75]).forEach((q, k) =>
        window.future.forEach((y, t) => (held[k] += Number(y <= q[t]) / judged / 3)),
      );
    }
    return held;
  };

  test('is that of the level, which it was far from before', () => {
    // P(y ≤ q) at 0.1, 0.9, 0.25, 0.75 within four standard errors: √(p (1 − p) (1/400 + 1/400))
    const [low, high, lower, upper] = coverage(400, 400, 1, true);
    expect(low).toBeAllClose(0.1, { atol: 0.085 });
    expect(high).toBeAllClose(0.9, { atol: 0.085 });
    expect(lower).toBeAllClose(0.25, { atol: 0.125 });
    expect(upper).toBeAllClose(0.75, { atol: 0.125 });
  });

  test('is at least the level on average over few calibrating units, with the correction', () => {
    // 60 calibrations on nine units each, 20 new units: 1200 trials at p = 0.9, minus four standard errors
    const shares = ramp(60, (seed) => coverage(9, 20, seed, true));
    const meanOf = (k: number): number => shares.reduce((sum, held) => sum + held[k], 0) / shares.length;
    const margin = 4 * Math.sqrt((0.9 * 0.1) / 1200) + 0.01;
    expect(meanOf(1)).toBeGreaterThan(0.9 - margin);
    expect(1 - meanOf(0)).toBeGreaterThan(0.9 - margin);
    // plain quantiles of so few are below: the eighth or ninth of nine is exceeded by more than a tenth
    const plain = ramp(60, (seed) => coverage(9, 20, seed, false));
    const plainMean = plain.reduce((sum, held) => sum + held[3], 0) / plain.length;
    expect(plainMean).toBeLessThan(meanOf(3));
  });
});
