import type { SequenceBatch, SequenceEnvironment } from '../environment.js';
import { ConfigError } from '../errors.js';
import type { SequencePolicy } from '../policy.js';
import { RandomStream } from '../random.js';
import { calling } from './calling.js';
import type { Collected, RolloutCollector } from './collector.js';
import { EpisodeStatistics, type EpisodeStatisticsState } from './episode-statistics.js';
import { repeatBatch, repeatRows } from './repeat-batch.js';
import type { Rollout } from './rollout.js';
import { checkContexts, checkedReward, rewardPerStep, sumsOfRows } from './sequence-checks.js';
import { SequenceReferenceScorer } from './sequence-reference.js';
import { refuseSharedWeights } from './shared-weights.js';

/** Who generates in what, and how many trajectories. */
export interface CollectorOptions {
  environment: SequenceEnvironment;
  /**
   * The environment of each update, where it changes over the run (a growing horizon): a function of the number of the update
   * alone, so that a resumed run goes on as it would have.
   */
  environmentAt?: (update: number) => SequenceEnvironment;
  policy: SequencePolicy;
  /** Frozen; without it the rollouts have no reference scores. */
  referencePolicy?: SequencePolicy;
  /** B, trajectories. */
  batchSize: number;
  seed: number;
  /** k, trajectories of each context, one after the other; a divisor of B. @defaultValue 1 */
  samplesPerContext?: number;
  /** Also lets the policy continue each context greedily; the rollout has the rewards of that. @defaultValue false */
  greedyBaseline?: boolean;
}

/** Options of a single rollout. */
export interface CollectOptions extends CollectorOptions {
  /** Which update this is for: it names the random streams, so that a resumed run draws what the first would have. */
  update: number;
}

/** One rollout; see `SequenceCollector`, which is faster for many. */
export function collectSequences(options: CollectOptions): Collected & { batch: SequenceBatch } {
  const collector = new SequenceCollector(options);
  try {
    return collector.collect(options.update);
  } finally {
    collector.dispose();
  }
}

/**
 * Samples contexts, lets the policy continue them, asks the environment for rewards and the reference for its scores.
 * Collecting leaves no tensor behind; `dispose` frees what was compiled, and nothing that it was given.
 */
export class SequenceCollector implements RolloutCollector {
  private readonly reference: SequenceReferenceScorer | undefined;
  private readonly statistics = new EpisodeStatistics();

  /**
   * @throws {ConfigError} when the samples of a context do not divide the batch, or are fewer than the reward compares
   * @throws {NumericalError} when policy and reference share weights
   */
  constructor(private readonly options: CollectorOptions) {
    const { batchSize, samplesPerContext: k = 1 } = options;
    if (!Number.isInteger(k) || k < 1 || batchSize % k !== 0) {
      throw new ConfigError(
        `samplesPerContext must be an integer that divides the batch (${batchSize} trajectories); got ${k}.`,
      );
    }
    refuseFewSamples(options.environment, options.greedyBaseline ? 1 : k);
    refuseSharedWeights(options.policy, options.referencePolicy);
    if (options.referencePolicy) this.reference = new SequenceReferenceScorer(options.referencePolicy);
  }

  get policy(): SequencePolicy {
    return this.options.policy;
  }

  get referencePolicy(): SequencePolicy | undefined {
    return this.options.referencePolicy;
  }

  /** Tokens generated so far, greedy ones not counted. */
  get stepsDone(): number {
    return this.statistics.stepsDone;
  }

  /** Mean return of the last 100 sequences; NaN before the first. */
  get recentReturn(): number {
    return this.statistics.recentReturn;
  }

  /**
   * @param update - which update this is for: it names the random streams, so that a resumed run draws what the first would
   *   have
   * @throws {EnvironmentError} when the contexts do not fit the policy, or a reward or component is of the wrong size or
   *   not finite
   */
  collect(update: number): Collected & { batch: SequenceBatch } {
    const { policy, batchSize, seed, samplesPerContext = 1 } = this.options;
    const environment = this.options.environmentAt?.(update) ?? this.options.environment;
    const { horizon, contextLength } = environment;
    const contexts = batchSize / samplesPerContext;
    const sampled = calling(environment, `sample of update ${update + 1}`, () =>
      environment.sample(contexts, new RandomStream(seed, `rollout/contexts/${update}`)),
    );
    checkContexts(environment, sampled, contexts, policy.vocabularySize);
    const batch = repeatBatch(environment, sampled, samplesPerContext);
    const generation = policy.generate({
      contextTokens: batch.contextTokens,
      batchSize,
      horizon,
      random: new RandomStream(seed, `rollout/actions/${update}`),
      withDistribution: this.reference !== undefined,
    });
    const { reward, components } = checkedReward(environment, batch, generation.tokens, update);
    const terminated = new Uint8Array(batchSize * horizon);
    for (let b = 0; b < batchSize; b++) terminated[(b + 1) * horizon - 1] = 1;
    const rollout: Rollout = {
      batchSize,
      steps: horizon,
      actions: generation.tokens,
      logProbs: generation.logProbs,
      values: generation.values,
      rewards: rewardPerStep(reward, batchSize, horizon),
      components,
      terminated,
      truncated: new Uint8Array(batchSize * horizon),
      bootstrapValues: new Float32Array(batchSize * horizon),
      mask: new Float32Array(batchSize * horizon).fill(1),
      inputs: { contextTokens: batch.contextTokens, contextLength },
      ...(samplesPerContext > 1 && { samplesPerContext }),
      ...(batch.targets && { targets: batch.targets }),
      ...(environment.tokenValues && { tokenValues: Float32Array.from(environment.tokenValues) }),
      ...(this.options.greedyBaseline && {
        greedyRewards: this.greedyRewards(environment, sampled, update),
      }),
      ...(this.reference && { reference: this.reference.score(batch, generation, horizon) }),
    };
    this.statistics.add(batchSize * horizon, sumsOfRows(rollout.rewards, batchSize));
    return { rollout, batch, metrics: { ...rolloutMetrics(rollout), ...this.statistics.metrics() } };
  }

  /** What it has counted, as plain JSON; nothing else passes from rollout to rollout. */
  state(): EpisodeStatisticsState {
    return this.statistics.state();
  }

  /** Goes on from what `state` gave. */
  restore(state: unknown): void {
    this.statistics.restore(state as EpisodeStatisticsState);
  }

  dispose(): void {
    this.reference?.dispose();
  }

  /** [B, L] rewards of the most likely continuation of each context, on every row of that context. */
  private greedyRewards(
    environment: SequenceEnvironment,
    sampled: SequenceBatch,
    update: number,
  ): Float32Array {
    const { policy, samplesPerContext = 1 } = this.options;
    const { horizon } = environment;
    const { size, contextTokens } = sampled;
    const { tokens } = policy.generate({ contextTokens, batchSize: size, horizon });
    const { reward } = checkedReward(environment, sampled, tokens, update);
    return repeatRows(rewardPerStep(reward, size, horizon), size, samplesPerContext);
  }
}

/** @param samples - trajectories of a context that are scored together; a greedy one is by itself */
function refuseFewSamples({ name, minSamplesPerContext = 1 }: SequenceEnvironment, samples: number): void {
  if (samples >= minSamplesPerContext) return;
  throw new ConfigError(
    `The reward of the environment "${name}" compares the trajectories of a context with each other, ${minSamplesPerContext} or more of them; got ${samples}. Ask for more, for example --algo rloo --set rloo.samplesPerContext=${Math.max(4, minSamplesPerContext)}.`,
  );
}

/** Means over the rollout: the reward as optimised (a sum over steps), every component, the KL with its unit. */
function rolloutMetrics(rollout: Rollout): Record<string, number> {
  const { batchSize, rewards, components, greedyRewards, reference } = rollout;
  const sum = (x: Float32Array): number => x.reduce((a, b) => a + b, 0);
  const metrics: Record<string, number> = { 'reward/mean': sum(rewards) / batchSize };
  for (const [name, values] of Object.entries(components))
    metrics[`reward/${name}`] = sum(values) / values.length;
  if (greedyRewards) metrics['reward/greedyMean'] = sum(greedyRewards) / batchSize;
  if (reference) {
    const total = sum(reference.exactKl);
    metrics['kl/exactPerToken'] = total / sum(rollout.mask);
    metrics['kl/exactPerSequence'] = total / batchSize;
  }
  return metrics;
}
