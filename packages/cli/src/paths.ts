/** Paths of a model, generated in batches: what evaluations and forecasts are made of. */
import {
  StratifiedUniforms,
  type DegradationTransformer,
  type RandomStream,
  type Tokeniser,
  type Uniforms,
} from '@rollcast/core';
import { towardsLine, weightedMedianPath } from '@rollcast/envs';

/** Sequences generated at a time: enough to keep the arithmetic busy, little enough to stay in memory. */
export const GENERATION_BATCH = 256;

/** What is made of a model before it is a forecast. */
export interface ForecastShape {
  /**
   * How far the weights of a fine-tuned model go from those of its frozen reference, 0, to its own, 1. In between it keeps more of what
   * the reference knew of other data (Wortsman et al. 2022, arXiv:2109.01903, equation 1).
   */
  readonly tunedShare: number;
  /** See `GenerateOptions.trim`. */
  readonly trim: number;
  /** See `towardsLine`. */
  readonly lineShare: number;
}

/** The shape of forecasts, unless asked otherwise. */
export const FORECAST_SHAPE: ForecastShape = { tunedShare: 1, trim: 0.01, lineShare: 0.1 };

/** A model and the tokeniser of its checkpoint. */
export interface PathModel {
  readonly model: DegradationTransformer;
  readonly tokeniser: Tokeniser;
  /** In an ensemble: > 0, how many paths beside those of the others; 1 where it is not there. */
  readonly weight?: number;
}

/** The share of each member of an ensemble; they sum to 1. */
export function memberShares(members: readonly Pick<PathModel, 'weight'>[]): number[] {
  const weights = members.map(({ weight = 1 }) => weight);
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / sum);
}

/** A sum over the members of an ensemble, each by its share. */
export function overMembers<T extends Pick<PathModel, 'weight'>>(
  members: readonly T[],
  quantity: (member: T, i: number) => number,
): number {
  const shares = memberShares(members);
  return members.reduce((sum, member, i) => sum + shares[i] * quantity(member, i), 0);
}

/** Whole numbers that are as near to `total` times the shares as can be and sum to `total`; where two are as near, the first is larger. */
function apportion(total: number, shares: readonly number[]): number[] {
  const exact = shares.map((share) => total * share);
  const counts = exact.map((x) => Math.floor(x + 1e-9));
  const left = total - counts.reduce((a, b) => a + b, 0);
  const rest = exact.map((x, i) => x - counts[i]);
  const order = [...shares.keys()].sort((a, b) => {
    const by = rest[b] - rest[a];
    return Math.abs(by) > 1e-9 ? by : a - b;
  });
  for (const i of order.slice(0, left)) counts[i]++;
  return counts;
}

export interface PathRequest extends Omit<ForecastShape, 'tunedShare'> {
  /** One model, or an ensemble, in which each weighs alike. */
  members: readonly PathModel[];
  /** [n][W] oriented values. */
  contexts: readonly ArrayLike<number>[];
  /** L; may be longer than the one that the model was trained for. */
  horizon: number;
  /** L of the training: beyond it a path goes on in stretches, each from the last W points before it. */
  trainedHorizon: number;
  /** Told after each batch how many paths it had. */
  onBatch?: (paths: number) => void;
}

/**
 * The likeliest continuation of each context, step by step, [n][L] oriented values; of an ensemble the median of those of its
 * members, by weight. Leaves no tensor behind.
 */
export function greedyPaths(request: PathRequest): Float64Array[] {
  const { members, contexts, lineShare } = request;
  const shares = memberShares(members);
  return inBatches(contexts, GENERATION_BATCH).flatMap((batch) => {
    const ofMembers = members.map((member) => generatePaths(member, request, batch));
    return batch.map((context, b) => {
      const likeliest = weightedMedianPath(
        ofMembers.map((paths) => paths[b]),
        shares,
      );
      return towardsLine([likeliest], context, lineShare)[0];
    });
  });
}

/**
 * Several sampled continuations of each context, [n][samples][L] oriented values, spread evenly over the distribution
 * (`StratifiedUniforms`). They depend on the stream of their context, and not on what other contexts there are. The members of an
 * ensemble sample by their weights, the first ones one more where that does not divide. Leaves no tensor behind.
 *
 * @param stream - the stream of context c
 */
export function samplePaths(
  request: PathRequest,
  samples: number,
  stream: (c: number) => RandomStream,
): Float64Array[][] {
  const { members, contexts, lineShare } = request;
  const sampled: Float64Array[][] = contexts.map(() => []);
  const counts = apportion(samples, memberShares(members));
  members.forEach((member, i) => {
    const own = (c: number): RandomStream => (i === 0 ? stream(c) : stream(c).fork(`member-${i}`));
    sampleMember(member, request, counts[i], own).forEach((paths, c) => sampled[c].push(...paths));
  });
  return sampled.map((paths, c) => towardsLine(paths, contexts[c], lineShare));
}

/** What one member samples. */
function sampleMember(
  member: PathModel,
  request: PathRequest,
  samples: number,
  stream: (c: number) => RandomStream,
): Float64Array[][] {
  const { contexts } = request;
  const sampled: Float64Array[][] = contexts.map(() => []);
  if (samples === 0) return sampled;
  const streams = contexts.map((_, c) => stream(c));
  const together = Math.max(1, Math.floor(GENERATION_BATCH / samples));
  for (const batch of inBatches([...contexts.keys()], together)) {
    for (let done = 0; done < samples; done += GENERATION_BATCH) {
      const rows = Math.min(GENERATION_BATCH, samples - done);
      const random = new StratifiedUniforms(
        batch.map((c) => streams[c]),
        rows,
      );
      const repeated = batch.flatMap((c) => new Array<ArrayLike<number>>(rows).fill(contexts[c]));
      generatePaths(member, request, repeated, random).forEach((path, row) =>
        sampled[batch[Math.floor(row / rows)]].push(path),
      );
    }
  }
  return sampled;
}

function inBatches<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size));
}

/**
 * One continuation of each context, as a model has it, [n][L] oriented values. Beyond the trained horizon the last W points of a path,
 * forecast ones among them, become the context of the next stretch, with a scaling of their own: that is what the model knows.
 *
 * @param random - of the samples; without it the most likely token is taken at each step
 */
function generatePaths(
  { model, tokeniser }: PathModel,
  { horizon, trainedHorizon, trim, onBatch }: PathRequest,
  contexts: readonly ArrayLike<number>[],
  random?: Uniforms,
): Float64Array[] {
  const paths = contexts.map(() => new Float64Array(horizon));
  const [batchSize, length] = [contexts.length, contexts[0].length];
  for (let done = 0; done < horizon; done += trainedHorizon) {
    const steps = Math.min(trainedHorizon, horizon - done);
    const seen = contexts.map((context, b) => lastPoints(context, paths[b].subarray(0, done)));
    const scalings = seen.map((context) => tokeniser.fit(context));
    const contextTokens = new Int32Array(batchSize * length);
    seen.forEach((context, b) => contextTokens.set(tokeniser.encode(context, scalings[b], 0), b * length));
    const { tokens } = model.generate({ contextTokens, batchSize, horizon: steps, random, trim });
    paths.forEach((path, b) =>
      path.set(tokeniser.decode(tokens.subarray(b * steps, (b + 1) * steps), scalings[b], length), done),
    );
  }
  onBatch?.(batchSize);
  return paths;
}

/** The last W points of a context of W points and what follows it. */
export function lastPoints(context: ArrayLike<number>, path: ArrayLike<number>): ArrayLike<number> {
  if (path.length === 0) return context;
  return Float64Array.from([...Array.from(context), ...Array.from(path)].slice(-context.length));
}
