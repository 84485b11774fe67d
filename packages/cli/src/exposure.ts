/**
 * Exposure bias: how much of the error far out comes from a model's having to go on from its own forecasts. The same model
 * forecasts each step once from the true past (teacher-forced, one step ahead) and once from what it forecast itself.
 */
import { tf } from '@rollcast/core';
import { rmseByStep, windowTokens, type DegradationWindow } from '@rollcast/envs';

import { GENERATION_BATCH, memberShares, type PathModel } from './paths.js';

/** By step, 1 … L. */
export interface ExposureCurve {
  /** [L] √ mean (ŷ − y)², ŷ the mean of the model's distribution of the next value given all true ones before it. */
  readonly teacherForced: readonly number[];
  /** [L] the same of the mean of the sampled paths. */
  readonly freeRunning: readonly number[];
  /** [L] mean −log p(y) of the true token given all true ones before it, in nats; of an ensemble the mean over its members, by weight. */
  readonly crossEntropy: readonly number[];
}

/**
 * Teacher-forced forecasts and their cross-entropy. Leaves no tensor behind.
 *
 * @param means - [n][L] oriented means of the sampled paths
 */
export function exposureCurve(
  members: readonly PathModel[],
  windows: readonly DegradationWindow[],
  means: readonly ArrayLike<number>[],
): ExposureCurve {
  const horizon = windows[0].future.length;
  const oneStep = windows.map(() => new Float64Array(horizon));
  const surprise = new Float64Array(horizon);
  const shares = memberShares(members);
  for (const [i, member] of members.entries()) {
    for (let start = 0; start < windows.length; start += GENERATION_BATCH) {
      const batch = windows.slice(start, start + GENERATION_BATCH);
      const { centres, logProbs } = scoreTruth(member, batch);
      batch.forEach((window, b) => {
        const own = decodeMeans(member, window, centres.subarray(b * horizon, (b + 1) * horizon));
        for (let t = 0; t < horizon; t++) {
          oneStep[start + b][t] += shares[i] * own[t];
          surprise[t] -= (shares[i] * logProbs[b * horizon + t]) / windows.length;
        }
      });
    }
  }
  const truths = windows.map(({ future }) => future);
  return {
    teacherForced: rmseByStep(truths, oneStep),
    freeRunning: rmseByStep(truths, means),
    crossEntropy: Array.from(surprise),
  };
}

/** [n · L] mean bin centre under the model, and log-probability of the true token, each given the true past. */
function scoreTruth(
  { model, tokeniser }: PathModel,
  windows: readonly DegradationWindow[],
): { centres: Float32Array; logProbs: Float32Array } {
  const { context, future } = windows[0];
  const [batch, length] = [windows.length, context.length + future.length];
  const tokens = new Int32Array(batch * length);
  windows.forEach((window, b) => tokens.set(windowTokens(window, tokeniser), b * length));
  return tf.tidy(() => {
    const all = tf.tensor2d(tokens, [batch, length], 'int32');
    const contexts = all.slice([0, 0], [batch, context.length]);
    const truth = all.slice([0, context.length], [batch, future.length]);
    const { logProbs, logDistribution } = model.score(contexts, truth); // [B, L], [B, L, V]
    const centres = tf.tensor1d(Float32Array.from(tokeniser.centres));
    return {
      centres: tf.sum(tf.mul(tf.exp(logDistribution), centres), 2).dataSync<'float32'>(),
      logProbs: logProbs.dataSync<'float32'>(),
    };
  });
}

/** Decoding is a straight line in the bin centre at each step, so that the mean of the values is the value of the mean centre. */
function decodeMeans(
  { tokeniser }: PathModel,
  { context, future }: DegradationWindow,
  means: Float32Array,
): Float64Array {
  const { centres, vocabularySize } = tokeniser;
  const scaling = tokeniser.fit(context);
  const all = (token: number): Float64Array =>
    tokeniser.decode(new Int32Array(future.length).fill(token), scaling, context.length);
  const [lowest, highest] = [all(0), all(vocabularySize - 1)];
  const reach = centres[vocabularySize - 1] - centres[0];
  return lowest.map((low, t) => low + ((means[t] - centres[0]) / reach) * (highest[t] - low));
}
