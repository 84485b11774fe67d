// What the engine benchmark measures: the work of fine-tuning at the plan's size.
import { PPO } from '@rollcast/algos';
import {
  Adam,
  DegradationTransformer,
  GradientSteps,
  RandomStream,
  SequenceCollector,
  tf,
} from '@rollcast/core';

/** W points of context, L generated. */
export const SIZE = { batch: 64, context: 40, horizon: 60, width: 64, layers: 3, heads: 4, vocabulary: 256 };

function randomTokens(count, name) {
  return Int32Array.from(new RandomStream(1, `bench/${name}`).uniforms(count), (u) =>
    Math.floor(u * SIZE.vocabulary),
  );
}

const environment = {
  name: 'bench',
  vocabularySize: SIZE.vocabulary,
  contextLength: SIZE.context,
  horizon: SIZE.horizon,
  sample: (size) => ({ size, contextTokens: randomTokens(size * SIZE.context, 'contexts') }),
  reward: (_batch, generated) => ({
    reward: Float32Array.from(generated, (token) => -((token / SIZE.vocabulary) ** 2)),
    components: {},
  }),
};

/** Everything the tasks need on the backend in use; `tasks` by name, `dispose` frees it. */
export function prepare() {
  const { batch, context, horizon, width, layers, heads, vocabulary } = SIZE;
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
  const [contexts, actions] = [rows.contexts, rows.actions].map(({ data, shape }) =>
    tf.tensor2d(data, shape, 'int32'),
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
    score: () => tf.tidy(() => void model.score(contexts, actions).logProbs.dataSync()),
    'ppo-iteration': () => void ppo.update(collector.collect(update++).rollout),
  };
  // reading a parameter makes a lazy backend finish its work
  const finish = () => void model.parameters.variable('embedding').dataSync();
  const dispose = () => {
    tf.dispose([contexts, actions]);
    steps.dispose();
    collector.dispose();
    optimizer.dispose();
    ppo.dispose();
    model.dispose();
    reference.dispose();
  };
  return { tasks, finish, dispose };
}
