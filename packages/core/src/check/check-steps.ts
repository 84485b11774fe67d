/** The checks of step environments, cheapest first; what is broken is not checked further. */
import type { Environment } from '../environment.js';
import {
  checkInPlace,
  checkInterleaved,
  checkLeftover,
  checkRepetition,
  checkState,
} from './compare-episodes.js';
import { actionStream, playEpisode, sameNumbers, type Episode } from './play-episode.js';
import { type Findings, shown } from './rules.js';

/** How much is tried. */
export interface CheckLimits {
  readonly seed: number;
  /** Steps of an episode at most. */
  readonly steps: number;
  readonly episodes: number;
  /** Seconds that playing may take before it is cut short. */
  readonly seconds: number;
  /** Steps, or generated tokens, a second below which an environment counts as slow. */
  readonly leastPerSecond: number;
  /** Milliseconds. */
  readonly now: () => number;
}

/** A speed is measured over so many milliseconds, or steps. */
export const MEASURED_MILLISECONDS = 200;
const MEASURED_STEPS = 20_000;
/** Above this, rewards and observations are huge; rewards below the inverse are tiny. */
const HUGE = 1e3;
/** Shorter episodes may well have one length by their nature. */
const LONG_EPISODE = 10;

/** @returns steps a second, NaN when it did not come to that */
export function checkSteps(make: () => Environment, limits: CheckLimits, findings: Findings): number {
  const environment = make();
  checkParts(environment, make, findings);
  if (findings.broken) return NaN;
  const episodes = playSeveral(environment, limits, findings);
  if (findings.broken) return NaN;
  const [first] = episodes;
  checkRepetition(make, first, findings);
  if (!findings.broken) checkLeftover(make, episodes, findings);
  if (!findings.broken) checkInterleaved(make, episodes, findings);
  if (!findings.broken) checkState(make, first, findings);
  if (!findings.broken) checkInPlace(make, first, findings);
  checkEnds(environment, episodes, limits, findings);
  checkScale(episodes, findings);
  if (findings.broken) return NaN;
  const perSecond = stepsPerSecond(make(), limits);
  if (perSecond < limits.leastPerSecond)
    findings.add(
      'speed',
      `it makes ${Math.round(perSecond)} steps a second; 100 000 steps take ${Math.round(1e5 / perSecond / 60)} minutes.`,
      'Compute once what does not change, allocate less, or train with --workers.',
    );
  return perSecond;
}

function checkParts(environment: Environment, make: () => Environment, findings: Findings): void {
  const { name, observationSpace, actionSpace, maxEpisodeSteps } = environment;
  if (typeof name !== 'string' || name.trim() === '')
    findings.add(
      'name',
      `the name is ${shown(name)}.`,
      'Give the environment a name, for logs and messages.',
    );
  const strange = Object.entries({ observationSpace, actionSpace }).find(
    ([, space]) => typeof space.flatten !== 'function' || typeof space.spec !== 'function',
  );
  if (strange) {
    findings.add(
      'spaces',
      `${strange[0]} is ${shown(strange[1])}.`,
      'Make it by discrete(n), multiDiscrete(sizes) or box(low, high, shape).',
    );
    return;
  }
  const spec = ({ observationSpace: seen, actionSpace: done }: Environment): string =>
    JSON.stringify([seen.spec(), done.spec()]);
  if (spec(environment) !== spec(make()))
    findings.add(
      'spaces-fixed',
      `two instances have different spaces: ${spec(environment)} and ${spec(make())}.`,
      'Let spaces depend on the options alone.',
    );
  if (actionSpace.kind === 'box') {
    const { low, high } = actionSpace;
    const wrong = low.findIndex(
      (bound, i) => !(Number.isFinite(bound) && Number.isFinite(high[i]) && bound < high[i]),
    );
    if (wrong >= 0)
      findings.add(
        'action-bounds',
        `number ${wrong} of an action is between ${low[wrong]} and ${high[wrong]}.`,
        'Give box finite bounds, the low one below the high one: policies act within them.',
      );
  }
  if (maxEpisodeSteps !== undefined && !(Number.isInteger(maxEpisodeSteps) && maxEpisodeSteps >= 1))
    findings.add(
      'max-episode-steps',
      `maxEpisodeSteps is ${shown(maxEpisodeSteps)}.`,
      'Make it an integer ≥ 1, or leave it out where episodes end by themselves.',
    );
  checkPair('state-pair', environment, ['state', 'restore'], findings);
  checkPair('in-place-pair', environment, ['resetInto', 'stepInto'], findings);
}

function checkPair(
  rule: 'state-pair' | 'in-place-pair',
  environment: Environment,
  [a, b]: readonly [string, string],
  findings: Findings,
): void {
  const has = (name: string): boolean => typeof (environment as never)[name] === 'function';
  if (has(a) === has(b)) return;
  const [there, missing] = has(a) ? [a, b] : [b, a];
  findings.add(rule, `it has ${there} and no ${missing}.`, `Add ${missing}, or take ${there} out.`);
}

/** Episodes of several seeds on one instance, until the time is over. */
function playSeveral(environment: Environment, limits: CheckLimits, findings: Findings): Episode[] {
  const { seed, now, seconds } = limits;
  const started = now();
  const late = (): boolean => now() - started > 1000 * seconds;
  const steps = Math.min(environment.maxEpisodeSteps ?? Infinity, limits.steps);
  const episodes: Episode[] = [];
  for (let i = 0; i < limits.episodes && (i === 0 || !late()); i++) {
    const plan = { seed: seed + i, random: actionStream(seed + i), steps, again: i > 0, late };
    const episode = playEpisode(environment, plan, findings);
    if (!episode) break;
    episodes.push(episode);
  }
  return episodes;
}

/** Without looking at what comes back. */
function stepsPerSecond(environment: Environment, { seed, now }: CheckLimits): number {
  const limit = environment.maxEpisodeSteps ?? Infinity;
  const random = actionStream(seed);
  const started = now();
  let steps = 0;
  for (let episode = 0; steps < MEASURED_STEPS && now() - started < MEASURED_MILLISECONDS; episode++) {
    environment.reset(seed + episode);
    for (let t = 0, ended = false; !ended && t < limit; t++) {
      const { terminated, truncated } = environment.step(environment.actionSpace.sample(random));
      steps++;
      ended = terminated || truncated || steps >= MEASURED_STEPS || now() - started >= MEASURED_MILLISECONDS;
    }
  }
  return (1000 * steps) / Math.max(now() - started, 1e-3);
}

function checkEnds(
  { maxEpisodeSteps }: Environment,
  episodes: readonly Episode[],
  { steps }: CheckLimits,
  findings: Findings,
): void {
  if (
    maxEpisodeSteps === undefined &&
    episodes.some((episode) => !episode.ended && episode.steps.length >= steps)
  )
    findings.add(
      'ends',
      `an episode has not ended after ${steps} random steps.`,
      'Set maxEpisodeSteps, which truncates it, or end it by terminated.',
    );
  const [length] = episodes.map((episode) => episode.steps.length);
  const always = episodes.every(
    (episode) => episode.steps.length === length && episode.steps.at(-1)?.terminated === true,
  );
  if (episodes.length > 2 && length >= LONG_EPISODE && always)
    findings.add(
      'time-limit',
      `all of ${episodes.length} random episodes are terminated at step ${length}: that looks like a time limit.`,
      `Set maxEpisodeSteps = ${length} and leave terminated to real ends; after a cut, rewards would have followed, and the value of the last observation is learned from.`,
    );
}

function checkScale(episodes: readonly Episode[], findings: Findings): void {
  const steps = episodes.flatMap((episode) => episode.steps);
  if (steps.length === 0) return;
  const largest = (values: Iterable<number>): number => {
    let most = 0;
    for (const value of values) most = Math.max(most, Math.abs(value));
    return most;
  };
  const reward = largest(steps.map((step) => step.reward));
  if (reward === 0)
    findings.add(
      'reward-seen',
      `all rewards of ${steps.length} random steps are 0.`,
      'Reward steps on the way too, or make the goal easier to come across: there is nothing to learn from.',
    );
  else if (reward > HUGE || reward < 1 / HUGE)
    findings.add(
      'reward-scale',
      `the largest reward of ${steps.length} random steps is ${reward.toPrecision(3)} in size.`,
      `Rewards of about 1 learn best: ${reward > HUGE ? 'divide' : 'multiply'} them, or train with --set collect.normaliseRewards=true.`,
    );
  const observations = [...episodes.map(({ start }) => start), ...steps.map((step) => step.observation)];
  if (observations.every((observation) => sameNumbers(observation, observations[0])))
    findings.add(
      'observation-varies',
      `all of ${observations.length} observations are the same.`,
      'Put into the observation what tells one situation from another; check that step updates it.',
    );
  const size = largest(observations.flat());
  if (size > HUGE)
    findings.add(
      'observation-scale',
      `the largest entry of an observation is ${size.toPrecision(3)} in size.`,
      'Divide it to about 1, or train with --set collect.normaliseObservations=true.',
    );
}
