import { expect, test } from '@jest/globals';

import { RandomStream, philox4x32, type RandomState } from '@rollcast/core';

function philox(counter: number[], key: number[]): string[] {
  const out = new Uint32Array(4);
  philox4x32(counter, key, out);
  return Array.from(out, (word) => word.toString(16).padStart(8, '0'));
}

// Known answers of Random123 1.14.0 (kat_vectors, philox4x32 10).
test('Philox4x32-10 gives the known answers of its authors', () => {
  expect(philox([0, 0, 0, 0], [0, 0])).toEqual(['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']);
  const ones = 0xffffffff;
  expect(philox([ones, ones, ones, ones], [ones, ones])).toEqual([
    '408f276d',
    '41c83b0e',
    'a20bc7c6',
    '6d5451fd',
  ]);
  expect(philox([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0])).toEqual([
    'd16cfe09',
    '94fdcceb',
    '5001e420',
    '24126ea1',
  ]);
});

test('equal seeds and names give equal streams; other names and seeds do not', () => {
  const draw = (seed: number, name: string) => new RandomStream(seed, name).uniforms(8);
  expect(draw(1, 'a')).toEqual(draw(1, 'a'));
  expect(draw(1, 'a')).not.toEqual(draw(1, 'b'));
  expect(draw(1, 'a')).not.toEqual(draw(2, 'a'));
});

test('a stream continues exactly from its saved state', () => {
  const stream = new RandomStream(7, 'resume');
  stream.uniforms(5);
  const copy = RandomStream.fromState(JSON.parse(JSON.stringify(stream.state())) as RandomState);
  expect(copy.normals(6)).toEqual(stream.normals(6));
});

test('uniform numbers lie in [0, 1) with mean 1/2; normals have mean 0 and variance 1', () => {
  const n = 20_000;
  const uniforms = new RandomStream(3, 'u').uniforms(n);
  expect(Math.min(...uniforms)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...uniforms)).toBeLessThan(1);
  expect(uniforms.reduce((a, b) => a + b) / n).toBeAllClose(0.5, { atol: 0.01 });
  const normals = new RandomStream(3, 'n').normals(n);
  expect(normals.reduce((a, b) => a + b) / n).toBeAllClose(0, { atol: 0.03 });
  expect(normals.reduce((a, b) => a + b * b, 0) / n).toBeAllClose(1, { atol: 0.03 });
});

test('gamma variates have mean and variance equal to the shape', () => {
  for (const shape of [0.4, 3]) {
    const stream = new RandomStream(5, `gamma-${shape}`);
    const draws = Array.from({ length: 20_000 }, () => stream.gamma(shape));
    const mean = draws.reduce((a, b) => a + b) / draws.length;
    expect(mean).toBeAllClose(shape, { rtol: 0.03 });
    expect(draws.reduce((a, b) => a + (b - mean) ** 2, 0) / draws.length).toBeAllClose(shape, { rtol: 0.08 });
  }
});

test('a permutation holds every index once', () => {
  const order = new RandomStream(1, 'p').permutation(50);
  expect([...order].sort((a, b) => a - b)).toEqual([...Array(50).keys()]);
});
