import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { BenchJob, Command } from '../../../packages/cli/src/bench/job.js';

/** How a fake training behaves. */
export type Behaviour =
  'well' | 'fails' | 'throws' | 'garbage' | 'no result' | 'wrong result' | 'no episode' | 'hangs';

/** Called as `node FILE BEHAVIOUR ALGORITHM ENVIRONMENT SEED STEPS OUT`. */
const SCRIPT = `
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';

const [behaviour, algorithm, environment, seed, steps, out] = process.argv.slice(2);
mkdirSync(out, { recursive: true });
appendFileSync(out + '/../started.txt', algorithm + ' ' + environment + ' ' + seed + '\\n');
appendFileSync(out + '/metrics.jsonl', '{"update":1,"time/steps":' + Number(steps) / 2 + '}\\n{"update":2,"ti');
const finalReturn = 100 * Number(seed) + (algorithm === 'ppo' ? 50 : 0);
const result = {
  steps: Number(steps),
  finalReturn,
  stepsPerSecond: 1000,
  curve: [1, 2, 3, 4].map((quarter) => ({ step: (quarter * Number(steps)) / 4, return: (quarter * finalReturn) / 4 })),
};
const write = (text) => writeFileSync(out + '/result.json', text);
if (behaviour === 'well') write(JSON.stringify(result));
if (behaviour === 'garbage') write('{"steps": 10, "final');
if (behaviour === 'wrong result') write(JSON.stringify({ ...result, finalReturn: 'high' }));
if (behaviour === 'no episode') write(JSON.stringify({ ...result, finalReturn: null, curve: [] }));
if (behaviour === 'throws') throw new TypeError('x is not a function');
if (behaviour === 'fails') {
  console.error('training: 3/9 updates');
  console.error('error: The loss "policy" is NaN after update 3.');
  process.exitCode = 1;
}
if (behaviour === 'hangs') {
  process.on('SIGTERM', () => {}); // as a native call that does not return
  setInterval(() => {}, 1000);
}
`;

/** Commands that run a small script instead of a training. */
export function fakeTraining(
  folder: string,
  behaviourOf: (job: BenchJob) => Behaviour = () => 'well',
): (job: BenchJob, out: string) => Command {
  const script = join(folder, 'training.mjs');
  writeFileSync(script, SCRIPT);
  return (job, out) => ({
    program: process.execPath,
    args: [
      script,
      behaviourOf(job),
      job.algorithm,
      job.environment,
      String(job.seed),
      String(job.steps),
      out,
    ],
  });
}
