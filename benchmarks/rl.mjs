// Environment steps a second with updates included: PPO on CartPole-v1 with CleanRL's settings, ours against a PyTorch
// program of the same work where `python3` (or $PYTHON) has torch and gymnasium. The two take turns, each run a process.
//
//   npm run bench:rl -- [--steps 50000] [--runs 3]
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const PYTHON = process.env.PYTHON ?? 'python3';
const { values: options } = parseArgs({
  options: { steps: { type: 'string', default: '50000' }, runs: { type: 'string', default: '3' } },
});
const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'rollcast-bench-'));
const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];

function run(command, args) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed:\n${stderr}`);
  return stdout;
}

const engines = {
  rollcast: (seed) => {
    const out = join(folder, `run-${seed}`);
    const flags = ['--env', 'cart-pole-v1', '--algo', 'ppo', '--preset', 'cleanrl', '--steps', options.steps];
    run(process.execPath, [
      path('../packages/cli/bin/rollcast.js'),
      'train',
      ...flags,
      '--seed',
      `${seed}`,
      '--out',
      out,
    ]);
    return JSON.parse(readFileSync(join(out, 'result.json'), 'utf8'));
  },
};
if (spawnSync(PYTHON, ['-c', 'import torch, gymnasium']).status === 0) {
  for (const threads of [1, 2]) {
    engines[`pytorch, ${threads} thread${threads > 1 ? 's' : ''}`] = (seed) =>
      JSON.parse(run(PYTHON, [path('peers/pytorch_ppo.py'), options.steps, `${seed}`, `${threads}`]));
  }
}

try {
  const rates = Object.fromEntries(Object.keys(engines).map((name) => [name, []]));
  for (let seed = 1; seed <= Number(options.runs); seed++) {
    for (const [name, engine] of Object.entries(engines)) {
      const { stepsPerSecond, finalReturn } = engine(seed);
      rates[name].push(stepsPerSecond);
      console.log(
        `${name}, seed ${seed}: ${stepsPerSecond.toFixed(0)} steps/s, return ${finalReturn.toFixed(0)}`,
      );
    }
  }
  console.log(
    `\nMedians, PPO on CartPole-v1, ${options.steps} steps, updates included; ${availableParallelism()} × ${cpus()[0].model}, Node ${process.version}`,
  );
  for (const [name, all] of Object.entries(rates)) {
    const ratio = median(rates.rollcast) / median(all);
    console.log(
      `${name.padEnd(20)} ${median(all).toFixed(0).padStart(8)} steps/s   rollcast is ${ratio.toFixed(1)} × as fast`,
    );
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
