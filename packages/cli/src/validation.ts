/** Looks at held-out windows during pre-training: how good the model is there, which look was the best, when to stop. */
import { crossEntropy } from '@rollcast/algos';
import type { SequencePolicy, TokenWindows } from '@rollcast/core';
import { tokenWindows, type ValueTokeniser } from '@rollcast/envs';

import type { WindowSet } from './windows.js';

/** The metric of a look: nats a token, the mean over the sets by their weights. */
export const HELD_OUT = 'validation/crossEntropy';

/** Held-out windows that a look takes in all, and of each set at least. */
const WINDOWS = 128;
const WINDOWS_OF_SET = 64;

/** Held-out windows of each set, the same in every look. */
export class Validation {
  private readonly sets: readonly { name: string; weight: number; windows: TokenWindows; chosen: number[] }[];

  /** @param sets - those without held-out units play no part */
  constructor(sets: readonly WindowSet[], tokeniser: ValueTokeniser) {
    const judged = sets.filter(({ heldOut }) => heldOut);
    const share = Math.max(WINDOWS_OF_SET, Math.floor(WINDOWS / judged.length));
    this.sets = judged.map(({ name, weight, heldOut }) => {
      const windows = tokenWindows(heldOut!, tokeniser);
      return { name, weight, windows, chosen: spread(windows.length, share) };
    });
  }

  /** The cross-entropy of a model; with several sets also that of each, as `validation/crossEntropy/NAME`. */
  look(model: SequencePolicy): Record<string, number> {
    const each = this.sets.map(({ name, weight, windows, chosen }) => ({
      name,
      weight,
      value: crossEntropy(model, windows, chosen),
    }));
    const weights = each.reduce((sum, { weight }) => sum + weight, 0);
    const mean = each.reduce((sum, { weight, value }) => sum + (weight / weights) * value, 0);
    if (each.length === 1) return { [HELD_OUT]: each[0].value };
    return {
      [HELD_OUT]: mean,
      ...Object.fromEntries(each.map(({ name, value }) => [`${HELD_OUT}/${name}`, value])),
    };
  }
}

/** At most `most` of `count` indices, spread evenly. */
function spread(count: number, most: number): number[] {
  const chosen = Math.min(count, most);
  return Array.from({ length: chosen }, (_, i) => Math.floor((i * count) / chosen));
}

/** What looks have said so far; made anew from the metrics when a run goes on. */
export class Looks {
  /** The lowest cross-entropy so far. */
  best = Infinity;
  /** Looks since the best one. */
  private since = 0;

  /**
   * @param patience - looks without improvement after which to stop; 0 never stops
   * @param past - what earlier looks of the run found, in their order
   */
  constructor(
    private readonly patience: number,
    past: readonly number[] = [],
  ) {
    for (const value of past) this.add(value);
  }

  /** Takes note of a look. @returns whether it is the best so far */
  add(value: number): boolean {
    const better = value < this.best;
    this.since = better ? 0 : this.since + 1;
    if (better) this.best = value;
    return better;
  }

  /** Has nothing improved for as long as patience lasts? */
  get exhausted(): boolean {
    return this.patience > 0 && this.since >= this.patience;
  }
}
