import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

import { afterEach, expect, jest, test } from '@jest/globals';

import { ConfigError, deviceReports, selectBackend, tf } from '@rollcast/core';
import {
  EngineError,
  deviceNames,
  onnxBackend,
  registerOnnxBackend,
  type Device,
} from '@rollcast/tfjs-onnxruntime';

const reports = await deviceReports();
const report = (device: Device) => reports.find((each) => each.device === device)!;

/** Only this platform has a CUDA provider to install, and where it is installed there is nothing to say. */
const cudaCouldBeHere = process.platform === 'linux' && process.arch === 'x64';
const cudaLibrary = join(
  dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json')),
  'bin/napi-v6/linux/x64/libonnxruntime_providers_cuda.so',
);

/** A test for which this machine must be so; elsewhere it is skipped, with the reason. */
function testWhere(condition: boolean, reason: string): typeof test | typeof test.skip {
  if (!condition) console.warn(`skipped: ${reason}`);
  return condition ? test : test.skip;
}

afterEach(async () => {
  jest.restoreAllMocks();
  await selectBackend('cpu');
  if (tf.findBackendFactory('onnx')) tf.removeBackend('onnx');
});

test('every device is reported, and one that is not usable names the way out', () => {
  expect(reports.map(({ device }) => device)).toEqual(deviceNames);
  expect(report('cpu')).toEqual({ device: 'cpu', usable: true, detail: '' });
  for (const { usable, detail } of reports) {
    expect(detail).toMatch(
      usable
        ? /^$/
        : /^Device "\w+" .*Use device "cpu", which every install has\.$|^Device "\w+": .*Use device "cpu"/,
    );
  }
});

test('a device that does not exist is refused with those that do', () => {
  expect(() => registerOnnxBackend({ device: 'gpu' as Device })).toThrow(EngineError);
  expect(() => registerOnnxBackend({ device: 'gpu' as Device })).toThrow(
    'Unknown device "gpu". Known: cpu, webgpu, cuda.',
  );
});

testWhere(cudaCouldBeHere && !existsSync(cudaLibrary), 'the CUDA provider is installed, or there is none')(
  'cuda without its provider library names the library, the command that brings it and the device that remains',
  async () => {
    const registering = (): void => registerOnnxBackend({ device: 'cuda' });
    expect(registering).toThrow(EngineError);
    expect(registering).toThrow(
      'Device "cuda": the CUDA provider library (libonnxruntime_providers_cuda.so) is not in this install of onnxruntime-node. "npm rebuild onnxruntime-node --ignore-scripts=false" brings it: the package\'s install script downloads it. Use device "cpu", which every install has.',
    );
    // nothing is half registered, and the user of Rollcast reads the same
    expect(tf.findBackendFactory('onnx')).toBeNull();
    await expect(selectBackend('auto', { device: 'cuda' })).rejects.toThrow(ConfigError);
    await expect(selectBackend('auto', { device: 'cuda' })).rejects.toThrow(
      /^The backend "onnx" cannot be used: Device "cuda": the CUDA provider library .*Use device "cpu", which every install has\.$/,
    );
  },
);

test('a platform whose ONNX Runtime was built without a provider says so', () => {
  const { binding } = createRequire(import.meta.url)('onnxruntime-node/dist/binding.js') as {
    binding: { listSupportedBackends(): { name: string; bundled: boolean }[] };
  };
  jest.spyOn(binding, 'listSupportedBackends').mockReturnValue([{ name: 'cpu', bundled: true }]);
  expect(() => registerOnnxBackend({ device: 'webgpu' })).toThrow(
    `Device "webgpu": onnxruntime-node has no webgpu provider for ${process.platform}-${process.arch}. Use device "cpu", which every install has.`,
  );
});

test('a second registration may repeat the options but not change them', async () => {
  registerOnnxBackend({ threads: 1 });
  registerOnnxBackend();
  registerOnnxBackend({ device: 'cpu', threads: 1 });
  expect(() => registerOnnxBackend({ threads: 2, keepMemory: false })).toThrow(
    'The backend "onnx" is registered with threads 1, keepMemory left out; got threads 2, keepMemory false.',
  );
  await selectBackend('onnx', { threads: 1 });
  await expect(selectBackend('onnx', { threads: 2 })).rejects.toThrow(/tf\.removeBackend\('onnx'\)/);
  tf.removeBackend('onnx');
  expect(await selectBackend('onnx', { threads: 2 })).toBe('onnx');
  expect(onnxBackend().sessionOptions.threads).toBe(2);
  expect(tf.tidy(() => tf.add(1, 2).dataSync()[0])).toBe(3);
});

testWhere(process.platform === 'linux', 'threads are counted in /proc')(
  'a session of large tensors has as many threads as were asked for',
  async () => {
    await selectBackend('onnx', { threads: 4 });
    const threads = (): number => readdirSync('/proc/self/task').length;
    const before = threads();
    tf.tidy(() => void tf.tanh(tf.ones([200, 200])).dataSync());
    expect(threads()).toBe(before + 3); // the thread that calls is the fourth
  },
);

test('running out of memory names the kernel, its shapes and the way out, and the backend goes on', async () => {
  await selectBackend('onnx');
  tf.tidy(() => {
    const n = 10_000_000;
    const column = tf.zeros([n, 1]);
    const sum = tf.add(column, tf.reshape(column, [1, n])); // 400 TB
    const reading = (): unknown => tf.max(sum).dataSync();
    expect(reading).toThrow(EngineError);
    expect(reading).toThrow(
      /^Out of memory on device "cpu" in tfjs kernel Add\(float32\[10000000,1\], float32\[1,10000000\]\): use a smaller batch or sessions that keep less \(keepMemory: false\)\./,
    );
  });
  expect(tf.tidy(() => tf.add(1, 2).dataSync()[0])).toBe(3);
});

test('options of the backend onnx are refused where they would be ignored', async () => {
  await expect(selectBackend('wasm', { device: 'webgpu' })).rejects.toThrow(
    'Device "webgpu" belongs to the backend "onnx"; got the backend "wasm". Leave one of the two out.',
  );
  await expect(selectBackend('wasm', { threads: 2 })).rejects.toThrow(
    'Threads belong to the backend "onnx"; got 2 with the backend "wasm".',
  );
  await expect(selectBackend('auto', { threads: 0 })).rejects.toThrow(
    'threads must be a whole number ≥ 1; got 0.',
  );
  await expect(selectBackend('auto', { device: 'webgp' as 'webgpu' })).rejects.toThrow(
    'Unknown device "webgp". Known: cpu, webgpu, cuda. Did you mean "webgpu"?',
  );
  expect(await selectBackend('wasm', { device: 'cpu' })).toBe('wasm');
});
