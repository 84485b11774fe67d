/** Paths of a model, generated in batches: what evaluations and forecasts are made of. */
import type { DegradationTransformer, RandomStream } from '@rollcast/core';
import type { ValueTokeniser } from '@rollcast/envs';

/** Sequences generated at a time: enough to keep the arithmetic busy, little enough to stay in memory. */
export const GENERATION_BATCH = 256;

/** Share of the probability that forecasts cut off at each end of every step's distribution, unless asked otherwise. */
export const FORECAST_TRIM = 0.01;

export interface PathRequest {
  model: DegradationTransformer;
  /** The one of the model's checkpoint. */
  tokeniser: ValueTokeniser;
  /** [n][W] oriented values, one path each; the same context may come several times. */
  contexts: readonly ArrayLike<number>[];
  /** L; may be longer than the one that the model was trained for. */
  horizon: number;
  /** L of the training: beyond it a path goes on in stretches, each from the last W points before it. */
  trainedHorizon: number;
  /** Of the samples; without it the most likely token is taken at each step. */
  random?: RandomStream;
  /** See `GenerateOptions.trim`. */
  trim: number;
  /** Told after each batch how many paths it had. */
  onBatch?: (paths: number) => void;
}

/**
 * Several sampled continuations of each context, [n][samples][L] oriented values. Path s of every context comes from a stream of
 * its own, so that more samples are the same ones and some more. Leaves no tensor behind.
 *
 * @param stream - the stream of path s
 */
export function samplePaths(
  request: Omit<PathRequest, 'random'>,
  samples: number,
  stream: (s: number) => RandomStream,
): Float64Array[][] {
  const sampled: Float64Array[][] = request.contexts.map(() => []);
  for (let s = 0; s < samples; s++) {
    generatePaths({ ...request, random: stream(s) }).forEach((path, w) => sampled[w].push(path));
  }
  return sampled;
}

/**
 * One continuation of each context, [n][L] oriented values. Beyond the trained horizon the last W points of a path, forecast ones
 * among them, become the context of the next stretch, with a scaling of their own: that is what the model knows. Leaves no tensor
 * behind.
 */
export function generatePaths(request: PathRequest): Float64Array[] {
  const { contexts, horizon, trainedHorizon, onBatch } = request;
  const paths: Float64Array[] = [];
  for (let start = 0; start < contexts.length; start += GENERATION_BATCH) {
    const histories = contexts
      .slice(start, start + GENERATION_BATCH)
      .map((context) => ({ context, path: new Float64Array(horizon) }));
    for (let done = 0; done < horizon; done += trainedHorizon) {
      const steps = Math.min(trainedHorizon, horizon - done);
      const seen = histories.map(({ context, path }) => lastPoints(context, path.subarray(0, done)));
      stretch(request, seen, steps).forEach((values, b) => histories[b].path.set(values, done));
    }
    paths.push(...histories.map(({ path }) => path));
    onBatch?.(histories.length);
  }
  return paths;
}

/** The last W points of a context of W points and what follows it. */
function lastPoints(context: ArrayLike<number>, path: Float64Array): ArrayLike<number> {
  if (path.length === 0) return context;
  const length = context.length;
  return Float64Array.from([...Array.from(context), ...path].slice(-length));
}

/** At most the trained horizon of each of some contexts. */
function stretch(
  { model, tokeniser, random, trim }: PathRequest,
  contexts: readonly ArrayLike<number>[],
  horizon: number,
): Float64Array[] {
  const scalings = contexts.map((context) => tokeniser.fit(context));
  const length = contexts[0].length;
  const contextTokens = new Int32Array(contexts.length * length);
  contexts.forEach((context, b) => contextTokens.set(tokeniser.encode(context, scalings[b], 0), b * length));
  const { tokens } = model.generate({ contextTokens, batchSize: contexts.length, horizon, random, trim });
  return scalings.map((scaling, b) =>
    tokeniser.decode(tokens.subarray(b * horizon, (b + 1) * horizon), scaling, length),
  );
}
