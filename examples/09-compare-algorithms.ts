/**
 * Which of two algorithms is better? Several seeds each, and statistics instead of a lucky run (Agarwal et al. 2021).
 *
 *     npx tsx examples/09-compare-algorithms.ts [steps a run, 20000] [seeds, 5]
 *
 * Expect: half a minute on two cores; PPO ahead of A2C on CartPole at this budget, and how sure that is. `rollcast bench` does the same
 * over environments and in parallel, with a report.
 */
import { builtInAlgorithms } from '@rollcast/algos';
import {
  MlpPolicy,
  RandomStream,
  StepCollector,
  Trainer,
  aggregateIntervals,
  improvementInterval,
  selectBackend,
  vectorise,
  type Interval,
} from '@rollcast/core';
import { CartPole } from '@rollcast/envs';

const steps = Number(process.argv[2] ?? 20_000);
const seeds = Number(process.argv[3] ?? 5);

const candidates = {
  ppo: {
    stepsPerRollout: 32,
    options: {
      learningRate: 1e-3,
      gamma: 0.98,
      gaeLambda: 0.8,
      updateEpochs: 20,
      minibatchSize: 256,
      normaliseReturns: false,
    },
  },
  a2c: { stepsPerRollout: 16, options: { learningRate: 7e-4, gamma: 0.99, entropyCoef: 0.01 } },
};

/** One run; its score is the return of the last 100 episodes, where 1 is the best possible. */
async function score(name: keyof typeof candidates, seed: number): Promise<number> {
  const instances = 8;
  const { stepsPerRollout, options } = candidates[name];
  const batchSize = instances * stepsPerRollout;
  const updates = Math.ceil(steps / batchSize);
  const environment = await vectorise(() => new CartPole(), { count: instances });
  const policy = new MlpPolicy(environment.observationSize, environment.actionSpace, {}, seed);
  const entry = builtInAlgorithms().get(name);
  const algorithm = entry.create(policy, options, { updates, batchSize, seed });
  const collector = new StepCollector({ environment, policy, stepsPerRollout, seed });
  await new Trainer({ collector, algorithm, updates }).run();
  const reached = collector.recentReturn / 500;
  for (const part of [collector, algorithm, policy]) part.dispose();
  await environment.close();
  return reached;
}

await selectBackend('auto');
const scores: Record<string, number[]> = {};
for (const name of ['ppo', 'a2c'] as const) {
  scores[name] = [];
  for (let seed = 0; seed < seeds; seed++) scores[name].push(await score(name, seed));
  console.log(`${name}: ${scores[name].map((value) => value.toFixed(2)).join(' ')}`);
}

const shown = ({ estimate, low, high }: Interval): string =>
  `${estimate.toFixed(2)} (95 % interval ${low.toFixed(2)} to ${high.toFixed(2)})`;
const random = new RandomStream(0, 'bootstrap');
for (const name of ['ppo', 'a2c']) {
  const { interquartileMean } = aggregateIntervals([scores[name]], { random, resamples: 5000 });
  console.log(`${name}: interquartile mean ${shown(interquartileMean)}`);
}
const better = improvementInterval([scores['ppo']], [scores['a2c']], { random });
console.log(`probability that a run of ppo beats one of a2c: ${shown(better)}`);
