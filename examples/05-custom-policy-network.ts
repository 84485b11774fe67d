/**
 * A policy network of your own in plain TensorFlow.js: one trunk for actions and values, with a connection that skips a layer.
 *
 *     npx tsx examples/05-custom-policy-network.ts [steps, 100000]
 *
 * Expect: half a minute on two cores; the mean return of the last 100 episodes of CartPole rises from about 20 to over 300.
 */
import { PPO } from '@rollcast/algos';
import {
  ParameterStore,
  RandomStream,
  StepCollector,
  Trainer,
  orthogonal,
  selectBackend,
  tf,
  vectorise,
  type Decisions,
  type PolicyScores,
  type StepPolicy,
} from '@rollcast/core';
import { CartPole } from '@rollcast/envs';

/** A policy says how to act (`act`), how good a state is (`valuesOf`), and scores what was done (`scoreRows`). */
class SkipPolicy implements StepPolicy {
  readonly parameters = new ParameterStore();
  readonly actionSize = 1; // one of `choices`
  readonly stepsPerDraw = 1;

  constructor(
    private readonly observationSize: number,
    private readonly choices: number,
    seed: number,
    width = 64,
  ) {
    const add = (name: string, rows: number, columns: number, gain: number): void => {
      const weights = orthogonal(rows, columns, gain, new RandomStream(seed, `policy/${name}`));
      this.parameters.add(name, [rows, columns], weights);
      this.parameters.add(`${name}.bias`, [columns], new Float32Array(columns));
    };
    add('in', observationSize, width, Math.SQRT2);
    add('middle', width, width, Math.SQRT2);
    add('logits', width, choices, 0.01);
    add('value', width, 1, 1);
  }

  /** [R, O] observations → [R, choices] log-probabilities and [R, 1] values. */
  private network(observations: tf.Tensor2D): { logDistribution: tf.Tensor2D; values: tf.Tensor2D } {
    const layer = (x: tf.Tensor2D, name: string): tf.Tensor2D =>
      tf.add(tf.matMul(x, this.parameters.get(name)), this.parameters.get(`${name}.bias`));
    const first = tf.tanh(layer(observations, 'in'));
    const trunk = tf.add<tf.Tensor2D>(first, tf.tanh(layer(first, 'middle')));
    return { logDistribution: tf.logSoftmax(layer(trunk, 'logits')), values: layer(trunk, 'value') };
  }

  /** One uniform number decides an action. */
  draw(count: number, random: RandomStream): Float32Array {
    return random.uniforms(count);
  }

  act(observations: Float32Array, draws?: Float32Array): Decisions {
    const count = observations.length / this.observationSize;
    const [logDistribution, values] = tf.tidy(() => {
      const { logDistribution, values } = this.network(
        tf.tensor2d(observations, [count, this.observationSize]),
      );
      return [logDistribution.dataSync(), values.dataSync()] as [Float32Array, Float32Array];
    });
    const actions = new Int32Array(count);
    const logProbs = new Float32Array(count);
    for (let n = 0; n < count; n++) {
      const row = logDistribution.subarray(n * this.choices, (n + 1) * this.choices);
      actions[n] = draws ? draw(row, draws[n]) : row.indexOf(Math.max(...row));
      logProbs[n] = row[actions[n]];
    }
    return { actions, logProbs, values };
  }

  valuesOf(observations: Float32Array): Float32Array {
    return this.act(observations).values;
  }

  /** What PPO differentiates: rows of one step each. */
  scoreRows({ observations, actions }: Readonly<Record<string, tf.Tensor>>): PolicyScores {
    const { logDistribution, values } = this.network(observations as tf.Tensor2D);
    const chosen = tf.oneHot(tf.reshape<tf.Rank.R1>(actions, [-1]), this.choices);
    return {
      logProbs: tf.sum(tf.mul(logDistribution, chosen), 1, true),
      values,
      entropy: () => tf.neg(tf.sum(tf.mul(tf.exp(logDistribution), logDistribution), 1, true)),
    };
  }

  dispose(): void {
    this.parameters.dispose();
  }
}

/** The first choice at which the probabilities add up to u. */
function draw(logDistribution: Float32Array, u: number): number {
  let left = u;
  const found = logDistribution.findIndex((logProb) => (left -= Math.exp(logProb)) < 0);
  return found < 0 ? logDistribution.length - 1 : found;
}

const steps = Number(process.argv[2] ?? 100_000);
const [seed, instances, stepsPerRollout] = [1, 8, 32];
const batchSize = instances * stepsPerRollout;
const updates = Math.ceil(steps / batchSize);

await selectBackend('auto');
const environment = await vectorise(() => new CartPole(), { count: instances });
const policy = new SkipPolicy(environment.observationSize, 2, seed);
const algorithm = new PPO(
  policy,
  {
    learningRate: 1e-3,
    gamma: 0.98,
    gaeLambda: 0.8,
    updateEpochs: 20,
    minibatchSize: 256,
    normaliseReturns: false,
  },
  { updates, batchSize, seed },
);
const collector = new StepCollector({ environment, policy, stepsPerRollout, seed });
await new Trainer({
  collector,
  algorithm,
  updates,
  callbacks: [
    {
      onUpdateEnd({ update }) {
        if (update % 40 === 0 || update === updates)
          console.log(`${update * batchSize} steps: return ${collector.recentReturn.toFixed(1)}`);
      },
    },
  ],
}).run();

collector.dispose();
algorithm.dispose();
policy.dispose();
await environment.close();
