/** What the Degradation Transformer costs at the size of the main job: generating, scoring, and a training step. */
import { Reinforce } from '@rollcast/algos';
import { DegradationTransformer, RandomStream, SequenceCollector, tf } from '@rollcast/core';
import { TokenCopy } from '@rollcast/envs';

import type { Prepared, SpeedTask } from './measure.js';

/** Trajectories of the main job: B × (W + L) tokens. */
const BATCH = 64;
const CONTEXT = 40;
const HORIZON = 60;
const VOCABULARY = 256;

const common = {
  group: `Degradation Transformer, ${BATCH} × (${CONTEXT} + ${HORIZON}) tokens`,
  unit: 'tokens',
  perCall: BATCH * HORIZON,
};

export const transformerTasks: readonly SpeedTask[] = [
  { ...common, name: 'generate', prepare: generate },
  { ...common, name: 'score', prepare: score },
  { ...common, name: 'REINFORCE update, KL to the reference included', prepare: update },
];

const newModel = (): DegradationTransformer => new DegradationTransformer({ vocabularySize: VOCABULARY });

function generate(): Prepared {
  const model = newModel();
  const contextTokens = tokens('contexts', BATCH * CONTEXT);
  const random = new RandomStream(0, 'speed/samples');
  return {
    run: () => model.generate({ contextTokens, batchSize: BATCH, horizon: HORIZON, random }),
    dispose: () => model.dispose(),
  };
}

function score(): Prepared {
  const model = newModel();
  const contexts = tf.tensor2d(tokens('contexts', BATCH * CONTEXT), [BATCH, CONTEXT], 'int32');
  const actions = tf.tensor2d(tokens('actions', BATCH * HORIZON), [BATCH, HORIZON], 'int32');
  return {
    run: () => {
      const { logProbs, values, logDistribution } = model.score(contexts, actions);
      logProbs.dataSync(); // backends compute when a number is asked for
      tf.dispose([logProbs, values, logDistribution]);
    },
    dispose: () => {
      tf.dispose([contexts, actions]);
      model.dispose();
    },
  };
}

/** One gradient step over the whole batch, again and again from the same rollout. */
function update(): Prepared {
  const policy = newModel();
  const referencePolicy = policy.clone({ trainable: false });
  const environment = new TokenCopy({ vocabularySize: VOCABULARY, contextLength: CONTEXT, horizon: HORIZON });
  const collector = new SequenceCollector({
    environment,
    policy,
    referencePolicy,
    batchSize: BATCH,
    seed: 0,
  });
  const { rollout } = collector.collect(0);
  collector.dispose();
  referencePolicy.dispose();
  const algorithm = new Reinforce(
    policy,
    { learningRateDecay: false },
    { updates: 1, batchSize: BATCH, seed: 0 },
  );
  return {
    run: () => algorithm.update(rollout),
    dispose: () => {
      algorithm.dispose();
      policy.dispose();
    },
  };
}

function tokens(name: string, count: number): Int32Array {
  const random = new RandomStream(0, `speed/${name}`);
  return Int32Array.from({ length: count }, () => random.integer(VOCABULARY));
}
