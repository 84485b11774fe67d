import { beforeAll, expect, test } from '@jest/globals';

import { CheckpointError, DegradationTransformer, type TokenWindows } from '@rollcast/core';
import { Pretrainer, crossEntropy, type PretrainOptions } from '@rollcast/algos';

import { useBackend } from '../support/backends.js';
import { expectNoTensorLeft } from '../support/tensors.js';

beforeAll(() => useBackend('wasm'));

const V = 8;
const model = (): DegradationTransformer =>
  new DegradationTransformer({ vocabularySize: V, width: 16, layers: 1, heads: 2 }, 4);

/** The rule to learn: every token is the one before it plus 3, modulo V. */
const counting: TokenWindows = {
  contextLength: 3,
  horizon: 5,
  length: V,
  draw: (random) => counting.tokens(random.integer(V)),
  tokens: (index) => Int32Array.from({ length: 8 }, (_, t) => (index + 3 * t) % V),
};
const all = [...Array(V).keys()];
const options: PretrainOptions = { steps: 60, batchSize: 16, learningRate: 0.01, warmupSteps: 5 };

test('the cross-entropy of a learnable rule falls from ln V towards 0', () => {
  const policy = model();
  expect(crossEntropy(policy, counting, all)).toBeAllClose(Math.log(V), { atol: 0.5 });
  const pretrainer = new Pretrainer(policy, counting, options, 1);
  const losses = Array.from({ length: 60 }, () => pretrainer.step().loss);
  expect(losses[0]).toBeGreaterThan(1.5);
  expect(losses[59]).toBeLessThan(0.1);
  expect(crossEntropy(policy, counting, all)).toBeLessThan(0.1);
  // and the model continues by the rule, past the horizon that it was trained on
  const { tokens } = policy.generate({
    contextTokens: counting.tokens(2).slice(0, 3),
    batchSize: 1,
    horizon: 5,
  });
  expect(tokens).toEqual(counting.tokens(2).slice(3));
});

test('the cross-entropy does not depend on how the windows are cut into batches', () => {
  const policy = model();
  expect(crossEntropy(policy, counting, all, 3)).toBeAllClose(crossEntropy(policy, counting, all), {
    atol: 1e-5,
  });
});

test('only the future counts: what the context says about itself is not a loss', () => {
  // windows with one context each and the same future: the future alone decides
  const policy = model();
  const { logProbs } = policy.generate({ contextTokens: Int32Array.of(1, 4, 7), batchSize: 1, horizon: 1 });
  const greedy = policy.generate({ contextTokens: Int32Array.of(1, 4, 7), batchSize: 1, horizon: 1 }).tokens;
  const one: TokenWindows = {
    contextLength: 3,
    horizon: 1,
    length: 1,
    draw: () => one.tokens(0),
    tokens: () => Int32Array.of(1, 4, 7, greedy[0]),
  };
  expect(crossEntropy(policy, one, [0])).toBeAllClose(-logProbs[0], { atol: 1e-5 });
});

test('the learning rate warms up and then falls', () => {
  const pretrainer = new Pretrainer(model(), counting, { ...options, steps: 8, warmupSteps: 2 }, 1);
  const rates = Array.from({ length: 8 }, () => pretrainer.step().learningRate);
  expect(rates.slice(0, 3)).toBeAllClose([0.005, 0.01, 0.01], { atol: 1e-9 });
  expect(rates.slice(2)).toEqual([...rates.slice(2)].sort((a, b) => b - a));
});

test('the same seed gives the same weights, and a resumed run is the uninterrupted one, bit for bit', () => {
  const run = (): { policy: DegradationTransformer; pretrainer: Pretrainer } => {
    const policy = model();
    return { policy, pretrainer: new Pretrainer(policy, counting, options, 1) };
  };
  const whole = run();
  for (let i = 0; i < 6; i++) whole.pretrainer.step();
  const half = run();
  for (let i = 0; i < 3; i++) half.pretrainer.step();
  const { arrays, values } = half.pretrainer.state();
  const rest = run();
  rest.policy.parameters.load(half.policy.parameters.save());
  rest.pretrainer.restore({ arrays, values: JSON.parse(JSON.stringify(values)) as typeof values });
  expect(rest.pretrainer.stepsDone).toBe(3);
  for (let i = 0; i < 3; i++) rest.pretrainer.step();
  expect(rest.policy.parameters.save()).toEqual(whole.policy.parameters.save());
  expect(rest.pretrainer.state()).toEqual(whole.pretrainer.state());
});

test('the state of something else is refused', () => {
  const pretrainer = new Pretrainer(model(), counting, options, 1);
  const { arrays, values } = pretrainer.state();
  expect(() => pretrainer.restore({ arrays, values: { ...values, algorithm: 'ppo' } })).toThrow(
    CheckpointError,
  );
  expect(() => pretrainer.restore({ arrays, values: {} })).toThrow('was not written by pre-training');
});

test('steps and cross-entropy leave no tensor behind', () => {
  const policy = model();
  expectNoTensorLeft(() => {
    const pretrainer = new Pretrainer(policy, counting, options, 1);
    expectNoTensorLeft(() => {
      pretrainer.step();
      crossEntropy(policy, counting, all);
    });
    pretrainer.dispose();
  });
});

test('an unknown option suggests the nearest', () => {
  expect(() => new Pretrainer(model(), counting, { stps: 1 } as object, 1)).toThrow('Did you mean "steps"?');
});
