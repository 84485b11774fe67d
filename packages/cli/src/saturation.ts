/** Whether forecasts run into the ends of what the tokens can express. */
import type { DegradationWindow, ValueTokeniser } from '@rollcast/envs';

import { lastPoints, overMembers, type PathModel } from './paths.js';

/**
 * Share of points that lie in the first or last bin, which stand for everything beyond: where a forecast drifts off, it ends there.
 * Beyond the trained horizon each stretch counts in the scaling that it is made with, that of the W points before it. Of an ensemble the
 * mean over the tokenisers of its members, by weight.
 *
 * @param paths - [n][paths][L] oriented, of the same windows
 */
export function outermostShare(
  members: readonly Pick<PathModel, 'tokeniser' | 'weight'>[],
  windows: readonly DegradationWindow[],
  paths: readonly (readonly ArrayLike<number>[])[],
  trainedHorizon: number,
): number {
  return overMembers(members, ({ tokeniser }) => shareOf(tokeniser, windows, paths, trainedHorizon));
}

function shareOf(
  tokeniser: ValueTokeniser,
  windows: readonly DegradationWindow[],
  paths: readonly (readonly ArrayLike<number>[])[],
  trainedHorizon: number,
): number {
  const last = tokeniser.vocabularySize - 1;
  let outermost = 0;
  let points = 0;
  windows.forEach(({ context }, w) => {
    const scaling = tokeniser.fit(context);
    for (const path of paths[w]) {
      const tokens = tokensOf(Array.from(path), { tokeniser, context, scaling, trainedHorizon });
      outermost += tokens.filter((token) => token === 0 || token === last).length;
      points += tokens.length;
    }
  });
  return outermost / points;
}

/** The tokens of a path, stretch by stretch; the first in the scaling of the context. */
function tokensOf(
  path: number[],
  of: { tokeniser: ValueTokeniser; context: Float64Array; scaling: unknown; trainedHorizon: number },
): number[] {
  const { tokeniser, context, trainedHorizon } = of;
  const tokens: number[] = [];
  for (let start = 0; start < path.length; start += trainedHorizon) {
    const scaling = start === 0 ? of.scaling : tokeniser.fit(lastPoints(context, path.slice(0, start)));
    tokens.push(...tokeniser.encode(path.slice(start, start + trainedHorizon), scaling, context.length));
  }
  return tokens;
}
