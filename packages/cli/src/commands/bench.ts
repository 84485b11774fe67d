import { existsSync, mkdirSync, statSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { basename, dirname, extname, join } from 'node:path';

import { ConfigError, RandomStream, rollcastVersion, writeFileAtomically } from '@rollcast/core';
import { Option, type Command } from 'commander';

import { planJobs, type BenchPlan } from '../bench/job.js';
import { planBench, type PlanFlags } from '../bench/plan.js';
import { drawBenchCharts, type DrawnChart } from '../bench/report-charts.js';
import { aggregateTable, failureTable, taskTable } from '../bench/report-tables.js';
import { benchHtml, benchMarkdown } from '../bench/report.js';
import { benchRow, isFailed, isFinished, skippedRun, type BenchRun } from '../bench/result.js';
import { finishedBefore, runJobs, type RunnerOptions } from '../bench/runner.js';
import { measureSpeed, speedTables, tasksNamed } from '../bench/speed/measure.js';
import { speedTasks } from '../bench/speed/tasks.js';
import type { BenchSummary } from '../bench/summary.js';
import { collect, integer, list, number, quoted } from '../flags.js';
import { listenForInterrupt } from '../interrupt.js';
import { progress } from '../progress.js';
import { renderTextTable } from '../report/table.js';
import { presetNames } from '../step-presets.js';
import { addBackendFlags, prepareFile, refuseFolder, startBackend } from './shared.js';

interface BenchFlags extends PlanFlags {
  jobs: number;
  out: string;
  json?: string;
  report?: string;
  markdown?: string;
  /** Part of a name, or true for everything. */
  speed?: string | true;
  speedSeconds: number;
}

/** Flags that `--speed` has no use for, by the name of their option. */
const ONLY_RUNS = [
  'algos',
  'envs',
  'seeds',
  'seed',
  'steps',
  'jobs',
  'out',
  'preset',
  'set',
  'report',
  'markdown',
];

export function addBench(program: Command): void {
  const command = program
    .command('bench')
    .description('Compare algorithms over environments and seeds, or measure speed with --speed.')
    .option('--algos <names>', 'algorithms, separated by commas', list)
    .option(
      '--envs <names>',
      'step and sequence environments, separated by commas; files (./my-env.ts) and packages (rollcast-env-…) too',
      list,
    )
    .option(
      '--seeds <count>',
      'runs of each combination; 10 or more for intervals to trust',
      integer(1, 10_000),
      10,
    )
    .option('--seed <number>', 'first seed; the others follow it', integer(0), 1)
    .option('--steps <count>', 'environment steps a run, or generated tokens', integer(1), 500_000)
    .option('--jobs <count>', 'runs at a time, each a process; more than one slows each', integer(1, 1024), 1)
    .option(
      '--out <folder>',
      'folder of the runs; the same command goes on where it was stopped',
      'runs/bench',
    )
    .addOption(
      new Option('--preset <name>', 'step environments: published settings to start from')
        .choices([...presetNames])
        .default('cleanrl'),
    )
    .option(
      '--set <group.key=value>',
      'any option of an algorithm, of env, policy or collect (step environments) or model (sequence environments), for example ppo.clipRange=0.1; repeatable',
      collect,
      [],
    )
    .option(
      '--json <file>',
      'one object a run, or with --speed a measurement (default with runs: OUT/results.json)',
    )
    .option('--report <file.html>', 'page with tables and pictures (default: OUT/report.html)')
    .option('--markdown <file.md>', 'the same as Markdown, with pictures beside it (default: OUT/report.md)')
    .option(
      '--speed [words]',
      'measure speed instead, of everything or of what has these words in its name, such as environments, act, update, generate',
    )
    .option('--speed-seconds <seconds>', 'how long each part is measured', number({ above: 0 }), 1);
  addBackendFlags(command);
  command.action((flags: BenchFlags, self: Command) => {
    const given = (name: string): boolean => self.getOptionValueSource(name) === 'cli';
    if (given('speedSeconds') && flags.speed === undefined)
      throw new ConfigError('--speed-seconds needs --speed.');
    return flags.speed === undefined ? runBench(flags) : runSpeed(flags, ONLY_RUNS.filter(given));
  });
}

/**
 * Runs what has not finished yet, and reports on everything.
 *
 * @param runner - how jobs are run, for tests
 */
export async function runBench(flags: BenchFlags, runner: Partial<RunnerOptions> = {}): Promise<void> {
  const plan = await planBench(flags);
  const { out, jobs: parallel } = flags;
  if (existsSync(out) && !statSync(out).isDirectory())
    throw new ConfigError(`--out names a folder; ${out} is a file.`);
  const files = {
    json: flags.json ?? join(out, 'results.json'),
    report: flags.report ?? join(out, 'report.html'),
    markdown: flags.markdown ?? join(out, 'report.md'),
  };
  for (const [flag, file] of Object.entries(files)) refuseFolder(`--${flag}`, file);
  for (const [flag, file] of Object.entries(files)) prepareFile(`--${flag}`, file);

  const all = planJobs(plan);
  const jobs = all.filter(({ skipped }) => skipped === undefined);
  const before = finishedBefore(jobs, out).size;
  const toRun = jobs.length - before;
  if (before > 0)
    console.error(`${before} of ${jobs.length} runs in ${out} have finished before and are kept.`);
  const bar = progress({ label: 'benchmark', total: toRun * plan.steps, unit: 'steps' });
  const abort = new AbortController();
  const interrupt = listenForInterrupt(
    () => abort.abort(),
    'ending the running trainings; finished runs are kept',
  );
  try {
    const { runs, stopped } = await runJobs(jobs, {
      out,
      parallel,
      signal: abort.signal,
      onProgress: ({ ended, failed, steps }) =>
        bar.tick(steps, `${ended}/${toRun} runs${failed > 0 ? `, ${failed} failed` : ''}`),
      ...runner,
    });
    bar.done();
    if (stopped) {
      console.error(
        `Stopped: ${runs.length} of ${jobs.length} runs are there. The same command goes on; runs that were under way start anew.`,
      );
      return;
    }
    const ended = runs.values();
    const rows = all.map((job) => (job.skipped === undefined ? ended.next().value! : skippedRun(job)));
    await report(flags, plan, rows, files);
  } finally {
    bar.done();
    interrupt.release();
  }
}

async function report(
  flags: BenchFlags,
  plan: BenchPlan,
  runs: readonly BenchRun[],
  files: { json: string; report: string; markdown: string },
): Promise<void> {
  const { summarise } = await import('../bench/summary.js'); // it loads mathjs, which other commands start faster without
  const summary = summarise(runs, {
    random: new RandomStream(plan.seed, 'bench/bootstrap'),
    changedEnvironments: plan.settings.some((setting) => setting.startsWith('env.')),
  });
  const charts = await drawBenchCharts(summary);
  const parts = { runs, summary, charts, commands: [benchCommand(plan, flags)], machine: machine() };
  const pictures = `${basename(files.markdown, extname(files.markdown))}-pictures`;
  writeFileAtomically(files.json, `${JSON.stringify(runs.map(benchRow), null, 2)}\n`);
  writePictures(join(dirname(files.markdown), pictures), charts);
  writeFileAtomically(files.markdown, benchMarkdown(parts, pictures));
  writeFileAtomically(files.report, benchHtml(parts));
  printSummary(runs, summary);
  console.log(
    `\nPage with the pictures: ${files.report}; Markdown: ${files.markdown}; numbers: ${files.json}`,
  );
  if (!runs.some(isFinished)) process.exitCode = 1;
}

/** One file a picture, for Markdown. */
function writePictures(folder: string, charts: readonly DrawnChart[]): void {
  if (charts.length > 0) mkdirSync(folder, { recursive: true });
  for (const { name, svg } of charts) writeFileAtomically(join(folder, `${name}.svg`), svg);
}

/** What computed, as far as steps a second depend on it. */
function machine(): string {
  const [{ model } = { model: 'an unknown processor' }] = cpus();
  return `Rollcast ${rollcastVersion()} on Node ${process.version}, ${availableParallelism()} × ${model.trim()}`;
}

function printSummary(runs: readonly BenchRun[], summary: BenchSummary): void {
  const tables = [
    taskTable(summary),
    ...(summary.algorithms.length > 0 ? [aggregateTable(summary)] : []),
    ...(runs.some(isFailed) ? [failureTable(runs)] : []),
  ];
  for (const table of tables) console.log(`\n${renderTextTable(table)}`);
  for (const note of summary.notes) console.log(`Note: ${note}`);
}

/** The command line that gives these runs, for the report. */
function benchCommand(plan: BenchPlan, { out, jobs }: BenchFlags): string {
  return [
    'rollcast bench',
    `--algos ${plan.algorithms.map(({ name }) => name).join(',')}`,
    `--envs ${plan.environments.map(({ name }) => quoted(name)).join(',')}`,
    `--seeds ${plan.seeds} --seed ${plan.seed} --steps ${plan.steps} --jobs ${jobs} --out ${quoted(out)}`,
    ...plan.settings.map((setting) => `--set ${quoted(setting)}`),
    ...plan.stepFlags,
    ...plan.trainFlags,
  ].join(' ');
}

async function runSpeed(flags: BenchFlags, useless: readonly string[]): Promise<void> {
  if (useless.length > 0)
    throw new ConfigError(
      `--speed measures parts and runs no training; leave out --${useless.join(', --')}.`,
    );
  const tasks = flags.speed === true ? speedTasks : tasksNamed(flags.speed!, speedTasks);
  if (flags.json) prepareFile('--json', flags.json);
  console.error(await startBackend(flags));
  const bar = progress({ label: 'measuring', total: tasks.length, unit: 'parts' });
  try {
    const results = await measureSpeed(tasks, flags.speedSeconds, (done) => bar.tick(done));
    bar.done();
    if (flags.json) writeFileAtomically(flags.json, `${JSON.stringify(results, null, 2)}\n`);
    console.log(speedTables(results).map(renderTextTable).join('\n'));
  } finally {
    bar.done();
  }
}
