/**
 * Alpha-lambda accuracy of forecasts of the remaining useful life (Saxena et al. 2008, "Metrics for evaluating performance of
 * prognostic techniques"; Saxena et al. 2010, "Metrics for offline evaluation of prognostic performance", IJPHM 1): is the
 * forecast within ± α of the true life, a share λ of the way from the first forecast to the end of life? The cone narrows as
 * the end comes nearer.
 */

/** α: half the width of the cone, in shares of the true remaining life. */
export const CONE = 0.2;
/** λ: how much of the way has been gone. */
export const LAMBDAS = [0.25, 0.5, 0.75] as const;
/** A forecast is taken for the one at λ when it is no further from it than this. */
const NEAR = 0.125;

/** A forecast of the remaining life at one moment of a unit's life, in steps. */
export interface LifePrediction {
  readonly unitIndex: number;
  /** True remaining life, from the whole history; Infinity when the unit does not get there. */
  readonly truth: number;
  /** The forecast; null beyond the horizon. */
  readonly predicted: number | null;
  /** [M] first passages of the paths; Infinity beyond the horizon. Of a point forecast the one. */
  readonly passages: readonly number[];
}

/** What share of the forecasts at one λ, a share of the way to the end of life, lies within the cone around the truth. */
export interface AlphaLambdaScore {
  readonly lambda: number;
  /** Units with a forecast near λ. */
  readonly units: number;
  /** Share of those whose forecast lies within the cone; null without any. */
  readonly within: number | null;
  /** Mean share of the paths within the cone; null without any. */
  readonly mass: number | null;
}

/**
 * One moment of a unit counts at each λ: the nearest, if it is within ⅛; several forecasts of that moment count by their mean. A forecast ends at the horizon, so that the way begins at
 * the first one whose whole cone lies within it, (1 + α) · truth ≤ L: nothing later than that is held against a forecast that
 * could not say it.
 *
 * @param horizon - L
 */
export function alphaLambda(predictions: readonly LifePrediction[], horizon: number): AlphaLambdaScore[] {
  const units = new Map<number, LifePrediction[]>();
  for (const prediction of predictions) {
    if (prediction.truth <= 0 || (1 + CONE) * prediction.truth > horizon) continue;
    const ofUnit = units.get(prediction.unitIndex);
    if (ofUnit) ofUnit.push(prediction);
    else units.set(prediction.unitIndex, [prediction]);
  }
  return LAMBDAS.map((lambda) => {
    // [units][forecasts of one moment]
    const near = [...units.values()].flatMap((ofUnit) => {
      const whole = Math.max(...ofUnit.map(({ truth }) => truth));
      const off = ({ truth }: LifePrediction): number => Math.abs(1 - truth / whole - lambda);
      const nearest = ofUnit.reduce((a, b) => (off(b) < off(a) ? b : a));
      return off(nearest) <= NEAR ? [ofUnit.filter(({ truth }) => truth === nearest.truth)] : [];
    });
    const mean = (of: (prediction: LifePrediction) => number): number | null =>
      near.length === 0 ? null : average(near.map((moment) => average(moment.map(of))));
    return {
      lambda,
      units: near.length,
      within: mean(({ truth, predicted }) => Number(predicted !== null && inCone(predicted, truth))),
      mass: mean(
        ({ truth, passages }) =>
          passages.filter((passage) => inCone(passage, truth)).length / passages.length,
      ),
    };
  });
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function inCone(predicted: number, truth: number): boolean {
  return Math.abs(predicted - truth) <= CONE * truth;
}
