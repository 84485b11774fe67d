/** Steps a second of every step environment, with random actions and the restarts they lead to. */
import {
  RandomStream,
  actionArray,
  vectorise,
  type ActionArray,
  type Environment,
  type InPlaceSteps,
} from '@rollcast/core';
import type { StepEnvironmentEntry } from '@rollcast/envs';

import { knownEnvironments } from '../../environments.js';
import type { Prepared, SpeedTask } from './measure.js';

/** Steps a call, so that the clock costs nothing beside them. */
const STEPS = 4096;
const INSTANCES = 64;

const entries = knownEnvironments()
  .list()
  .flatMap(([name, entry]) => (entry.kind === 'step' ? [[name, entry] as const] : []));

/** An instance alone, by its fastest way to step, and many with the checks and statistics that training has. */
export const environmentTasks: readonly SpeedTask[] = entries.flatMap(([name, entry]) => {
  const common = { group: 'Environments, one core', unit: 'steps', perCall: STEPS };
  return [
    { ...common, name: `${name}, alone`, prepare: () => alone(entry.create()) },
    { ...common, name: `${name}, ${INSTANCES} instances`, prepare: () => vectorised(entry) },
  ];
});

function alone(environment: Environment): Prepared {
  const actions = randomActions(environment, STEPS);
  const limit = environment.maxEpisodeSteps ?? Infinity;
  const steps = isInPlace(environment) ? steppedInPlace(environment, actions) : stepped(environment, actions);
  let seed = 0;
  let length = 0;
  steps.reset(seed);
  return {
    run: () => {
      for (let i = 0; i < STEPS; i++) {
        const terminated = steps.step(i);
        length++;
        if (!terminated && length < limit) continue;
        steps.reset(++seed);
        length = 0;
      }
    },
  };
}

/** One instance as the two things that the loop does with it; `step` takes the i-th action and says whether that was the end. */
interface Steps {
  reset(seed: number): void;
  step(i: number): boolean;
}

function isInPlace(environment: Environment): environment is Environment & InPlaceSteps {
  return 'stepInto' in environment;
}

function steppedInPlace(environment: Environment & InPlaceSteps, actions: ActionArray): Steps {
  const { size } = environment.actionSpace;
  const buffers = {
    actions: actionArray(environment.actionSpace, 1),
    observations: new Float32Array(environment.observationSpace.flatSize),
    rewards: new Float64Array(1),
    terminated: new Uint8Array(1),
    truncated: new Uint8Array(1),
  };
  return {
    reset: (seed) => environment.resetInto(seed, buffers, 0),
    step: (i) => {
      for (let a = 0; a < size; a++) buffers.actions[a] = actions[i * size + a];
      environment.stepInto(buffers, 0);
      return buffers.terminated[0] === 1;
    },
  };
}

function stepped(environment: Environment, actions: ActionArray): Steps {
  const { kind, size } = environment.actionSpace;
  return {
    reset: (seed) => void environment.reset(seed),
    step: (i) => {
      const action = kind === 'discrete' ? actions[i] : actions.slice(i * size, (i + 1) * size);
      return environment.step(action).terminated;
    },
  };
}

async function vectorised(entry: StepEnvironmentEntry): Promise<Prepared> {
  const environments = await vectorise(() => entry.create(), { count: INSTANCES });
  const all = randomActions(environments, STEPS);
  const width = INSTANCES * environments.actionSpace.size;
  const batches = Array.from({ length: STEPS / INSTANCES }, (_, i) => all.slice(i * width, (i + 1) * width));
  environments.reset(0);
  return {
    run: () => {
      for (const batch of batches) environments.step(batch);
    },
    dispose: () => environments.close(),
  };
}

/** [count, A] drawn before the clock starts. */
function randomActions({ actionSpace }: Pick<Environment, 'actionSpace'>, count: number): ActionArray {
  const random = new RandomStream(0, 'speed/actions');
  const actions = actionArray(actionSpace, count);
  for (let i = 0; i < count; i++) {
    const action = actionSpace.sample(random);
    actions.set(typeof action === 'number' ? [action] : action, i * actionSpace.size);
  }
  return actions;
}
