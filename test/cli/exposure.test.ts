import { expect, test } from '@jest/globals';

import { DegradationTransformer, Tokeniser, tf } from '@rollcast/core';
import { RLDataset, meanPath, windowTokens } from '@rollcast/envs';

import { exposureCurve } from '../../packages/cli/src/exposure.js';
import { ramp, seriesSet } from '../envs/degradation/support.js';

const [W, L] = [6, 4];
const values = (unit: number): number[] => ramp(20, (i) => i * (1 + unit) + Math.sin(3 * i + unit));
const dataset = new RLDataset(seriesSet({ a: values(0), b: values(1) }), { contextLength: W, horizon: L });
const windows = dataset.evenlySpacedWindows(3);
const tokeniser = new Tokeniser({ vocabularySize: 16 });

test('one step ahead the forecast is the mean of the model given the true past, token by token', () => {
  const model = new DegradationTransformer({ vocabularySize: 16, width: 8, heads: 2, layers: 1 }, 3);
  const means = windows.map(({ future }) => future.map((y) => y + 2));
  const before = tf.memory().numTensors;
  const { teacherForced, freeRunning, crossEntropy } = exposureCurve([{ model, tokeniser }], windows, means);
  expect(tf.memory().numTensors).toBe(before);
  expect(freeRunning).toBeAllClose(ramp(L, () => 2)); // means are 2 above the truth everywhere

  const squares = ramp(L, () => 0);
  const surprise = ramp(L, () => 0);
  for (const window of windows) {
    const tokens = windowTokens(window, tokeniser);
    const scaling = tokeniser.fit(window.context);
    for (let t = 0; t < L; t++) {
      // the model has seen W true values and the first t true ones after them
      const past = tf.tensor2d(tokens.slice(0, W + t), [1, W + t], 'int32');
      const next = tf.tensor2d([tokens[W + t]], [1, 1], 'int32');
      const scores = model.score(past, next);
      const p = Array.from(scores.logDistribution.dataSync(), Math.exp);
      const decoded = p.map((_, token) => tokeniser.decode([token], scaling, W + t)[0]);
      const forecast = p.reduce((sum, share, k) => sum + share * decoded[k], 0);
      squares[t] += (forecast - window.future[t]) ** 2 / windows.length;
      surprise[t] -= Math.log(p[tokens[W + t]]) / windows.length;
      tf.dispose([past, next, scores.logProbs, scores.logDistribution, scores.values]);
    }
  }
  expect(teacherForced).toBeAllClose(squares.map(Math.sqrt), { rtol: 1e-4 });
  expect(crossEntropy).toBeAllClose(surprise, { rtol: 1e-4 });
  model.dispose();
});

test('means of sampled paths are what runs free', () => {
  const model = new DegradationTransformer({ vocabularySize: 16, width: 8, heads: 2, layers: 1 }, 3);
  const pairs = windows.map(({ future }) => [future.map((y) => y - 1), future.map((y) => y + 3)]);
  const { freeRunning } = exposureCurve([{ model, tokeniser }], windows, pairs.map(meanPath));
  expect(freeRunning).toBeAllClose(ramp(L, () => 1));
  model.dispose();
});
