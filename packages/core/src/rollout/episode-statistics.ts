import { z } from 'zod';

import { checkedState } from '../saved-state.js';

/** Episodes over which the mean return is reported. */
const RECENT_EPISODES = 100;

/** What `EpisodeStatistics` saves. */
export interface EpisodeStatisticsState {
  readonly steps: number;
  readonly recentReturns: readonly number[];
}

const savedCounts = z.object({
  steps: z.int().min(0),
  recentReturns: z.array(z.number()).max(RECENT_EPISODES),
});

/**
 * What every collector counts: steps, and the returns of the last 100 episodes. A step is one action, so that a generated
 * token is one and a generated sequence is an episode.
 */
export class EpisodeStatistics {
  private steps = 0;
  private recentReturns: readonly number[] = [];

  /** Steps so far, of all episodes together. */
  get stepsDone(): number {
    return this.steps;
  }

  /** Mean return of the last 100 episodes; NaN before the first has ended. */
  get recentReturn(): number {
    return this.recentReturns.reduce((a, b) => a + b, 0) / this.recentReturns.length;
  }

  /**
   * Counts steps and takes in returns.
   *
   * @param returns - of the episodes that ended within these steps, in their order
   */
  add(steps: number, returns: readonly number[]): void {
    this.steps += steps;
    this.recentReturns = [...this.recentReturns, ...returns].slice(-RECENT_EPISODES);
  }

  /** `time/steps`, and `episode/returnOfLast100` as soon as there is one. */
  metrics(): Record<string, number> {
    return {
      'time/steps': this.steps,
      ...(this.recentReturns.length > 0 && { 'episode/returnOfLast100': this.recentReturn }),
    };
  }

  /** As plain JSON. */
  state(): EpisodeStatisticsState {
    return { steps: this.steps, recentReturns: this.recentReturns };
  }

  /** Goes on from what `state` gave. @throws {CheckpointError} for anything else; nothing is changed then */
  restore(state: EpisodeStatisticsState): void {
    const { steps, recentReturns } = checkedState(savedCounts, state, 'counts of steps and episodes');
    this.steps = steps;
    this.recentReturns = recentReturns;
  }
}
