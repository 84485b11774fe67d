/**
 * Whole windows as tokens, for pre-training on the next token, and how many of them the tokeniser cannot tell apart.
 */
import { type TokenSource, type TokenWindows } from '@rollcast/core';

import { type DegradationWindow, type RLDataset, type WindowSource } from './dataset.js';
import { type ValueTokeniser } from './tokeniser.js';

/** A dataset, or windows picked from one. */
type Windows = RLDataset | readonly DegradationWindow[];

/**
 * Context and future of a window as one sequence, both under the scaling fitted to the context alone.
 *
 * @returns [W + L] token ids
 */
export function windowTokens<Scaling>(
  window: DegradationWindow,
  tokeniser: ValueTokeniser<Scaling>,
): Int32Array {
  const { context, future } = window;
  const scaling = tokeniser.fit(context);
  const tokens = new Int32Array(context.length + future.length);
  tokens.set(tokeniser.encode(context, scaling, 0));
  tokens.set(tokeniser.encode(future, scaling, context.length), context.length);
  return tokens;
}

/** Windows drawn from a source as tokens: what a `Pretrainer` learns from. */
export function tokenSource<Scaling>(source: WindowSource, tokeniser: ValueTokeniser<Scaling>): TokenSource {
  const { contextLength, horizon } = source;
  return { contextLength, horizon, draw: (random) => windowTokens(source.draw(random), tokeniser) };
}

/**
 * All windows of a dataset as tokens, to learn from and to look at one by one.
 *
 * @returns windows that are made into tokens when they are asked for
 */
export function tokenWindows<Scaling>(dataset: RLDataset, tokeniser: ValueTokeniser<Scaling>): TokenWindows {
  return {
    ...tokenSource(dataset, tokeniser),
    length: dataset.length,
    tokens: (index) => windowTokens(dataset.window(index), tokeniser),
  };
}

/**
 * Share of future points that lie beyond what the tokeniser can express.
 *
 * @returns in [0, 1]; large values call for another scaling or a wider range of bins
 */
export function saturationShare<Scaling>(data: Windows, tokeniser: ValueTokeniser<Scaling>): number {
  let saturated = 0;
  let points = 0;
  for (const { context, future } of eachWindow(data)) {
    saturated += tokeniser.saturated(future, tokeniser.fit(context), context.length);
    points += future.length;
  }
  return points === 0 ? 0 : saturated / points;
}

function* eachWindow(data: Windows): Generator<DegradationWindow> {
  if (!('window' in data)) return yield* data;
  for (let i = 0; i < data.length; i++) yield data.window(i);
}
