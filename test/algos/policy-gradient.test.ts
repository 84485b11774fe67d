/** What all algorithms have in common on sequences: they learn, repeat, resume, and leave the reference and the memory alone. */
import { beforeAll, describe, expect, test } from '@jest/globals';

import {
  CheckpointError,
  DegradationTransformer,
  NumericalError,
  Trainer,
  collectSequences,
  type Algorithm,
  type AlgorithmState,
  type Metrics,
  type NamedArray,
  type Rollout,
  type SequencePolicy,
} from '@rollcast/core';
import { builtInAlgorithms } from '@rollcast/algos';

import { useBackend } from '../support/backends.js';
import { RepeatEnvironment } from '../support/repeat-environment.js';
import { expectNoTensorLeft } from '../support/tensors.js';

beforeAll(() => useBackend('wasm'));

const environment = new RepeatEnvironment();
const batchSize = 32;
const seed = 5;
const model = (): DegradationTransformer =>
  new DegradationTransformer({ vocabularySize: 6, width: 16, layers: 1, heads: 2 }, 1);

function create(name: string, policy: SequencePolicy, options: object, updates: number): Algorithm {
  return builtInAlgorithms().get(name).create(policy, options, { updates, batchSize, seed });
}

interface Run {
  policy: DegradationTransformer;
  reference: DegradationTransformer;
  algorithm: Algorithm;
  /** Of every update, without the clock. */
  metrics: Metrics[];
}

/** Where a run goes on: everything that a checkpoint would hold. */
interface Saved {
  weights: Record<string, NamedArray>;
  state: AlgorithmState;
  update: number;
}

async function train(
  name: string,
  options: object,
  updates: number,
  { until = updates, from }: { until?: number; from?: Saved } = {},
): Promise<Run> {
  const policy = model();
  const reference = policy.clone({ trainable: false });
  const algorithm = create(name, policy, options, updates);
  if (from) {
    policy.parameters.load(from.weights);
    algorithm.restore(from.state);
  }
  const metrics: Metrics[] = [];
  await new Trainer({
    environment,
    policy,
    referencePolicy: reference,
    algorithm,
    batchSize,
    updates,
    seed,
    startUpdate: from?.update,
    callbacks: [
      {
        onUpdateEnd: ({ update, metrics: all }) => {
          // statistics of episodes belong to the collector, which the trainer makes anew here
          const own = Object.entries(all).filter(([key]) => !/^(time|episode)\//.test(key));
          metrics.push(Object.fromEntries(own));
          return update === until ? 'stop' : undefined;
        },
      },
    ],
  }).run();
  return { policy, reference, algorithm, metrics };
}

/** Everything that decides how a run goes on, told apart bit by bit. */
const outcome = ({ policy, algorithm, metrics }: Run) => ({
  weights: policy.parameters.save(),
  state: algorithm.state(),
  metrics,
});

const fast = { learningRate: 0.01, klControl: { coefficient: 0.01 } };

/** One rollout as the algorithm asks for it. */
function collected(algorithm: Algorithm, policy: SequencePolicy, referencePolicy?: SequencePolicy): Rollout {
  const { samplesPerContext, needsGreedyRollout: greedyBaseline } = algorithm;
  return collectSequences({
    ...{ environment, policy, referencePolicy, batchSize, seed, update: 0 },
    ...{ samplesPerContext, greedyBaseline },
  }).rollout;
}

const oneStep = { ...fast, learningRate: 0.02, entropyCoef: 0.02 };
const epochs = { ...fast, learningRateDecay: false, updateEpochs: 2, minibatchSize: 16 };

describe.each<[string, string, object, number]>([
  ['reinforce', 'moving average', oneStep, 60],
  ['reinforce', 'value head', { ...oneStep, baseline: 'value' }, 80],
  ['reinforce', 'self-critical', { ...oneStep, baseline: 'self-critical', normaliseAdvantages: false }, 140],
  ['a2c', 'generalised advantages', oneStep, 80],
  ['ppo', 'clip', epochs, 40],
  ['ppo', 'penalty', { ...epochs, form: 'kl-penalty', trustRegion: { target: 0.05 } }, 40],
  ['rloo', 'by step', oneStep, 100],
  ['grpo', 'by step', { ...epochs, samplesPerContext: 4 }, 60],
])('%s, %s', (name, _variant, options, updates) => {
  test('learns to repeat the last token, keeps the reference bit for bit, and starts at ratio 1 and KL 0', async () => {
    const { policy, reference, metrics } = await train(name, options, updates);
    const mean = (part: Metrics[]): number =>
      part.reduce((sum, m) => sum + m['reward/mean'], 0) / part.length;
    // a blind policy gets 4/6, a perfect one 4
    expect(mean(metrics.slice(0, 3))).toBeLessThan(1.2);
    expect(mean(metrics.slice(-10))).toBeGreaterThan(2);
    expect(reference.parameters.save()).toEqual(model().parameters.save());
    expect(policy.parameters.save()['embedding']).not.toEqual(reference.parameters.save()['embedding']);
    expect(metrics[0]['kl/exactPerToken']).toBeAllClose(0, { atol: 1e-6 });
    expect(metrics.at(-1)!['kl/exactPerToken']).toBeGreaterThan(0.1);
    for (const m of metrics) expect(m[`${name}/firstRatioDeviation`]).toBeLessThan(1e-4);
    expect(metrics.flatMap((m) => Object.values(m)).every(Number.isFinite)).toBe(true);
  });

  test('the same seed gives the same run, twice', async () => {
    expect(outcome(await train(name, options, 3))).toEqual(outcome(await train(name, options, 3)));
  });

  test('saved, restored and continued, a run is the run that was never interrupted', async () => {
    const moving = {
      ...options,
      learningRateDecay: true,
      klControl: { kind: 'adaptive', target: 0.02, coefficient: 0.1 },
    };
    const whole = await train(name, moving, 6);
    const half = await train(name, moving, 6, { until: 3 });
    const { arrays, values } = half.algorithm.state();
    const saved: Saved = {
      weights: half.policy.parameters.save(),
      state: { arrays, values: JSON.parse(JSON.stringify(values)) as typeof values },
      update: 3,
    };
    const rest = await train(name, moving, 6, { from: saved });
    const expected = outcome(whole);
    expect(outcome(rest)).toEqual({ ...expected, metrics: expected.metrics.slice(3) });
  });

  test('an update leaves no tensor behind, and dispose frees the optimiser', () => {
    const policy = model();
    const referencePolicy = policy.clone({ trainable: false });
    const asking = create(name, policy, options, 2);
    const rollout = collected(asking, policy, referencePolicy);
    asking.dispose();
    expectNoTensorLeft(() => {
      const algorithm = create(name, policy, options, 2);
      expectNoTensorLeft(() => algorithm.update(rollout));
      expectNoTensorLeft(() => algorithm.restore(algorithm.state()));
      algorithm.dispose();
    });
  });

  test('a failed update leaves no tensor behind and the parameters as they were', () => {
    const policy = model();
    const before = policy.parameters.save();
    const algorithm = create(name, policy, options, 2);
    const rollout = collected(algorithm, policy);
    const poisoned = { ...rollout, logProbs: rollout.logProbs.map((x, i) => (i % 7 ? x : NaN)) };
    expectNoTensorLeft(() => expect(() => algorithm.update(poisoned)).toThrow(NumericalError));
    expect(policy.parameters.save()).toEqual(before);
  });

  test('options that are refused leave no tensor behind', () => {
    const policy = model();
    expectNoTensorLeft(() =>
      expect(() => create(name, policy, { klControl: { estimator: 'k1' } }, 2)).toThrow(
        'k1 in the loss has zero expected gradient',
      ),
    );
  });

  test('the state of another algorithm is refused, and nothing changes', () => {
    const policy = model();
    const algorithm = create(name, policy, options, 2);
    algorithm.update(collected(algorithm, policy));
    const before = algorithm.state();
    const other = create(name === 'ppo' ? 'reinforce' : 'ppo', policy, {}, 2).state();
    expect(() => algorithm.restore(other)).toThrow(`The checkpoint was not written by ${name.toUpperCase()}`);
    expect(() => algorithm.restore({ ...before, arrays: {} })).toThrow(CheckpointError);
    expect(() => algorithm.restore({ ...before, values: { ...before.values, powers: 1 } })).toThrow(
      CheckpointError,
    );
    expect(algorithm.state()).toEqual(before);
  });

  test('the learning rate falls linearly to 0 over the run when asked to', async () => {
    const { metrics } = await train(name, { ...options, learningRate: 0.01, learningRateDecay: true }, 4);
    expect(metrics.map((m) => m[`${name}/learningRate`])).toBeAllClose([0.01, 0.0075, 0.005, 0.0025], {
      atol: 1e-12,
    });
  });

  test('a scorer that is not the sampler is caught by the ratio', async () => {
    const scorer = model();
    const sampler = new DegradationTransformer({ ...scorer.config, temperature: 0.5 }, 1);
    const policy: SequencePolicy = {
      vocabularySize: 6,
      parameters: scorer.parameters,
      generate: (request) => sampler.generate(request),
      score: (contexts, actions) => scorer.score(contexts, actions),
      scoreRows: (rows) => scorer.scoreRows(rows),
    };
    const algorithm = create(name, policy, options, 1);
    const run = new Trainer({ environment, policy, algorithm, batchSize, updates: 1, seed }).run();
    await expect(run).rejects.toThrow('Sampler and scorer are different functions');
  });

  test('an unknown option suggests the nearest', () => {
    expect(() => create(name, model(), { learningrate: 1 }, 1)).toThrow(
      `${name}.learningrate: unknown option. Did you mean "learningRate"?`,
    );
    expect(() => create(name, model(), { klControl: { taget: 1 } }, 1)).toThrow(
      `${name}.klControl.taget: unknown option. Did you mean "target"?`,
    );
  });
});
