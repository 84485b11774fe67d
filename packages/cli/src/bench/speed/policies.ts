/** What a step environment's policy and its PPO cost: acting, and whole updates on CartPole with CleanRL's settings. */
import { builtInAlgorithms } from '@rollcast/algos';
import { MlpPolicy, RandomStream, StepCollector, vectorise } from '@rollcast/core';
import { CartPole } from '@rollcast/envs';

import { stepPreset } from '../../step-presets.js';
import type { Prepared, SpeedTask } from './measure.js';

const GROUP = 'Policy of 2 × 64, CartPole';
const preset = stepPreset('cleanrl', 'cart-pole-v1', 'ppo');
const ROLLOUT = preset.instances * preset.stepsPerRollout;

export const policyTasks: readonly SpeedTask[] = [
  ...[1, 4, 64].map((count) => ({
    ...{ group: GROUP, unit: 'actions', perCall: count },
    name: `act in ${count} ${count === 1 ? 'environment' : 'environments'}`,
    prepare: () => act(count),
  })),
  {
    ...{ group: GROUP, unit: 'steps', perCall: ROLLOUT },
    name: `PPO update, ${ROLLOUT} steps, 4 epochs of 4 minibatches`,
    prepare: () =>
      ppo(({ collector, algorithm }) => {
        const { rollout } = collector.collect(0);
        return () => algorithm.update(rollout);
      }),
  },
  {
    ...{ group: GROUP, unit: 'steps', perCall: ROLLOUT },
    name: `PPO rollout of ${preset.instances} × ${preset.stepsPerRollout} and update`,
    prepare: () =>
      ppo(({ collector, algorithm }) => {
        let update = 0;
        return () => algorithm.update(collector.collect(update++).rollout);
      }),
  },
];

function act(count: number): Prepared {
  const { observationSpace, actionSpace } = new CartPole();
  const policy = new MlpPolicy(observationSpace.size, actionSpace);
  const observations = new RandomStream(0, 'speed/observations').normals(count * observationSpace.size);
  const random = new RandomStream(0, 'speed/draws');
  return { run: () => policy.act(observations, policy.draw(count, random)), dispose: () => policy.dispose() };
}

/** What PPO works with, and the call that is measured. */
async function ppo(
  call: (parts: { collector: StepCollector; algorithm: ReturnType<typeof makeAlgorithm> }) => () => unknown,
): Promise<Prepared> {
  const environment = await vectorise(() => new CartPole(), { count: preset.instances });
  const policy = new MlpPolicy(environment.observationSize, environment.actionSpace);
  const algorithm = makeAlgorithm(policy);
  const { stepsPerRollout } = preset;
  const collector = new StepCollector({ environment, policy, stepsPerRollout, seed: 0 });
  return {
    run: call({ collector, algorithm }),
    dispose: async () => {
      for (const part of [collector, algorithm, policy]) part.dispose();
      await environment.close();
    },
  };
}

function makeAlgorithm(policy: MlpPolicy) {
  // the run has no end here, so there is nothing for the learning rate to fall towards
  const options = { ...preset.algorithms['ppo'], learningRateDecay: false };
  return builtInAlgorithms().get('ppo').create(policy, options, { updates: 1, batchSize: ROLLOUT, seed: 0 });
}
