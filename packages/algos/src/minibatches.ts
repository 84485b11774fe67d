/** Several epochs of minibatch steps from one rollout, as PPO and GRPO take them. */
import { ConfigError, RandomStream, maskedMean, scoredRows, tf, type Rollout } from '@rollcast/core';
import { z } from 'zod';

import type { RunBudget, ScoredRows } from './policy-gradient.js';

/** The options that such algorithms share, spread into each one's schema. */
export const minibatchShape = {
  updateEpochs: z.int().min(1).max(1000).default(1).describe('passes over each rollout'),
  minibatchSize: z
    .int()
    .min(1)
    .optional()
    .describe(
      'rows a minibatch (trajectories of tokens, or steps of a step environment), a divisor of the batch; half the batch when left out',
    ),
  targetKl: z
    .number()
    .gt(0, 'expected a KL > 0 in nats a token, such as 0.02, or leave it out')
    .optional()
    .describe('KL to the old policy, in nats a token, beyond which an update ends'),
};

/** What such an update reports of its minibatches. */
export interface MinibatchStats {
  /** KL to the old policy: mean of (ρ − 1) − log ρ, the k3 estimator. */
  approxKl: number;
  /** Share of steps with |ρ − 1| > ε. */
  clipFraction: number;
  gradNorm: number;
  /** Largest |ρ − 1| of a minibatch. */
  ratioDeviation: number;
  /** Largest |ρ − 1| on the first minibatch of the first epoch; rounding only. */
  firstRatioDeviation: number;
  /** Steps taken, of epochs × minibatches. */
  gradientSteps: number;
  /** 1 when `targetKl` ended the update. */
  stoppedEarly: number;
}

/**
 * Rows a minibatch: what was asked for, or half the batch (all of an odd one).
 *
 * @param name - of the algorithm, for the message
 * @throws {ConfigError} when it does not divide the batch
 */
export function rowsPerMinibatch(
  name: string,
  asked: number | undefined,
  { batchSize }: Pick<RunBudget, 'batchSize'>,
): number {
  const half = batchSize % 2 === 0 ? batchSize / 2 : batchSize;
  const size = asked ?? half;
  if (batchSize % size !== 0) {
    throw new ConfigError(
      `${name}.minibatchSize must divide the batch (${batchSize} rows); got ${size}. Try ${divisors(batchSize).slice(-3).join(', ')}.`,
    );
  }
  return size;
}

/** 1 … n, those that divide n. */
export function divisors(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i + 1).filter((d) => n % d === 0);
}

/**
 * Steps over minibatches of shuffled rows, epoch after epoch, until one is not taken.
 *
 * @param stream - seed, and name of the random stream of an epoch's order
 * @param step - one step over the given rows
 * @returns means over the minibatches that were looked at, and what `MinibatchStats` has beside means
 */
export function minibatchEpochs(
  rollout: Rollout,
  { updateEpochs, minibatchSize }: { updateEpochs: number; minibatchSize: number },
  stream: { seed: number; name: string },
  step: (rowIndices: Int32Array) => { stats: Record<string, number>; taken: boolean },
): MinibatchStats & Record<string, number> {
  const { rows } = scoredRows(rollout);
  const seen: Record<string, number>[] = [];
  let stoppedEarly = 0;
  for (let epoch = 0; epoch < updateEpochs && !stoppedEarly; epoch++) {
    // where one minibatch holds all rows, their order means nothing and they need not be copied
    const order =
      minibatchSize === rows
        ? Int32Array.from({ length: rows }, (_, i) => i)
        : new RandomStream(stream.seed, `${stream.name}/${epoch}`).permutation(rows);
    for (let start = 0; start < rows && !stoppedEarly; start += minibatchSize) {
      const { stats, taken } = step(order.subarray(start, start + minibatchSize));
      seen.push(stats);
      if (!taken) stoppedEarly = 1;
    }
  }
  return {
    ...(meansOf(seen) as unknown as MinibatchStats),
    firstRatioDeviation: seen[0]['ratioDeviation'],
    gradientSteps: seen.length - stoppedEarly,
    stoppedEarly,
  };
}

/** Whether a step may be taken: the KL to the old policy is within 1.5 × the target, or there is none. */
export function withinTarget(
  targetKl: number | undefined,
): (stats: Readonly<Record<string, number>>) => boolean {
  return ({ approxKl }) => targetKl === undefined || approxKl <= 1.5 * targetKl;
}

/**
 * How far the policy has moved from the old one over some rows: the k3 estimate of the KL and the share of ratios beyond ε.
 *
 * @param clipRange - ε
 */
export function distanceFromOld(
  { scores, oldLogProbs, mask }: ScoredRows,
  clipRange: number | tf.Scalar,
): { approxKl: tf.Scalar; clipFraction: tf.Scalar } {
  const logRatio = tf.sub(scores.logProbs, oldLogProbs);
  const deviation = tf.abs(tf.sub(tf.exp(logRatio), 1));
  return {
    approxKl: maskedMean(tf.sub(tf.sub(tf.exp(logRatio), 1), logRatio), mask),
    clipFraction: maskedMean(tf.cast(tf.greater(deviation, clipRange), 'float32'), mask),
  };
}

/** Means of named numbers, one record a minibatch. */
export function meansOf(records: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const record of records)
    for (const [name, value] of Object.entries(record)) sums[name] = (sums[name] ?? 0) + value;
  return Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum / records.length]));
}
