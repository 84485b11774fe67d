/**
 * The main job without the command line, in thirty lines: pre-train on histories of wear, fine-tune on whole trajectories, forecast
 * a cell that was not trained on.
 *
 *     npx tsx examples/10-library-in-30-lines.ts [updates, 50]
 *
 * Expect: a minute on two cores; sixty falling capacities beside the sixty that were measured.
 */
import { Pretrainer, RLHFLearner } from '@rollcast/algos';
import { DegradationTransformer, Tokeniser, selectBackend } from '@rollcast/core';
import { DegradationEnvironment, RLDataset, simulate, splitUnits, tokenWindows } from '@rollcast/envs';

const updates = Number(process.argv[2] ?? 50);
await selectBackend('auto');
const histories = simulate('sei-growth', { units: 40, seed: 1 }); // or loadSeries({ files: ['cells.csv'] })
const { train, heldOut } = splitUnits(histories, { holdoutShare: 0.2, seed: 1 });
const dataset = new RLDataset(train);
const tokeniser = new Tokeniser();
const policy = new DegradationTransformer({ width: 32, heads: 2 }, 1);

const steps = 5 * updates;
const pretrainer = new Pretrainer(policy, tokenWindows(dataset, tokeniser), { steps }, 1);
while (pretrainer.stepsDone < steps) pretrainer.step();

const environment = new DegradationEnvironment(dataset, tokeniser, { reward: '-mse' });
const learner = new RLHFLearner({ policy, environment, algorithm: 'ppo', updates, batchSize: 64, seed: 1 });
const { lastMetrics } = await learner.fitRl();
console.log(
  `reward ${lastMetrics['reward/mean'].toFixed(2)}, KL ${lastMetrics['kl/exactPerToken'].toFixed(4)}`,
);

const unseen = new RLDataset(heldOut);
const batch = environment.batch(unseen.evenlySpacedWindows(1).slice(0, 1));
const { tokens } = policy.generate({ contextTokens: batch.contextTokens, batchSize: 1, horizon: 60 });
const { title, predicted, target } = environment.view(batch, 0, tokens);
console.log(`${title}\nforecast ${predicted.map((y) => y.toFixed(2)).join(' ')}`);
console.log(`measured ${target.map((y) => y.toFixed(2)).join(' ')}`);
