/**
 * An environment of your own that gives one observation at a time: keep a tank between two marks while the outflow changes.
 *
 *     npx tsx examples/02-custom-step-environment.ts [updates, 200]
 *
 * Expect: ten seconds on two cores; a policy that opens the valve at random spills or runs dry after some 20 steps, and the
 * trained one keeps most of the 100 steps (a return of 70 and more).
 */
import { PPO } from '@rollcast/algos';
import {
  MlpPolicy,
  RandomStream,
  StepCollector,
  Trainer,
  box,
  discrete,
  selectBackend,
  vectorise,
  type Environment,
  type StepResult,
} from '@rollcast/core';

class Tank implements Environment<number[], number> {
  readonly name = 'tank';
  /** Level and outflow a step, as shares of the tank. */
  readonly observationSpace = box(0, 1, [2]);
  /** Valve closed, half open, open. */
  readonly actionSpace = discrete(3);
  readonly maxEpisodeSteps = 100;
  private random!: RandomStream;
  private level = 0;
  private outflow = 0;

  reset(seed: number): number[] {
    this.random = new RandomStream(seed, this.name); // an episode is a function of its seed and of the actions
    this.level = 0.4 + 0.2 * this.random.uniform();
    this.outflow = 0.05;
    return [this.level, this.outflow];
  }

  step(valve: number): StepResult<number[]> {
    const drift = 0.02 * (this.random.uniform() - 0.5);
    this.outflow = Math.min(0.1, Math.max(0, this.outflow + drift));
    this.level = Math.min(1, Math.max(0, this.level + 0.05 * valve - this.outflow));
    const terminated = this.level === 0 || this.level === 1;
    return {
      observation: [this.level, this.outflow],
      reward: this.level > 0.2 && this.level < 0.8 ? 1 : 0,
      terminated,
      truncated: false,
    };
  }
}

const updates = Number(process.argv[2] ?? 200);
const [seed, instances, stepsPerRollout] = [1, 8, 64];

await selectBackend('auto');
const environment = await vectorise(() => new Tank(), { count: instances });
const policy = new MlpPolicy(environment.observationSize, environment.actionSpace, {}, seed);
const algorithm = new PPO(
  policy,
  { learningRate: 1e-3, gamma: 0.99, minibatchSize: 128, entropyCoef: 0.01 },
  { updates, batchSize: instances * stepsPerRollout, seed },
);
const collector = new StepCollector({ environment, policy, stepsPerRollout, seed });
const report = (update: number): void =>
  console.log(`update ${update}: return ${collector.recentReturn.toFixed(1)} of 100`);
await new Trainer({
  collector,
  algorithm,
  updates,
  callbacks: [
    { onUpdateEnd: ({ update }) => (update === 1 || update % 50 === 0 ? report(update) : undefined) },
  ],
}).run();
report(updates);

collector.dispose();
algorithm.dispose();
policy.dispose();
await environment.close();
