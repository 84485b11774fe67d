import { expect, test } from '@jest/globals';

import { Tokeniser } from '@rollcast/core';

import { outermostShare } from '../../packages/cli/src/saturation.js';
import { windowOf } from '../envs/degradation/support.js';

test('points in the first and last bins are counted, over all windows and paths', () => {
  // the line through 0, 1, 2 goes on as 3, 4; its scale is √(2/3), and four bins are cut at −1, 0 and 1
  const tokeniser = new Tokeniser({ vocabularySize: 4, bins: 'uniform', limit: 2 });
  const window = windowOf([0, 1, 2], [3, 4]);
  const far = 1.1 * Math.sqrt(2 / 3);
  const paths = [
    [
      [3.1, 4.1],
      [3 + far, 4.1],
    ],
    [
      [3 - far, 4 + far],
      [3.1, 1e6],
    ],
  ];
  expect(outermostShare([{ tokeniser }], [window, window], paths, 2)).toBe(4 / 8);
});

test('beyond the trained horizon a stretch counts in the scaling of the points before it', () => {
  const tokeniser = new Tokeniser({ vocabularySize: 4, bins: 'uniform', limit: 2 });
  // flat from 2 on: far off the line through 0, 1, 2; the next stretch goes on from 2, 2, 2
  const window = windowOf([0, 1, 2], [2, 2, 2, 2, 2, 2]);
  const flat = [[2, 2, 2, 2, 2, 2]];
  expect(outermostShare([{ tokeniser }], [window], [flat], 6)).toBe(6 / 6);
  expect(outermostShare([{ tokeniser }], [window], [flat], 3)).toBe(3 / 6);
});
