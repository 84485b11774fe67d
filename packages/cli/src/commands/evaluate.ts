import { ConfigError, writeFileAtomically, type Checkpoint, type RunDirectory } from '@rollcast/core';
import { Option, type Command } from 'commander';

import { DATA_FLAGS, addDataFlags, parseRecipe } from '../data-source.js';
import { episodeTable, evaluateEpisodes, playModes } from '../episode-evaluation.js';
import { givenFlags, integer, list, number, typedCommand } from '../flags.js';
import { addLikeFlag } from '../kinds.js';
import { openRun, runName, subjectOf } from '../model-files.js';
import { progress } from '../progress.js';
import { evaluationTables, overviewTable, verdict } from '../report/evaluation-report.js';
import { renderReport } from '../report/html.js';
import { renderTextTable } from '../report/table.js';
import { evaluateRun, trainingChart, writeReport, type EvaluateRequest } from '../run-evaluation.js';
import { evaluateCommand, pluginsOfRun, refuseUnnamed } from '../training.js';
import {
  addBackendFlags,
  addForecasterFlags,
  prepareFile,
  startBackend,
  addShapeFlags,
  withLogger,
  type BackendFlags,
} from './shared.js';

interface EvaluateFlags extends EvaluateRequest, BackendFlags {
  episodes: number;
  env?: string;
  greedy?: boolean;
  sampled?: boolean;
  json?: string;
}

/** What an evaluation begins with. */
interface Start {
  /** The sentence that says who computes. */
  backend: string;
  /** The command line, for the page. */
  typed: string;
}

/** Flags that mean something for forecasts alone, and those for runs on step and sequence environments alone. */
const FORECAST_FLAGS: readonly string[] = [
  ...DATA_FLAGS,
  ...['only', 'windowsPerUnit', 'backtest', 'every', 'samples'],
  ...['tunedShare', 'trim', 'lineShare', 'threshold', 'horizon', 'calibrated', 'ensemble', 'like'],
];
const EPISODE_FLAGS: readonly string[] = ['env', 'episodes', 'greedy', 'sampled'];

export function addEvaluate(program: Command): void {
  const command = program
    .command('evaluate')
    .description(
      'Judge a run: forecasts beside naive lines and the frozen reference, on held-out units or other data; a policy by the returns of whole episodes.',
    )
    .requiredOption('--run <folder>', 'run to judge');
  addForecasterFlags(command)
    .option('--windows-per-unit <count>', 'forecasts: evenly spaced windows of each unit', integer(1), 40)
    .addOption(
      new Option(
        '--backtest',
        'forecasts: rolling backtest, a forecast every so many points of each unit, told unit by unit',
      ).conflicts('windowsPerUnit'),
    )
    .option(
      '--every <points>',
      'forecasts: points between the forecasts of a backtest (default: 10)',
      integer(1),
    )
    .option('--horizon <steps>', 'forecasts: steps ahead to judge (default: as trained)', integer(1))
    .option('--samples <paths>', 'forecasts: sampled paths a window', integer(2), 32)
    .option('--episodes <count>', 'step and sequence environments: episodes, or sequences', integer(1), 100)
    .addOption(
      new Option(
        '--greedy',
        'step and sequence environments: only the most likely actions (default: both)',
      ).conflicts('sampled'),
    )
    .option('--sampled', 'step and sequence environments: only actions drawn as in training')
    .option('--env <file>', 'runs on an environment of your own: its file or package')
    .option('--seed <number>', 'seed of what is drawn: paths, starts, actions', integer(0), 0)
    .option(
      '--threshold <value>',
      'forecasts: in the units of the data, also judge when forecasts cross it (remaining useful life, PHM08 score)',
      number({}),
    )
    .option(
      '--calibrated',
      'forecasts: also judge the calibrated paths (rollcast calibrate), on units that did not calibrate, each set of a corpus by factors of its own (default: with --data, and of sets that were left out, where rollcast forecast would take the calibration)',
    )
    .option('--no-calibrated', 'forecasts: judge the paths as the model made them alone')
    .addOption(
      new Option(
        '--only <sets>',
        'runs on a corpus: these sets (default: each that was trained on; one that was left out is judged as a whole)',
      )
        .argParser(list)
        .conflicts('data'),
    )
    .option('--json <file>', 'also write the table as JSON');
  addBackendFlags(addLikeFlag(addDataFlags(addShapeFlags(command))));
  command.action(runEvaluate);
}

async function runEvaluate(flags: EvaluateFlags, command: Command): Promise<void> {
  const { run, checkpoint } = openRun(flags.run, flags.checkpoint);
  refuseFlags(command, run);
  if (flags.every !== undefined && !flags.backtest) throw new ConfigError('--every needs --backtest.');
  const named = pluginsOfRun(run.config).filter(([flag]) => flag === '--env');
  if (flags.env !== undefined && named.length === 0)
    throw new ConfigError(
      `--env is for runs on an environment of your own; ${run.path} is on a built-in one.`,
    );
  refuseUnnamed(command, named, evaluateCommand(run));
  if (flags.json) prepareFile('--json', flags.json);
  const backend = await startBackend(flags);
  const typed = typedCommand(command);
  if (isOfEpisodes(run)) await runEpisodes(flags, run, checkpoint, { backend, typed });
  else await runForecasts(flags, { backend, typed });
}

function isOfEpisodes(run: RunDirectory): boolean {
  return ['step', 'sequence'].includes(subjectOf(run));
}

/** @throws {ConfigError} naming the first flag that this run has no use for */
function refuseFlags(command: Command, run: RunDirectory): void {
  const useless = isOfEpisodes(run) ? FORECAST_FLAGS : EPISODE_FLAGS;
  const wrong = givenFlags(command).find(([name]) => useless.includes(name));
  if (!wrong) return;
  const where = isOfEpisodes(run) ? 'forecasts' : 'runs on step and sequence environments';
  throw new ConfigError(
    `${wrong[1]} means nothing for ${run.path}, ${runName(subjectOf(run))}: it is for ${where}.`,
  );
}

/** Returns of whole episodes, printed, as a page, and as JSON when asked for. */
async function runEpisodes(
  flags: EvaluateFlags,
  run: RunDirectory,
  checkpoint: Checkpoint,
  { backend, typed }: Start,
): Promise<void> {
  const { episodes, seed, greedy, sampled, json } = flags;
  const modes = playModes.filter((mode) => (greedy ? mode === 'greedy' : !sampled || mode === 'sampled'));
  const bar = progress({ label: 'evaluating', total: modes.length * episodes, unit: 'episodes' });
  const evaluation = await withLogger(run, async (logger) => {
    logger.info(backend);
    try {
      return await evaluateEpisodes(run, checkpoint, {
        env: flags.env,
        episodes,
        seed,
        modes,
        onProgress: (done) => bar.tick(done),
      });
    } finally {
      bar.done();
    }
  });
  if (json) writeFileAtomically(json, `${JSON.stringify(evaluation, null, 2)}\n`);
  const table = episodeTable(evaluation);
  const note =
    'The 95 % interval of the mean is a percentile bootstrap over episodes: what other episodes of this policy would give, not what another training would.';
  console.log(`\n${renderTextTable(table)}\n${note}`);
  const charts = trainingChart(
    run,
    'return',
    'What the training saw: the mean return of its last 100 episodes.',
  );
  const title = `Evaluation of ${run.path}`;
  writeFileAtomically(
    run.reportFile,
    renderReport({ title, summary: [note], tables: [table], charts, commands: [typed] }),
  );
  console.log(`\nPage with the picture: ${run.reportFile}${json ? `; numbers: ${json}` : ''}`);
}

async function runForecasts(flags: EvaluateFlags, { backend, typed }: Start): Promise<void> {
  const { run, evaluations, charts } = await evaluateRun(flags, backend);
  const ofCorpus = 'corpus' in parseRecipe(run.config['data']).source && !flags.data;
  const numbers = ofCorpus ? { sets: evaluations } : evaluations[0];
  if (flags.json) writeFileAtomically(flags.json, `${JSON.stringify(numbers, null, 2)}\n`);
  for (const evaluation of evaluations) {
    console.log(`\n${evaluationTables(evaluation).map(renderTextTable).join('\n')}`);
    for (const sentence of verdict(evaluation)) console.log(sentence);
  }
  if (evaluations.length > 1) console.log(`\n${renderTextTable(overviewTable(evaluations))}`);
  writeReport(run.reportFile, `Evaluation of ${run.path}`, evaluations, charts, [typed]);
  console.log(`\nPage with the pictures: ${run.reportFile}${flags.json ? `; numbers: ${flags.json}` : ''}`);
}
