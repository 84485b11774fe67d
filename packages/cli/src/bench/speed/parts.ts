/** What training computes without a network: random numbers, tokens, KL, advantages. */
import { RandomStream, Tokeniser, exactKlOnHost, generalisedAdvantages } from '@rollcast/core';

import type { SpeedTask } from './measure.js';

/** Trajectories and steps of the main job: B × (W + L). */
const BATCH = 64;
const CONTEXT = 40;
const HORIZON = 60;
const STEPS = BATCH * HORIZON;
const VOCABULARY = 256;
const NUMBERS = 10_000;

const seeded = (name: string): RandomStream => new RandomStream(0, `speed/${name}`);

const GROUP = 'Parts without a network';

export const partTasks: readonly SpeedTask[] = [
  {
    group: GROUP,
    name: 'philox random numbers',
    unit: 'numbers',
    perCall: NUMBERS,
    prepare: () => {
      const random = seeded('philox');
      return { run: () => random.uniforms(NUMBERS) };
    },
  },
  {
    group: GROUP,
    name: 'tokeniser, encode',
    unit: 'values',
    perCall: HORIZON,
    prepare: () => {
      const { tokeniser, values, scaling } = fittedTokeniser();
      return { run: () => tokeniser.encode(values, scaling, CONTEXT) };
    },
  },
  {
    group: GROUP,
    name: 'tokeniser, decode',
    unit: 'values',
    perCall: HORIZON,
    prepare: () => {
      const { tokeniser, values, scaling } = fittedTokeniser();
      const tokens = tokeniser.encode(values, scaling, CONTEXT);
      return { run: () => tokeniser.decode(tokens, scaling, CONTEXT) };
    },
  },
  {
    group: GROUP,
    name: 'exact KL on the host',
    unit: 'steps',
    perCall: STEPS,
    prepare: () => {
      const policy = logDistributions('policy');
      const reference = logDistributions('reference');
      return { run: () => exactKlOnHost(policy, reference, VOCABULARY) };
    },
  },
  {
    group: GROUP,
    name: 'generalised advantages',
    unit: 'steps',
    perCall: STEPS,
    prepare: () => {
      const random = seeded('advantages');
      const ends = Float32Array.from({ length: STEPS }, (_, i) => (i % HORIZON === HORIZON - 1 ? 1 : 0));
      const data = {
        batchSize: BATCH,
        steps: HORIZON,
        rewards: random.normals(STEPS),
        terminated: ends,
        truncated: new Float32Array(STEPS),
        bootstrapValues: new Float32Array(STEPS),
        mask: new Float32Array(STEPS).fill(1),
      };
      const values = random.normals(STEPS);
      return { run: () => generalisedAdvantages(data, values, 0.99, 0.95) };
    },
  },
];

function fittedTokeniser() {
  const tokeniser = new Tokeniser({ vocabularySize: VOCABULARY });
  const history = Float64Array.from(
    { length: CONTEXT + HORIZON },
    (_, i) => 1 - 0.002 * i + 0.01 * Math.sin(i),
  );
  return {
    tokeniser,
    values: history.subarray(CONTEXT),
    scaling: tokeniser.fit(history.subarray(0, CONTEXT)),
  };
}

/** [B · L, V] normalised log-probabilities: those of B rows, L times over. */
function logDistributions(name: string): Float32Array {
  const block = seeded(name).normals(BATCH * VOCABULARY);
  for (let start = 0; start < block.length; start += VOCABULARY) {
    const row = block.subarray(start, start + VOCABULARY);
    const logSum = Math.log(row.reduce((sum, logit) => sum + Math.exp(logit), 0));
    for (let v = 0; v < VOCABULARY; v++) row[v] -= logSum;
  }
  const all = new Float32Array(STEPS * VOCABULARY);
  for (let start = 0; start < all.length; start += block.length) all.set(block, start);
  return all;
}
