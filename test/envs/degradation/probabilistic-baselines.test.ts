import { describe, expect, test } from '@jest/globals';

import { RandomStream } from '@rollcast/core';
import {
  fitGammaProcess,
  fitParabola,
  gammaProcess,
  meanPath,
  parabola,
  quadraticPath,
  quantilePaths,
  simulate,
} from '@rollcast/envs';

import { errorOf, ramp } from './support.js';

const stream = (): RandomStream => new RandomStream(1, 'test');
const spread = (values: number[]): { mean: number; variance: number } => {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return { mean, variance: values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (values.length - 1) };
};

describe('gamma process', () => {
  // Increments 1, 2, 3: mean 2, variance 1. Shape 2²/1, scale 1/2.
  test('takes shape and scale from mean and variance of the increments', () => {
    expect(fitGammaProcess([0, 1, 3, 6])).toEqual({ mean: 2, shift: 0, shape: 4, scale: 0.5 });
  });

  // Increments −1, 2, 5: mean 2, variance 9, smallest −1. Shift (2 + 1)/2 + 1 = 2.5; shape 4.5²/9, scale 9/4.5.
  test('shifts increments that go back, so that they begin just below the smallest', () => {
    expect(fitGammaProcess([0, -1, 1, 6])).toEqual({ mean: 2, shift: 2.5, shape: 2.25, scale: 2 });
  });

  test('has the moments of its increments: h times mean and variance of one', () => {
    for (const context of [
      [0, 1, 3, 6],
      [0, -1, 1, 6],
    ]) {
      const { paths, mean } = gammaProcess(context, 10, 4000, stream());
      const increments = context.slice(1).map((x, i) => x - context[i]);
      const one = spread(increments);
      const last = spread(paths.map((path) => path[9]));
      const error = Math.sqrt((10 * one.variance) / 4000);
      expect(mean[9]).toBeAllClose(6 + 10 * one.mean);
      expect(last.mean).toBeAllClose(mean[9], { atol: 4 * error });
      // of 4000 gamma variates of shape ≥ 22: relative standard error below √(2.3/4000)
      expect(last.variance / (10 * one.variance)).toBeAllClose(1, { atol: 4 * Math.sqrt(2.3 / 4000) });
    }
  });

  test('never goes back where the context does not', () => {
    const { paths } = gammaProcess([0, 0.1, 3, 3.01, 6], 20, 50, stream());
    for (const path of paths) path.forEach((x, t) => expect(x).toBeGreaterThanOrEqual(t ? path[t - 1] : 6));
  });

  test('of equal increments is a line, of a constant context that constant', () => {
    expect(gammaProcess([0.1, 0.2, 0.3, 0.4], 2, 2, stream()).paths[1]).toBeAllClose([0.5, 0.6]);
    expect(gammaProcess([5, 5, 5], 2, 2, stream()).paths[0]).toBeAllClose([5, 5]);
    expect(gammaProcess([5, 4, 3], 2, 2, stream()).paths[0]).toBeAllClose([2, 1]);
  });

  test('holds its share of truths of gamma processes', () => {
    const { units } = simulate('gamma-process', { units: 60, length: 120, seed: 2 });
    let held = 0;
    units.forEach(({ values }, u) => {
      const { paths } = gammaProcess(values.subarray(0, 60), 10, 99, new RandomStream(u, 'test'));
      const [low, high] = quantilePaths(paths, [0.1, 0.9]).map((q) => q[9]);
      held += Number(values[69] >= low && values[69] <= high) / units.length;
    });
    // the simulator adds a little noise of measurement; three standard errors of 60 units
    expect(held).toBeGreaterThan(0.8 - 3 * Math.sqrt(0.16 / 60));
  });

  test('needs three points', () => {
    expect(errorOf(() => fitGammaProcess([1, 2])).message).toMatch(/at least 3 context points; got 2/);
  });
});

describe('quadratic path', () => {
  const context = ramp(12, (i) => 0.1 * i * i + (i % 3) - 1);

  test('has the parabola as its mean', () => {
    expect(quadraticPath(context, 5, 2, stream()).mean).toBeAllClose(parabola(context, 5));
  });

  test('is fitted by least squares: residuals are orthogonal to 1, x and x²', () => {
    const { at, residual } = fitParabola(context);
    const off = context.map((y, i) => y - at(i - 11));
    for (const power of [0, 1, 2])
      expect(off.reduce((sum, r, i) => sum + r * i ** power, 0)).toBeAllClose(0, { atol: 1e-9 });
    expect(residual).toBeAllClose(off.reduce((sum, r) => sum + r * r, 0));
  });

  // Student's t with 9 degrees of freedom: variance 9/7 · s² (1 + xᵀ(XᵀX)⁻¹x), the inverse by plain Gauss elimination.
  test('spreads as the classical prediction interval does', () => {
    const horizon = 6;
    const { paths, mean } = quadraticPath(context, horizon, 6000, stream());
    const { residual } = fitParabola(context);
    const rows = context.map((_, i) => [1, i - 11, (i - 11) ** 2]); // 0 is the last point
    const normal = [0, 1, 2].map((a) => [0, 1, 2].map((b) => rows.reduce((sum, r) => sum + r[a] * r[b], 0)));
    for (const t of [0, horizon - 1]) {
      const x = [1, t + 1, (t + 1) ** 2];
      const leverage = solve(normal, x).reduce((sum, value, k) => sum + value * x[k], 0);
      const expected = (9 / 7) * (residual / 9) * (1 + leverage);
      const drawn = spread(paths.map((path) => path[t]));
      // t₉ has kurtosis 4.2: relative standard error of the variance √(3.2/6000)
      expect(drawn.variance / expected).toBeAllClose(1, { atol: 4 * Math.sqrt(3.2 / 6000) });
      expect(drawn.mean).toBeAllClose(mean[t], { atol: 4 * Math.sqrt(expected / 6000) });
    }
    expect(meanPath(paths)).toBeAllClose(mean, { atol: 0.5 });
  });

  test('without residuals is the parabola', () => {
    const paths = [ramp(8, (i) => i * i), [1, 5, 2]].map(
      (exact) => quadraticPath(exact, 3, 2, stream()).paths[0],
    );
    expect(paths[0]).toBeAllClose([64, 81, 100], { atol: 1e-6 });
    expect(paths[1]).toBeAllClose(parabola([1, 5, 2], 3), { atol: 1e-9 });
  });
});

/** A x = b by Gauss and Jordan, without pivoting: A is positive definite here. */
function solve(matrix: readonly number[][], b: readonly number[]): number[] {
  const rows = matrix.map((row, i) => [...row, b[i]]);
  for (let k = 0; k < rows.length; k++) {
    rows[k] = rows[k].map((value) => value / rows[k][k]);
    rows.forEach((row, i) => {
      if (i !== k) rows[i] = row.map((value, j) => value - row[k] * rows[k][j]);
    });
  }
  return rows.map((row) => row[rows.length]);
}
