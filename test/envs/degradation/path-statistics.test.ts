import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { medianPath, weightedMedianPath } from '@rollcast/envs';

describe('the weighted median of paths', () => {
  test('has half of the weight on either side', () => {
    const paths = [[1], [2], [10]];
    expect([...weightedMedianPath(paths, [0.2, 0.2, 0.6])]).toEqual([10]);
    expect([...weightedMedianPath(paths, [0.3, 0.3, 0.4])]).toEqual([2]);
    expect([...weightedMedianPath(paths, [0.6, 0.2, 0.2])]).toEqual([1]);
  });

  test('is the middle of two values where half of it ends between them', () => {
    expect([...weightedMedianPath([[4], [1], [2]], [0.5, 0.25, 0.25])]).toEqual([3]);
    expect([...weightedMedianPath([[7, 0]], [1])]).toEqual([7, 0]);
  });

  test('is that of each step by itself, and with equal weights the median', () => {
    const paths = fc.array(fc.array(fc.integer({ min: -5, max: 5 }), { minLength: 3, maxLength: 3 }), {
      minLength: 1,
      maxLength: 7,
    });
    fc.assert(
      fc.property(paths, (drawn) => {
        const shares = drawn.map(() => 1 / drawn.length);
        expect(weightedMedianPath(drawn, shares)).toBeAllClose(medianPath(drawn));
      }),
    );
  });
});
