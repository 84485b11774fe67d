import { availableParallelism } from 'node:os';

import {
  findBackend,
  findBackendFactory,
  getKernelsForBackend,
  registerBackend,
  registerKernel,
  util,
  type ExpandDimsAttrs,
  type KernelFunc,
  type ReshapeAttrs,
  type TensorInfo,
} from '@tensorflow/tfjs-core';

import { OnnxBackend, type OnnxBackendOptions } from './backend.js';
import { checkDevice } from './devices.js';
import { EngineError } from './errors.js';
import { runOnCpu } from './fallback.js';
import { sizeOf } from './graph.js';
import { nativeKernelTable } from './kernels/index.js';
import { KernelCall, type KernelInputs } from './kernels/kernel.js';

/** The name under which tfjs knows the backend. */
export const BACKEND_NAME = 'onnx';

/** Above tfjs's own backends, the highest of which is 3 in Node. */
const PRIORITY = 4;

/**
 * Makes the backend known to tfjs as `onnx`, with all its kernels. `await tf.setBackend('onnx')` then switches to it.
 * The device is tried at once. Calling it again does nothing, unless it asks for something else than what is there.
 *
 * @throws {EngineError} when ONNX Runtime has no binary for this platform, when the device cannot be used here, or when
 *   the backend is registered with other options
 */
export function registerOnnxBackend(options: OnnxBackendOptions = {}): void {
  if (inEffect && findBackendFactory(BACKEND_NAME)) {
    refuseOtherOptions(options, inEffect);
    return;
  }
  // here and not when tfjs starts the backend, because tfjs would swallow the reason
  checkDevice(options.device ?? 'cpu');
  registerBackend(BACKEND_NAME, () => new OnnxBackend(options), PRIORITY);
  if (!inEffect) registerOnnxKernels();
  inEffect = { device: 'cpu', threads: availableParallelism(), ...options };
}

/** The options of the last registration; kernels stay registered when the backend is removed. */
let inEffect: OnnxBackendOptions | undefined;

function refuseOtherOptions(wanted: OnnxBackendOptions, current: OnnxBackendOptions): void {
  const describe = (name: keyof OnnxBackendOptions, options: OnnxBackendOptions): string =>
    `${name} ${options[name] ?? 'left out'}`;
  const others = (Object.keys(wanted) as (keyof OnnxBackendOptions)[]).filter(
    (name) => wanted[name] !== undefined && wanted[name] !== current[name],
  );
  if (others.length === 0) return;
  if (wanted.device) checkDevice(wanted.device); // that it does not work at all is the better answer
  const [had, got] = [current, wanted].map((options) =>
    others.map((name) => describe(name, options)).join(', '),
  );
  throw new EngineError(
    `The backend "${BACKEND_NAME}" is registered with ${had}; got ${got}. Give the options where it is registered first, or drop it and its tensors before: tf.removeBackend('${BACKEND_NAME}').`,
  );
}

/** The kernels that run on ONNX Runtime or need no computation; every other kernel of tfjs runs on its cpu kernel. */
export function nativeKernels(): string[] {
  return [...Object.keys(nativeKernelTable), ...Object.keys(sharingKernels)].sort();
}

/** Kernels that run on tfjs's cpu backend, inputs and outputs copied. */
export function fallbackKernels(): string[] {
  const native = new Set(nativeKernels());
  return getKernelsForBackend('cpu')
    .map(({ kernelName }) => kernelName)
    .filter((name) => !native.has(name))
    .sort();
}

/** The running backend, for statistics and tests. */
export function onnxBackend(): OnnxBackend {
  return findBackend(BACKEND_NAME) as OnnxBackend;
}

type SharingKernel = (inputs: KernelInputs, attrs: unknown, backend: OnnxBackend) => TensorInfo;

function share(info: TensorInfo, shape: number[], backend: OnnxBackend): TensorInfo {
  // a tensor of another backend moves here first
  backend.data.get(info.dataId);
  backend.incRef(info.dataId);
  return { dataId: info.dataId, shape, dtype: info.dtype };
}

function reshaped(x: TensorInfo, target: number[], backend: OnnxBackend): TensorInfo {
  const size = sizeOf(x.shape);
  const shape = util.inferFromImplicitShape(target, size);
  util.assert(
    size === sizeOf(shape),
    () =>
      `The new shape (${shape.join()}) has ${sizeOf(shape)} elements and the old shape (${x.shape.join()}) has ${size} elements. The new shape and old shape must have the same number of elements.`,
  );
  return share(x, shape, backend);
}

/** Kernels that give the same data another name or shape. */
const sharingKernels: Readonly<Record<string, SharingKernel>> = {
  Identity: ({ x }, _attrs, backend) => share(x, x.shape, backend),
  Reshape: ({ x }, attrs, backend) => reshaped(x, (attrs as ReshapeAttrs).shape, backend),
  ExpandDims: ({ input }, attrs, backend) => {
    const { dim } = attrs as ExpandDimsAttrs;
    const rank = input.shape.length;
    util.assert(-(rank + 1) <= dim, () => `Axis must be in the interval [${-(rank + 1)}, ${rank}]`);
    const shape = input.shape.slice();
    shape.splice(dim < 0 ? rank + dim + 1 : dim, 0, 1);
    return reshaped(input, shape, backend);
  },
  Complex: ({ real, imag }, _attrs, backend) => {
    const copy = (info: TensorInfo): TensorInfo =>
      backend.makeHost(backend.readSync(info.dataId), info.shape, 'float32');
    return backend.makeComplex(copy(real), copy(imag));
  },
};

function registerOnnxKernels(): void {
  for (const [kernelName, kernel] of Object.entries(sharingKernels)) {
    register(kernelName, (inputs, attrs, backend) => kernel(inputs, attrs, backend));
  }
  for (const [kernelName, kernel] of Object.entries(nativeKernelTable)) {
    register(kernelName, (inputs, attrs, backend) => {
      if (!recordable(inputs)) return runOnCpu(kernelName, inputs, attrs, backend);
      backend.recorder.kernel = kernelName;
      const recorded = kernel(new KernelCall(backend, inputs, attrs));
      if (recorded === undefined) return runOnCpu(kernelName, inputs, attrs, backend);
      const outputs = Array.isArray(recorded)
        ? recorded.map((value) => backend.makePending(value))
        : backend.makePending(recorded);
      backend.afterKernel();
      return outputs;
    });
  }
  for (const kernelName of fallbackKernels()) {
    register(kernelName, (inputs, attrs, backend) => runOnCpu(kernelName, inputs, attrs, backend));
  }
}

function register(
  kernelName: string,
  run: (inputs: KernelInputs, attrs: object | undefined, backend: OnnxBackend) => TensorInfo | TensorInfo[],
): void {
  const kernelFunc: KernelFunc = ({ inputs, attrs, backend }) =>
    run(inputs as KernelInputs, attrs, backend as OnnxBackend);
  registerKernel({ kernelName, backendName: BACKEND_NAME, kernelFunc });
}

/** Whether ONNX Runtime can hold all inputs: numbers, and at least one of them. */
function recordable(inputs: KernelInputs): boolean {
  for (const name in inputs) {
    const info = inputs[name];
    if (info == null) continue;
    if (info.dtype === 'complex64' || info.dtype === 'string') return false;
    if (info.shape.includes(0)) return false;
  }
  return true;
}
