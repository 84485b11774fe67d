import { z } from 'zod';

import { distributionKind, type ActionDistribution, type DistributionKind } from '../nn/distributions.js';
import { orthogonal } from '../nn/initialise.js';
import { linear } from '../nn/ops.js';
import { ParameterStore } from '../nn/parameters.js';
import { resolveOptions } from '../options.js';
import type { Decisions, PolicyScores, StepPolicy } from '../policy.js';
import { RandomStream } from '../random.js';
import type { Space } from '../spaces.js';
import { compile, tf, type CompiledFunction } from '../tf.js';

/** Schema of the options of `MlpPolicy`: ranges, defaults, and what each one is. */
export const mlpPolicyOptions = z.strictObject({
  hidden: z.array(z.int().min(1).max(4096)).max(8).default([64, 64]).describe('widths of the hidden layers'),
  activation: z.enum(['tanh', 'relu']).default('tanh').describe('after every hidden layer'),
  logStd: z
    .number()
    .min(-10)
    .max(2)
    .default(0)
    .describe('boxes: logarithm of the standard deviation at the start'),
  squash: z.boolean().default(false).describe('boxes: actions are tanh of a normal number, within ±1'),
});
/** Options of `MlpPolicy` as a user writes them. */
export type MlpPolicyOptions = z.input<typeof mlpPolicyOptions>;
/** Options of `MlpPolicy` with everything filled in. */
export type ResolvedMlpPolicyOptions = z.output<typeof mlpPolicyOptions>;

/**
 * A policy over single observations: two separate networks, one for the distribution of actions and one for the value, with
 * orthogonal weights (gain √2, 0.01 on the policy's last layer, 1 on the value's), as in the PPO implementations of record.
 * Discrete spaces get categorical distributions, boxes diagonal Gaussians.
 *
 * It owns its parameters: `dispose` frees them.
 */
export class MlpPolicy implements StepPolicy {
  readonly config: ResolvedMlpPolicyOptions;
  readonly parameters = new ParameterStore();
  readonly actionSize: number;
  private readonly kind: DistributionKind;
  private readonly decide: CompiledFunction<tf.Tensor[], Record<keyof Decisions, tf.Tensor>>;
  private readonly decideGreedily: CompiledFunction<tf.Tensor[], Record<keyof Decisions, tf.Tensor>>;
  private readonly value: CompiledFunction<tf.Tensor[], tf.Tensor1D>;

  /**
   * @param observationSize - O
   * @param seed - of the initial weights
   * @throws {ConfigError} when an option is wrong or does not fit the space
   */
  constructor(
    readonly observationSize: number,
    actionSpace: Space,
    options: MlpPolicyOptions = {},
    seed = 0,
  ) {
    this.config = resolveOptions(mlpPolicyOptions, options, 'policy');
    this.kind = distributionKind(actionSpace, this.config);
    this.actionSize = this.kind.actionSize;
    this.addNetwork('policy', this.kind.outputs, 0.01, seed);
    this.addNetwork('value', 1, 1, seed);
    if (!this.kind.integers)
      this.parameters.add(
        'policy.logStd',
        [this.actionSize],
        new Float32Array(this.actionSize).fill(this.config.logStd),
      );
    const decisions = (observations: tf.Tensor2D, choose: (of: ActionDistribution) => tf.Tensor) => {
      const distribution = this.distribution(observations);
      const actions = choose(distribution);
      return {
        actions,
        logProbs: distribution.logProbs(actions),
        values: this.network('value', observations).reshape([-1]),
      };
    };
    this.decide = compile((observations, draws) =>
      decisions(observations as tf.Tensor2D, (of) => of.sample(draws as tf.Tensor2D)),
    );
    this.decideGreedily = compile((observations) =>
      decisions(observations as tf.Tensor2D, (of) => of.mode()),
    );
    this.value = compile((observations) =>
      tf.reshape<tf.Rank.R1>(this.network('value', observations as tf.Tensor2D), [-1]),
    );
  }

  /** {@inheritDoc StepPolicy.act} */
  act(observations: Float32Array, random?: RandomStream): Decisions {
    const count = observations.length / this.observationSize;
    const { draws, drawnFrom } = this.kind;
    const result = tf.tidy(() => {
      const rows = tf.tensor2d(observations, [count, this.observationSize]);
      if (!random) return this.decideGreedily(rows);
      const numbers =
        drawnFrom === 'uniform' ? random.uniforms(count * draws) : random.normals(count * draws);
      return this.decide(rows, tf.tensor2d(numbers, [count, draws]));
    });
    const decisions = {
      actions: result.actions.dataSync() as Int32Array | Float32Array,
      logProbs: result.logProbs.dataSync() as Float32Array,
      values: result.values.dataSync() as Float32Array,
    };
    tf.dispose(result);
    return decisions;
  }

  /** {@inheritDoc StepPolicy.valuesOf} */
  valuesOf(observations: Float32Array): Float32Array {
    const count = observations.length / this.observationSize;
    const values = tf.tidy(() => this.value(tf.tensor2d(observations, [count, this.observationSize])));
    const numbers = values.dataSync() as Float32Array;
    values.dispose();
    return numbers;
  }

  /** {@inheritDoc Policy.scoreRows} @param rows - `observations` [R, O] and `actions` [R, 1] or [R, 1, A] */
  scoreRows(rows: Readonly<Record<string, tf.Tensor>>): PolicyScores {
    const observations = rows['observations'] as tf.Tensor2D;
    const count = observations.shape[0];
    const distribution = this.distribution(observations);
    const column = (x: tf.Tensor): tf.Tensor2D => tf.reshape(x, [count, 1]);
    const { logDistribution } = distribution;
    return {
      logProbs: column(distribution.logProbs(tf.reshape(rows['actions'], [count, this.actionSize]))),
      values: column(this.network('value', observations)),
      entropy: () => column(distribution.entropy()),
      distribution: () => tf.expandDims<tf.Tensor3D>(distribution.parameters(), 1),
      klTo: (reference) => column(distribution.klTo(tf.reshape(reference, [count, -1]))),
      ...(logDistribution && {
        logDistribution: tf.reshape<tf.Rank.R3>(logDistribution, [count, 1, this.kind.outputs]),
      }),
    };
  }

  dispose(): void {
    for (const compiled of [this.decide, this.decideGreedily, this.value]) compiled.dispose();
    this.parameters.dispose();
  }

  private addNetwork(name: string, outputs: number, lastGain: number, seed: number): void {
    const widths = [this.observationSize, ...this.config.hidden, outputs];
    for (let i = 0; i + 1 < widths.length; i++) {
      const gain = i + 2 === widths.length ? lastGain : Math.SQRT2;
      const random = new RandomStream(seed, `policy/${name}/${i}`);
      const weight = orthogonal(widths[i], widths[i + 1], gain, random);
      this.parameters.add(`${name}.${i}.weight`, [widths[i], widths[i + 1]], weight);
      this.parameters.add(`${name}.${i}.bias`, [widths[i + 1]], new Float32Array(widths[i + 1]));
    }
  }

  private network(name: string, observations: tf.Tensor2D): tf.Tensor2D {
    const { hidden, activation } = this.config;
    let x = observations;
    for (let i = 0; i <= hidden.length; i++) {
      x = linear(x, this.parameters.get(`${name}.${i}.weight`), this.parameters.get(`${name}.${i}.bias`));
      if (i < hidden.length) x = activation === 'tanh' ? tf.tanh(x) : tf.relu(x);
    }
    return x;
  }

  private distribution(observations: tf.Tensor2D): ActionDistribution {
    const logStd = this.kind.integers ? undefined : this.parameters.get<tf.Rank.R1>('policy.logStd');
    return this.kind.of(this.network('policy', observations), logStd);
  }
}
