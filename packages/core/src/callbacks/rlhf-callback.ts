import { writeChart } from '../charts/chart.js';
import { curveChart, type CurvePanel } from '../charts/curve-chart.js';
import { forecastChart, type ForecastWindow } from '../charts/forecast-chart.js';
import type { SequenceBatch, SequenceEnvironment, TrajectoryView } from '../environment.js';
import { ConfigError } from '../errors.js';
import type { SequencePolicy } from '../policy.js';
import { type RandomStream } from '../random.js';
import type { Rollout } from '../rollout/rollout.js';
import type { Callback, Metrics, Progress } from './callback.js';

/** What is drawn, of whom, where and how often. */
export interface RLHFCallbackOptions<Batch extends SequenceBatch = SequenceBatch> {
  /** Where the pictures go, for example `runs/x/plots`. */
  folder: string;
  /** Updates between forecast pictures; there is always one at the start and at the end. @defaultValue 50 */
  every?: number;
  policy: SequencePolicy;
  /** Its forecast is drawn beside the policy's. */
  referencePolicy?: SequencePolicy;
  /** Must have `view`. */
  environment: SequenceEnvironment<Batch>;
  /** The windows and the samples are drawn from its forks, so that training does not notice. */
  random: RandomStream;
  /** Windows in a picture, the same in all of them. @defaultValue 6 */
  windows?: number;
  /** Sampled paths a window. @defaultValue 16 */
  samples?: number;
  /** The metric that is plotted below the reward, when it is reported. @defaultValue 'kl/exactPerToken' */
  klMetric?: string;
  /** What earlier parts of a resumed run had: mean reward and KL by update. */
  history?: readonly RewardPoint[];
}

/** What the reward picture shows of one update. */
export interface RewardPoint {
  update: number;
  /** Mean over the batch of the score of a sequence, which is the sum of its rewards. */
  meanReward: number;
  kl?: number;
}

/**
 * Watches a fine-tuning run: the mean reward of every batch, and pictures of generated against true trajectories
 * (`forecast-000050.svg`, `.png`) for a fixed set of windows; at the end `reward.svg`, `.png`.
 */
export class RLHFCallback<Batch extends SequenceBatch = SequenceBatch> implements Callback {
  /** One point an update, in order. */
  readonly rewards: RewardPoint[];
  private readonly options: Required<Omit<RLHFCallbackOptions<Batch>, 'referencePolicy' | 'history'>> & {
    referencePolicy?: SequencePolicy;
  };
  private readonly batch: Batch;
  private meanReward = 0;
  private plottedUpdate?: number;

  /** @throws {ConfigError} when the environment cannot show its trajectories */
  constructor(options: RLHFCallbackOptions<Batch>) {
    const { every = 50, windows = 6, samples = 16, klMetric = 'kl/exactPerToken', history = [] } = options;
    for (const [name, value] of Object.entries({ every, windows, samples })) {
      if (!Number.isInteger(value) || value < 1)
        throw new ConfigError(`RLHFCallback.${name} is an integer ≥ 1; got ${value}.`);
    }
    if (!options.environment.view) {
      throw new ConfigError(
        `The environment "${options.environment.name}" has no view(), so there is nothing to draw; run without RLHFCallback.`,
      );
    }
    this.options = { ...options, every, windows, samples, klMetric };
    this.rewards = [...history];
    this.batch = options.environment.sample(windows, options.random.fork('windows'));
  }

  async onTrainingStart({ update }: Progress): Promise<void> {
    await this.plotForecasts(update);
  }

  onRolloutEnd({ rollout }: { rollout: Rollout }): void {
    this.meanReward = meanScore(rollout);
  }

  async onUpdateEnd({ update, metrics }: Progress & { metrics: Metrics }): Promise<void> {
    this.rewards.push({ update, meanReward: this.meanReward, kl: metrics[this.options.klMetric] });
    if (update % this.options.every === 0) await this.plotForecasts(update);
  }

  async onTrainingEnd({ update }: Progress): Promise<void> {
    await this.plotForecasts(update);
    if (this.rewards.length > 0) await this.plotRewards();
  }

  private async plotForecasts(update: number): Promise<void> {
    if (this.plottedUpdate === update) return;
    this.plottedUpdate = update;
    const { folder, samples, policy, referencePolicy } = this.options;
    const views = this.sampleViews(policy);
    const referenceViews = referencePolicy && this.sampleViews(referencePolicy);
    const chart = forecastChart({
      title: `Generated and true trajectories after ${update} ${update === 1 ? 'update' : 'updates'}`,
      yLabel: commonLabel(views.map(([{ valueLabel }]) => valueLabel)),
      windows: views.map((fan, row) => toWindow(fan, referenceViews?.[row])),
      names: { mean: `policy, mean of ${samples}`, reference: `reference, mean of ${samples}` },
    });
    await writeChart(folder, `forecast-${String(update).padStart(6, '0')}`, chart);
  }

  /** [window][sample]; the random numbers are the same in every picture, and for policy and reference. */
  private sampleViews(policy: SequencePolicy): TrajectoryView[][] {
    const { environment, samples, random } = this.options;
    const { size, contextTokens } = this.batch;
    const { horizon } = environment;
    const repeated = new Int32Array(samples * contextTokens.length);
    for (let s = 0; s < samples; s++) repeated.set(contextTokens, s * contextTokens.length);
    const { tokens } = policy.generate({
      contextTokens: repeated,
      batchSize: samples * size,
      horizon,
      random: random.fork('samples'),
    });
    return Array.from({ length: size }, (_, row) =>
      Array.from({ length: samples }, (_, s) => {
        const generated = tokens.slice(s * size * horizon, (s + 1) * size * horizon); // [B, L]
        return environment.view!(this.batch, row, generated);
      }),
    );
  }

  private async plotRewards(): Promise<void> {
    const { folder } = this.options;
    const { rewards } = this;
    const reward = rewards.map(({ update, meanReward }): [number, number] => [update, meanReward]);
    const kl = rewards.flatMap((p): [number, number][] => (p.kl === undefined ? [] : [[p.update, p.kl]]));
    const smoothing = Math.floor(rewards.length / 40);
    const panels: CurvePanel[] = [
      {
        yLabel: 'mean reward per sequence',
        series: [{ name: 'mean reward of the batch', points: reward, smoothing }],
      },
    ];
    if (kl.length > 0)
      panels.push({ yLabel: this.klLabel(), series: [{ name: 'KL to the reference', points: kl }] });
    await writeChart(folder, 'reward', curveChart({ title: 'Mean reward and KL to the reference', panels }));
  }

  private klLabel(): string {
    return this.options.klMetric.endsWith('PerSequence') ? 'KL [nats per sequence]' : 'KL [nats per token]';
  }
}

/** Windows of one picture may come from several data sets. */
function commonLabel(labels: readonly string[]): string {
  return new Set(labels).size === 1 ? labels[0] : 'value';
}

/** Mean over sequences of the sum of rewards over real steps. */
function meanScore({ rewards, mask, batchSize }: Rollout): number {
  let sum = 0;
  for (let i = 0; i < rewards.length; i++) sum += rewards[i] * mask[i];
  return sum / batchSize;
}

function toWindow(fan: readonly TrajectoryView[], referenceFan?: readonly TrajectoryView[]): ForecastWindow {
  const { title, context, target } = fan[0];
  const mean = (views: readonly TrajectoryView[]): number[] =>
    target.map((_, t) => views.reduce((sum, { predicted }) => sum + predicted[t], 0) / views.length);
  return {
    title,
    context,
    truth: target,
    samples: fan.map(({ predicted }) => predicted),
    mean: mean(fan),
    reference: referenceFan && mean(referenceFan),
  };
}
