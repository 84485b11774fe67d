import type { Scaffold } from './scaffold.js';

/** A room to keep warm: small, yet with options, randomness, a time limit and something to learn. */
export const stepEnvironmentScaffold: Scaffold = ({ name, className }) => ({
  source: `import {
  RandomStream,
  box,
  defineEnvironment,
  discrete,
  type Environment,
  type StepResult,
} from '@rollcast/core';
import { z } from 'zod';

const options = z.strictObject({
  target: z.number().min(10).max(30).default(20).describe('degrees to keep'),
  draught: z.number().min(0).default(0.2).describe('standard deviation of the loss of warmth, in degrees a step'),
});

/** Keep a room at its temperature: each step, the heater is off, half on or full on. */
class ${className} implements Environment<number[], number> {
  readonly name = '${name}';
  /** How far the room is from the target, in tens of degrees. */
  readonly observationSpace = box(-2, 2, [1]);
  /** 0: off, 1: half, 2: full. */
  readonly actionSpace = discrete(3);
  /** After so many steps an episode is cut (truncated). An end by itself would be \`terminated: true\`. */
  readonly maxEpisodeSteps = 50;
  private temperature = 0;
  private random!: RandomStream;

  constructor(private readonly settings: z.output<typeof options>) {}

  /** Starts an episode. Everything that an episode changes is set here; all randomness comes from the seed. */
  reset(seed: number): number[] {
    this.random = new RandomStream(seed, this.name);
    this.temperature = this.settings.target + 10 * this.random.uniform() - 5;
    return this.observation();
  }

  step(action: number): StepResult<number[]> {
    const loss = 1 + this.settings.draught * this.random.normal();
    this.temperature += action - loss;
    return {
      observation: this.observation(),
      reward: -Math.abs(this.temperature - this.settings.target) / 10,
      terminated: false,
      truncated: false,
      info: { temperature: this.temperature },
    };
  }

  private observation(): number[] {
    const distance = (this.temperature - this.settings.target) / 10;
    return [Math.max(-2, Math.min(2, distance))];
  }
}

export default defineEnvironment({
  description: 'keep a room at its temperature; 3 actions',
  options,
  create: (given) => new ${className}(given),
});
`,
  test: `import assert from 'node:assert/strict';
import test from 'node:test';

import { loadEnvironment } from '@rollcast/cli';
import { checkEnvironment } from '@rollcast/core';

const environment = await loadEnvironment(new URL('./${name}.ts', import.meta.url));

test('it keeps the contract of environments', () => {
  assert.deepEqual(checkEnvironment(() => environment.create()).findings, []);
});

test('half heat makes up for the loss of warmth', () => {
  const room = environment.create({ draught: 0 });
  const [before] = room.reset(1);
  const { observation, reward } = room.step(1);
  assert.deepEqual(observation, [before]);
  assert.equal(reward, -Math.abs(before));
});

test('full heat warms by a degree', () => {
  const room = environment.create({ draught: 0 });
  const [before] = room.reset(1);
  const { observation } = room.step(2);
  assert.ok(Math.abs(observation[0] - before - 0.1) < 1e-9);
});
`,
  expect: 'The return starts at about −20. In 20 000 steps PPO gets to about −4; REINFORCE takes longer.',
  commands: [
    `npx rollcast check ./${name}.ts`,
    `node --test ${name}.test.mjs`,
    `npx rollcast train --env ./${name}.ts --algo ppo --steps 20000 --seed 1 --out runs/${name}-ppo`,
    `npx rollcast train --env ./${name}.ts --algo reinforce --steps 20000 --seed 1 --out runs/${name}-reinforce`,
    `npx rollcast bench --envs ./${name}.ts --algos ppo,reinforce --seeds 3 --steps 10000 --out runs/${name}-bench`,
  ],
});
