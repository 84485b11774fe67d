import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import {
  orientSeries,
  type DegradationWindow,
  type Direction,
  type SeriesSet,
  type ValueTokeniser,
} from '@rollcast/envs';

/** A folder for the files of one test file. */
export class DataFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'rollcast-data-'));

  write(name: string, content: string | Uint8Array): string {
    const file = join(this.path, name);
    writeFileSync(file, content);
    return file;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** What a call throws, or a failure when it throws nothing. */
export function errorOf(call: () => unknown): Error {
  try {
    call();
  } catch (error) {
    return error as Error;
  }
  throw new Error('expected the call to throw');
}

/** A set from raw values by unit, times 0, 1, 2, … */
export function seriesSet(
  units: Record<string, ArrayLike<number>>,
  direction: Direction | 'auto' = 'rises',
): SeriesSet {
  return orientSeries(
    {
      name: 'test',
      valueLabel: 'wear (mm)',
      units: Object.entries(units).map(([unit, values]) => ({
        unit,
        times: Float64Array.from(values, (_, i) => i),
        values: Float64Array.from(values),
      })),
    },
    direction,
  );
}

/** A window of a unit that nobody needs, from oriented values. */
export function windowOf(
  context: ArrayLike<number>,
  future: ArrayLike<number>,
  { unit = 0, direction = 'rises' }: { unit?: number; direction?: Direction } = {},
): DegradationWindow {
  return {
    set: seriesSet({ [`u${unit}`]: [0, 1] }, direction),
    unit: `u${unit}`,
    unitIndex: unit,
    start: 0,
    context: Float64Array.from(context),
    future: Float64Array.from(future),
  };
}

/** n values by index. */
export function ramp<T>(n: number, at: (i: number) => T): T[] {
  return Array.from({ length: n }, (_, i) => at(i));
}

/** Token k stands for (the first context value) + k − zero, in whole steps of one; 21 tokens. */
export function stepTokeniser(zero = 10): ValueTokeniser<{ origin: number }> {
  const vocabularySize = 21;
  return {
    vocabularySize,
    fit: (context) => ({ origin: context[0] }),
    encode: (values, { origin }) =>
      Int32Array.from(values, (v) =>
        Math.min(vocabularySize - 1, Math.max(0, Math.round(v - origin) + zero)),
      ),
    saturated: (values, { origin }) =>
      Array.from(values).filter((v) => v - origin < -zero - 0.5 || v - origin > vocabularySize - zero - 0.5)
        .length,
    decode: (tokens, { origin }) => Float64Array.from(tokens, (token) => origin + token - zero),
  };
}
