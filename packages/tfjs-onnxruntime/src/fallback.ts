import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import { getKernel, type DataType, type KernelFunc, type TensorInfo } from '@tensorflow/tfjs-core';

import type { HostValues, OnnxBackend } from './backend.js';
import type { KernelInputs } from './kernels/kernel.js';

let cpu: MathBackendCPU | undefined;

function cpuBackend(): MathBackendCPU {
  if (!cpu) {
    cpu = new MathBackendCPU();
    // it would advertise the TensorFlow package at its first use
    (cpu as unknown as { firstUse: boolean }).firstUse = false;
  }
  return cpu;
}

/**
 * Runs tfjs's own cpu kernel on host copies of the inputs. It reads its inputs, so that everything recorded runs first.
 */
export function runOnCpu(
  kernelName: string,
  inputs: KernelInputs,
  attrs: object | undefined,
  backend: OnnxBackend,
): TensorInfo | TensorInfo[] {
  const cpu = cpuBackend();
  const lent: TensorInfo[] = [];
  try {
    const kernel = getKernel(kernelName, 'cpu').kernelFunc;
    const lend = (info: TensorInfo): TensorInfo => {
      const copy = toCpu(info, backend, cpu);
      lent.push(copy);
      // some cpu kernels read the rank that tensors have and their descriptions have not
      return Object.assign(copy, { rank: info.shape.length });
    };
    const outputs = kernel({
      inputs: mapTensors(inputs, lend) as KernelInputs,
      attrs: attrs as Parameters<KernelFunc>[0]['attrs'],
      backend: cpu,
    });
    const list = Array.isArray(outputs) ? outputs : [outputs];
    const results = list.map((info) => fromCpu(info, backend, cpu));
    lent.push(...list);
    return Array.isArray(outputs) ? results : results[0];
  } finally {
    for (const { dataId } of lent) if (cpu.data.has(dataId)) cpu.disposeData(dataId, true);
  }
}

/** Inputs are named, in a list, or lists of lists. */
function mapTensors(inputs: unknown, map: (info: TensorInfo) => TensorInfo): unknown {
  if (inputs === null || typeof inputs !== 'object') return inputs;
  if ('dataId' in inputs) return map(inputs as TensorInfo);
  if (Array.isArray(inputs)) return inputs.map((item) => mapTensors(item, map));
  return Object.fromEntries(Object.entries(inputs).map(([name, item]) => [name, mapTensors(item, map)]));
}

function toCpu(info: TensorInfo, backend: OnnxBackend, cpu: MathBackendCPU): TensorInfo {
  const { shape, dtype } = info;
  const parts = backend.data.get(info.dataId).complexTensorInfos;
  if (!parts) return cpu.makeTensorInfo(shape, dtype, backend.readSync(info.dataId).slice());
  const complex = cpu.makeTensorInfo(shape, 'complex64');
  cpu.data.get(complex.dataId).complexTensorInfos = {
    real: toCpu({ ...parts.real, shape }, backend, cpu),
    imag: toCpu({ ...parts.imag, shape }, backend, cpu),
  };
  return complex;
}

function fromCpu(info: TensorInfo, backend: OnnxBackend, cpu: MathBackendCPU): TensorInfo {
  const { values, complexTensorInfos } = cpu.data.get(info.dataId);
  if (complexTensorInfos) {
    const { real, imag } = complexTensorInfos;
    return {
      ...backend.makeComplex(fromCpu(real, backend, cpu), fromCpu(imag, backend, cpu)),
      shape: info.shape,
    };
  }
  return backend.makeHost(typed(values as HostValues, info.dtype), info.shape, info.dtype);
}

/** Some cpu kernels leave plain arrays or arrays of another type behind. */
function typed(values: HostValues, dtype: DataType): HostValues {
  const numbers = values as unknown as ArrayLike<number>;
  if (dtype === 'float32' && !(values instanceof Float32Array)) return Float32Array.from(numbers);
  if (dtype === 'int32' && !(values instanceof Int32Array)) return Int32Array.from(numbers);
  if (dtype === 'bool' && !(values instanceof Uint8Array)) return Uint8Array.from(numbers);
  return values;
}
