/**
 * Train a policy on CartPole with PPO.
 *
 *     npx tsx examples/01-train-cart-pole.ts [steps, 100000]
 *
 * Expect: half a minute on two cores; the mean return of the last 100 episodes starts near 20 and ends above 400 of 500.
 */
import { PPO } from '@rollcast/algos';
import { MlpPolicy, StepCollector, Trainer, selectBackend, vectorise } from '@rollcast/core';
import { CartPole } from '@rollcast/envs';

const steps = Number(process.argv[2] ?? 100_000);
const [seed, instances, stepsPerRollout] = [1, 8, 32];
const batchSize = instances * stepsPerRollout;
const updates = Math.ceil(steps / batchSize);

await selectBackend('auto');
const environment = await vectorise(() => new CartPole(), { count: instances });
const policy = new MlpPolicy(environment.observationSize, environment.actionSpace, {}, seed);
const algorithm = new PPO(
  policy,
  {
    learningRate: 1e-3,
    gamma: 0.98,
    gaeLambda: 0.8,
    updateEpochs: 20,
    minibatchSize: 256,
    normaliseReturns: false,
  },
  { updates, batchSize, seed },
);
const collector = new StepCollector({ environment, policy, stepsPerRollout, seed });
const trainer = new Trainer({
  collector,
  algorithm,
  updates,
  callbacks: [
    {
      onUpdateEnd({ update }) {
        if (update % 40 === 0 || update === updates)
          console.log(`${update * batchSize} steps: return ${collector.recentReturn.toFixed(1)}`);
      },
    },
  ],
});
await trainer.run();

collector.dispose();
algorithm.dispose();
policy.dispose();
await environment.close();
