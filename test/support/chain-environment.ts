import { RandomStream, discrete, type Environment, type StepResult } from '@rollcast/core';

export interface ChainOptions {
  /** [S][S] probability of the next state. */
  transitions: readonly (readonly number[])[];
  /** [S] reward of a step from each state. */
  rewards: readonly number[];
  /** States whose step ends the episode. */
  ends?: readonly number[];
  /** Steps after which an episode is cut. */
  cutAfter?: number;
}

/** A Markov chain with rewards: there are two actions and neither matters, so every policy has the same known values. */
export class ChainEnvironment implements Environment<number, number> {
  readonly name = 'chain';
  readonly observationSpace;
  readonly actionSpace = discrete(2);
  readonly maxEpisodeSteps: number | undefined;
  private at = 0;
  private random!: RandomStream;

  constructor(private readonly options: ChainOptions) {
    this.observationSpace = discrete(options.rewards.length);
    this.maxEpisodeSteps = options.cutAfter;
  }

  reset(seed: number): number {
    this.random = new RandomStream(seed, this.name);
    this.at = 0;
    return this.at;
  }

  step(): StepResult<number> {
    const { transitions, rewards, ends = [] } = this.options;
    const from = this.at;
    let left = this.random.uniform();
    this.at = transitions[from].findIndex((p) => (left -= p) < 0);
    return { observation: this.at, reward: rewards[from], terminated: ends.includes(from), truncated: false };
  }
}

/** V = r + γ P V by repetition, from the definition; the step of an end has nothing after it. */
export function chainValues({ transitions, rewards, ends = [] }: ChainOptions, gamma: number): number[] {
  let values = rewards.map(() => 0);
  for (let i = 0; i < 1000; i++) {
    values = rewards.map((reward, s) => {
      const next = transitions[s].reduce((sum, p, to) => sum + p * values[to], 0);
      return reward + (ends.includes(s) ? 0 : gamma * next);
    });
  }
  return values;
}
