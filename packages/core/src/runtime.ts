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
  readonly load: () => Promise<unknown>;
  /** What else `rollcast doctor` should say of it, once it is loaded. */
  readonly notes?: () => Promise<string>;
  /** How to install it, when `npm install` of the package at tfjs's version is not it. */
  readonly install?: string;
}

export type BackendName = 'onnx' | 'tensorflow-gpu' | 'tensorflow' | 'wasm' | 'cpu';

/** Optional packages are named by a variable: the compiler does not look for what need not be there. */
const optional = (name: string) => (): Promise<unknown> => import(name);

const ENGINE = '@rollcast/tfjs-onnxruntime';

interface Engine {
  registerOnnxBackend(): void;
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
    load: async () => (await importEngine()).registerOnnxBackend(),
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

async function tryBackend(spec: BackendSpec): Promise<string | undefined> {
  if (installed(spec.package) === undefined) return `is not installed; ${installCommand(spec)}`;
  try {
    await spec.load();
    if (await tf.setBackend(spec.tfjsName)) return undefined;
    return `its package loads but tfjs could not start it`;
  } catch (error) {
    return `does not load: ${(error as Error).message.split('\n')[0]}; reinstall it: ${installCommand(spec)}`;
  }
}

/**
 * Makes a backend the one that computes.
 *
 * @param name - a backend, or `auto` for the first that loads
 * @returns the backend chosen
 * @throws {ConfigError} when the name is unknown, or when an explicitly named backend does not load; the message has the
 *   command that installs it
 */
export async function selectBackend(name: string = 'auto'): Promise<BackendName> {
  if (name === 'auto') {
    for (const spec of BACKENDS) if ((await tryBackend(spec)) === undefined) return spec.name;
  }
  const spec = BACKENDS.find((candidate) => candidate.name === name);
  if (!spec) {
    const known = ['auto', ...backendNames];
    throw new ConfigError(`Unknown backend "${name}". Known: ${known.join(', ')}.${suggestion(name, known)}`);
  }
  const problem = await tryBackend(spec);
  if (problem !== undefined) {
    throw new ConfigError(
      `The backend "${name}" cannot be used: ${spec.package} ${problem}. Or let --backend auto choose.`,
    );
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
