/**
 * A callback of your own: it watches a run, writes what it sees to a file, and ends the run when the task is solved.
 *
 *     npx tsx examples/06-custom-callback.ts [updates, 2000]
 *
 * Expect: ten seconds on two cores; the run ends by itself well before its 2000 updates, when the last 100 episodes found the
 * shortest way through the grid, and `learning.csv` holds its learning curve.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { A2C } from '@rollcast/algos';
import {
  MlpPolicy,
  StepCollector,
  Trainer,
  selectBackend,
  vectorise,
  type Callback,
  type Metrics,
  type Progress,
} from '@rollcast/core';
import { GridWorld, gridWorldOptimalReturn } from '@rollcast/envs';

/** The list of events is closed: a typo in a name is a compile error. */
class StopWhenSolved implements Callback {
  private readonly rows: string[] = ['update,return'];

  constructor(
    private readonly collector: StepCollector,
    private readonly goal: number,
    private readonly file: string,
  ) {}

  onTrainingStart({ totalUpdates }: Progress): void {
    console.log(`at most ${totalUpdates} updates; the goal is a return of ${this.goal.toFixed(2)}`);
  }

  onUpdateEnd({ update }: Progress & { metrics: Metrics }): void | 'stop' {
    const { recentReturn } = this.collector;
    this.rows.push(`${update},${recentReturn}`);
    if (update % 100 === 0) console.log(`update ${update}: return ${recentReturn.toFixed(2)}`);
    return recentReturn >= this.goal ? 'stop' : undefined;
  }

  onTrainingEnd({ update, reason }: Progress & { reason: string }): void {
    writeFileSync(this.file, `${this.rows.join('\n')}\n`);
    console.log(`${reason} after ${update} updates; learning curve in ${this.file}`);
  }
}

const updates = Number(process.argv[2] ?? 2000);
const [seed, size, instances, stepsPerRollout] = [1, 4, 8, 16];

await selectBackend('auto');
const environment = await vectorise(() => new GridWorld({ size }), { count: instances });
const policy = new MlpPolicy(environment.observationSize, environment.actionSpace, { hidden: [32] }, seed);
const algorithm = new A2C(
  policy,
  { learningRate: 3e-3, entropyCoef: 0.01 },
  { updates, batchSize: instances * stepsPerRollout, seed },
);
const collector = new StepCollector({ environment, policy, stepsPerRollout, seed });
const goal = 1.1 * gridWorldOptimalReturn(size); // returns are negative: a tenth below the optimum
const file = join(mkdtempSync(join(tmpdir(), 'rollcast-')), 'learning.csv');
await new Trainer({
  collector,
  algorithm,
  updates,
  callbacks: [new StopWhenSolved(collector, goal, file)],
}).run();

collector.dispose();
algorithm.dispose();
policy.dispose();
await environment.close();
