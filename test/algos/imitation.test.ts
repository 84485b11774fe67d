/** The controls that learn from the truth: losses by other means, and what they refuse. */
import { beforeAll, describe, expect, test } from '@jest/globals';

import {
  DegradationTransformer,
  MlpPolicy,
  RandomStream,
  Trainer,
  discrete,
  tf,
  type Policy,
  type Rollout,
  type SequenceBatch,
  type SequenceEnvironment,
} from '@rollcast/core';
import { ScheduledSampling, SoftUnrolling, TeacherForcing, builtInAlgorithms } from '@rollcast/algos';

import { useBackend } from '../support/backends.js';
import { rolloutOf } from '../support/rollouts.js';
import { expectNoTensorLeft, take } from '../support/tensors.js';

beforeAll(() => useBackend('cpu'));

const V = 5;
const model = (seed = 2): DegradationTransformer =>
  new DegradationTransformer({ vocabularySize: V, width: 8, layers: 2, heads: 2 }, seed);
const budget = { updates: 10, batchSize: 3, seed: 1 };
const bare = { klControl: { coefficient: 0 } };

const contexts = [
  [0, 1],
  [2, 2],
  [4, 3],
];
const truth = [
  [1, 2, 3],
  [0, 0, 4],
  [2, 1, 0],
];
const worth = Float32Array.of(-3, -1, 0, 1, 3);

/** What the policy drew is not what followed. */
function rollout(policy: DegradationTransformer, changes: Partial<Rollout> = {}): Rollout {
  const drawn = [
    [3, 3, 3],
    [1, 1, 1],
    [0, 4, 0],
  ];
  const rewards = drawn.map((row) => row.map(() => 0));
  return rolloutOf(policy, contexts, drawn, rewards, {
    targets: Int32Array.from(truth.flat()),
    tokenValues: worth,
    ...changes,
  });
}

/** Scores of some tokens by the policy, [3, 3] and [3, 3, V] row by row. */
function scores(policy: DegradationTransformer, actions: number[][]): { logProbs: number[]; all: number[] } {
  return tf.tidy(() => {
    const scored = policy.score(
      tf.tensor2d(contexts, undefined, 'int32'),
      tf.tensor2d(actions, undefined, 'int32'),
    );
    return {
      logProbs: Array.from(scored.logProbs.dataSync()),
      all: Array.from(scored.logDistribution.dataSync()),
    };
  });
}
const mean = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0) / numbers.length;

describe('teacher forcing', () => {
  test('is the cross-entropy of the true tokens after true ones', () => {
    const policy = model();
    const stats = new TeacherForcing(policy, bare, budget).update(rollout(policy));
    const { logProbs } = scores(model(), truth);
    expect(stats.crossEntropy).toBeAllClose(-mean(logProbs), { atol: 1e-5 });
    expect(stats.loss).toBeAllClose(stats.crossEntropy);
    // 3 rows of 2 + 3 − 1 positions, scored as drawn and as true
    expect(stats.tokensRead).toBe(3 * 4 * 2);
  });

  test('the KL to the reference is that of the states that the policy came to', () => {
    const policy = model();
    const plain = rollout(policy);
    const reference = {
      logProbs: plain.logProbs,
      distribution: new Float32Array(3 * 3 * V).fill(Math.log(1 / V)),
      exactKl: new Float32Array(9),
    };
    const update = (coefficient: number) =>
      new TeacherForcing(model(), { klControl: { coefficient } }, budget).update({ ...plain, reference });
    const { all } = scores(model(), [
      [3, 3, 3],
      [1, 1, 1],
      [0, 4, 0],
    ]);
    const kl = all.reduce((sum, logP) => sum + Math.exp(logP) * (logP - Math.log(1 / V)), 0) / 9;
    expect(update(2).loss - update(0).loss).toBeAllClose(2 * kl, { atol: 1e-5 });
  });
});

describe('scheduled sampling', () => {
  const update = (policy: DegradationTransformer, options: object) =>
    new ScheduledSampling(policy, { ...bare, ...options }, budget).update(rollout(policy));

  test('without drawn tokens is teacher forcing, bit for bit', () => {
    const [a, b] = [model(), model()];
    const stats = update(a, { shareAtStart: 0 });
    const forced = new TeacherForcing(b, bare, budget).update(rollout(b));
    expect(stats.loss).toBe(forced.loss);
    expect(a.parameters.save()).toEqual(b.parameters.save());
  });

  // the tokens are drawn as the docstring says: from the prediction after the truth, by the stream of the update
  test('with drawn tokens alone is the cross-entropy of the truth after what the policy says', () => {
    const policy = model();
    const { all } = scores(policy, truth);
    const uniforms = new RandomStream(1, 'scheduled-sampling/tokens/0').uniforms(9);
    const drawn = Array.from({ length: 9 }, (_, i) => {
      let below = 0;
      for (let v = 0; v < V; v++) {
        below += Math.exp(all[i * V + v]);
        if (uniforms[i] < below) return v;
      }
      return V - 1;
    });
    const read = [0, 3, 6].map((at) => drawn.slice(at, at + 3));
    expect(read).not.toEqual(truth);
    const after = scores(policy, read).all;
    const expected = -mean(truth.flat().map((token, i) => after[i * V + token]));
    expect(update(policy, { shareAtStart: 1, shareAtEnd: 1 }).crossEntropy).toBeAllClose(expected, {
      atol: 1e-5,
    });
  });

  test('the share rises linearly over the run', () => {
    const policy = model();
    const algorithm = new ScheduledSampling(policy, { ...bare, shareAtStart: 0.1, shareAtEnd: 0.6 }, budget);
    const shares = Array.from({ length: 3 }, () => algorithm.update(rollout(policy)).drawnShare);
    expect(shares).toBeAllClose([0.1, 0.15, 0.2]);
  });

  test('a restored one draws what the first would have', () => {
    const options = { ...bare, shareAtStart: 0.5 };
    const whole = model();
    const first = new ScheduledSampling(whole, options, budget);
    first.update(rollout(whole));
    const cut = model();
    cut.parameters.load(whole.parameters.save());
    const second = new ScheduledSampling(cut, options, budget);
    second.restore(first.state());
    expect(second.update(rollout(cut))).toEqual(first.update(rollout(whole)));
    expect(cut.parameters.save()).toEqual(whole.parameters.save());
  });
});

describe('soft unrolling', () => {
  const update = (policy: DegradationTransformer, options: object, changes: Partial<Rollout> = {}) =>
    new SoftUnrolling(policy, { ...bare, ...options }, budget).update(rollout(policy, changes)).squaredError;

  test('of one pass is the squared error of the expected value after the truth', () => {
    const { all } = scores(model(), truth);
    const errors = truth.flat().map((token, i) => {
      const expected = worth.reduce((sum, value, v) => sum + Math.exp(all[i * V + v]) * value, 0);
      return (expected - worth[token]) ** 2;
    });
    expect(update(model(), { passes: 1 })).toBeAllClose(mean(errors), { atol: 1e-5 });
  });

  // step by step: the mixture of step t is read before step t + 1 is predicted
  test.each([1, 0.3])(
    'of as many passes as steps is the whole path, unrolled step by step: τ = %d',
    (tau) => {
      const policy = model();
      const mixtures = new Float32Array(3 * 3 * V);
      let all: number[] = [];
      for (let t = 0; t < 3; t++) {
        all = take(
          tf.tidy(() =>
            policy.predictAfterMixtures(
              tf.tensor2d(contexts, undefined, 'int32'),
              tf.tensor3d(mixtures.slice(), [3, 3, V]),
            ),
          ),
        );
        for (let b = 0; b < 3; b++) {
          const at = (b * 3 + t) * V;
          const weights = all.slice(at, at + V).map((logP) => Math.exp(logP / tau));
          const sum = weights.reduce((a, w) => a + w, 0);
          mixtures.set(
            weights.map((w) => w / sum),
            at,
          );
        }
      }
      const errors = truth.flat().map((token, i) => {
        const expected = worth.reduce((sum, value, v) => sum + Math.exp(all[i * V + v]) * value, 0);
        return (expected - worth[token]) ** 2;
      });
      expect(update(policy, { passes: 3, feedbackTemperature: tau })).toBeAllClose(mean(errors), {
        atol: 1e-5,
      });
    },
  );

  test('needs to know what tokens stand for', () => {
    expect(() => update(model(), {}, { tokenValues: undefined })).toThrow(
      'soft-unrolling compares values, and these rollouts do not say what tokens stand for',
    );
  });
});

/** Contexts whose continuation is what they were, one token up. */
class UpEnvironment implements SequenceEnvironment {
  readonly name = 'up';
  readonly vocabularySize = V;
  readonly contextLength = 2;
  readonly horizon = 3;
  readonly tokenValues = worth;

  sample(size: number, random: RandomStream): SequenceBatch {
    const contextTokens = Int32Array.from({ length: 2 * size }, () => random.integer(V));
    const targets = Int32Array.from({ length: 3 * size }, (_, i) => {
      const last = contextTokens[2 * Math.floor(i / 3) + 1];
      return (last + 1 + (i % 3)) % V;
    });
    return { size, contextTokens, targets };
  }

  reward({ targets }: SequenceBatch, generated: Int32Array) {
    const right = Float32Array.from(generated, (token, i) => (token === targets![i] ? 1 : 0));
    return { reward: right, components: { right } };
  }
}

describe.each(['teacher-forcing', 'scheduled-sampling', 'soft-unrolling'])('%s', (name) => {
  const create = (policy: Policy, options: object = {}, changes = {}) =>
    builtInAlgorithms()
      .get(name)
      .create(policy, { ...bare, ...options }, { ...budget, ...changes });

  test('leaves no tensor behind', () => {
    const policy = model();
    const given = rollout(policy);
    const algorithm = create(policy, name === 'scheduled-sampling' ? { shareAtStart: 0.5 } : {});
    algorithm.update(given);
    expectNoTensorLeft(() => algorithm.update(given));
    expectNoTensorLeft(() => create(policy).dispose());
  });

  test('learns to continue, in groups of one context as well', async () => {
    await useBackend('wasm');
    const policy = new DegradationTransformer({ vocabularySize: V, width: 16, layers: 1, heads: 2 }, 1);
    const updates = 150;
    const options = { learningRate: 0.01, samplesPerContext: 2, maxGradNorm: 5 };
    const algorithm = create(policy, options, { updates, batchSize: 16 });
    const losses: number[] = [];
    await new Trainer({
      ...{ environment: new UpEnvironment(), policy, algorithm, batchSize: 16, updates, seed: 3 },
      callbacks: [{ onUpdateEnd: ({ stats }) => void losses.push(stats['loss']) }],
    }).run();
    algorithm.dispose();
    expect(mean(losses.slice(-5))).toBeLessThan(0.2 * losses[0]);
    await useBackend('cpu');
  });

  test('refuses rollouts without the truth, a KL in the reward, and step environments', () => {
    const policy = model();
    expect(() => create(policy).update(rollout(policy, { targets: undefined }))).toThrow(
      `${name} learns from what really followed, and these rollouts do not know it`,
    );
    expect(() => create(policy, { klControl: { placement: 'reward' } })).toThrow(
      `${name} has no reward that the KL could be charged in; set ${name}.klControl.placement=loss.`,
    );
    expect(() => create(new MlpPolicy(1, discrete(2), { hidden: [] }))).toThrow(
      `${name} imitates token sequences; this policy acts in a step environment.`,
    );
    expect(() => create(policy, { gamma: 1 })).toThrow(`${name}.gamma: unknown option.`);
  });
});
