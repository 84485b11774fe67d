import { beforeAll, expect, test } from '@jest/globals';

import { CheckpointError, ParameterStore, ShapeError } from '@rollcast/core';

import { useBackend } from '../../support/backends.js';
import { expectNoTensorLeft } from '../../support/tensors.js';

beforeAll(() => useBackend('cpu'));

function twoParameters(): ParameterStore {
  const parameters = new ParameterStore();
  parameters.add('a', [2], Float32Array.of(1, 2));
  parameters.add('b', [1, 2], Float32Array.of(3, 4));
  return parameters;
}

test('saved values are a copy, and loading them restores them in place', () => {
  const parameters = twoParameters();
  const saved = parameters.save();
  const variable = parameters.variable('a');
  parameters.load({ ...saved, a: { shape: [2], data: Float32Array.of(9, 9) } });
  expect(Array.from(variable.dataSync())).toEqual([9, 9]);
  expect(Array.from(saved['a'].data)).toEqual([1, 2]);
  parameters.load(saved);
  expect(parameters.save()).toEqual(saved);
  expect(parameters.size).toBe(4);
});

test.each([
  ['lacks a parameter', { a: { shape: [2], data: Float32Array.of(9, 9) } }, 'lacks the parameter "b"'],
  [
    'has another shape',
    { a: { shape: [2], data: Float32Array.of(9, 9) }, b: { shape: [2, 1], data: Float32Array.of(9, 9) } },
    'shape [1, 2] here and [2, 1] in the checkpoint',
  ],
  [
    'has an unknown parameter',
    { a: { shape: [2], data: Float32Array.of(9, 9) }, c: { shape: [1], data: Float32Array.of(1) } },
    'unknown parameter "c"',
  ],
])('a checkpoint that %s is refused, and nothing changes', (_what, arrays, message) => {
  const parameters = twoParameters();
  const before = parameters.save();
  expect(() => parameters.load(arrays)).toThrow(message);
  expect(() => parameters.load(arrays)).toThrow(CheckpointError);
  expect(parameters.save()).toEqual(before);
});

test('a name is taken once and must exist', () => {
  const parameters = twoParameters();
  expect(() => parameters.add('a', [1], Float32Array.of(1))).toThrow(ShapeError);
  expect(() => parameters.get('z')).toThrow('no parameter "z"');
});

test('dispose frees every variable; saving and loading leave nothing behind', () => {
  expectNoTensorLeft(() => {
    const parameters = twoParameters();
    expectNoTensorLeft(() => parameters.load(parameters.save()));
    parameters.dispose();
  });
});
