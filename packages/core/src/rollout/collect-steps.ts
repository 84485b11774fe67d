import { EnvironmentError } from '../errors.js';
import type { Policy, StepPolicy } from '../policy.js';
import { RandomStream } from '../random.js';
import type { FinishedEpisode, VectorEnvironment } from '../vector/vector-environment.js';
import type { Collected, RolloutCollector } from './collector.js';
import { EpisodeStatistics, type EpisodeStatisticsState } from './episode-statistics.js';
import type { Rollout } from './rollout.js';
import { StepReferenceScorer } from './step-reference.js';

/** Who acts in what, and for how many steps. */
export interface StepCollectorOptions {
  environment: VectorEnvironment;
  policy: StepPolicy;
  /** Frozen, over the same observations; without it the rollouts have no reference scores. */
  referencePolicy?: Policy;
  /** T, steps of each instance a rollout. */
  stepsPerRollout: number;
  seed: number;
}

interface StepCollectorState extends EpisodeStatisticsState {
  readonly environment: unknown;
}

/**
 * Lets a policy act in N instances of a step environment, T steps a rollout; episodes go on from rollout to rollout.
 *
 * Where an episode is cut, by its time limit or because the rollout ends, the value of the observation that followed is what
 * the rollout bootstraps from. It owns neither environment nor policy. Collecting leaves no tensor behind.
 */
export class StepCollector implements RolloutCollector {
  private observations: Float32Array | undefined;
  private readonly statistics = new EpisodeStatistics();
  private readonly reference: StepReferenceScorer | undefined;

  /**
   * @throws {EnvironmentError} when the policy's actions do not fit the environment
   * @throws {NumericalError} when policy and reference share weights
   */
  constructor(private readonly options: StepCollectorOptions) {
    const { environment, policy, referencePolicy } = options;
    if (policy.actionSize !== environment.actionSpace.size) {
      throw new EnvironmentError(
        `The policy's actions have ${policy.actionSize} numbers; an action of "${environment.name}" is ${environment.actionSpace.describe()}.`,
      );
    }
    if (referencePolicy) this.reference = new StepReferenceScorer(policy, referencePolicy);
  }

  get policy(): StepPolicy {
    return this.options.policy;
  }

  get referencePolicy(): Policy | undefined {
    return this.options.referencePolicy;
  }

  /** Environment steps so far, of all instances together. */
  get stepsDone(): number {
    return this.statistics.stepsDone;
  }

  /** Mean return of the last 100 episodes; NaN before the first has ended. */
  get recentReturn(): number {
    return this.statistics.recentReturn;
  }

  /**
   * One rollout.
   *
   * @param update - which update this is for: it names the random stream of the actions
   */
  collect(update: number): Collected {
    const { environment, policy, stepsPerRollout: steps, seed } = this.options;
    const { count, observationSize, actionSpace } = environment;
    const size = count * steps;
    const actionSize = actionSpace.size;
    const rollout = {
      batchSize: count,
      steps,
      actions:
        actionSpace.kind === 'box' ? new Float32Array(size * actionSize) : new Int32Array(size * actionSize),
      logProbs: new Float32Array(size),
      values: new Float32Array(size),
      rewards: new Float32Array(size),
      components: {},
      terminated: new Uint8Array(size),
      truncated: new Uint8Array(size),
      bootstrapValues: new Float32Array(size),
      mask: new Float32Array(size).fill(1),
      inputs: { observations: new Float32Array(size * observationSize), observationSize },
    } satisfies Rollout;
    const random = new RandomStream(seed, `rollout/actions/${update}`);
    let draws: Float32Array | undefined;
    const cuts = new BootstrapRows(policy, count, observationSize);
    const episodes: FinishedEpisode[] = [];
    this.observations ??= environment.reset(seed);
    for (let t = 0; t < steps; t++) {
      const observations = this.observations;
      for (let n = 0; n < count; n++) {
        const [from, to] = [n * observationSize, (n * steps + t) * observationSize];
        for (let i = 0; i < observationSize; i++)
          rollout.inputs.observations[to + i] = observations[from + i];
      }
      if (t % policy.stepsPerDraw === 0) draws = policy.draw(count, random);
      const decisions = policy.act(observations, draws);
      const step = environment.step(decisions.actions);
      for (let n = 0; n < count; n++) {
        const at = n * steps + t;
        for (let a = 0; a < actionSize; a++)
          rollout.actions[at * actionSize + a] = decisions.actions[n * actionSize + a];
        rollout.logProbs[at] = decisions.logProbs[n];
        rollout.values[at] = decisions.values[n];
        rollout.rewards[at] = step.rewards[n];
        rollout.terminated[at] = step.terminated[n];
        rollout.truncated[at] = step.truncated[n];
        if (step.truncated[n]) cuts.add(at, step.finalObservations, n);
        else if (t === steps - 1 && !step.terminated[n]) {
          rollout.truncated[at] = 1; // the episode goes on in the next rollout
          cuts.add(at, step.observations, n);
        }
      }
      episodes.push(...step.episodes);
      this.observations = step.observations;
    }
    cuts.write(rollout.bootstrapValues);
    this.statistics.add(
      size,
      episodes.map((episode) => episode.return),
    );
    const reference = this.reference?.score(rollout);
    return {
      rollout: { ...rollout, ...(reference && { reference }) },
      episodes,
      metrics: {
        ...this.metrics(episodes),
        ...(reference && { 'kl/exactPerStep': mean(reference.exactKl) }),
      },
    };
  }

  /** Everything that the next rollout depends on besides the policy, as plain JSON. Starts the episodes if need be. */
  state(): unknown {
    const { environment, seed } = this.options;
    this.observations ??= environment.reset(seed);
    return {
      environment: environment.state(),
      ...this.statistics.state(),
    } satisfies StepCollectorState;
  }

  /** Goes on from what `state` gave. */
  restore(state: unknown): void {
    const saved = state as StepCollectorState;
    this.observations = this.options.environment.restore(saved.environment);
    this.statistics.restore(saved);
  }

  dispose(): void {
    this.reference?.dispose();
  }

  private metrics(episodes: readonly FinishedEpisode[]): Record<string, number> {
    return {
      ...this.statistics.metrics(),
      ...(episodes.length > 0 && {
        'episode/return': mean(episodes.map((episode) => episode.return)),
        'episode/length': mean(episodes.map((episode) => episode.length)),
      }),
    };
  }
}

function mean(numbers: readonly number[] | Float32Array): number {
  let sum = 0;
  for (const number of numbers) sum += number;
  return sum / numbers.length;
}

/** Observations after cuts, whose values are asked for N at a time, so that they are compiled for one size. */
class BootstrapRows {
  private readonly places: number[] = [];
  private readonly rows: Float32Array[] = [];

  constructor(
    private readonly policy: StepPolicy,
    private readonly count: number,
    private readonly width: number,
  ) {}

  /** @param place - where the value of this observation goes */
  add(place: number, observations: Float32Array, instance: number): void {
    this.places.push(place);
    this.rows.push(observations.slice(instance * this.width, (instance + 1) * this.width));
  }

  write(values: Float32Array): void {
    for (let first = 0; first < this.rows.length; first += this.count) {
      const batch = new Float32Array(this.count * this.width);
      const chosen = this.rows.slice(first, first + this.count);
      chosen.forEach((row, i) => batch.set(row, i * this.width));
      const found = this.policy.valuesOf(batch);
      chosen.forEach((_, i) => (values[this.places[first + i]] = found[i]));
    }
  }
}
