import type { MlpPolicy, StepPolicy } from '@rollcast/core';

/** The same policy with draws that are kept for some steps, and the draws that it was made to act on. */
export function recordingPolicy(
  policy: MlpPolicy,
  stepsPerDraw: number,
): { recording: StepPolicy; used: (Float32Array | undefined)[] } {
  const used: (Float32Array | undefined)[] = [];
  const recording: StepPolicy = {
    ...{ parameters: policy.parameters, actionSize: policy.actionSize, stepsPerDraw },
    draw: (count, random) => policy.draw(count, random),
    act: (observations, draws) => {
      used.push(draws);
      return policy.act(observations, draws);
    },
    valuesOf: (observations) => policy.valuesOf(observations),
    scoreRows: (rows) => policy.scoreRows(rows),
    dispose: () => policy.dispose(),
  };
  return { recording, used };
}
