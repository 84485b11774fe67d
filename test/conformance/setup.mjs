// Runs before tfjs-core's tests are loaded: they look at the environments while they are being defined.
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js';
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import { setTestEnvs } from '@tensorflow/tfjs-core/dist/jasmine_util.js';
import { registerOnnxBackend } from '@rollcast/tfjs-onnxruntime';

const backendName = process.env.CONFORMANCE_BACKEND ?? 'onnx';
if (backendName === 'onnx') registerOnnxBackend({ device: process.env.CONFORMANCE_DEVICE });
setTestEnvs([{ name: backendName, backendName, isDataSync: true }]);
