import { readFileSync } from 'node:fs';

import { expect, test } from '@jest/globals';

import { CheckpointError, RandomStream, decodeSafetensors, encodeSafetensors } from '@rollcast/core';

// Recorded with the real package by test/golden/record-safetensors.py (safetensors 0.8.0, numpy 2.4.6), which also read
// the bytes written here: they are the same bytes.
const golden = Buffer.from(
  readFileSync(new URL('../../golden/safetensors.hex', import.meta.url), 'utf8').trim(),
  'hex',
);
const goldenArrays = {
  'layers.0.weight': { shape: [2, 3], data: Float32Array.of(1, -2.5, 3, 0.1, 1e-20, -0) },
  bias: { shape: [2], data: Float32Array.of(0.25, 7) },
  scalar: { shape: [], data: Float32Array.of(3.5) },
  empty: { shape: [0, 4], data: new Float32Array(0) },
};
const goldenMetadata = { note: 'grün', format: 'rollcast' };

test('a file of the reference implementation is read', () => {
  expect(decodeSafetensors(golden, 'golden')).toEqual({ arrays: goldenArrays, metadata: goldenMetadata });
});

test('the bytes equal those of the reference implementation', () => {
  expect(encodeSafetensors(goldenArrays, goldenMetadata).equals(golden)).toBe(true);
});

test('the order of the names does not matter, and names like numbers or of Object are names', () => {
  const one = { shape: [1], data: Float32Array.of(1) };
  const two = { shape: [1], data: Float32Array.of(2) };
  const bytes = encodeSafetensors({ 10: one, b: two, constructor: one });
  expect(encodeSafetensors({ constructor: one, b: two, 10: one }).equals(bytes)).toBe(true);
  expect(decodeSafetensors(bytes, 'x').arrays).toEqual({ 10: one, b: two, constructor: one });
});

test('a view of a larger buffer is written by its own values', () => {
  const data = Float32Array.of(1, 2, 3, 4).subarray(1, 3);
  expect(decodeSafetensors(encodeSafetensors({ a: { shape: [2], data } }), 'x').arrays.a.data).toEqual(
    Float32Array.of(2, 3),
  );
});

test('an array whose shape and values differ is refused', () => {
  const wrong = { a: { shape: [3], data: new Float32Array(2) } };
  expect(() => encodeSafetensors(wrong)).toThrow('The array "a" has shape [3] but 2 values.');
});

function file(header: unknown, dataBytes: number): Buffer {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const head = Buffer.alloc(8);
  head.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([head, text, Buffer.alloc(dataBytes)]);
}
const entry = (begin: number, end: number, shape: unknown = [(end - begin) / 4], dtype = 'F32') => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});
const huge = Buffer.alloc(16, 0xff);

test.each<[string, Buffer]>([
  ['it has 3 bytes', Buffer.alloc(3)],
  ['claims a header of 18446744073709552000 bytes', huge],
  ['it is cut off', golden.subarray(0, 40)],
  ['outside of the 20 there', golden.subarray(0, golden.length - 16)],
  ['its header is not JSON', file('{"a":', 0)],
  ['its header is not JSON', file(Buffer.from([0x7b, 0xff, 0x7d]).toString('latin1') + '\u0000', 0)],
  ['its header is not a JSON object', file([], 0)],
  ['__metadata__ is not text', file({ __metadata__: { a: 1 } }, 0)],
  ['the entry of "a" is not an object', file({ a: 1 }, 0)],
  ['"a" is of type "F64"', file({ a: entry(0, 8, [1], 'F64') }, 8)],
  ['the shape of "a" is damaged', file({ a: entry(0, 8, [-2]) }, 8)],
  ['the offsets of "a" are damaged', file({ a: { dtype: 'F32', shape: [1], data_offsets: [0] } }, 4)],
  ['(bytes 0 to 8) lie outside of the 4', file({ a: entry(0, 8) }, 4)],
  ['"a" of shape [1000000000000] has 8 bytes', file({ a: entry(0, 8, [1e12]) }, 8)],
  ['the values of "b" start at byte 4, expected 8', file({ a: entry(0, 8), b: entry(4, 12) }, 12)],
  ['the values of "b" start at byte 12, expected 8', file({ a: entry(0, 8), b: entry(12, 16) }, 16)],
  ['describes 8 bytes of values, 12 are there', file({ a: entry(0, 8) }, 12)],
])('a damaged file is named: %s', (problem, bytes) => {
  const read = () => decodeSafetensors(bytes, 'model.safetensors');
  expect(read).toThrow(CheckpointError);
  expect(read).toThrow('model.safetensors is not a usable safetensors file: ');
  expect(read).toThrow(problem);
});

test('whatever byte of the head changes, the file is read or refused with a CheckpointError', () => {
  const random = new RandomStream(1, 'safetensors-damage');
  for (let i = 0; i < 2000; i++) {
    const damaged = Buffer.from(golden);
    damaged[random.integer(golden.length)] ^= 1 + random.integer(255);
    try {
      decodeSafetensors(damaged, 'damaged');
    } catch (error) {
      expect(error).toBeInstanceOf(CheckpointError);
    }
  }
});
