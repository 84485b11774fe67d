/**
 * A reward of your own on the degradation job: a forecast that promises more life than there is costs three times as much as
 * one that promises less.
 *
 *     npx tsx examples/04-custom-reward.ts [updates, 100]
 *
 * Expect: a minute on two cores; the share of points that are too optimistic falls from 37 to about 31 %, the reward rises.
 * The same by flag: rollcast train --reward "-mae - 2*max(0, target - predicted)".
 */
import { Pretrainer, RLHFLearner } from '@rollcast/algos';
import { DegradationTransformer, RandomStream, Tokeniser, selectBackend } from '@rollcast/core';
import {
  DegradationEnvironment,
  RLDataset,
  simulate,
  tokenWindows,
  type RewardFunction,
} from '@rollcast/envs';

const updates = Number(process.argv[2] ?? 100);

/** All series are turned so that wear rises: a predicted value below the target is optimistic. One number a step. */
const carefulness: RewardFunction = (predicted, target) =>
  Array.from(predicted, (value, t) => {
    const error = value - target[t];
    return (error < 0 ? 3 * error : -error) / target.length;
  });

await selectBackend('auto');
const dataset = new RLDataset(simulate('sei-growth', { units: 40, seed: 1 }));
const tokeniser = new Tokeniser({ vocabularySize: 128 });
const environment = new DegradationEnvironment(dataset, tokeniser, { reward: carefulness });
const policy = new DegradationTransformer({ vocabularySize: 128, width: 32, layers: 2, heads: 2 }, 1);

const steps = 3 * updates;
const pretrainer = new Pretrainer(
  policy,
  tokenWindows(dataset, tokeniser),
  { steps, batchSize: 32, learningRate: 2e-3 },
  1,
);
while (pretrainer.stepsDone < steps) pretrainer.step();
pretrainer.dispose();

/** Share of sampled points that promise too much, on the same 64 windows each time. */
function optimism(): number {
  const windows = dataset.evenlySpacedWindows(2).slice(0, 64);
  const batch = environment.batch(windows);
  const { horizon } = environment;
  const { tokens } = policy.generate({
    contextTokens: batch.contextTokens,
    batchSize: batch.size,
    horizon,
    random: new RandomStream(0, 'optimism'),
  });
  let optimistic = 0;
  windows.forEach(({ future }, b) => {
    const predicted = environment.decode(batch, b, tokens);
    optimistic += predicted.filter((value, t) => value < future[t]).length;
  });
  return optimistic / (batch.size * horizon);
}

console.log(`before: ${(100 * optimism()).toFixed(0)} % of the points are too optimistic`);
const learner = new RLHFLearner({
  policy,
  environment,
  algorithm: 'ppo',
  algorithmOptions: { learningRate: 1e-3, klControl: { coefficient: 0.02 } },
  updates,
  batchSize: 32,
  seed: 1,
  callbacks: [
    {
      onUpdateEnd({ update, metrics }) {
        if (update === 1 || update % 20 === 0)
          console.log(`update ${update}: reward ${metrics['reward/mean'].toFixed(3)}`);
      },
    },
  ],
});
await learner.fitRl();
console.log(`after: ${(100 * optimism()).toFixed(0)} % of the points are too optimistic`);

learner.dispose();
policy.dispose();
