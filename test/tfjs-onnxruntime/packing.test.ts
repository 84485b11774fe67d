/** Inputs and outputs of a compiled graph as few vectors, and arguments from the host. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { selectBackend, tf } from '@rollcast/core';
import { compile } from '@rollcast/tfjs-onnxruntime';

import type { Value } from '../../packages/tfjs-onnxruntime/src/graph.js';
import { PackedGraph } from '../../packages/tfjs-onnxruntime/src/packing.js';
import { Recorder } from '../../packages/tfjs-onnxruntime/src/recorder.js';

beforeAll(() => selectBackend('onnx'));
afterAll(() => selectBackend('cpu'));

const floats = (...shape: number[]): Value => ({ type: 'float32', shape });
const shapes = (values: readonly Value[]): string[] => values.map(({ shape }) => `[${shape.join()}]`);

test('small inputs are one vector and so are small outputs; what is large or no float32 goes by itself', () => {
  const recorder = new Recorder();
  const [a, b, large] = [floats(2, 2), floats(), floats(5000)];
  const ids: Value = { type: 'int32', shape: [3] };
  const outputs = [
    recorder.binary('Add', a, b),
    recorder.binary('Mul', large, b),
    recorder.unary('Neg', ids),
    recorder.unary('Neg', a),
  ];
  const packed = new PackedGraph(recorder, outputs);
  expect(packed.inputs).toEqual([a, b, large, ids]);
  expect(shapes(packed.outline.inputs)).toEqual(['[5]', '[5000]', '[3]']);
  expect(shapes(packed.outline.outputs)).toEqual(['[8]', '[5000]', '[3]']);

  const sources = [
    Float32Array.of(1, 2, 3, 4),
    Float32Array.of(9),
    new Float32Array(5000),
    new Int32Array(3),
  ];
  const feeds = packed.feeds(sources);
  expect(Array.from(feeds[0])).toEqual([1, 2, 3, 4, 9]);
  expect(feeds[1]).toBe(sources[2]);
  expect(feeds[2]).toBe(sources[3]);

  const results = [Float32Array.from([0, 1, 2, 3, 4, 5, 6, 7]), new Float32Array(5000), new Int32Array(3)];
  const [sum, product, negative, opposite] = packed.outputs(results);
  expect(Array.from(sum)).toEqual([0, 1, 2, 3]);
  expect(Array.from(opposite)).toEqual([4, 5, 6, 7]);
  expect(product).toBe(results[1]);
  expect(negative).toBe(results[2]);
});

test('a vector that is put together of inputs is fed as it is, and the parts of one are handed over as it', () => {
  const recorder = new Recorder();
  const [weight, bias] = [floats(2, 3), floats(3)];
  const together = recorder.concat([recorder.reshape(weight, [6]), bias], 0);
  const doubled = recorder.binary('Add', together, together);
  const parts = recorder.multi('Split', [doubled, recorder.indices([6, 3])], [floats(6), floats(3)], {
    attributes: { axis: 0 },
  });
  const packed = new PackedGraph(recorder, parts);
  expect(shapes(packed.outline.inputs)).toEqual(['[9]']);
  expect(packed.outline.outputs).toEqual([doubled]);
  // nothing is taken apart or put together any more
  expect(packed.outline.nodes.map(({ operator }) => operator)).toEqual(['Add']);

  const memory = Float32Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const [next] = packed.feeds([memory.subarray(0, 6), memory.subarray(6)]);
  expect(next.buffer).toBe(memory.buffer); // views of one vector are not copied
  const [gathered] = packed.feeds([memory.slice(0, 6), memory.subarray(6)]);
  expect(gathered.buffer).not.toBe(memory.buffer);
  expect(gathered).toEqual(memory);
  // the same memory, the other way round
  const [swapped] = packed.feeds([memory.subarray(3), memory.subarray(0, 3)]);
  expect(Array.from(swapped)).toEqual([4, 5, 6, 7, 8, 9, 1, 2, 3]);
});

test('an update of all parameters as one vector is what it is without the engine, call after call', async () => {
  const run = (): number[] => {
    const parameters = tf.tidy(() =>
      [[2, 3], [3], [], [1, 2]].map((shape, i) => tf.variable(tf.fill(shape, 0.25 * (i + 1)))),
    );
    const sizes = parameters.map(({ size }) => size);
    const step = compile((x: tf.Tensor, rate: tf.Tensor) => {
      const [weight, bias, shift, row] = parameters;
      const grads = tf.variableGrads(() =>
        tf.sum<tf.Scalar>(tf.mul(tf.tanh(tf.add(tf.add(tf.dot(x, weight), bias), shift)), tf.sum(row))),
      ).grads;
      const flat = (tensors: tf.Tensor[]): tf.Tensor1D =>
        tf.concat1d(tensors.map((tensor) => tf.reshape(tensor, [-1])));
      const gradient = flat(parameters.map(({ name }) => grads[name]));
      const after = tf.sub(flat(parameters), tf.mul(gradient, rate));
      tf.split(after, sizes).forEach((part, i) => parameters[i].assign(part.reshape(parameters[i].shape)));
      return tf.sum(tf.square(gradient));
    });
    const seen: number[] = [];
    for (let i = 1; i <= 4; i++) {
      const norm = step.feed([
        { data: Float32Array.of(i, -1), shape: [2] },
        { data: Float32Array.of(0.1), shape: [] },
      ]);
      seen.push(norm.dataSync()[0]);
      norm.dispose();
      // a parameter that was assigned by somebody else no longer lies beside the others
      if (i === 2) tf.tidy(() => parameters[1].assign(tf.tensor1d([0.5, -0.5, 0.125])));
    }
    for (const parameter of parameters) seen.push(...parameter.dataSync());
    step.dispose();
    tf.dispose(parameters);
    return seen;
  };
  const before = tf.memory().numTensors;
  const engine = run();
  expect(tf.memory().numTensors).toBe(before);
  await selectBackend('cpu');
  const plain = run();
  await selectBackend('onnx');
  expect(engine).toBeAllClose(plain, { atol: 1e-5 });
});

test('arguments from the host are those of a call with tensors, and are read again at every call', async () => {
  const twice = compile((x: tf.Tensor, ids: tf.Tensor) => ({
    picked: tf.gather(tf.mul(x, 2), ids as tf.Tensor1D),
    dtype: tf.cast(ids, 'float32'),
  }));
  const data = Float32Array.of(1, 2, 3, 4, 5, 6);
  const args = [
    { data, shape: [3, 2] },
    { data: Int32Array.of(2, 0), shape: [2] },
  ];
  const fed = (): number[] => {
    const { picked, dtype } = twice.feed(args);
    expect(picked.shape).toEqual([2, 2]);
    const numbers = Array.from(picked.dataSync());
    tf.dispose([picked, dtype]);
    return numbers;
  };
  const before = tf.memory().numTensors;
  expect(fed()).toEqual([10, 12, 2, 4]);
  data.fill(1);
  expect(fed()).toEqual([2, 2, 2, 2]);
  expect(twice.traces).toBe(1);
  expect(tf.memory().numTensors).toBe(before);
  const called = tf.tidy(() =>
    twice(tf.tensor2d(data, [3, 2]), tf.tensor1d([2, 0], 'int32')).picked.arraySync(),
  );
  expect(called).toEqual([
    [2, 2],
    [2, 2],
  ]);
  expect(twice.traces).toBe(1); // the same signature
  await selectBackend('cpu');
  expect(fed()).toEqual([2, 2, 2, 2]);
  await selectBackend('onnx');
  twice.dispose();
});
