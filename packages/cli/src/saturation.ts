/** Whether forecasts run into the ends of what the tokens can express. */
import type { DegradationWindow, ValueTokeniser } from '@rollcast/envs';

import type { PathModel } from './paths.js';

/**
 * Share of points that lie in the first or last bin, which stand for everything beyond: where a forecast drifts off, it ends there.
 * Of an ensemble the mean over the tokenisers of its members.
 *
 * @param paths - [n][paths][L] oriented, of the same windows
 */
export function outermostShare(
  members: readonly Pick<PathModel, 'tokeniser'>[],
  windows: readonly DegradationWindow[],
  paths: readonly (readonly ArrayLike<number>[])[],
): number {
  return members.reduce((sum, { tokeniser }) => sum + shareOf(tokeniser, windows, paths), 0) / members.length;
}

function shareOf(
  tokeniser: ValueTokeniser,
  windows: readonly DegradationWindow[],
  paths: readonly (readonly ArrayLike<number>[])[],
): number {
  const last = tokeniser.vocabularySize - 1;
  let outermost = 0;
  let points = 0;
  windows.forEach(({ context }, w) => {
    const scaling = tokeniser.fit(context);
    for (const path of paths[w]) {
      for (const token of tokeniser.encode(path, scaling, context.length)) {
        if (token === 0 || token === last) outermost++;
      }
      points += path.length;
    }
  });
  return outermost / points;
}
