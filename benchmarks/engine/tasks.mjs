// What the engine benchmark measures: the work of fine-tuning at the plan's size.
import { PPO } from '@rollcast/algos';
import {
  Adam,
  DegradationTransformer,
  GradientSteps,
  RandomStream,
  SequenceCollector,
  compile,
  tf,
} from '@rollcast/core';

/** Calls of the small network in one task. */
export const ACT_CALLS = 1000;
/** Rows of the square matrices whose product gives the machine's own rate. */
export const SGEMM_SIZE = 1024;

/** W points of context, L generated. */
export const SIZE = { batch: 64, context: 40, horizon: 60, width: 64, layers: 3, heads: 4, vocabulary: 256 };

/**
 * Floating-point operations of one training step as the textbook has them: every position through every matrix and all pairs
 * of positions, forward once and backward twice.
 */
export function trainingFlops({ batch, context, horizon, width, layers, vocabulary }) {
  const length = context + horizon - 1;
  const matrices = layers * 12 * width * width * length + vocabulary * width * horizon;
  const attention = layers * 2 * width * length * length;
  return 3 * 2 * batch * (matrices + attention);
}

/** Everything the tasks need on the backend in use; `tasks` by name, `dispose` frees it. */
export function prepare(size = SIZE) {
  const { batch, context, horizon, width, layers, heads, vocabulary } = size;
  const randomTokens = (count, name) =>
    Int32Array.from(new RandomStream(1, `bench/${name}`).uniforms(count), (u) => Math.floor(u * vocabulary));
  const environment = {
    name: 'bench',
    vocabularySize: vocabulary,
    contextLength: context,
    horizon,
    sample: (count) => ({ size: count, contextTokens: randomTokens(count * context, 'contexts') }),
    reward: (_batch, generated) => ({
      reward: Float32Array.from(generated, (token) => -((token / vocabulary) ** 2)),
      components: {},
    }),
  };
  const options = { vocabularySize: vocabulary, width, layers, heads, attentionWindow: context + horizon };
  const model = new DegradationTransformer(options, 1);
  const reference = model.clone({ trainable: false });
  const optimizer = new Adam(model.parameters);
  const ppo = new PPO(
    model,
    { updateEpochs: 4, minibatchSize: batch },
    { updates: 1000, batchSize: batch, seed: 1 },
  );
  const rows = {
    contexts: { data: randomTokens(batch * context, 'contexts'), shape: [batch, context] },
    actions: { data: randomTokens(batch * horizon, 'actions'), shape: [batch, horizon] },
  };
  const scoring = compile((contexts, actions) => model.score(contexts, actions).logProbs);
  const part = ({ data, shape: [, width] }, start, count) =>
    tf.tensor2d(data.subarray(start * width, (start + count) * width), [count, width], 'int32');
  const partRows = Math.min(batch, model.rowsPerPass(context + horizon));
  const scoredParts = Array.from({ length: Math.ceil(batch / partRows) }, (_, i) =>
    [rows.contexts, rows.actions].map((array) =>
      part(array, i * partRows, Math.min(partRows, batch - i * partRows)),
    ),
  );
  const steps = new GradientSteps({
    parameters: model.parameters,
    optimizer,
    maxGradNorm: 0.5,
    name: 'bench',
    rowsPerPass: model.rowsPerPass(context + horizon),
    loss: (tensors) => {
      const { logProbs, values } = model.score(tensors.contexts, tensors.actions);
      return { loss: tf.add(tf.neg(tf.mean(logProbs)), tf.mean(tf.square(values))) };
    },
  });
  const collector = new SequenceCollector({
    environment,
    policy: model,
    referencePolicy: reference,
    batchSize: batch,
    seed: 1,
  });
  let update = 0;
  const tasks = {
    'train-step': () => void steps.step({ rows, learningRate: 1e-4 / (1 + update++) }),
    rollout: () =>
      void model.generate({
        contextTokens: rows.contexts.data,
        batchSize: batch,
        horizon,
        random: new RandomStream(1, `bench/actions/${update++}`),
      }),
    // in parts that run on all cores, as the reference is scored in training
    score: () =>
      tf.tidy(() => {
        const parts = scoring.map(scoredParts);
        for (const logProbs of parts) logProbs.dataSync();
      }),
    'ppo-iteration': () => void ppo.update(collector.collect(update++).rollout),
    ...smallTasks(),
  };
  // reading a parameter makes a lazy backend finish its work
  const finish = () => void model.parameters.variable('embedding').dataSync();
  const dispose = () => {
    tf.dispose(scoredParts);
    scoring.dispose();
    steps.dispose();
    collector.dispose();
    optimizer.dispose();
    ppo.dispose();
    model.dispose();
    reference.dispose();
  };
  return { tasks, finish, dispose };
}

/** A 2 × 64 network acting on 4 environments, and a square product of matrices for the machine's own rate. */
function smallTasks() {
  const weights = [
    [4, 64],
    [64, 64],
    [64, 2],
  ].map((shape) => tf.variable(tf.fill(shape, 0.1)));
  const act = compile((x) => weights.reduce((hidden, w) => tf.tanh(tf.matMul(hidden, w)), x));
  const multiply = compile((a, b) => tf.matMul(a, b));
  let square;
  return {
    act: () => {
      for (let i = 0; i < ACT_CALLS; i++) tf.tidy(() => void act(tf.ones([4, 4])).dataSync());
    },
    sgemm: () => {
      square ??= tf.randomUniform([SGEMM_SIZE, SGEMM_SIZE], 0, 1, 'float32', 1);
      const product = multiply(square, square);
      product.dataSync();
      product.dispose();
    },
  };
}
