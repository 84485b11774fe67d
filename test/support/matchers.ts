import type { MatcherFunction } from 'expect';

type Numbers = number | ArrayLike<number> | Numbers[];

function flatten(value: Numbers): number[] {
  if (typeof value === 'number') return [value];
  return Array.from(value as ArrayLike<number | Numbers[]>).flatMap((v) => flatten(v as Numbers));
}

/** Every number within `atol + rtol · |expected|`; shapes are flattened. The tolerance is part of the claim. */
export const toBeAllClose: MatcherFunction<
  [expected: unknown, tolerance?: { atol?: number; rtol?: number }]
> = function (received, expected, { atol = 1e-6, rtol = 0 } = {}) {
  const got = flatten(received as Numbers);
  const want = flatten(expected as Numbers);
  if (got.length !== want.length) {
    return { pass: false, message: () => `expected ${want.length} numbers, got ${got.length}` };
  }
  let worst = -1;
  let worstExcess = 0;
  for (let i = 0; i < got.length; i++) {
    const excess = Math.abs(got[i] - want[i]) - (atol + rtol * Math.abs(want[i]));
    if (!(excess <= worstExcess)) {
      worst = i;
      worstExcess = excess;
    }
  }
  return {
    pass: worst === -1,
    message: () =>
      worst === -1
        ? 'expected the numbers to differ'
        : `at ${worst}: expected ${want[worst]}, got ${got[worst]} (atol ${atol}, rtol ${rtol})`,
  };
};

/** A tensor of exactly this shape. */
export const toHaveShape: MatcherFunction<[expected: unknown]> = function (received, expected) {
  const got = (received as { shape: number[] }).shape.join(', ');
  const want = (expected as number[]).join(', ');
  return { pass: got === want, message: () => `expected the shape [${want}], got [${got}]` };
};

declare module 'expect' {
  interface Matchers<R> {
    toBeAllClose(expected: Numbers, tolerance?: { atol?: number; rtol?: number }): R;
    toHaveShape(expected: number[]): R;
  }
}
