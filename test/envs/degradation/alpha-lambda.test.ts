import { describe, expect, test } from '@jest/globals';

import { alphaLambda, type LifePrediction } from '@rollcast/envs';

const prediction = (unitIndex: number, truth: number, predicted: number | null, passages?: number[]): LifePrediction => ({
  unitIndex,
  truth,
  predicted,
  passages: passages ?? [predicted ?? Infinity],
}); // prettier-ignore

/** One life of 40 steps from the first forecast on, each forecast `factor` times the truth. */
const life = (unit: number, factor: number): LifePrediction[] =>
  [40, 30, 20, 10].map((truth) => prediction(unit, truth, factor * truth));

describe('alpha-lambda accuracy', () => {
  test('is the share of units within the cone of ± 20 %', () => {
    const scores = alphaLambda([...life(0, 1.19), ...life(1, 0.79), ...life(2, 0.81)], 60);
    expect(scores.map(({ lambda, units }) => [lambda, units])).toEqual([0.25, 0.5, 0.75].map((l) => [l, 3]));
    for (const { within, mass } of scores) expect([within, mass]).toBeAllClose([2 / 3, 2 / 3]);
  });

  test('takes the mass of the paths beside their median', () => {
    // truth 20, half of the way: the cone is 16 … 24
    const paths = [prediction(0, 40, 40), prediction(0, 20, 30, [10, 16, 24, 30, Infinity])];
    expect(alphaLambda(paths, 60)[1]).toEqual({ lambda: 0.5, units: 1, within: 0, mass: 2 / 5 });
  });

  test('begins where the whole cone lies within the horizon', () => {
    // 1.2 · 60 > 60, so the way begins at 40: its half is 20, not 30
    const lives = [
      prediction(0, 60, 60),
      prediction(0, 40, 40),
      prediction(0, 30, 99),
      prediction(0, 20, 20),
    ];
    expect(alphaLambda(lives, 60)[1]).toMatchObject({ units: 1, within: 1 });
    expect(alphaLambda(lives, 60)[0]).toMatchObject({ units: 1, within: 0 });
  });

  test('averages over several forecasts of one moment, units weighing alike', () => {
    // half of unit 0's samples are right at half of the way, and the one of unit 1 is
    const samples = [prediction(0, 40, 40), prediction(0, 20, 20), prediction(0, 20, 90)];
    const scores = alphaLambda([...samples, prediction(1, 40, 40), prediction(1, 20, 22)], 60);
    expect(scores[1]).toMatchObject({ units: 2, within: 0.75, mass: 0.75 });
  });

  test('leaves units out that have no forecast near λ, or no end', () => {
    const scores = alphaLambda([prediction(0, 40, 40), prediction(1, Infinity, null)], 60);
    expect(scores.map(({ units, within, mass }) => [units, within, mass])).toEqual([0, 0, 0].map(() => [0, null, null])); // prettier-ignore
  });

  test('counts a forecast beyond the horizon as outside', () => {
    expect(alphaLambda([prediction(0, 40, 40), prediction(0, 20, null)], 60)[1]).toMatchObject({
      within: 0,
      mass: 0,
    });
  });
});
