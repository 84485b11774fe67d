import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { DegradationTransformer, ParameterStore, selectBackend, tf } from '@rollcast/core';
import { EngineError, compile, onnxBackend } from '@rollcast/tfjs-onnxruntime';

beforeAll(() => selectBackend('onnx'));
afterAll(() => selectBackend('cpu'));

test('a compiled function gives what the function gives, and is traced once a signature', () => {
  let calls = 0;
  const plain = (x: tf.Tensor, y: tf.Tensor): { sum: tf.Tensor; parts: tf.Tensor[] } => {
    calls += 1;
    return { sum: tf.sum(tf.mul(x, y)), parts: [tf.tanh(x), tf.reshape(y, [-1, 1])] };
  };
  const compiled = compile(plain);
  const before = tf.memory().numTensors;
  for (const values of [
    [1, 2],
    [-3, 0.5],
    [1, 2, 3],
  ]) {
    tf.tidy(() => {
      const x = tf.tensor1d(values);
      const y = tf.add(x, 1); // pending when it is handed over
      const expected = plain(x, y);
      const found = compiled(x, y);
      expect(found.sum.dataSync()).toBeAllClose(expected.sum.dataSync());
      expect(found.parts.map((part) => part.shape)).toEqual([[values.length], [values.length, 1]]);
      found.parts.forEach((part, i) => expect(part.dataSync()).toBeAllClose(expected.parts[i].dataSync()));
    });
  }
  expect(calls).toBe(3 + 2);
  expect(compiled.traces).toBe(2);
  expect(tf.memory().numTensors).toBe(before);
  compiled.dispose();
  expect(compiled.traces).toBe(0);
});

test('variables are read anew and assigned at every call', () => {
  const w = tf.variable(tf.scalar(2));
  const step = compile((rate: tf.Tensor) => {
    const { value, grads } = tf.variableGrads(() => tf.square(tf.sub<tf.Scalar>(w, 5)), [w]);
    w.assign(tf.sub<tf.Scalar>(w, tf.mul(rate, grads[w.name])));
    return value;
  });
  const run = (rate: number): number =>
    tf.tidy(() => {
      const loss = step(tf.scalar(rate));
      return loss.dataSync()[0];
    });
  expect(run(0.5)).toBeCloseTo(9); // 2 → 2 + 0.5 · 6 = 5
  expect(w.dataSync()[0]).toBeCloseTo(5);
  expect(run(0.1)).toBeCloseTo(0);
  w.assign(tf.scalar(6));
  const shared = w.clone();
  expect(run(0.25)).toBeCloseTo(1); // 6 → 6 − 0.25 · 2 = 5.5
  expect(w.dataSync()[0]).toBeCloseTo(5.5);
  expect(tf.add(w, 1).dataSync()[0]).toBeCloseTo(6.5);
  // a tensor that shared the old value keeps it
  expect(shared.dataSync()[0]).toBe(6);
  step.dispose();
  tf.dispose([w, shared]);
});

test('a whole update in one call equals the same update recorded each time', () => {
  const losses = (compiled: boolean): number[] => {
    const model = new DegradationTransformer({
      vocabularySize: 12,
      width: 8,
      layers: 1,
      heads: 2,
      attentionWindow: 8,
    });
    const trainable = model.parameters.entries();
    const update = (contexts: tf.Tensor, actions: tf.Tensor): tf.Tensor => {
      const { value, grads } = tf.variableGrads(
        () => tf.neg(tf.mean(model.score(contexts as tf.Tensor2D, actions as tf.Tensor2D).logProbs)),
        trainable.map(([, variable]) => variable),
      );
      for (const [, variable] of trainable) {
        if (grads[variable.name]) variable.assign(tf.sub(variable, tf.mul(grads[variable.name], 0.1)));
      }
      return value;
    };
    const run = compile(update);
    const found: number[] = [];
    const before = tf.memory().numTensors;
    for (let i = 0; i < 4; i++) {
      tf.tidy(() => {
        const contexts = tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3], 'int32');
        const actions = tf.tensor2d([4, 5, 7, i], [2, 2], 'int32');
        found.push((compiled ? run : update)(contexts, actions).dataSync()[0]);
      });
    }
    expect(tf.memory().numTensors).toBe(before);
    run.dispose();
    model.dispose();
    return found;
  };
  const recorded = losses(false);
  expect(losses(true)).toBeAllClose(recorded, { rtol: 1e-6 });
  expect(recorded[3]).not.toBeCloseTo(recorded[0]);
});

test('what may not happen inside says so, and leaves variables and backend as they were', () => {
  const store = new ParameterStore();
  store.add('w', [2], Float32Array.of(1, 2));
  const w = store.variable('w');
  const one = tf.tensor1d([1, 1]);
  const reading = compile((x: tf.Tensor) => {
    w.assign(tf.add(w, x));
    return tf.mul(x, tf.sum(w).dataSync()[0]);
  });
  expect(() => reading(one)).toThrow(EngineError);
  expect(() => reading(one)).toThrow(/inside compile\(\)/);
  const foreign = compile((x: tf.Tensor) => tf.atan2(x, x));
  expect(() => foreign(one)).toThrow(/kernels that ONNX Runtime does not know/);
  const making = compile((x: tf.Tensor) => tf.variable(x).add(1));
  expect(() => making(one)).toThrow(/variable was made inside/);
  expect(w.dataSync()).toBeAllClose([1, 2]);
  expect(tf.tidy(() => tf.add(w, one).dataSync())).toBeAllClose([2, 3]);
  expect(onnxBackend().tracing).toBe(false);
  tf.disposeVariables();
  one.dispose();
});

test('under a gradient and on other backends the function itself is called', async () => {
  const square = compile((x: tf.Tensor) => tf.square(x));
  const x = tf.scalar(3);
  expect(
    tf.tidy(
      () =>
        tf
          .grad((y) => square(y))(x)
          .dataSync()[0],
    ),
  ).toBe(6);
  expect(square.traces).toBe(0);
  await selectBackend('cpu');
  expect(tf.tidy(() => square(x).dataSync()[0])).toBe(9);
  await selectBackend('onnx');
  x.dispose();
});

test('map calls it for every list of arguments on several threads, with the bits of one thread', () => {
  const w = tf.variable(tf.randomNormal([8, 8], 0, 1, 'float32', 5));
  const compiled = compile((x: tf.Tensor, scale: tf.Tensor) => ({
    y: tf.tanh(tf.mul(tf.matMul(x as tf.Tensor2D, w), scale)),
    large: tf.greater(x, 1),
  }));
  const before = tf.memory().numTensors;
  tf.tidy(() => {
    // the third has another shape
    const calls = [2, 2, 3, 2, 2].map((rows, i): [tf.Tensor, tf.Tensor] => [
      tf.randomNormal([rows, 8], 0, 1, 'float32', i),
      tf.scalar(i),
    ]);
    for (const round of [1, 2]) {
      const together = compiled.map(calls);
      const alone = calls.map((args) => compiled.map([args])[0]);
      const plain = calls.map((args) => compiled(...args));
      together.forEach(({ y, large }, i) => {
        expect(y.shape).toEqual(plain[i].y.shape);
        expect(Array.from(y.dataSync())).toEqual(Array.from(alone[i].y.dataSync()));
        expect(y.dataSync()).toBeAllClose(plain[i].y.dataSync(), { rtol: 1e-5, atol: 1e-6 });
        expect(Array.from(large.dataSync())).toEqual(Array.from(plain[i].large.dataSync()));
      });
      // variables are read anew
      if (round === 1) w.assign(tf.mul(w, -1));
    }
    expect(compiled.map([])).toEqual([]);
  });
  expect(tf.memory().numTensors).toBe(before);
  compiled.dispose();
  w.dispose();
});

test('an error on any thread names the kernel, and the other calls and the backend go on', () => {
  const pick = compile((table: tf.Tensor, ids: tf.Tensor) =>
    tf.gather(table, tf.add(ids, tf.scalar(1, 'int32'))),
  );
  tf.tidy(() => {
    const table = tf.tensor2d([1, 2, 3], [3, 1]);
    const [good, bad] = [0, 7].map((id) => tf.tensor1d([id], 'int32'));
    for (const calls of [
      [bad, good],
      [good, bad],
      [bad, bad],
    ]) {
      expect(() => pick.map(calls.map((ids) => [table, ids]))).toThrow(/GatherV2\(float32\[3,1\]/);
      expect(pick.map([good, good].map((ids) => [table, ids])).map((x) => x.dataSync()[0])).toEqual([2, 2]);
    }
  });
  pick.dispose();
});

/** The worker threads that `map` has started. */
const startedWorkers = (): readonly Worker[] =>
  (onnxBackend().workers as unknown as { workers: { worker: Worker }[] }).workers.map(({ worker }) => worker);

(availableParallelism() > 1 ? test : test.skip)(
  'a thread that is killed is an error within a moment, and the next call gets another',
  async () => {
    const double = compile((x: tf.Tensor) => tf.mul(x, 2));
    const x = tf.tensor1d([1, 2]);
    const run = (): number[][] =>
      tf.tidy(() => double.map([[x], [x], [x]]).map((y) => Array.from(y.dataSync())));
    const expected = run();
    const killed = startedWorkers();
    killed.forEach((worker) => void worker.terminate());
    const started = performance.now();
    expect(run).toThrow(/a worker thread of the engine has ended; .* Try fewer threads/); // no event has come yet
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(run()).toEqual(expected);
    expect(startedWorkers()).not.toEqual(expect.arrayContaining([killed[0]]));
    // one that dies between two calls costs nothing
    await Promise.all(startedWorkers().map((worker) => worker.terminate()));
    expect(run()).toEqual(expected);
    tf.dispose(x);
    double.dispose();
  },
);

test('a function that assigns variables cannot be mapped, since its calls would race', () => {
  const w = tf.variable(tf.scalar(1));
  const assigning = compile((x: tf.Tensor) => {
    w.assign(tf.add<tf.Scalar>(w, x));
    return x;
  });
  const x = tf.scalar(2);
  expect(() => assigning.map([[x], [x]])).toThrow(/assigns variables cannot be called through map/);
  expect(w.dataSync()[0]).toBe(1);
  tf.dispose([w, x]);
});
