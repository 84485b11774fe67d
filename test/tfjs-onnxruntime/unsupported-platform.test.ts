import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { backendReports, deviceReports, selectBackend } from '@rollcast/core';
import { EngineError, registerOnnxBackend } from '@rollcast/tfjs-onnxruntime';

// onnxruntime-node looks for its binary by platform and architecture; for this one it has none
const { arch } = process;
beforeAll(() => void Object.defineProperty(process, 'arch', { value: 's390x' }));
afterAll(() => void Object.defineProperty(process, 'arch', { value: arch }));

const MESSAGE = new RegExp(
  `onnxruntime-node cannot be loaded on ${process.platform}-s390x: .*binaries for linux-x64, .*; elsewhere use tfjs's wasm backend`,
);

test('a platform without a binary is named, with those that have one and the backend to use instead', async () => {
  expect(() => registerOnnxBackend()).toThrow(EngineError);
  expect(() => registerOnnxBackend()).toThrow(MESSAGE);
  await expect(selectBackend('onnx')).rejects.toThrow(MESSAGE);
  for (const { usable, detail } of await deviceReports()) {
    expect({ usable, detail }).toEqual({ usable: false, detail: expect.stringMatching(MESSAGE) });
  }
});

test('auto goes on to the next backend there', async () => {
  const chosen = await selectBackend('auto');
  expect(chosen).not.toBe('onnx');
  const ready = (await backendReports()).filter(({ available }) => available).map(({ name }) => name);
  expect(ready[0]).toBe(chosen);
  expect(ready).toContain('wasm');
});
