/**
 * Who can run a graph here. A device is tried with a graph of one node that must not run anywhere else, because ONNX
 * Runtime gives nodes without a kernel to the cpu in silence.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

import { EngineError } from './errors.js';
import { encodeModel } from './onnx-model.js';
import { outlineGraph } from './outline.js';
import { Recorder } from './recorder.js';
import { Session, loadRuntime, type Device } from './session.js';

/** Where ONNX Runtime can run a graph. */
export const deviceNames: readonly Device[] = ['cpu', 'webgpu', 'cuda'];

/** Whether a device can be used here. */
export interface DeviceReport {
  readonly device: Device;
  readonly usable: boolean;
  /** Why not, and what to do; empty for a usable device. */
  readonly detail: string;
}

/** ONNX Runtime loads it beside its own library, when a session for CUDA is made. */
const CUDA_LIBRARY = 'libonnxruntime_providers_cuda.so';
const CUDA_INSTALL = 'npm rebuild onnxruntime-node --ignore-scripts=false';
const FALLBACK = 'Use device "cpu", which every install has';

/**
 * Runs a graph of one node on a device.
 *
 * @throws {EngineError} when the device cannot be used: why not, what would change that, and the device that remains
 */
export function checkDevice(device: Device): void {
  if (!deviceNames.includes(device)) {
    throw new EngineError(`Unknown device "${String(device)}". Known: ${deviceNames.join(', ')}.`);
  }
  const { binding } = loadRuntime();
  if (!binding.listSupportedBackends().some(({ name }) => name === device)) {
    throw new EngineError(
      `Device "${device}": onnxruntime-node has no ${device} provider for ${process.platform}-${process.arch}. ${FALLBACK}.`,
    );
  }
  if (device === 'cuda' && !existsSync(join(libraryFolder(), CUDA_LIBRARY))) {
    throw new EngineError(
      `Device "cuda": the CUDA provider library (${CUDA_LIBRARY}) is not in this install of onnxruntime-node. "${CUDA_INSTALL}" brings it: the package's install script downloads it. ${FALLBACK}.`,
    );
  }
  try {
    runOneNode(device);
  } catch (error) {
    throw new EngineError(`Device "${device}" ${explain(device, error as Error)} ${FALLBACK}.`, {
      cause: error,
    });
  }
}

/** Tries every device. */
export function deviceReports(): DeviceReport[] {
  return deviceNames.map((device) => {
    try {
      checkDevice(device);
      return { device, usable: true, detail: '' };
    } catch (error) {
      return { device, usable: false, detail: (error as Error).message };
    }
  });
}

function libraryFolder(): string {
  const entry = createRequire(import.meta.url).resolve('onnxruntime-node/package.json');
  return join(dirname(entry), 'bin', 'napi-v6', process.platform, process.arch);
}

function runOneNode(device: Device): void {
  const recorder = new Recorder();
  recorder.kernel = 'Add';
  const values = Float32Array.of(1, 2);
  const spec = { type: 'float32', shape: [2] } as const;
  const x = recorder.input(spec.type, spec.shape, values);
  const outline = outlineGraph(recorder.nodes, [recorder.op('Add', [x, x], spec)]);
  const session = new Session(encodeModel(outline), outline.inputs, outline.outputs, {
    device,
    threads: 1,
    deviceOnly: device !== 'cpu',
  });
  try {
    const [[first, second]] = session.run([values]);
    if (first !== 2 || second !== 4) throw new Error(`1 + 1 and 2 + 2 gave ${first} and ${second}`);
  } finally {
    session.dispose();
  }
}

function explain(device: Device, { cause, message: outer }: Error): string {
  const message = (cause instanceof Error ? cause.message : outer).split('\n')[0];
  if (/Failed to get a WebGPU adapter/.test(message)) {
    return 'has no adapter here: WebGPU needs a graphics driver (Vulkan on Linux, Metal on macOS, Direct3D 12 on Windows).';
  }
  const needs =
    device === 'cuda'
      ? ' It needs an NVIDIA driver, and on the library path cuDNN 9 and the CUDA of its provider library: 12 for the one that npm downloads, 13 for that of the wheel.'
      : '';
  return `does not work here: ${message}.${needs}`;
}
