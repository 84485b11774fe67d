import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { Adam, DegradationTransformer, RandomStream, GradientSteps, selectBackend, tf } from '@rollcast/core';
import {
  EngineError,
  fallbackKernels,
  nativeKernels,
  onnxBackend,
  tensorOver,
} from '@rollcast/tfjs-onnxruntime';

beforeAll(() => selectBackend('onnx'));
afterAll(() => selectBackend('cpu'));

test('nothing runs until a value is read, and then one graph runs it all', () => {
  tf.tidy(() => {
    const before = onnxBackend().statistics;
    const x = tf.tensor2d([1, 2, 3, 4], [2, 2]);
    const y = tf.sub(tf.matMul(x, x, true), tf.sum(x));
    expect(onnxBackend().statistics).toEqual(before);
    expect(y.dataSync()).toBeAllClose([0, 4, 4, 10]);
    expect(onnxBackend().statistics.misses).toBe(before.misses + 1);
  });
});

test('one read gives every pending tensor its value', () => {
  tf.tidy(() => {
    const x = tf.tensor1d([1, 2, 3]);
    const [double, square] = [tf.mul(x, 2), tf.square(x)];
    const { hits, misses } = onnxBackend().statistics;
    expect(double.dataSync()).toBeAllClose([2, 4, 6]);
    expect(square.dataSync()).toBeAllClose([1, 4, 9]);
    const after = onnxBackend().statistics;
    expect(after.hits + after.misses).toBe(hits + misses + 1);
  });
});

test('graphs of equal structure share a session, whatever their numbers are', () => {
  const run = (factor: number, shape: [number, number]): void =>
    tf.tidy(() => {
      const x = tf.fill(shape, 3);
      expect(tf.mean(tf.mul(tf.exp(x), factor)).dataSync()).toBeAllClose([Math.exp(3) * factor], {
        rtol: 1e-5,
      });
    });
  run(0.5, [3, 5]);
  const { misses } = onnxBackend().statistics;
  run(0.25, [3, 5]);
  expect(onnxBackend().statistics.misses).toBe(misses);
  run(0.25, [5, 3]);
  expect(onnxBackend().statistics.misses).toBe(misses + 1);
});

test('what was disposed before the run is not computed', () => {
  tf.tidy(() => {
    const x = tf.tensor1d([1, 2, 3]);
    tf.tidy(() => void tf.mod(tf.cos(x), 3));
    const { nodes } = onnxBackend().statistics;
    tf.sinh(x).dataSync();
    expect(onnxBackend().statistics.nodes).toBe(nodes + 1);
  });
});

test('a changed array does not reach a tensor made from it', () => {
  tf.tidy(() => {
    const array = Float32Array.of(1, 2);
    const y = tf.add(tf.tensor1d(array), 1);
    array[0] = 100;
    expect(y.dataSync()).toBeAllClose([2, 3]);
  });
});

test('a tensor over memory copies nothing and computes like any other', () => {
  tf.tidy(() => {
    const memory = Float32Array.of(9, 1, 2, 3, 4);
    const x = tensorOver(memory.subarray(1), [2, 2]);
    expect((x.dataSync() as Float32Array).buffer).toBe(memory.buffer);
    expect(tf.matMul(x as never, x as never).dataSync()).toBeAllClose([7, 10, 15, 22]);
    expect(tensorOver(Int32Array.of(1), [1]).dtype).toBe('int32');
    expect(() => tensorOver(memory, [2, 2])).toThrow('2,2');
  });
});

test('reshaped and cloned tensors share data, which lives as long as one of them', () => {
  const before = tf.memory();
  const x = tf.tidy(() => tf.relu(tf.tensor2d([1, -2, 3, 4], [2, 2])));
  const y = tf.reshape(x, [4]);
  const z = x.clone();
  expect(tf.memory().numDataBuffers).toBe(before.numDataBuffers + 1);
  x.dispose();
  expect(tf.tidy(() => tf.add(y, 1).dataSync())).toBeAllClose([2, 1, 4, 5]);
  y.dispose();
  expect(z.arraySync()).toEqual([
    [1, 0],
    [3, 4],
  ]);
  z.dispose();
  expect(tf.memory()).toEqual(before);
});

test('a kernel without a mapping runs on tfjs’s cpu kernel, in the middle of a recording', () => {
  expect(nativeKernels()).toContain('BatchMatMul');
  expect(fallbackKernels()).toContain('Atan2');
  tf.tidy(() => {
    const y = tf.add(tf.atan2(tf.mul(tf.tensor1d([1, -1]), 2), tf.tensor1d([1, 1])), 1);
    expect(y.dataSync()).toBeAllClose([1 + Math.atan(2), 1 - Math.atan(2)]);
  });
});

test('an error of ONNX Runtime names the kernel, its shapes and types', () => {
  tf.tidy(() => {
    const table = tf.tensor2d([1, 2, 3, 4], [2, 2]);
    const bad = tf.gather(table, tf.mul(tf.tensor1d([0, 7], 'int32'), tf.scalar(1, 'int32')));
    const reading = (): unknown => bad.dataSync();
    expect(reading).toThrow(EngineError);
    expect(reading).toThrow(/GatherV2\(float32\[2,2\], int32\[2\]\)/);
  });
  // the backend goes on
  expect(tf.tidy(() => tf.add(1, 2).dataSync()[0])).toBe(3);
});

test('the transformer generates, scores and learns as on the cpu backend and leaves nothing behind', async () => {
  const run = (): { tokens: Int32Array; scores: number[]; losses: number[]; weights: Float32Array } => {
    const [batchSize, context, horizon, vocabularySize] = [3, 5, 4, 16];
    const numbers = new RandomStream(2, 'test/context');
    const contextTokens = Int32Array.from(numbers.uniforms(batchSize * context), (u) =>
      Math.floor(u * vocabularySize),
    );
    const model = new DegradationTransformer({
      vocabularySize,
      width: 16,
      layers: 2,
      heads: 2,
      attentionWindow: 6,
    });
    const optimizer = new Adam(model.parameters);
    const before = tf.memory().numTensors;
    const generated = model.generate({
      contextTokens,
      batchSize,
      horizon,
      random: new RandomStream(3, 'test/sample'),
    });
    const contexts = tf.tensor2d(contextTokens, [batchSize, context], 'int32');
    const actions = tf.tensor2d(generated.tokens, [batchSize, horizon], 'int32');
    const scores = model.score(contexts, actions);
    const losses: number[] = [];
    const steps = new GradientSteps({
      parameters: model.parameters,
      optimizer,
      maxGradNorm: 0.5,
      name: 'test',
      loss: (rows) => {
        const { logProbs, values } = model.score(
          rows['contexts'] as tf.Tensor2D,
          rows['actions'] as tf.Tensor2D,
        );
        return { loss: tf.sub(tf.mean(tf.square(values)), tf.mean(logProbs)) };
      },
    });
    for (let i = 0; i < 3; i++) {
      const { stats } = steps.step({
        rows: {
          contexts: { data: contextTokens, shape: [batchSize, context] },
          actions: { data: generated.tokens, shape: [batchSize, horizon] },
        },
        learningRate: 1e-3 / (i + 1),
      });
      losses.push(stats['loss'], stats['gradNorm']);
    }
    const result = {
      tokens: generated.tokens,
      scores: Array.from(scores.logProbs.dataSync()),
      losses,
      weights: model.parameters.save()['embedding'].data,
    };
    tf.dispose([contexts, actions, scores.logProbs, scores.logDistribution, scores.values]);
    expect(tf.memory().numTensors).toBe(before);
    steps.dispose();
    optimizer.dispose();
    model.dispose();
    return result;
  };
  const first = run();
  const dataIds = onnxBackend().numDataIds();
  // the same backend twice is equal bit for bit
  expect(run()).toEqual(first);
  expect(onnxBackend().numDataIds()).toBe(dataIds);
  await selectBackend('cpu');
  const reference = run();
  await selectBackend('onnx');
  expect(first.tokens).toEqual(reference.tokens);
  expect(first.scores).toBeAllClose(reference.scores, { rtol: 1e-4, atol: 1e-5 });
  expect(first.losses).toBeAllClose(reference.losses, { rtol: 1e-4, atol: 1e-6 });
  expect(first.weights).toBeAllClose(reference.weights, { rtol: 1e-4, atol: 1e-5 });
});
