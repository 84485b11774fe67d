// The recipe on real data: seeds, each data set left out in turn, what RL does beside its controls, twice the trained horizon.
//
//   node benchmarks/forecasts.mjs DATA_FOLDER [RUN_FOLDER] [--threads N] [--only JOB,JOB] [--tables]
//
// DATA_FOLDER has the data sets of packages/cli/recipes/degradation-corpus.json. Jobs whose result is in RUN_FOLDER (default:
// runs/forecasts) are not repeated, so that several processes may share the folder with --only. --tables only prints.
import { existsSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';

import { runOnce } from './run-once.mjs';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { threads: { type: 'string' }, only: { type: 'string' }, tables: { type: 'boolean' } },
});
const [dataFolder, runFolder = 'runs/forecasts'] = positionals;
if (!dataFolder) {
  console.error(
    'usage: node benchmarks/forecasts.mjs DATA_FOLDER [RUN_FOLDER] [--threads N] [--only JOB,JOB] [--tables]',
  );
  process.exit(2);
}
const threads = options.threads ? ['--threads', options.threads] : [];
const at = (name) => `${runFolder}/${name}`;

const rollcast = (result, ...args) => runOnce(result, ...args, ...threads);

const SETS = ['fd001', 'severson-1', 'severson-2', 'xjtu', 'calce', 'nasa', 'virkler'];
/** One cell of each is held out: more windows of it. */
const FEW_CELLS = ['calce', 'nasa'];
/** Left out together: the two Severson files are batches of one experiment. */
const LEFT_OUT = [['fd001'], ['severson-1', 'severson-2'], ['xjtu'], ['calce'], ['nasa'], ['virkler']];
const SEEDS = [1, 2, 3];
const BUDGET = ['--updates', '200', '--batch-size', '128', '--lr', '5e-5', '--kl-coef', '0.05'];
const GROUP = [
  ...['--algo', 'grpo', '--set', 'grpo.samplesPerContext=16', '--set', 'grpo.updateEpochs=1'],
  ...['--set', 'grpo.minibatchSize=128'],
];
const LINE = ['--set', 'env.rewardScale=line'];
const CRPS = [...GROUP, '--set', 'grpo.gamma=0.95', ...LINE, '--reward', '-crps'];
/** From the same pre-trained model, with the updates and trajectories of the recipe, at a quarter of its rate. */
const VARIANTS = {
  'teacher-forcing': ['--algo', 'teacher-forcing'],
  'scheduled-sampling': ['--algo', 'scheduled-sampling'],
  'soft-unrolling': ['--algo', 'soft-unrolling'],
  rloo: [
    ...['--algo', 'rloo', '--set', 'rloo.samplesPerContext=16', '--set', 'rloo.gamma=0.95'],
    ...[...LINE, '--reward', '-crps'],
  ],
  crps: CRPS,
  mse: [...GROUP, ...LINE, '--reward', '-mse'],
  'energy-score': [...GROUP, ...LINE, '--reward', '-energyScore'],
  'energy-score-4x': [...GROUP, ...LINE, '--reward', '-energyScore', '--lr', '2e-4'],
  recipe: [...GROUP, ...LINE, '--reward', '-energyScore - crps', '--lr', '2e-4'],
  'recipe-half': [...GROUP, ...LINE, '--reward', '-energyScore - crps', '--lr', '1e-4'],
  'horizon-schedule': [...CRPS, '--horizon-schedule', '10,20,40,60'],
  difficulty: [...CRPS, '--windows', 'difficulty'],
  'self-critical': [
    ...['--algo', 'reinforce', '--set', 'reinforce.baseline=self-critical'],
    ...[...LINE, '--reward', '-mse'],
  ],
  'kl-target': [...CRPS, '--kl-target', '0.01'],
};

/** The recipe's tokens and others, each pre-trained for a quarter of its steps. */
const SCALINGS = {
  'min-max': ['scaling=min-max', 'bins=uniform', 'limit=8'],
  standard: ['scaling=standard'],
  'line-residual': ['scaling=line-residual'],
  'line-noise': ['scaling=line-noise', 'limit=1000'],
  'line-noise-trend': ['scaling=line-noise', 'limit=1000', 'trendToken=true'],
};
const QUARTER = [
  ...['--steps', '2000', '--batch-size', '32', '--set', 'model.width=64', '--set', 'model.layers=3'],
  ...['--set', 'pretrain.warmupSteps=100', '--set', 'pretrain.validateEvery=500', '--seed', '1'],
];
const CORPUS = fileURLToPath(new URL('../packages/cli/recipes/degradation-corpus.json', import.meta.url));

const left = (sets) => `lo-${sets.length > 1 ? 'severson' : sets[0]}`;
const fit = (name, ...args) =>
  rollcast(`${at(name)}/calibration.json`, 'fit', '--data-root', dataFolder, ...args, '--out', at(name));
const judge = (result, name, ...args) =>
  rollcast(at(`${result}.json`), 'evaluate', '--run', at(name), ...args, '--json', at(`${result}.json`));
const judgeNewUnits = (result, name, ...args) => {
  const many = SETS.filter((set) => !FEW_CELLS.includes(set)).join(',');
  judge(result, name, '--only', many, '--windows-per-unit', '20', ...args);
  judge(`${result}-few`, name, '--only', FEW_CELLS.join(','), '--windows-per-unit', '40', ...args);
};
const JOBS = {
  ...Object.fromEntries(
    SEEDS.map((seed) => [
      `s${seed}`,
      () => {
        fit(`s${seed}`, '--seed', `${seed}`);
        judgeNewUnits(`s${seed}`, `s${seed}`);
        judgeNewUnits(`s${seed}-calibrated`, `s${seed}`, '--calibrated');
      },
    ]),
  ),
  ...Object.fromEntries(
    LEFT_OUT.map((sets) => [
      left(sets),
      () => {
        const windows = FEW_CELLS.includes(sets[0]) ? '40' : '10';
        fit(left(sets), '--seed', '1', '--leave-out', sets.join(','));
        judge(left(sets), left(sets), '--only', sets.join(','), '--windows-per-unit', windows);
      },
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(VARIANTS).map(([name, flags]) => [
      name,
      () => {
        rollcast(
          at(`${name}/report.html`),
          'train',
          '--init',
          at('s1-pretrained'),
          ...(flags.includes('--kl-target') ? BUDGET.slice(0, -2) : BUDGET),
          ...flags,
          '--seed',
          '1',
          '--out',
          at(name),
        );
        judge(name, name, '--windows-per-unit', '10');
      },
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(SCALINGS).map(([name, settings]) => [
      `scaling-${name}`,
      () => {
        const run = `scaling-${name}`;
        const tokens = settings.flatMap((setting) => ['--set', `tokeniser.${setting}`]);
        rollcast(
          `${at(run)}/config.json`,
          ...[
            'pretrain',
            '--corpus',
            CORPUS,
            '--data-root',
            dataFolder,
            ...QUARTER,
            ...tokens,
            '--out',
            at(run),
          ],
        );
        judge(run, run, '--windows-per-unit', '10');
      },
    ]),
  ),
  far: () => judge('far', 's1', '--horizon', '120', '--windows-per-unit', '10'),
};
const chosen = options.only ? options.only.split(',') : Object.keys(JOBS);
for (const name of chosen) {
  if (!JOBS[name]) {
    console.error(`no job "${name}". Jobs: ${Object.keys(JOBS).join(', ')}`);
    process.exit(2);
  }
  if (!options.tables) JOBS[name]();
}

// ---- tables -------------------------------------------------------------------------------------------------------------

const read = (name) =>
  [name, `${name}-few`]
    .map((part) => at(`${part}.json`))
    .filter((file) => existsSync(file))
    .flatMap((file) => JSON.parse(readFileSync(file, 'utf8')).sets);
const method = (evaluation, name) => evaluation.methods.find((m) => m.name === name);
const pair = (evaluation, name, against) =>
  evaluation.comparisons.find((c) => c.method === name && c.against === against);
const short = (x) => (x === null || x === undefined ? '–' : Number(x.toPrecision(3)).toString());
const interval = ({ value, low, high }) =>
  `${short(value)}${low === null ? '' : ` [${short(low)}, ${short(high)}]`}`;
const line = (cells) => `| ${cells.join(' | ')} |`;
const table = (title, header, rows) => {
  if (rows.length > 0)
    console.log(
      ['', `### ${title}`, '', line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n'),
    );
};
const bestMae = (evaluation) => method(evaluation, evaluation.bestNaive).mae;

const newUnits = SEEDS.flatMap((seed) =>
  read(`s${seed}`)
    .filter(({ dataset }) => SETS.includes(dataset))
    .map((e) => [
      e.dataset,
      seed,
      `${e.windows} / ${e.units}`,
      e.bestNaive,
      interval(pair(e, 'policy-median', e.bestNaive).rmseRatio),
      interval(pair(e, 'policy-mean', e.bestNaive).rmseRatio),
      short(method(e, 'policy-mean').crps / bestMae(e)),
      short(method(e, 'policy-mean').coverage80),
    ]),
).sort((a, b) => SETS.indexOf(a[0]) - SETS.indexOf(b[0]));
table(
  'New units',
  [
    'data',
    'seed',
    'windows / units',
    'best line',
    'RMSE of the median / line',
    'of the mean / line',
    'CRPS / MAE of the line',
    '80 % coverage',
  ],
  newUnits,
);

const rl = SEEDS.flatMap((seed) =>
  read(`s${seed}`)
    .filter(({ dataset }) => SETS.includes(dataset))
    .map((e) => [
      e.dataset,
      seed,
      interval(pair(e, 'policy-sample', 'reference-sample').rmseRatio),
      interval(pair(e, 'policy-mean', 'reference-mean').crpsRatio),
      `${short(method(e, 'reference-median').ratioToBestNaive)} → ${short(method(e, 'policy-median').ratioToBestNaive)}`,
      `${short(method(e, 'reference-mean').coverage80)} → ${short(method(e, 'policy-mean').coverage80)}`,
      short(method(e, 'policy-mean').klPerToken),
    ]),
).sort((a, b) => SETS.indexOf(a[0]) - SETS.indexOf(b[0]));
table(
  'What RL adds',
  ['data', 'seed', 'RMSE of one sampled path', 'CRPS', 'median / line', '80 % coverage', 'KL, nats a token'],
  rl,
);

const calibrated = SEEDS.flatMap((seed) =>
  read(`s${seed}-calibrated`)
    .filter(({ dataset }) => SETS.includes(dataset))
    .map((e) => [
      e.dataset,
      seed,
      e.units,
      `${short(method(e, 'policy-mean').coverage80)} → ${short(method(e, 'policy-calibrated').coverage80)}`,
      interval(pair(e, 'policy-calibrated', 'policy-mean').crpsRatio),
    ]),
).sort((a, b) => SETS.indexOf(a[0]) - SETS.indexOf(b[0]));
table('Calibration', ['data', 'seed', 'units judged', '80 % coverage', 'CRPS'], calibrated);

const unseen = LEFT_OUT.flatMap((sets) =>
  read(left(sets)).map((e) => [
    e.dataset,
    `${e.windows} / ${e.units}`,
    e.bestNaive,
    short(method(e, 'reference-median').ratioToBestNaive),
    interval(pair(e, 'policy-median', e.bestNaive).rmseRatio),
    interval(pair(e, 'policy-mean', e.bestNaive).rmseRatio),
    short(method(e, 'policy-mean').crps / bestMae(e)),
    short(method(e, 'policy-mean').coverage80),
  ]),
);
table(
  'Data sets that were never seen',
  [
    'data',
    'windows / units',
    'best line',
    'pre-trained: median / line',
    'RMSE of the median / line',
    'of the mean / line',
    'CRPS / MAE of the line',
    '80 % coverage',
  ],
  unseen,
);

/** Geometric means over the data sets. */
const overall = (evaluations, pick) =>
  short(Math.exp(evaluations.reduce((sum, e) => sum + Math.log(pick(e)) / evaluations.length, 0)));
const variants = ['s1', ...Object.keys(VARIANTS)].flatMap((name) => {
  const sets = read(name).filter(({ dataset }) => SETS.includes(dataset));
  if (sets.length === 0) return [];
  return [
    [
      name === 's1' ? 'the recipe' : `\`${name}\``,
      overall(sets, (e) => pair(e, 'policy-sample', 'reference-sample').rmseRatio.value),
      overall(sets, (e) => pair(e, 'policy-mean', 'reference-mean').crpsRatio.value),
      overall(sets, (e) => method(e, 'policy-median').ratioToBestNaive),
      overall(sets, (e) => method(e, 'policy-mean').ratioToBestNaive),
      sets.map((e) => short(method(e, 'policy-mean').coverage80)).join(', '),
      overall(sets, (e) => Math.max(1e-9, method(e, 'policy-mean').klPerToken)),
    ],
  ];
});
table(
  `Equal compute (geometric means over ${SETS.length} data sets)`,
  [
    'fine-tuned by',
    'RMSE of one sampled path / pre-trained',
    'CRPS / pre-trained',
    'median / line',
    'mean / line',
    `80 % coverage (${SETS.join(', ')})`,
    'KL, nats a token',
  ],
  variants,
);

const scalings = Object.keys(SCALINGS).flatMap((name) => {
  const sets = read(`scaling-${name}`).filter(({ dataset }) => SETS.includes(dataset));
  if (sets.length === 0) return [];
  return [
    [
      SCALINGS[name].join(' '),
      ...sets.map((e) => short(method(e, 'policy-median').ratioToBestNaive)),
      overall(sets, (e) => method(e, 'policy-median').ratioToBestNaive),
      overall(sets, (e) => method(e, 'policy-mean').crps / bestMae(e)),
    ],
  ];
});
table(
  'Scalings, pre-trained for a quarter of the steps: RMSE of the median over that of the best line',
  ['tokens', ...SETS, 'geometric mean', 'CRPS / MAE of the line'],
  scalings,
);

const far = read('far')
  .filter(({ dataset }) => SETS.includes(dataset))
  .map((e) => {
    const by = (name) => e.distribution.find((d) => d.name === name).rmseByStep;
    return [
      e.dataset,
      `${e.windows} / ${e.units}`,
      interval(pair(e, 'policy-median', e.bestNaive).rmseRatio),
      short(method(e, 'policy-mean').coverage80),
      [30, 60, 90, 120].map((h) => short(by('policy-median')[h - 1] / by('policy-median')[29])).join(', '),
      [30, 60, 90, 120].map((h) => short(by(e.bestNaive)[h - 1] / by(e.bestNaive)[29])).join(', '),
      `${short(100 * e.outermostShare.policy)} % (${short(100 * e.outermostShare.truth)} %)`,
    ];
  });
table(
  'Twice the trained horizon',
  [
    'data',
    'windows / units',
    'RMSE of the median / line',
    '80 % coverage',
    'error at steps 30, 60, 90, 120 over that at 30',
    'of the best line',
    'sampled points in the outermost bins (truths)',
  ],
  far,
);
