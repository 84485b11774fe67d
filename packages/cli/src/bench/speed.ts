/** Micro-benchmarks of what a training spends its time on, measured with tinybench. */
import {
  DegradationTransformer,
  RandomStream,
  Tokeniser,
  exactKlOnHost,
  generalisedAdvantages,
  tf,
} from '@rollcast/core';
import { Bench } from 'tinybench';

import type { Table } from '../report/table.js';

/** Something whose speed is measured. */
export interface SpeedTask {
  readonly name: string;
  /** The plural of what is counted, for example `tokens`. */
  readonly unit: string;
  /** How many of them one call makes. */
  readonly perCall: number;
  /** Builds what is needed, outside the measurement. */
  readonly prepare: () => Prepared;
}

interface Prepared {
  readonly run: () => unknown;
  readonly dispose?: () => void;
}

/** How fast something went. */
export interface SpeedResult {
  readonly name: string;
  readonly unit: string;
  readonly perSecond: number;
  /** Half the 95 % interval of the mean, as a share of it. */
  readonly margin: number;
  readonly calls: number;
}

/** Trajectories and steps of the main job: B × (W + L). */
const BATCH = 64;
const CONTEXT = 40;
const HORIZON = 60;
const STEPS = BATCH * HORIZON;
const VOCABULARY = 256;
const NUMBERS = 10_000;

const seeded = (name: string): RandomStream => new RandomStream(0, `speed/${name}`);

/** What is measured, in this order. Environment steps, acting and updates are added here by name. */
export const speedTasks: readonly SpeedTask[] = [
  {
    name: 'philox random numbers',
    unit: 'numbers',
    perCall: NUMBERS,
    prepare: () => {
      const random = seeded('philox');
      return { run: () => random.uniforms(NUMBERS) };
    },
  },
  {
    name: 'tokeniser, encode',
    unit: 'values',
    perCall: HORIZON,
    prepare: () => {
      const { tokeniser, values, scaling } = fittedTokeniser();
      return { run: () => tokeniser.encode(values, scaling, CONTEXT) };
    },
  },
  {
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
  {
    name: 'Degradation Transformer, generate',
    unit: 'tokens',
    perCall: STEPS,
    prepare: () => {
      const model = new DegradationTransformer({ vocabularySize: VOCABULARY });
      const contextTokens = tokens('contexts', BATCH * CONTEXT);
      const random = seeded('samples');
      return {
        run: () => model.generate({ contextTokens, batchSize: BATCH, horizon: HORIZON, random }),
        dispose: () => model.dispose(),
      };
    },
  },
  {
    name: 'Degradation Transformer, score',
    unit: 'tokens',
    perCall: STEPS,
    prepare: () => {
      const model = new DegradationTransformer({ vocabularySize: VOCABULARY });
      const contexts = tf.tensor2d(tokens('contexts', BATCH * CONTEXT), [BATCH, CONTEXT], 'int32');
      const actions = tf.tensor2d(tokens('actions', STEPS), [BATCH, HORIZON], 'int32');
      return {
        run: () => {
          const { logProbs, values, logDistribution } = model.score(contexts, actions);
          logProbs.dataSync(); // backends compute when a number is asked for
          tf.dispose([logProbs, values, logDistribution]);
        },
        dispose: () => {
          tf.dispose([contexts, actions]);
          model.dispose();
        },
      };
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

function tokens(name: string, count: number): Int32Array {
  const random = seeded(name);
  return Int32Array.from({ length: count }, () => random.integer(VOCABULARY));
}

/**
 * Measures one thing after the other, each after a warm-up of two calls.
 *
 * @param seconds - how long each is measured; at least five calls are made
 * @param onDone - called after each, for a progress display
 */
export async function measureSpeed(
  seconds: number,
  onDone: (done: number) => void = () => undefined,
  tasks: readonly SpeedTask[] = speedTasks,
): Promise<SpeedResult[]> {
  const results: SpeedResult[] = [];
  for (const { name, unit, perCall, prepare } of tasks) {
    const { run, dispose } = prepare();
    try {
      const bench = new Bench({
        time: 1000 * seconds,
        iterations: 5,
        warmupTime: 0,
        warmupIterations: 2,
        throws: true,
      });
      const [task] = (bench.add(name, () => void run()), await bench.run());
      if (task.result.state !== 'completed') throw new Error(`${name} could not be measured.`);
      const { mean, rme, samplesCount } = task.result.latency;
      results.push({
        name,
        unit,
        perSecond: (1000 * perCall) / mean,
        margin: rme / 100,
        calls: samplesCount,
      });
    } finally {
      dispose?.();
    }
    onDone(results.length);
  }
  return results;
}

export function speedTable(results: readonly SpeedResult[]): Table {
  return {
    columns: [
      { label: 'what', align: 'left' },
      { label: 'a second', digits: 3 },
      { label: 'of' },
      { label: '± 95 %', align: 'right' },
      { label: 'calls' },
    ],
    rows: results.map(({ name, unit, perSecond, margin, calls }) => [
      name,
      Math.round(perSecond),
      unit,
      `${(100 * margin).toFixed(1)} %`,
      calls,
    ]),
  };
}
