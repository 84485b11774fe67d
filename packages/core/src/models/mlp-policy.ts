import { z } from 'zod';

import { distributionKind, type ActionDistribution, type DistributionKind } from '../nn/distributions.js';
import { fanInUniform, orthogonal } from '../nn/initialise.js';
import { flat, linear } from '../nn/ops.js';
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
  logStdInit: z
    .number()
    .min(-10)
    .max(2)
    .default(0)
    .describe('boxes: logarithm of the standard deviation at the start'),
  squash: z.boolean().default(false).describe('boxes: actions are tanh of a normal number, within ±1'),
  gsde: z
    .boolean()
    .default(false)
    .describe('boxes: noise is a function of the state that is kept for several steps, Raffin et al. 2021'),
  sdeSampleFreq: z
    .int()
    .min(1)
    .optional()
    .describe('gsde: steps until that function is drawn anew; the whole rollout when left out'),
  fullStd: z
    .boolean()
    .default(true)
    .describe('gsde: a standard deviation for each feature and action, not for each feature alone'),
  orthoInit: z
    .boolean()
    .default(true)
    .describe('orthogonal weights and no biases at the start, not uniform ones in ±1/√inputs'),
});
/** Options of `MlpPolicy` as a user writes them. */
export type MlpPolicyOptions = z.input<typeof mlpPolicyOptions>;
/** Options of `MlpPolicy` with everything filled in. */
export type ResolvedMlpPolicyOptions = z.output<typeof mlpPolicyOptions>;

/**
 * A policy over single observations: two separate networks, one for the distribution of actions and one for the value, with
 * orthogonal weights (gain √2, 0.01 on the policy's last layer, 1 on the value's), as in the PPO implementations of record.
 * Discrete spaces get categorical distributions, boxes diagonal Gaussians or, with `gsde`, state-dependent exploration.
 *
 * It owns its parameters: `dispose` frees them.
 */
export class MlpPolicy implements StepPolicy {
  readonly config: ResolvedMlpPolicyOptions;
  readonly parameters = new ParameterStore();
  readonly actionSize: number;
  readonly stepsPerDraw: number;
  private readonly kind: DistributionKind;
  /** Actions [N, A], their log-probabilities [N] and the values [N], one after the other. */
  private readonly decide: CompiledFunction<tf.Tensor[], tf.Tensor1D>;
  private readonly decideGreedily: CompiledFunction<tf.Tensor[], tf.Tensor1D>;
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
    const { hidden, gsde, fullStd, squash, sdeSampleFreq, logStdInit } = this.config;
    const features = hidden.at(-1) ?? observationSize;
    this.kind = distributionKind(actionSpace, { squash, ...(gsde && { gsde: { features, fullStd } }) });
    this.actionSize = this.kind.actionSize;
    this.stepsPerDraw = gsde ? (sdeSampleFreq ?? Infinity) : 1;
    this.addNetwork('policy', this.kind.outputs, 0.01, seed);
    this.addNetwork('value', 1, 1, seed);
    const { logStdShape } = this.kind;
    if (logStdShape) {
      const size = logStdShape.reduce((a, b) => a * b);
      this.parameters.add('policy.logStd', [...logStdShape], new Float32Array(size).fill(logStdInit));
    }
    // one vector, since each tensor that is handed over takes as long as a layer of a small network
    const decisions = (observations: tf.Tensor2D, choose: (of: ActionDistribution) => tf.Tensor) => {
      const distribution = this.distribution(observations);
      const actions = choose(distribution);
      const logProbs = distribution.logProbs(actions);
      return flat([tf.cast(actions, 'float32'), logProbs, this.network('value', observations)]);
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

  /** {@inheritDoc StepPolicy.draw} */
  draw(count: number, random: RandomStream): Float32Array {
    const { draws, drawnFrom } = this.kind;
    return drawnFrom === 'uniform' ? random.uniforms(count * draws) : random.normals(count * draws);
  }

  /** {@inheritDoc StepPolicy.act} */
  act(observations: Float32Array, draws?: Float32Array): Decisions {
    const count = observations.length / this.observationSize;
    const rows = { data: observations, shape: [count, this.observationSize] };
    const result = draws
      ? this.decide.feed([rows, { data: draws, shape: [count, this.kind.draws] }])
      : this.decideGreedily.feed([rows]);
    const numbers = result.dataSync() as Float32Array;
    result.dispose();
    const size = count * this.actionSize;
    const actions = numbers.subarray(0, size);
    return {
      actions: this.kind.integers ? Int32Array.from(actions) : actions,
      logProbs: numbers.subarray(size, size + count),
      values: numbers.subarray(size + count),
    };
  }

  /** {@inheritDoc StepPolicy.valuesOf} */
  valuesOf(observations: Float32Array): Float32Array {
    const count = observations.length / this.observationSize;
    const values = this.value.feed([{ data: observations, shape: [count, this.observationSize] }]);
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
      const [rows, columns] = [widths[i], widths[i + 1]];
      const gain = i + 2 === widths.length ? lastGain : Math.SQRT2;
      const random = new RandomStream(seed, `policy/${name}/${i}`);
      const { orthoInit } = this.config;
      const weight = orthoInit
        ? orthogonal(rows, columns, gain, random)
        : fanInUniform(rows, rows * columns, random);
      const bias = orthoInit ? new Float32Array(columns) : fanInUniform(rows, columns, random);
      this.parameters.add(`${name}.${i}.weight`, [rows, columns], weight);
      this.parameters.add(`${name}.${i}.bias`, [columns], bias);
    }
  }

  private network(name: string, observations: tf.Tensor2D): tf.Tensor2D {
    return this.lastLayer(name, this.features(name, observations));
  }

  /** What the last layer sees, [N, F]. */
  private features(name: string, observations: tf.Tensor2D): tf.Tensor2D {
    return this.config.hidden.reduce((x, _, i) => {
      const y = this.layer(name, i, x);
      return this.config.activation === 'tanh' ? tf.tanh(y) : tf.relu(y);
    }, observations);
  }

  private lastLayer(name: string, features: tf.Tensor2D): tf.Tensor2D {
    return this.layer(name, this.config.hidden.length, features);
  }

  private layer(name: string, i: number, x: tf.Tensor2D): tf.Tensor2D {
    return linear(x, this.parameters.get(`${name}.${i}.weight`), this.parameters.get(`${name}.${i}.bias`));
  }

  private distribution(observations: tf.Tensor2D): ActionDistribution {
    const features = this.features('policy', observations);
    const logStd = this.kind.logStdShape && this.parameters.get('policy.logStd');
    return this.kind.of(this.lastLayer('policy', features), logStd, features);
  }
}
