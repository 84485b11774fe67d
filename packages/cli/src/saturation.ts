/** Whether forecasts run into the ends of what the tokens can express. */
import type { DegradationWindow, ValueTokeniser } from '@rollcast/envs';

import { lastPoints, type PathModel } from './paths.js';

/**
 * Share of points that lie in the first or last bin, which stand for everything beyond: where a forecast drifts off, it ends there.
 * Beyond the trained horizon each stretch counts in the scaling that it is made with, that of the W points before it. Of an ensemble the
 * mean over the tokenisers of its members.
 *
 * @param paths - [n][paths][L] oriented, of the same windows
 */
export function outermostShare(
  members: readonly Pick<PathModel, 'tokeniser'>[],
  windows: readonly DegradationWindow[],
  paths: readonly (readonly ArrayLike<number>[])[],
  trainedHorizon: number,
): number {
  const shares = members.map(({ tokeniser }) => shareOf(tokeniser, windows, paths, trainedHorizon));
  return shares.reduce((sum, share) => sum + share, 0) / members.length;
}

function shareOf(
  tokeniser: ValueTokeniser,
  windows: readonly DegradationWindow[],
  paths: readonly (readonly ArrayLike<number>[])[],
  trainedHorizon: number,
): number {
  const last = tokeniser.vocabularySize - 1;
  const tokens = windows.flatMap(({ context }, w) =>
    paths[w].flatMap((path) => tokensOf(tokeniser, context, Array.from(path), trainedHorizon)),
  );
  return tokens.filter((token) => token === 0 || token === last).length / tokens.length;
}

/** The tokens of a path, stretch by stretch. */
function tokensOf(
  tokeniser: ValueTokeniser,
  context: Float64Array,
  path: number[],
  trainedHorizon: number,
): number[] {
  const starts = Array.from(
    { length: Math.ceil(path.length / trainedHorizon) },
    (_, i) => i * trainedHorizon,
  );
  return starts.flatMap((start) => {
    const scaling = tokeniser.fit(start === 0 ? context : lastPoints(context, path.slice(0, start)));
    return [...tokeniser.encode(path.slice(start, start + trainedHorizon), scaling, context.length)];
  });
}
