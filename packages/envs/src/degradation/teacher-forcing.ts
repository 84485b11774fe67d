/**
 * Whole windows as tokens, for pre-training on the next token, and how many of them the tokeniser cannot tell apart.
 */
import { type DegradationWindow, type RLDataset } from './dataset.js';
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

/**
 * Share of future points that lie beyond what the tokeniser can express: coded as the first or the last token, and
 * farther outside its value than half the distance to the neighbouring token's.
 *
 * @returns in [0, 1]; large values call for another scaling or a wider range of bins
 */
export function saturationShare<Scaling>(data: Windows, tokeniser: ValueTokeniser<Scaling>): number {
  const last = tokeniser.vocabularySize - 1;
  let saturated = 0;
  let points = 0;
  for (const { context, future } of eachWindow(data)) {
    const scaling = tokeniser.fit(context);
    const first = context.length;
    const tokens = tokeniser.encode(future, scaling, first);
    for (let t = 0; t < future.length; t++) {
      if (tokens[t] !== 0 && tokens[t] !== last) continue;
      const inward = tokens[t] === 0 ? Math.min(1, last) : last - 1;
      const [edge] = tokeniser.decode([tokens[t]], scaling, first + t);
      const [neighbour] = tokeniser.decode([inward], scaling, first + t);
      const outside = (future[t] - edge) * Math.sign(edge - neighbour);
      if (outside > (Math.abs(edge - neighbour) / 2) * (1 + 1e-9)) saturated++;
    }
    points += future.length;
  }
  return points === 0 ? 0 : saturated / points;
}

function* eachWindow(data: Windows): Generator<DegradationWindow> {
  if (!('window' in data)) return yield* data;
  for (let i = 0; i < data.length; i++) yield data.window(i);
}
