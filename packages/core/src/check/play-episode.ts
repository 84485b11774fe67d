/** One random episode of a step environment, everything that it returns looked at. */
import type { Environment, StepResult } from '../environment.js';
import { RandomStream } from '../random.js';
import type { SpaceValue } from '../spaces.js';
import { type Findings, shown, thrown } from './rules.js';

/** What a step gave, as plain values. */
export interface RecordedStep {
  readonly action: SpaceValue;
  readonly observation: readonly number[];
  readonly reward: number;
  readonly terminated: boolean;
  readonly truncated: boolean;
}

export interface Episode {
  readonly seed: number;
  readonly start: readonly number[];
  readonly steps: readonly RecordedStep[];
  /** Whether the environment has ended it. */
  readonly ended: boolean;
}

export interface EpisodePlan {
  readonly seed: number;
  /** Draws the actions. */
  readonly random: RandomStream;
  /** Steps at most. */
  readonly steps: number;
  /** Whether an episode has ended before on this instance. */
  readonly again?: boolean;
  /** Asked after each step; true ends the play. */
  readonly late?: () => boolean;
}

/** The stream that the random actions of a seed come from. */
export const actionStream = (seed: number): RandomStream => new RandomStream(seed, 'check/actions');

const SHAPE_MEND = 'Return what observationSpace says, or correct observationSpace.';

/** Plays until the end, the limit or a mistake; undefined when nothing more can be made of it. */
export function playEpisode(
  environment: Environment,
  plan: EpisodePlan,
  findings: Findings,
): Episode | undefined {
  const { seed, random, late = () => false } = plan;
  let first: SpaceValue;
  try {
    first = environment.reset(seed);
  } catch (error) {
    if (plan.again)
      findings.add(
        'reset-after-end',
        `reset(${seed}) after the end of an episode failed: ${thrown(error)}`,
        'Let reset start an episode at any time, whatever went before.',
      );
    else findings.add('reset', `reset(${seed}) failed: ${thrown(error)}`, 'Let reset start an episode.');
    return undefined;
  }
  const start = checkedObservation(environment, first, `reset(${seed})`, findings);
  if (!start) return undefined;
  const steps: RecordedStep[] = [];
  let held: { given: SpaceValue; was: readonly number[] } = { given: first, was: start };
  for (let ended = false; !ended && steps.length < plan.steps && !late();) {
    const place = `step ${steps.length + 1} of the episode of seed ${seed}`;
    const action = environment.actionSpace.sample(random);
    const result = checkedStep(environment, action, place, findings);
    if (!result) return undefined;
    const observation = checkedObservation(environment, result.observation, place, findings);
    if (!observation) return undefined;
    if (!sameNumbers(numbersOf(held.given), held.was))
      findings.add(
        'observation-copied',
        `${place} changed the observation that was handed over before.`,
        'Return a new array each time, for example Float32Array.from(this.position).',
      );
    held = { given: result.observation, was: observation };
    const { reward, terminated, truncated } = result;
    steps.push({ action: copyOf(action), observation, reward, terminated, truncated });
    ended = terminated || truncated;
  }
  const last = steps.at(-1);
  return { seed, start, steps, ended: last !== undefined && (last.terminated || last.truncated) };
}

/** A step whose result can be read; undefined otherwise. */
function checkedStep(
  environment: Environment,
  action: SpaceValue,
  place: string,
  findings: Findings,
): StepResult | undefined {
  const given = copyOf(action);
  let result: Partial<StepResult> | undefined;
  try {
    result = environment.step(action);
  } catch (error) {
    findings.add(
      'step',
      `${place} failed on the action ${described(given)}: ${thrown(error)}`,
      'Let step take every action of actionSpace, or narrow actionSpace.',
    );
    return undefined;
  }
  if (result instanceof Promise) {
    result.catch(() => undefined);
    notSynchronous(place, 'step', findings);
    return undefined;
  }
  if (!sameNumbers(numbersOf(action), numbersOf(given)))
    findings.add(
      'action-kept',
      `${place} changed the action that it was given from ${described(given)} to ${described(action)}.`,
      'Copy the action before changing it.',
    );
  const fields = ['observation', 'reward', 'terminated', 'truncated'] as const;
  const missing = fields.filter((field) => result?.[field] === undefined);
  if (typeof result !== 'object' || result === null || missing.length > 0) {
    findings.add(
      'step-result',
      `${place} returned ${missing.length === 4 ? shown(result) : `no ${missing.join(', no ')}`}.`,
      'Return { observation, reward, terminated, truncated }.',
    );
    return undefined;
  }
  return checkNumbers(result as StepResult, place, findings) ? (result as StepResult) : undefined;
}

/** Reward, flags and info; false when the episode cannot go on. */
function checkNumbers(result: StepResult, place: string, findings: Findings): boolean {
  const { reward, terminated, truncated, info } = result;
  if (typeof reward !== 'number') {
    findings.add('reward-number', `${place} returned the reward ${shown(reward)}.`, 'Return one number.');
    return false;
  }
  if (!Number.isFinite(reward)) {
    findings.add(
      'reward-finite',
      `${place} returned the reward ${reward}.`,
      'Look for a division by zero, the logarithm of 0 or an undefined value.',
    );
    return false;
  }
  if (typeof terminated !== 'boolean' || typeof truncated !== 'boolean') {
    findings.add(
      'end-flags',
      `${place} returned terminated ${shown(terminated)} and truncated ${shown(truncated)}.`,
      'Return true or false for both.',
    );
    return false;
  }
  if (terminated && truncated)
    findings.add(
      'one-end',
      `${place} is terminated and truncated at once.`,
      'Say terminated where nothing can follow, truncated where the episode is only cut; terminated goes first.',
    );
  const wrong = Object.entries(info ?? {}).find(([, value]) => !Number.isFinite(value));
  if (wrong)
    findings.add(
      'info',
      `${place} returned ${wrong[0]} = ${shown(wrong[1])} in info.`,
      'Put finite numbers into info and nothing else.',
    );
  return true;
}

/** The numbers of an observation that fits its space; undefined when it cannot be used. */
function checkedObservation(
  { observationSpace: space }: Environment,
  observation: unknown,
  place: string,
  findings: Findings,
): number[] | undefined {
  if (observation instanceof Promise) {
    notSynchronous(place, 'reset', findings);
    return undefined;
  }
  const isArray = Array.isArray(observation) || ArrayBuffer.isView(observation);
  const values = isArray ? Array.from(observation as ArrayLike<unknown>) : [observation];
  const strange = values.find((value) => typeof value !== 'number');
  if (isArray === (space.kind === 'discrete') && (isArray || typeof observation === 'number')) {
    const got = isArray ? `${values.length} numbers in an array` : 'one number by itself';
    findings.add(
      'observation-shape',
      `${place} returned ${got}; observationSpace says ${space.describe()}.`,
      SHAPE_MEND,
    );
    return undefined;
  }
  if (strange !== undefined || values.includes(undefined)) {
    findings.add(
      'observation-dtype',
      `${place} returned an observation with ${shown(strange)} (${typeof strange}) in it.`,
      `Return ${space.kind === 'discrete' ? 'an integer' : 'an array of numbers'}.`,
    );
    return undefined;
  }
  const numbers = values as number[];
  if (numbers.length !== space.size) {
    findings.add(
      'observation-shape',
      `${place} returned ${numbers.length} numbers; observationSpace says ${space.describe()}.`,
      SHAPE_MEND,
    );
    return undefined;
  }
  const infinite = numbers.findIndex((value) => !Number.isFinite(Math.fround(value)));
  if (infinite >= 0) {
    findings.add(
      'observation-finite',
      `${place} returned ${numbers[infinite]} as entry ${infinite} of the observation.`,
      'Look for a division by zero or an undefined value; float32 holds numbers up to 3.4e38.',
    );
    return undefined;
  }
  const outside = space.outside(numbers, 0);
  if (outside >= 0) {
    findings.add(
      'observation-range',
      `${place} returned ${numbers[outside]} as entry ${outside} of the observation; observationSpace says ${space.describe()}.`,
      'Clip the observation, or widen observationSpace.',
    );
    return undefined;
  }
  return numbers;
}

function notSynchronous(place: string, method: string, findings: Findings): void {
  findings.add(
    'synchronous',
    `${place} returned a promise.`,
    `Let ${method} return its value at once: leave out async, and load what takes time before, in create.`,
  );
}

/** A value of a space as plain numbers. */
export function numbersOf(value: SpaceValue): number[] {
  return typeof value === 'number' ? [value] : Array.from(value);
}

export function sameNumbers(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((value, i) => Object.is(value, b[i]));
}

export function copyOf(value: SpaceValue): SpaceValue {
  if (typeof value === 'number') return value;
  return ArrayBuffer.isView(value) ? (value as Float32Array).slice() : Array.from(value);
}

function described(action: SpaceValue): string {
  return typeof action === 'number' ? String(action) : `[${Array.from(action).join(', ')}]`;
}
