/**
 * A forward pass and two training steps of a small transformer on one device, as JSON on the last line of the output.
 * It runs in a process of its own, because the graphics driver is chosen by variables that are read when it loads.
 *
 *   node --conditions=@rollcast/source --import tsx device-run.ts DEVICE PROFILE_PREFIX
 */
import {
  Adam,
  DegradationTransformer,
  GradientSteps,
  selectBackend,
  tf,
  type DeviceName,
  type RowArray,
} from '@rollcast/core';
import { onnxBackend, registerOnnxBackend } from '@rollcast/tfjs-onnxruntime';

export interface DeviceRun {
  /** Why the device cannot be used; the rest is missing then. */
  error?: string;
  device?: string;
  logProbs: number[];
  losses: number[];
  embedding: number[];
  /** What a graph that is too large for the device says, and whether the backend goes on afterwards. */
  tooLarge?: string;
  goesOn?: boolean;
}

const [BATCH, CONTEXT, HORIZON, VOCABULARY] = [2, 4, 3, 16];

function run(): DeviceRun {
  const model = new DegradationTransformer(
    { vocabularySize: VOCABULARY, width: 16, layers: 1, heads: 2, attentionWindow: 8 },
    3,
  );
  const tokens = (length: number, stride: number): tf.Tensor2D =>
    tf.tensor2d(
      Int32Array.from({ length: BATCH * length }, (_, i) => (i * stride) % VOCABULARY),
      [BATCH, length],
      'int32',
    );
  const [contexts, actions] = [tokens(CONTEXT, 5), tokens(HORIZON, 7)];
  const logProbs = Array.from(model.score(contexts, actions).logProbs.dataSync());
  const optimizer = new Adam(model.parameters);
  const steps = new GradientSteps({
    parameters: model.parameters,
    optimizer,
    maxGradNorm: 0.5,
    name: 'test',
    loss: (rows) => {
      const scores = model.score(rows['contexts'] as tf.Tensor2D, rows['actions'] as tf.Tensor2D);
      return { loss: tf.sub<tf.Scalar>(tf.mean(tf.square(scores.values)), tf.mean(scores.logProbs)) };
    },
  });
  const rowsOf = (x: tf.Tensor2D): RowArray => ({ data: x.dataSync() as Int32Array, shape: x.shape });
  const rows = { contexts: rowsOf(contexts), actions: rowsOf(actions) };
  const losses = [1, 2].map(() => steps.step({ rows, learningRate: 1e-2 }).stats['loss']);
  return { logProbs, losses, embedding: Array.from(model.parameters.save()['embedding'].data) };
}

/** 160 GB on the way to one number: more elements than WebGPU counts in 32 bits, on any adapter. */
function runTooLarge(): Pick<DeviceRun, 'tooLarge' | 'goesOn'> {
  let tooLarge = '';
  tf.tidy(() => {
    const column = tf.zeros([200_000, 1]);
    try {
      tf.slice(tf.add(column, tf.reshape(column, [1, -1])), [0, 0], [1, 1]).dataSync();
    } catch (error) {
      tooLarge = (error as Error).message;
    }
  });
  return { tooLarge, goesOn: tf.tidy(() => tf.add(1, 2).dataSync()[0]) === 3 };
}

const [device, profilePrefix] = process.argv.slice(2);
async function main(): Promise<Partial<DeviceRun>> {
  try {
    registerOnnxBackend({ device: device as DeviceName, profilePrefix });
  } catch (error) {
    return { error: (error as Error).message };
  }
  await selectBackend('onnx');
  const result = { device: onnxBackend().sessionOptions.device, ...run() };
  const outcome = device === 'cpu' ? result : { ...result, ...runTooLarge() };
  tf.removeBackend('onnx'); // the sessions end and write their profiles
  return outcome;
}
console.log(JSON.stringify(await main()));
