import type { Scaffold } from './scaffold.js';

/** Squared error with more weight on the end of the path, and a penalty for a jump at its start. */
export const rewardScaffold: Scaffold = ({ name }) => ({
  source: `import { defineReward } from '@rollcast/core';
import { z } from 'zod';

const options = z.strictObject({
  endWeight: z.number().min(0).default(1).describe('how much more the last error counts than the first'),
  jumpWeight: z.number().min(0).default(0.1).describe('weight of a jump from the last observed value'),
});

export default defineReward({
  description: 'squared error, more for the end; no jump at the start',
  options,
  /**
   * The series are oriented so that wear rises, and divided by the range of the context. Greater is better. One number
   * for the whole path can be returned too; components are logged by name.
   */
  create:
    ({ endWeight, jumpWeight }) =>
    (predicted, target, context) => {
      const steps = target.length;
      const jump = Math.abs(predicted[0]! - context[context.length - 1]!);
      const reward = Array.from(predicted, (value, t) => {
        const weight = 1 + (endWeight * t) / steps;
        return (-weight * (value - target[t]!) ** 2) / steps;
      });
      reward[0]! -= jumpWeight * jump;
      return { reward, components: { jump } };
    },
});
`,
  test: `import assert from 'node:assert/strict';
import test from 'node:test';

import { loadReward } from '@rollcast/cli';

const definition = await loadReward(new URL('./${name}.ts', import.meta.url));
const info = { sign: 1, scale: 1, unit: 'a' };
const plain = (numbers) => numbers.map((x) => x + 0); // −0 is 0

test('the truth is worth 0', () => {
  const { reward } = definition.create()([2, 3], [2, 3], [1, 2], info);
  assert.deepEqual(plain(reward), [0, 0]);
});

test('an error at the end costs more, and so does a jump', () => {
  const score = definition.create({ endWeight: 1, jumpWeight: 0.5 });
  // errors 0 and 2 of 2 steps: 0 and −(1 + 1/2)·2²/2 = −3
  assert.deepEqual(plain(score([2, 5], [2, 3], [1, 2], info).reward), [0, -3]);
  // a jump of 1 from the last observed 2, with the error 1: −1/2 − 0.5·1 = −1
  assert.deepEqual(plain(score([3, 3], [2, 3], [1, 2], info).reward), [-1, 0]);
});
`,
  expect:
    'The reward rises (it is ≤ 0), and evaluate says whether the forecasts are better on units that were held out.',
  commands: [
    `npx rollcast check ./${name}.ts`,
    `node --test ${name}.test.mjs`,
    `npx rollcast pretrain --simulator paris-law --steps 300 --out runs/pre`,
    `npx rollcast train --init runs/pre --reward ./${name}.ts --algo ppo --updates 40 --seed 1 --out runs/${name}-ppo`,
    `npx rollcast train --init runs/pre --reward ./${name}.ts --algo reinforce --updates 40 --seed 1 --out runs/${name}-reinforce`,
    `npx rollcast evaluate --run runs/${name}-ppo`,
  ],
});
