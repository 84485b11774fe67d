import { readFileSync } from 'node:fs';

import { beforeAll, describe, expect, test } from '@jest/globals';

import {
  ConfigError,
  DegradationTransformer,
  RandomStream,
  ShapeError,
  sampleTokens,
  smoothEmbedding,
  tf,
  type DegradationTransformerOptions,
  type Generation,
  type NamedArray,
} from '@rollcast/core';

import { backendsUnderTest, useBackend } from '../../support/backends.js';
import { expectGradient } from '../../support/gradients.js';
import { expectNoTensorLeft, take } from '../../support/tensors.js';

const [B, W] = [3, 16];
const options = { vocabularySize: 11, width: 16, layers: 2, heads: 2, attentionWindow: 20 };

/** A model whose every parameter is random, so that no path through it is silent. */
function shakenModel(changes: DegradationTransformerOptions = {}, seed = 3): DegradationTransformer {
  const model = new DegradationTransformer({ ...options, ...changes }, seed);
  const random = new RandomStream(seed, 'shake');
  const shaken = Object.entries(model.parameters.save()).map(
    ([name, { shape, data }]): [string, NamedArray] => [
      name,
      { shape, data: data.map((x) => x + 0.3 * random.normal()) },
    ],
  );
  model.parameters.load(Object.fromEntries(shaken));
  return model;
}

function randomTokens(size: number, vocabulary: number, name = 'tokens'): Int32Array {
  const random = new RandomStream(9, name);
  return Int32Array.from({ length: size }, () => random.integer(vocabulary));
}

const contextTokens = randomTokens(B * W, options.vocabularySize);

function generate(model: DegradationTransformer, horizon: number, seed?: number): Generation {
  return model.generate({
    contextTokens,
    batchSize: B,
    horizon,
    withDistribution: true,
    ...(seed !== undefined && { random: new RandomStream(seed, 'actions') }),
  });
}

function score(
  model: DegradationTransformer,
  actions: Int32Array,
  contexts = contextTokens,
): { logProbs: number[]; logDistribution: number[]; values: number[] } {
  const rows = tf.tensor2d(contexts, [B, contexts.length / B], 'int32');
  const taken = tf.tensor2d(actions, [B, actions.length / B], 'int32');
  const { logProbs, logDistribution, values } = model.score(rows, taken);
  tf.dispose([rows, taken]);
  return { logProbs: take(logProbs), logDistribution: take(logDistribution), values: take(values) };
}

describe.each(backendsUnderTest('cpu', 'wasm'))('on %s', (backend) => {
  beforeAll(() => useBackend(backend));

  test('a forward pass is that of the same model in PyTorch', () => {
    // recorded by test/golden/record-transformer.py
    const golden = JSON.parse(
      readFileSync(new URL('../../golden/transformer.json', import.meta.url), 'utf8'),
    ) as {
      config: DegradationTransformerOptions;
      weights: Record<string, { shape: number[]; data: number[] }>;
      contexts: number[][];
      actions: number[][];
      logDistribution: number[][][];
      logProbs: number[][];
      values: number[][];
    };
    const model = new DegradationTransformer(golden.config);
    model.parameters.load(
      Object.fromEntries(
        Object.entries(golden.weights).map(([name, { shape, data }]) => [
          name,
          { shape, data: Float32Array.from(data) },
        ]),
      ),
    );
    const scores = model.score(
      tf.tensor2d(golden.contexts, undefined, 'int32'),
      tf.tensor2d(golden.actions, undefined, 'int32'),
    );
    expect(scores.logDistribution).toHaveShape([2, 5, 7]);
    expect(scores.logDistribution.dataSync()).toBeAllClose(golden.logDistribution, { atol: 2e-5 });
    expect(scores.logProbs.dataSync()).toBeAllClose(golden.logProbs, { atol: 2e-5 });
    expect(scores.values.dataSync()).toBeAllClose(golden.values, { atol: 2e-5 });
  });

  test.each([
    ['within the window', 4],
    ['up to the window', 5],
    ['past the window, with a rolling cache', 50],
  ])('sampler and scorer say the same %s', (_where, horizon) => {
    const model = shakenModel({ temperature: 0.7 });
    const sampled = generate(model, horizon, 1);
    const scored = score(model, sampled.tokens);
    expect(sampled.logProbs).toBeAllClose(scored.logProbs, { atol: 1e-5 });
    expect(sampled.logDistribution!).toBeAllClose(scored.logDistribution, { atol: 2e-5 });
    expect(sampled.values).toBeAllClose(scored.values, { atol: 1e-5 });
    model.dispose();
  });

  test('sampler and scorer say the same where rows share their context, which is read once', () => {
    const model = shakenModel();
    const [k, rows, horizon] = [3, 6, 7];
    const contexts = Int32Array.from(
      { length: rows * W },
      (_, i) => (Math.floor(i / W / k) + 3 * (i % W)) % 11,
    );
    const options = { contextTokens: contexts, batchSize: rows, horizon };
    const sampled = model.generate({ ...options, random: new RandomStream(5, 'shared') });
    const scored = tf.tidy(() =>
      take(
        model.score(
          tf.tensor2d(contexts, [rows, W], 'int32'),
          tf.tensor2d(sampled.tokens, [rows, horizon], 'int32'),
        ).logProbs,
      ),
    );
    expect(sampled.logProbs).toBeAllClose(scored, { atol: 1e-5 });
    expect(new Set(Array.from({ length: rows }, (_, b) => sampled.tokens[b * horizon + 3])).size).not.toBe(1);
    model.dispose();
  });
});

describe('the model', () => {
  beforeAll(() => useBackend('wasm'));

  test('sampler and scorer agree when the context alone is longer than the window', () => {
    const model = shakenModel({ attentionWindow: 5 });
    const sampled = generate(model, 12, 1);
    expect(sampled.logProbs).toBeAllClose(score(model, sampled.tokens).logProbs, { atol: 1e-5 });
  });

  test('a generated path does not depend on the horizon asked for', () => {
    const model = shakenModel();
    const short = generate(model, 8);
    const long = generate(model, 30);
    for (let b = 0; b < B; b++)
      expect(long.tokens.slice(b * 30, b * 30 + 8)).toEqual(short.tokens.slice(b * 8, b * 8 + 8));
  });

  test('a later token never changes earlier predictions', () => {
    const model = shakenModel();
    const [horizon, changed] = [10, 6];
    const actions = randomTokens(B * horizon, options.vocabularySize, 'actions');
    const other = actions.map((a, i) => (i % horizon >= changed ? (a + 1) % options.vocabularySize : a));
    const [one, two] = [actions, other].map((tokens) => score(model, tokens));
    const perRow = horizon * options.vocabularySize;
    // the token at `changed` is predicted before it is seen; the next one is not
    const upTo = (changed + 1) * options.vocabularySize;
    for (let b = 0; b < B; b++) {
      const row = (s: typeof one, to: number): number[] =>
        s.logDistribution.slice(b * perRow, b * perRow + to);
      expect(row(one, upTo)).toEqual(row(two, upTo));
      expect(row(one, perRow)).not.toBeAllClose(row(two, perRow), { atol: 1e-3 });
    }
  });

  test('positions beyond the reach of the window never matter, the last within it does', () => {
    // two layers of window 4 reach 2 · 3 positions back from the one that predicts
    const model = shakenModel({ attentionWindow: 4, layers: 2 });
    const actions = randomTokens(B, options.vocabularySize, 'actions');
    const withChanged = (position: number): number[] =>
      score(
        model,
        actions,
        contextTokens.map((token, i) => (i % W === position ? (token + 1) % options.vocabularySize : token)),
      ).logDistribution;
    const before = score(model, actions).logDistribution;
    for (let position = 0; position < W - 7; position++)
      expect(withChanged(position)).toBeAllClose(before, { atol: 1e-6 });
    expect(withChanged(W - 7)).not.toBeAllClose(before, { atol: 1e-6 });
  });

  test('without random numbers every token is the most likely one', () => {
    const model = shakenModel();
    const { tokens, logDistribution, logProbs } = generate(model, 6);
    tokens.forEach((token, i) => {
      const row = Array.from(logDistribution!.slice(i * 11, (i + 1) * 11));
      expect(token).toBe(row.indexOf(Math.max(...row)));
      expect(logProbs[i]).toBe(row[token]);
    });
  });

  test('every distribution sums to 1', () => {
    const { logDistribution } = generate(shakenModel(), 6, 1);
    for (let i = 0; i < B * 6; i++) {
      const row = logDistribution!.slice(i * 11, (i + 1) * 11);
      expect(row.reduce((sum, x) => sum + Math.exp(x), 0)).toBeAllClose(1, { atol: 1e-5 });
    }
  });

  test('the same seed gives the same generation, another seed another', () => {
    const model = shakenModel();
    expect(generate(model, 12, 4)).toEqual(generate(model, 12, 4));
    expect(generate(model, 12, 4).tokens).not.toEqual(generate(model, 12, 5).tokens);
  });

  test('the same seed gives the same weights, another seed others', () => {
    const weights = (seed: number) => new DegradationTransformer(options, seed).parameters.save();
    expect(weights(1)).toEqual(weights(1));
    expect(weights(1)['embedding']).not.toEqual(weights(2)['embedding']);
  });

  test('a row is generated from its own context and its own random numbers, whoever shares the batch', () => {
    const model = shakenModel();
    const all = generate(model, 12, 4);
    const first = model.generate({
      contextTokens: contextTokens.slice(0, W),
      batchSize: 1,
      horizon: 12,
      random: new RandomStream(4, 'actions'), // one number a token, row by row: row 0 has the first twelve
    });
    expect(first.tokens).toEqual(all.tokens.slice(0, 12));
    expect(first.logProbs).toBeAllClose(all.logProbs.slice(0, 12), { atol: 1e-5 });
  });

  test('the temperature divides the logits everywhere', () => {
    const warm = shakenModel({ temperature: 2 });
    const cold = new DegradationTransformer({ ...options, temperature: 1 });
    cold.parameters.load(warm.parameters.save());
    const actions = randomTokens(B * 3, options.vocabularySize, 'actions');
    const [half, whole] = [warm, cold].map((model) => score(model, actions).logDistribution);
    // log-softmax(z / 2) = log-softmax(log-softmax(z) / 2)
    const expected = take(tf.tidy(() => tf.logSoftmax(tf.div(tf.tensor(whole, [B * 3, 11]), 2))));
    expect(half).toBeAllClose(expected, { atol: 1e-5 });
    const step = generate(warm, 1).logDistribution!;
    const coldStep = Array.from(generate(cold, 1).logDistribution!);
    expect(step).toBeAllClose(take(tf.tidy(() => tf.logSoftmax(tf.div(tf.tensor(coldStep, [B, 11]), 2)))), {
      atol: 1e-5,
    });
  });

  test('a clone says the same and has weights of its own', () => {
    const model = shakenModel();
    const copy = model.clone({ trainable: false });
    const before = generate(model, 5, 1);
    expect(generate(copy, 5, 1)).toEqual(before);
    expect(copy.parameters.entries().every(([, v]) => !v.trainable)).toBe(true);
    for (const [, variable] of model.parameters.entries()) variable.assign(tf.zerosLike(variable));
    expect(generate(copy, 5, 1)).toEqual(before);
  });

  test('the gradient of −mean log-prob agrees with central differences along random directions', async () => {
    await useBackend('cpu');
    const model = shakenModel({ attentionWindow: 6 });
    const contexts = tf.tensor2d(contextTokens, [B, W], 'int32');
    const actions = tf.tensor2d(randomTokens(B * 4, 11, 'actions'), [B, 4], 'int32');
    // the value head joins in, or it would have no gradient
    const loss = (): tf.Scalar => {
      const { logProbs, values } = model.score(contexts, actions);
      return tf.add(tf.neg(tf.mean(logProbs)), tf.mean(tf.square(values)));
    };
    const { value, grads } = tf.variableGrads(loss);
    const random = new RandomStream(1, 'directions');
    const epsilon = 2e-3;
    for (const [name, variable] of model.parameters.entries()) {
      const at = variable.dataSync().slice();
      const direction = random.normals(variable.size);
      const norm = Math.hypot(...direction);
      const moved = (sign: number): number => {
        const x = tf.tensor(
          Float32Array.from(at, (v, i) => v + (sign * epsilon * direction[i]) / norm),
          variable.shape,
        );
        variable.assign(x);
        x.dispose();
        return tf.tidy(() => loss().dataSync()[0]);
      };
      const difference = (moved(1) - moved(-1)) / (2 * epsilon);
      variable.assign(tf.tensor(at, variable.shape));
      const gradient = Array.from(grads[variable.name].dataSync());
      const along = gradient.reduce(
        (sum: number, g: number, i: number) => sum + (g * direction[i]) / norm,
        0,
      );
      expect({ name, along: Math.abs(along - difference) < 1e-3 + 0.01 * Math.abs(difference) }).toEqual({
        name,
        along: true,
      });
    }
    tf.dispose([value, grads, contexts, actions]);
    await useBackend('wasm');
  });

  test('generating, scoring and cloning leave no tensor behind', () => {
    const model = shakenModel();
    expectNoTensorLeft(() => generate(model, 30, 1));
    expectNoTensorLeft(() => generate(model, 3));
    expectNoTensorLeft(() => score(model, randomTokens(B * 3, 11)));
    expectNoTensorLeft(() => model.clone().dispose());
    expectNoTensorLeft(() => new DegradationTransformer(options).dispose());
    const contexts = tf.tensor2d(contextTokens, [B, W], 'int32');
    expectNoTensorLeft(() =>
      tf.dispose(tf.variableGrads(() => tf.sum(model.score(contexts, contexts).logProbs))),
    );
  });

  test('wrong options and sizes are refused with what would be right', () => {
    expect(() => new DegradationTransformer({ width: 12, heads: 4 })).toThrow(
      'model.width must be an even multiple of model.heads; got width 12 with 4 heads.',
    );
    expect(() => new DegradationTransformer({ temperature: 0 })).toThrow(ConfigError);
    expect(() => new DegradationTransformer({ layrs: 2 } as object)).toThrow('Did you mean "layers"?');
    const model = new DegradationTransformer(options);
    expect(() => model.generate({ contextTokens: new Int32Array(7), batchSize: 2, horizon: 1 })).toThrow(
      ShapeError,
    );
    expect(() => model.score(tf.zeros([2, 4], 'int32'), tf.zeros([3, 4], 'int32'))).toThrow(ShapeError);
  });
});

describe.each(backendsUnderTest('cpu', 'wasm'))('sampling on %s', (backend) => {
  beforeAll(() => useBackend(backend));

  test('takes the first token whose cumulative probability exceeds the number', () => {
    const logProbs = tf.log(tf.tensor2d(Array<number[]>(6).fill([0, 0.25, 0.5, 0, 0.25])));
    const uniforms = tf.tensor1d([0, 0.24, 0.25, 0.74, 0.75, 1 - 2 ** -24]);
    expect(take(sampleTokens(logProbs, uniforms))).toEqual([1, 1, 2, 2, 4, 4]);
  });

  test('evenly spread numbers give every token its share', () => {
    const n = 4000;
    const p = [0.1, 0.2, 0.05, 0.4, 0.25];
    const logProbs = tf.log<tf.Tensor2D>(tf.tensor2d(Array<number[]>(n).fill(p)));
    const uniforms = tf.tensor1d(Float32Array.from({ length: n }, (_, i) => (i + 0.5) / n));
    const counts = new Array<number>(5).fill(0);
    for (const token of take(sampleTokens(logProbs, uniforms))) counts[token] += 1;
    expect(counts.map((c) => c / n)).toBeAllClose(p, { atol: 1.5 / n });
  });

  test('a random stream gives every token its share within four standard errors', () => {
    const n = 4000;
    const p = [0.1, 0.2, 0.05, 0.4, 0.25];
    const logProbs = tf.log<tf.Tensor2D>(tf.tensor2d(Array<number[]>(n).fill(p)));
    const counts = new Array<number>(5).fill(0);
    const uniforms = tf.tensor1d(new RandomStream(2, 'sampling').uniforms(n));
    for (const token of take(sampleTokens(logProbs, uniforms))) counts[token] += 1;
    counts.forEach((count, v) =>
      expect(count / n).toBeAllClose(p[v], { atol: 4 * Math.sqrt((p[v] * (1 - p[v])) / n) }),
    );
  });
});

describe('trimmed sampling', () => {
  test('never draws from the ends that are cut off, and leaves log-probabilities as they are', () => {
    const model = shakenModel();
    const rows = 64;
    const same = new Int32Array(rows * W);
    for (let b = 0; b < rows; b++) same.set(contextTokens.subarray(0, W), b * W);
    const trim = 0.2;
    const { tokens, logProbs, logDistribution } = model.generate({
      contextTokens: same,
      batchSize: rows,
      horizon: 1,
      random: new RandomStream(4, 'trim'),
      trim,
      withDistribution: true,
    });
    const V = options.vocabularySize;
    const seen = new Set(tokens);
    tokens.forEach((token, b) => {
      const p = Array.from(logDistribution!.subarray(b * V, (b + 1) * V), Math.exp);
      const upTo = (k: number): number => p.slice(0, k).reduce((sum, x) => sum + x, 0);
      expect(upTo(token + 1)).toBeGreaterThanOrEqual(trim - 1e-5);
      expect(upTo(token)).toBeLessThanOrEqual(1 - trim + 1e-5);
      expect(logProbs[b]).toBeCloseTo(Math.log(p[token]), 5);
    });
    expect(seen.size).toBeGreaterThan(1);
    model.dispose();
  });

  test.each([-0.1, 0.5, NaN])('refuses to cut off %p at each end', (trim) => {
    const model = shakenModel();
    const request = { contextTokens, batchSize: B, horizon: 2, random: new RandomStream(1, 'x'), trim };
    expect(() => model.generate(request)).toThrow(ConfigError);
    model.dispose();
  });
});

test('the initial embedding is smooth along the bins and has the promised spread', () => {
  const [vocabulary, width] = [256, 64];
  const table = smoothEmbedding(vocabulary, width, new RandomStream(1, 'embedding'));
  const product = (a: number, b: number): number => {
    let sum = 0;
    for (let d = 0; d < width; d++) sum += table[a * width + d] * table[b * width + d];
    return sum;
  };
  const cosine = (a: number, b: number): number => product(a, b) / Math.sqrt(product(a, a) * product(b, b));
  expect(cosine(100, 101)).toBeGreaterThan(0.95);
  expect(Math.abs(cosine(100, 160))).toBeLessThan(0.5);
  const square = table.reduce((sum, x) => sum + x * x, 0) / table.length;
  expect(Math.sqrt(square)).toBeAllClose(0.05, { rtol: 0.1 });
});

describe('mixtures of tokens', () => {
  const actions = randomTokens(B * 5, options.vocabularySize, 'mixtures');
  const rows = () => tf.tensor2d(contextTokens, [B, W], 'int32');

  test('of one token each are those tokens', () => {
    const model = shakenModel();
    const certain = tf.tidy(
      () => tf.oneHot(tf.tensor2d(actions, [B, 5], 'int32'), 11).toFloat() as tf.Tensor3D,
    );
    const got = expectNoTensorLeft(() => take(tf.tidy(() => model.predictAfterMixtures(rows(), certain))));
    expect(got).toBeAllClose(score(model, actions).logDistribution, { atol: 2e-5 });
  });

  test('have a gradient; that of the last step, which is not read, is 0', () => {
    const model = shakenModel();
    const mixtures = tf.softmax(tf.randomNormal<tf.Rank.R3>([B, 5, 11], 0, 1, 'float32', 4));
    const predict = (x: tf.Tensor) => model.predictAfterMixtures(rows(), x as tf.Tensor3D);
    expectGradient(predict, [mixtures], { epsilon: 5e-4, rtol: 1e-2, atol: 5e-2 });
    const gradient = tf.tidy(() => tf.grad(predict)(mixtures).slice([0, 4, 0]).abs().max());
    expect(take(gradient)).toEqual([0]);
  });
});
