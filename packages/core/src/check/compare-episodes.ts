/** What two plays of one episode tell: whether seeds, resets, instances, saved states and the fast path agree. */
import type { Environment, InPlaceSteps } from '../environment.js';
import { actionArray } from '../spaces.js';
import {
  actionStream,
  copyOf,
  numbersOf,
  playEpisode,
  sameNumbers,
  type Episode,
  type RecordedStep,
} from './play-episode.js';
import { Findings, thrown } from './rules.js';

/** The same seed and length again; what goes wrong only now is said by the comparison. */
function again(environment: Environment, { seed, steps }: Episode): Episode | undefined {
  return playEpisode(environment, { seed, random: actionStream(seed), steps: steps.length }, new Findings());
}

/** Two new instances, one seed. */
export function checkRepetition(make: () => Environment, first: Episode, findings: Findings): void {
  const difference = firstDifference(first, again(make(), first));
  if (difference)
    findings.add(
      'deterministic',
      `two new instances with seed ${first.seed} and the same actions differ: ${difference}.`,
      'Draw every random number from new RandomStream(seed, this.name), made in reset; no Math.random, no clock, nothing kept outside of the instance.',
    );
}

/** One instance, whose episodes must not depend on those before. */
export function checkLeftover(
  make: () => Environment,
  episodes: readonly Episode[],
  findings: Findings,
): void {
  const environment = make();
  for (const episode of [episodes.at(-1)!, episodes[0], episodes[0]]) {
    const difference = firstDifference(episode, again(environment, episode));
    if (!difference) continue;
    findings.add(
      'reset-leftover',
      `the episode of seed ${episode.seed} is another one after other episodes: ${difference}.`,
      'Set everything in reset(seed) that an episode changes, the random stream too.',
    );
    return;
  }
}

/** Two instances that take turns must do what each does alone. */
export function checkInterleaved(
  make: () => Environment,
  episodes: readonly Episode[],
  findings: Findings,
): void {
  const pair = [episodes[0], episodes.at(-1)!].map((episode) => ({ episode, environment: make() }));
  const length = Math.min(...pair.map(({ episode }) => episode.steps.length));
  try {
    const starts = pair.map(({ environment, episode }) => environment.reset(episode.seed));
    let same = pair.every(({ episode }, i) => sameNumbers(numbersOf(starts[i]), episode.start));
    for (let t = 0; t < length && same; t++)
      for (const { environment, episode } of pair) {
        const { action, observation, reward } = episode.steps[t];
        const result = environment.step(copyOf(action));
        same &&= sameNumbers(numbersOf(result.observation), observation) && Object.is(result.reward, reward);
      }
    if (same) return;
  } catch {
    // the same mistake: alone it did not fail
  }
  findings.add(
    'instances-independent',
    'two instances that step in turns give other results than each alone.',
    'Keep what changes in fields of the instance, not in variables of the module or static fields.',
  );
}

/** A new instance goes on from the middle of an episode. */
export function checkState(make: () => Environment, first: Episode, findings: Findings): void {
  const environment = make();
  if (!environment.state || !environment.restore) return;
  const middle = Math.floor(first.steps.length / 2);
  environment.reset(first.seed);
  for (const { action } of first.steps.slice(0, middle)) environment.step(copyOf(action));
  let saved: unknown;
  try {
    saved = environment.state();
  } catch (error) {
    findings.add(
      'state-json',
      `state() failed in an episode: ${thrown(error)}`,
      'Let state return plain JSON.',
    );
    return;
  }
  const text = JSON.stringify(saved);
  const odd = notJson(saved, 'state()');
  if (odd) {
    findings.add(
      'state-json',
      `${odd}.`,
      'Return objects, arrays, texts, booleans and finite numbers; Array.from(…) makes a typed array plain.',
    );
    return;
  }
  const mend =
    'Put everything into state that the next step depends on, RandomStream.state() too, and set all of it in restore.';
  try {
    const other = make();
    other.restore!(JSON.parse(text));
    for (const [i, expected] of first.steps.slice(middle).entries()) {
      const result = other.step(copyOf(expected.action));
      const difference = stepDifference(expected, {
        ...result,
        action: 0,
        observation: numbersOf(result.observation),
      });
      if (!difference) continue;
      findings.add('restore-exact', `${i + 1} steps after restore, ${difference}.`, mend);
      return;
    }
  } catch (error) {
    findings.add('restore-exact', `restore into a new instance failed: ${thrown(error)}`, mend);
  }
}

/** The path and kind of the first value that JSON does not give back. */
function notJson(value: unknown, path: string): string | undefined {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return undefined;
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : `${path} is ${value}`;
  const plain = Array.isArray(value) || Object.getPrototypeOf(value ?? 0) === Object.prototype;
  if (typeof value !== 'object' || !plain) {
    const kind = typeof value === 'object' ? (value.constructor?.name ?? 'object') : typeof value;
    return `${path} is no JSON (${kind})`;
  }
  for (const [key, inner] of Object.entries(value)) {
    const found = inner === undefined ? undefined : notJson(inner, `${path}.${key}`);
    if (found) return found;
  }
  return undefined;
}

/** In row 1 of two, so that an implementation that forgets the row is found. */
export function checkInPlace(make: () => Environment, first: Episode, findings: Findings): void {
  const environment = make() as Environment & Partial<InPlaceSteps>;
  const { observationSpace, actionSpace } = environment;
  if (!environment.resetInto || !environment.stepInto) return;
  const row = 1;
  const width = observationSpace.flatSize;
  const buffers = {
    actions: actionArray(actionSpace, 2),
    observations: new Float32Array(2 * width),
    rewards: new Float64Array(2),
    terminated: new Uint8Array(2),
    truncated: new Uint8Array(2),
  };
  const seen = (): number[] => Array.from(buffers.observations.subarray(row * width, (row + 1) * width));
  const expected = (observation: readonly number[]): number[] => {
    const out = new Float32Array(width);
    observationSpace.flatten(observationSpace.kind === 'discrete' ? observation[0] : observation, out, 0);
    return Array.from(out);
  };
  const differs = (where: string): void =>
    findings.add(
      'in-place-agrees',
      `${where} of the episode of seed ${first.seed} is another one by resetInto and stepInto than by reset and step.`,
      'Read and write row `index` of the buffers; let one of the two call the other.',
    );
  try {
    environment.resetInto(first.seed, buffers, row);
    if (!sameNumbers(seen(), expected(first.start))) return differs('the start');
    for (const [i, step] of first.steps.entries()) {
      buffers.actions.set(
        typeof step.action === 'number' ? [step.action] : step.action,
        row * actionSpace.size,
      );
      environment.stepInto(buffers, row);
      const same =
        sameNumbers(seen(), expected(step.observation)) &&
        buffers.rewards[row] === step.reward &&
        buffers.terminated[row] === Number(step.terminated) &&
        (buffers.truncated[row] === Number(step.truncated) || step.terminated);
      if (!same) return differs(`step ${i + 1}`);
    }
  } catch (error) {
    findings.add(
      'in-place-agrees',
      `resetInto or stepInto failed: ${thrown(error)}`,
      'Let them do what reset and step do.',
    );
  }
}

function firstDifference(expected: Episode, got: Episode | undefined): string | undefined {
  if (!got) return 'the second one failed';
  if (!sameNumbers(expected.start, got.start)) return 'they start differently';
  for (const [i, step] of expected.steps.entries()) {
    const difference = got.steps[i] ? stepDifference(step, got.steps[i]) : 'the episode has ended before';
    if (difference) return `at step ${i + 1}, ${difference}`;
  }
  return undefined;
}

function stepDifference(expected: RecordedStep, got: RecordedStep): string | undefined {
  if (!Object.is(expected.reward, got.reward))
    return `the reward is ${got.reward} instead of ${expected.reward}`;
  if (!sameNumbers(expected.observation, got.observation)) return 'the observation is another one';
  if (expected.terminated !== got.terminated) return `terminated is ${got.terminated}`;
  return expected.truncated === got.truncated ? undefined : `truncated is ${got.truncated}`;
}
