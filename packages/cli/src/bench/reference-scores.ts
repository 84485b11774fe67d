/**
 * What returns mean: a score of 0 is a policy that chooses at random, 1 a task that is solved.
 *
 *   score = (return − random) / (solved − random)
 */
import type { FinishedRun } from './result.js';

/** The two returns that a task is measured by. */
export interface ReferenceScores {
  readonly random: number;
  readonly solved: number;
  readonly source: string;
}

/** Undiscounted returns of an episode, for the default options of each environment. */
export const referenceScores: Readonly<Record<string, ReferenceScores>> = {
  'cart-pole-v1': {
    random: 20,
    solved: 500,
    source: 'random: about 20 steps until the pole falls; solved: the longest episode',
  },
  'acrobot-v1': {
    random: -500,
    solved: -75,
    source: 'random: the longest episode; solved: tuned PPO of RL Baselines3 Zoo (−73.5)',
  },
  'mountain-car-v0': {
    random: -200,
    solved: -110,
    source: "random: the longest episode; solved: Gymnasium's threshold",
  },
  'mountain-car-continuous-v0': {
    random: -30,
    solved: 90,
    source: "random: the price of random forces, about −30; solved: Gymnasium's threshold",
  },
  'pendulum-v1': {
    random: -1200,
    solved: -150,
    source: 'random: about −1200; solved: what good policies earn (Gymnasium has no threshold)',
  },
  'bandit-v1': { random: 0, solved: 1, source: 'exact: a uniform choice, and the best arm' },
  'grid-world-v1': {
    random: -59.1,
    solved: -25 / 6,
    source: 'exact for 5 × 5 cells: a random walk cut after 100 steps, and −n²/(n + 1)',
  },
  'token-copy-v1': {
    random: 0.75,
    solved: 6,
    source: 'exact for 6 tokens of 8: a uniform choice, and every token right',
  },
};

/** How the returns of one task became scores. */
export interface Normalisation extends ReferenceScores {
  readonly environment: string;
  /** Whether the two returns were taken from the runs themselves, for want of known ones. */
  readonly observed: boolean;
}

/**
 * The known returns of an environment, or the lowest and highest final return of the runs.
 *
 * @param known - false when options of the environment were changed, so that the table does not hold
 */
export function normalisationOf(
  environment: string,
  runs: readonly FinishedRun[],
  known = true,
): Normalisation {
  const reference = referenceScores[environment];
  if (known && reference) return { environment, observed: false, ...reference };
  const returns = runs.filter((run) => run.environment === environment).map((run) => run.finalReturn);
  return {
    environment,
    observed: true,
    random: returns.length > 0 ? Math.min(...returns) : 0,
    solved: returns.length > 0 ? Math.max(...returns) : 1,
    source: 'lowest and highest final return of the runs in this report',
  };
}

/** A return as a score; ½ where all returns that were seen are equal. */
export function normalise(value: number, { random, solved }: ReferenceScores): number {
  return solved === random ? 0.5 : (value - random) / (solved - random);
}
