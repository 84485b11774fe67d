export { OnnxBackend, type OnnxBackendOptions } from './backend.js';
export { compile, type CompileOptions, type CompiledFunction, type HostTensor } from './compile.js';
export { deviceNames, deviceReports, type DeviceReport } from './devices.js';
export { EngineError } from './errors.js';
export { readValues, tensorOver } from './host-tensor.js';
export {
  BACKEND_NAME,
  fallbackKernels,
  nativeKernels,
  onnxBackend,
  registerOnnxBackend,
} from './register-backend.js';
export type { CacheStatistics } from './session-cache.js';
export type { Device, SessionOptions } from './session.js';
