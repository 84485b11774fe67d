/** Who does the arithmetic: tfjs backends behind one switch. */
import { createRequire } from 'node:module';

import { ConfigError } from './errors.js';
import { suggestion } from './options.js';
import { tf } from './tf.js';

/** A way to compute, in the order in which `auto` tries them. */
interface BackendSpec {
  readonly name: BackendName;
  /** The name under which tfjs knows it. */
  readonly tfjsName: string;
  /** The npm package that brings it. */
  readonly package: string;
  readonly description: string;
  /** Loads the package and registers the backend with tfjs. */
  readonly load: (options: BackendOptions) => Promise<unknown>;
  /** What else `rollcast doctor` should say of it, once it is loaded. */
  readonly notes?: () => Promise<string>;
  /** How to install it, when `npm install` of the package at tfjs's version is not it. */
  readonly install?: string;
}

/** A backend of tfjs that can be chosen. */
export type BackendName = 'onnx' | 'tensorflow-gpu' | 'tensorflow' | 'wasm' | 'cpu';

/** Where the backend `onnx` runs its graphs. */
export type DeviceName = 'cpu' | 'webgpu' | 'cuda';

/** What the backend `onnx` is started with; the other backends have nothing to choose. */
export interface BackendOptions {
  /** @defaultValue 'cpu' */
  readonly device?: DeviceName;
  /** Threads of one operator on the cpu, at least 1. @defaultValue the number of cores */
  readonly threads?: number;
}

/** Optional packages are named by a variable: the compiler does not look for what need not be there. */
const optional = (name: string) => (): Promise<unknown> => import(name);

const ENGINE = '@rollcast/tfjs-onnxruntime';

interface Engine {
  registerOnnxBackend(options: BackendOptions): void;
  deviceReports(): DeviceReport[];
  nativeKernels(): string[];
  fallbackKernels(): string[];
}

const importEngine = (): Promise<Engine> => import(ENGINE) as Promise<Engine>;

const BACKENDS: readonly BackendSpec[] = [
  {
    name: 'onnx',
    tfjsName: 'onnx',
    package: ENGINE,
    description: 'compiles lazily and runs on ONNX Runtime; comes with Rollcast',
    load: async (options) => (await importEngine()).registerOnnxBackend(options),
    notes: async () => {
      const engine = await importEngine();
      const [native, fallback] = [engine.nativeKernels(), engine.fallbackKernels()];
      return `${native.length} kernels run on ONNX Runtime: ${native.join(', ')}. The other ${fallback.length} run on tfjs's cpu kernels: ${fallback.join(', ')}.`;
    },
    install: `npm install ${ENGINE}`,
  },
  {
    name: 'tensorflow-gpu',
    tfjsName: 'tensorflow',
    package: '@tensorflow/tfjs-node-gpu',
    description: 'native TensorFlow on CUDA; its install downloads libtensorflow',
    load: optional('@tensorflow/tfjs-node-gpu'),
  },
  {
    name: 'tensorflow',
    tfjsName: 'tensorflow',
    package: '@tensorflow/tfjs-node',
    description: 'native TensorFlow on the CPU; its install downloads libtensorflow',
    load: optional('@tensorflow/tfjs-node'),
  },
  {
    name: 'wasm',
    tfjsName: 'wasm',
    package: '@tensorflow/tfjs-backend-wasm',
    description: 'WebAssembly with SIMD, one thread; comes with Rollcast',
    load: () => import('@tensorflow/tfjs-backend-wasm'),
  },
  {
    name: 'cpu',
    tfjsName: 'cpu',
    package: '@tensorflow/tfjs',
    description: 'plain JavaScript, slow; the reference for tests',
    load: () => Promise.resolve(),
  },
];

/** The devices of the backend `onnx`. */
export const backendDevices: readonly DeviceName[] = ['cpu', 'webgpu', 'cuda'];

/** The backends in the order in which `auto` tries them. */
export const backendNames: readonly BackendName[] = BACKENDS.map((spec) => spec.name);

/** What `rollcast doctor` shows of one backend. */
export interface BackendReport {
  readonly name: BackendName;
  readonly package: string;
  readonly description: string;
  readonly available: boolean;
  /** Version of the package, or why it does not load and what to do. */
  readonly detail: string;
  /** What else there is to know of a backend that loads, such as the kernels that are native. */
  readonly notes?: string;
}

/** What `rollcast doctor` shows of one device of the backend `onnx`. */
export interface DeviceReport {
  readonly device: DeviceName;
  readonly usable: boolean;
  /** Why not, and what to do; empty for a usable device. */
  readonly detail: string;
}

function installed(name: string): string | undefined {
  try {
    const require = createRequire(import.meta.url);
    return (require(`${name}/package.json`) as { version: string }).version;
  } catch {
    return undefined;
  }
}

/** Native packages fetch libtensorflow in an install script, which the repository's own settings do not run. */
function installCommand({ package: name, install }: BackendSpec): string {
  return install ?? `npm install --ignore-scripts=false ${name}@${tf.version_core}`;
}

/** @returns why the backend cannot be used and the way out, as a sentence without its full stop */
async function tryBackend(spec: BackendSpec, options: BackendOptions = {}): Promise<string | undefined> {
  const { package: name } = spec;
  if (installed(name) === undefined) return `${name} is not installed; ${installCommand(spec)}`;
  try {
    await spec.load(options);
    if (await tf.setBackend(spec.tfjsName)) return undefined;
    return `${name} loads but tfjs could not start it`;
  } catch (error) {
    const [reason] = (error as Error).message.split('\n');
    // the engine says itself what to do about a missing binary or device
    if ((error as Error).name === 'EngineError') return reason.replace(/\.$/, '');
    return `${name} does not load: ${reason}; reinstall it: ${installCommand(spec)}`;
  }
}

/** Refuses a device or threads that the backend would ignore. */
function checkOptions(name: string, { device, threads }: BackendOptions): void {
  const known = backendDevices;
  if (device !== undefined && !known.includes(device)) {
    throw new ConfigError(
      `Unknown device "${String(device)}". Known: ${known.join(', ')}.${suggestion(device, known)}`,
    );
  }
  if (threads !== undefined && !(Number.isSafeInteger(threads) && threads >= 1)) {
    throw new ConfigError(`threads must be a whole number ≥ 1; got ${threads}.`);
  }
  if (name === 'auto' || name === 'onnx') return;
  if (device !== undefined && device !== 'cpu') {
    throw new ConfigError(
      `Device "${device}" belongs to the backend "onnx"; got the backend "${name}". Leave one of the two out.`,
    );
  }
  if (threads !== undefined) {
    throw new ConfigError(
      `Threads belong to the backend "onnx"; got ${threads} with the backend "${name}". Leave one of the two out.`,
    );
  }
}

/**
 * Makes a backend the one that computes.
 *
 * @param name - a backend, or `auto` for the first that loads
 * @param options - device and threads of the backend `onnx`; with one of them `auto` is `onnx`, so that what was asked
 *   for is never passed over
 * @returns the backend chosen
 * @throws {ConfigError} when the name or an option is unknown or does not fit the backend, or when an explicitly named
 *   backend or device cannot be used; the message has the command that installs it
 */
export async function selectBackend(
  name: string = 'auto',
  options: BackendOptions = {},
): Promise<BackendName> {
  checkOptions(name, options);
  const asked = options.device !== undefined || options.threads !== undefined;
  const wanted = name === 'auto' && asked ? 'onnx' : name;
  if (wanted === 'auto') {
    for (const spec of BACKENDS) if ((await tryBackend(spec)) === undefined) return spec.name;
  }
  const spec = BACKENDS.find((candidate) => candidate.name === wanted);
  if (!spec) {
    const known = ['auto', ...backendNames];
    throw new ConfigError(`Unknown backend "${name}". Known: ${known.join(', ')}.${suggestion(name, known)}`);
  }
  const problem = await tryBackend(spec, options);
  if (problem !== undefined) {
    const wayOut = asked ? '' : ' Or let --backend auto choose.';
    throw new ConfigError(`The backend "${wanted}" cannot be used: ${problem}.${wayOut}`);
  }
  return spec.name;
}

/** Tries every backend; the one that was in use stays in use. */
export async function backendReports(): Promise<BackendReport[]> {
  const before = tf.getBackend();
  const reports: BackendReport[] = [];
  for (const spec of BACKENDS) {
    const problem = await tryBackend(spec);
    const detail = problem ?? `version ${installed(spec.package)}`;
    reports.push({
      name: spec.name,
      package: spec.package,
      description: spec.description,
      available: !problem,
      detail,
      ...(!problem && spec.notes && { notes: await spec.notes() }),
    });
  }
  if (before) await tf.setBackend(before);
  return reports;
}

/** Tries every device of the backend `onnx`; none when the engine itself does not load. */
export async function deviceReports(): Promise<DeviceReport[]> {
  try {
    return (await importEngine()).deviceReports();
  } catch {
    return []; // `backendReports` says why
  }
}
