// The main job on real data, both algorithms by flag alone: pre-training, fine-tuning, evaluation, one Markdown table.
//
//   node benchmarks/main-job.mjs DATA_FOLDER [RUN_FOLDER]
//
// DATA_FOLDER holds cmapss-fd001/train_FD001.txt and severson-mit/capacity_2017-05-12.csv. Steps whose results are in
// RUN_FOLDER (default: runs/main-job) are not repeated.
import { readFileSync } from 'node:fs';

import { runOnce as rollcast } from './run-once.mjs';

const [dataFolder, runFolder = 'runs/main-job'] = process.argv.slice(2);
if (!dataFolder) {
  console.error('usage: node benchmarks/main-job.mjs DATA_FOLDER [RUN_FOLDER]');
  process.exit(2);
}
const jobs = [
  {
    name: 'fd001',
    title: 'FD001 health index',
    data: ['--data', `${dataFolder}/cmapss-fd001/train_FD001.txt`, '--health-index'],
  },
  {
    name: 'severson',
    title: 'Severson 2017-05-12 (Ah)',
    data: ['--data', `${dataFolder}/severson-mit/capacity_2017-05-12.csv`],
  },
];
const variants = [
  { name: 'reinforce', flags: ['--algo', 'reinforce'] },
  { name: 'ppo', flags: ['--algo', 'ppo'] },
];

const number = (x) => (x === null ? '–' : Number(x.toPrecision(3)).toString());
const percent = (x) => `${x < 0 ? '−' : '+'}${Math.abs(100 * x).toFixed(1)} %`;
const change = ({ change, low, high }) => `**${percent(change)}** [${percent(low)}, ${percent(high)}]`;

const rows = [];
for (const { name, title, data } of jobs) {
  const pre = `${runFolder}/${name}-pre`;
  rollcast(`${pre}/config.json`, 'pretrain', ...data, '--seed', '1', '--out', pre);
  for (const variant of variants) {
    const run = `${runFolder}/${name}-${variant.name}`;
    const json = `${run}.json`;
    rollcast(`${run}/config.json`, 'train', '--init', pre, ...variant.flags, '--seed', '1', '--out', run);
    rollcast(json, 'evaluate', '--run', run, '--json', json);
    const evaluation = JSON.parse(readFileSync(json, 'utf8'));
    const method = (key) => evaluation.methods.find((m) => m.name === key);
    const pair = (key, pick) =>
      `${number(pick(method(`reference-${key}`)))} → ${number(pick(method(`policy-${key}`)))}`;
    rows.push([
      title,
      variant.name,
      change(evaluation.change.sample),
      pair('sample', (m) => m.ratioToBestNaive),
      pair('mean', (m) => m.ratioToBestNaive),
      pair('mean', (m) => m.crps),
      pair('mean', (m) => m.coverage80),
      pair('sample', (m) => m.wrongWayShare),
      number(method('policy-sample').klPerToken),
      `${number(method(evaluation.bestNaive).rmse)} (${evaluation.bestNaive})`,
      `${evaluation.windows} / ${evaluation.units}`,
    ]);
  }
}
const header = [
  'data',
  'algorithm',
  'MSE of one sampled path',
  'its RMSE / best line',
  'mean of 16 / best line',
  'CRPS',
  '80 % coverage',
  'wrong-way share',
  'KL, nats a token',
  'RMSE of the best line',
  'windows / units',
];
const line = (cells) => `| ${cells.join(' | ')} |`;
console.log([line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n'));
