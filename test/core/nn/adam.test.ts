import { readFileSync } from 'node:fs';

import { beforeAll, expect, test } from '@jest/globals';

import { Adam, CheckpointError, ParameterStore, tf, type AdamOptions } from '@rollcast/core';

import { useBackend } from '../../support/backends.js';
import { expectNoTensorLeft, normals } from '../../support/tensors.js';

type Named = Record<string, number[]>;

/** Recorded by test/golden/record-adam.py. */
const golden = JSON.parse(readFileSync(new URL('../../golden/adam.json', import.meta.url), 'utf8')) as {
  learningRate: number;
  shapes: Named;
  initial: Named;
  gradients: Named[];
  adam: Named[];
  adamW: Named[];
};

beforeAll(() => useBackend('cpu'));

function stored(shapes: Named, values: Named): ParameterStore {
  const parameters = new ParameterStore();
  for (const [name, shape] of Object.entries(shapes))
    parameters.add(name, shape, Float32Array.from(values[name]));
  return parameters;
}

/** The gradients one after the other, in the order of the parameters. */
function step(adam: Adam, gradients: Named, learningRate: number, scale?: number): void {
  const gradient = tf.tensor1d(Object.values(gradients).flat());
  adam.step(gradient, learningRate, scale);
  gradient.dispose();
}

test('the first step moves by the learning rate against the sign of the gradient', () => {
  // m/(1−β₁) = g, v/(1−β₂) = g²: the step is lr · g / (|g| + ε) = 0.1 · 2 / (2 + 0.5) = 0.08
  const shapes = { w: [2] };
  const parameters = stored(shapes, { w: [1, 1] });
  const adam = new Adam(parameters, { epsilon: 0.5 });
  step(adam, { w: [2, -2] }, 0.1);
  expect(parameters.get('w').dataSync()).toBeAllClose([0.92, 1.08], { atol: 1e-6 });
  // the second, by hand, gradient 0: m̂ = 0.9·0.2/0.19, v̂ = 0.999·0.004/0.001999
  step(adam, { w: [0, 0] }, 0.1);
  const moved = (0.1 * ((0.9 * 0.2) / 0.19)) / (Math.sqrt((0.999 * 0.004) / 0.001999) + 0.5);
  expect(parameters.get('w').dataSync()).toBeAllClose([0.92 - moved, 1.08 + moved], { atol: 1e-6 });
});

test.each<['adam' | 'adamW', AdamOptions]>([
  ['adam', {}],
  ['adamW', { beta1: 0.8, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1 }],
])('five steps of %s are those of PyTorch', (which, options) => {
  const parameters = stored(golden.shapes, golden.initial);
  const adam = new Adam(parameters, options);
  golden.gradients.forEach((gradients, t) => {
    step(adam, gradients, golden.learningRate);
    for (const [name, expected] of Object.entries(golden[which][t]))
      expect(parameters.get(name).dataSync()).toBeAllClose(expected, { atol: 1e-6 });
  });
});

test('the scale multiplies every gradient', () => {
  const run = (gradient: number[], scale: number): ArrayLike<number> => {
    const shapes = { w: [2] };
    const parameters = stored(shapes, { w: [1, 2] });
    step(new Adam(parameters), { w: gradient }, 0.1, scale);
    return parameters.get('w').dataSync();
  };
  expect(run([1e-4, -3e-4], 0.1)).toBeAllClose(run([1e-5, -3e-5], 1), { atol: 1e-7 });
});

test('weight decay shrinks matrices and leaves vectors alone', () => {
  const parameters = stored({ matrix: [1, 1], vector: [1] }, { matrix: [1], vector: [1] });
  step(new Adam(parameters, { weightDecay: 0.5 }), { matrix: [0], vector: [0] }, 0.1);
  // gradient 0: nothing but θ ← θ − lr · λ · θ
  expect(parameters.get('matrix').dataSync()).toBeAllClose([0.95]);
  expect(Array.from(parameters.get('vector').dataSync())).toEqual([1]);
});

test('restored from its saved state, it continues bit for bit', () => {
  const first = stored(golden.shapes, golden.initial);
  const adam = new Adam(first);
  for (const gradients of golden.gradients.slice(0, 3)) step(adam, gradients, 0.01);
  const second = new ParameterStore();
  for (const [name, { shape, data }] of Object.entries(first.save())) second.add(name, [...shape], data);
  const copy = new Adam(second);
  const { moments, powers } = adam.state();
  copy.restore({ moments, powers: JSON.parse(JSON.stringify(powers)) as typeof powers });
  for (const gradients of golden.gradients.slice(3)) {
    step(adam, gradients, 0.01);
    step(copy, gradients, 0.01);
  }
  expect(second.save()).toEqual(first.save());
  expect(copy.state()).toEqual(adam.state());
});

test('a state that lacks a moment is refused, and nothing changes', () => {
  const adam = new Adam(stored(golden.shapes, golden.initial));
  step(adam, golden.gradients[0], 0.01);
  const before = adam.state();
  const rest = Object.fromEntries(
    Object.entries(before.moments).filter(([name]) => name !== 'second.vector'),
  );
  expect(() => adam.restore({ moments: rest, powers: { beta1: 0, beta2: 0 } })).toThrow(CheckpointError);
  expect(adam.state()).toEqual(before);
});

test('steps, states and restores leave no tensor behind, and dispose frees the moments', () => {
  const parameters = stored(golden.shapes, golden.initial);
  expectNoTensorLeft(() => {
    const adam = new Adam(parameters, { weightDecay: 0.1 });
    const gradient = normals([parameters.size], 'g') as tf.Tensor1D;
    expectNoTensorLeft(() => {
      adam.step(gradient, 0.1);
      adam.restore(adam.state());
    });
    gradient.dispose();
    adam.dispose();
  });
});

test('frozen parameters have no moments', () => {
  const parameters = new ParameterStore();
  parameters.add('frozen', [2], Float32Array.of(1, 2), false);
  expect(Object.keys(new Adam(parameters).state().moments)).toEqual([]);
});
