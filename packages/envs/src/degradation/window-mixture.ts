/**
 * Several sources of windows as one, for training on all of them together.
 */
import { ConfigError, type RandomStream } from '@rollcast/core';

import { type DegradationWindow, type WindowSource } from './dataset.js';

/** A part of a mixture: windows, and how often they are drawn beside the others. */
export interface MixturePart {
  readonly source: WindowSource;
  /** > 0; the part is drawn with probability weight / (sum of all weights). */
  readonly weight: number;
}

/** Draws a source by weight, then one of its windows: a large data set does not drown a small one. */
export class WindowMixture implements WindowSource {
  readonly contextLength: number;
  readonly horizon: number;
  /** Sums of the weights up to and with each part. */
  private readonly sums: readonly number[];

  /** @throws {ConfigError} when there is no part, a weight is not positive, or the windows differ in shape */
  constructor(readonly parts: readonly MixturePart[]) {
    if (parts.length === 0) throw new ConfigError('A mixture of windows needs at least one part; got none.');
    const { contextLength, horizon } = parts[0].source;
    this.contextLength = contextLength;
    this.horizon = horizon;
    let sum = 0;
    this.sums = parts.map(({ source, weight }, i) => {
      if (!(weight > 0 && weight < Infinity))
        throw new ConfigError(`Weights of a mixture are finite and > 0; part ${i + 1} has ${weight}.`);
      if (source.contextLength !== contextLength || source.horizon !== horizon)
        throw new ConfigError(
          `Windows of a mixture have one shape; part 1 has ${contextLength} + ${horizon} points, part ${i + 1} ${source.contextLength} + ${source.horizon}.`,
        );
      return (sum += weight);
    });
  }

  draw(random: RandomStream): DegradationWindow {
    const place = random.uniform() * this.sums[this.sums.length - 1];
    const part = this.sums.findIndex((sum) => place < sum);
    return this.parts[part < 0 ? this.parts.length - 1 : part].source.draw(random);
  }
}
