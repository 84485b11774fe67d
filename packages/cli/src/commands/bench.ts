import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { builtInAlgorithms } from '@rollcast/algos';
import {
  ConfigError,
  mlpPolicyOptions,
  RandomStream,
  RegistryError,
  Registry,
  resolveOptions,
  suggestion,
  writeFileAtomically,
} from '@rollcast/core';
import { registerEnvironments, type EnvironmentEntry, type StepEnvironmentEntry } from '@rollcast/envs';
import { Option, type Command } from 'commander';

import { planJobs, type BenchPlan } from '../bench/job.js';
import { aggregateTable, failureTable, taskTable } from '../bench/report-tables.js';
import { benchHtml, benchMarkdown } from '../bench/report.js';
import { benchRow, isFinished, type BenchRun } from '../bench/result.js';
import { finishedBefore, runJobs, type RunnerOptions } from '../bench/runner.js';
import { measureSpeed, speedTables, tasksNamed } from '../bench/speed/measure.js';
import { speedTasks } from '../bench/speed/tasks.js';
import { summarise, type BenchSummary } from '../bench/summary.js';
import { collect, integer, list, number, parseSettings } from '../flags.js';
import { listenForInterrupt } from '../interrupt.js';
import { progress } from '../progress.js';
import { renderTextTable } from '../report/table.js';
import { presetNames, stepPreset, type PresetName } from '../step-presets.js';
import { collectOptions } from '../step-training.js';
import { addBackendFlags, prepareFile, refuseFolder, startBackend, type BackendFlags } from './shared.js';

interface BenchFlags extends BackendFlags {
  algos?: string[];
  envs?: string[];
  seeds: number;
  seed: number;
  steps: number;
  jobs: number;
  out: string;
  preset: PresetName;
  set: string[];
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
    .option('--envs <names>', 'step environments, separated by commas', list)
    .option(
      '--seeds <count>',
      'runs of each combination; 10 or more for intervals to trust',
      integer(1, 10_000),
      10,
    )
    .option('--seed <number>', 'first seed; the others follow it', integer(0), 1)
    .option('--steps <count>', 'environment steps a run', integer(1), 500_000)
    .option('--jobs <count>', 'runs at a time, each a process; more than one slows each', integer(1, 1024), 1)
    .option(
      '--out <folder>',
      'folder of the runs; the same command goes on where it was stopped',
      'runs/bench',
    )
    .addOption(
      new Option('--preset <name>', 'published settings to start from')
        .choices([...presetNames])
        .default('cleanrl'),
    )
    .option(
      '--set <group.key=value>',
      'any option of an algorithm, of env, policy or collect, for example ppo.clipRange=0.1; repeatable',
      collect,
      [],
    )
    .option(
      '--json <file>',
      'one object a run, or with --speed a measurement (default with runs: OUT/results.json)',
    )
    .option('--report <file.html>', 'page with tables and pictures (default: OUT/report.html)')
    .option('--markdown <file.md>', 'the tables as Markdown (default: OUT/report.md)')
    .option(
      '--speed [words]',
      'measure speed instead, of everything or of what has these words in its name: environments, acting, updates, generating',
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

/** Environments that `rollcast train` learns from scratch. */
export function stepEnvironments(): Map<string, StepEnvironmentEntry> {
  const registry = new Registry<EnvironmentEntry>('environment');
  registerEnvironments(registry);
  return new Map(registry.list().flatMap(([name, entry]) => (entry.kind === 'step' ? [[name, entry]] : [])));
}

/**
 * Flags → what is to be run, every name and number checked.
 *
 * @throws {ConfigError} or {RegistryError} for what cannot be run
 */
export function planBench(flags: BenchFlags): BenchPlan {
  if (!flags.algos || !flags.envs) {
    throw new ConfigError(
      'bench needs --algos and --envs, for example: rollcast bench --algos reinforce,ppo --envs cart-pole-v1 (or --speed to measure the speed of parts).',
    );
  }
  const { algos, envs, seed, seeds, steps, set } = flags;
  refuseTwice('--algos', algos);
  refuseTwice('--envs', envs);
  const algorithms = builtInAlgorithms();
  for (const name of algos) algorithms.get(name);
  for (const name of envs) checkEnvironmentName(name);
  for (const name of envs) stepPreset(flags.preset, name);
  checkSettings(flags, algos, envs);
  if (!Number.isSafeInteger(seed + seeds - 1))
    throw new ConfigError(`--seed ${seed} is too large for ${seeds} seeds.`);
  const trainFlags = [
    ...(flags.preset === 'cleanrl' ? [] : ['--preset', flags.preset]),
    ...(flags.backend === 'auto' ? [] : ['--backend', flags.backend]),
    ...(flags.device === undefined ? [] : ['--device', flags.device]),
    ...(flags.threads === undefined ? [] : ['--threads', String(flags.threads)]),
  ];
  return { algorithms: algos, environments: envs, seed, seeds, steps, settings: set, trainFlags };
}

/** Every option that is set must exist, wherever it goes. */
function checkSettings({ set }: BenchFlags, algos: readonly string[], envs: readonly string[]): void {
  const groups = parseSettings(set, [...algos, 'env', 'policy', 'collect']);
  const algorithms = builtInAlgorithms();
  const environments = stepEnvironments();
  for (const name of algos) resolveOptions(algorithms.get(name).options, groups[name] ?? {}, name);
  for (const name of envs) resolveOptions(environments.get(name)!.options, groups['env'] ?? {}, 'env');
  resolveOptions(mlpPolicyOptions, groups['policy'] ?? {}, 'policy');
  resolveOptions(collectOptions, groups['collect'] ?? {}, 'collect');
}

function refuseTwice(flag: string, names: readonly string[]): void {
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new ConfigError(`${flag} names "${twice}" twice.`);
}

function checkEnvironmentName(name: string): void {
  const known = [...stepEnvironments().keys()];
  if (known.includes(name)) return;
  throw new RegistryError(
    `Unknown environment "${name}" for a benchmark. Known: ${known.join(', ')}.${suggestion(name, known)}`,
  );
}

/**
 * Runs what has not finished yet, and reports on everything.
 *
 * @param runner - how jobs are run, for tests
 */
export async function runBench(flags: BenchFlags, runner: Partial<RunnerOptions> = {}): Promise<void> {
  const plan = planBench(flags);
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

  const jobs = planJobs(plan);
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
    await report(flags, plan, runs, files);
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
  const summary = summarise(runs, {
    random: new RandomStream(plan.seed, 'bench/bootstrap'),
    changedEnvironments: plan.settings.some((setting) => setting.startsWith('env.')),
  });
  const parts = { runs, summary, commands: [benchCommand(plan, flags)] };
  writeFileAtomically(files.json, `${JSON.stringify(runs.map(benchRow), null, 2)}\n`);
  writeFileAtomically(files.markdown, benchMarkdown(parts));
  writeFileAtomically(files.report, await benchHtml(parts));
  printSummary(runs, summary);
  console.log(
    `\nPage with the pictures: ${files.report}; Markdown: ${files.markdown}; numbers: ${files.json}`,
  );
  if (!runs.some(isFinished)) process.exitCode = 1;
}

function printSummary(runs: readonly BenchRun[], summary: BenchSummary): void {
  const tables = [
    taskTable(summary),
    ...(summary.algorithms.length > 0 ? [aggregateTable(summary)] : []),
    ...(runs.every(isFinished) ? [] : [failureTable(runs)]),
  ];
  for (const table of tables) console.log(`\n${renderTextTable(table)}`);
  for (const note of summary.notes) console.log(`Note: ${note}`);
}

/** The command line that gives these runs, for the report. */
function benchCommand(plan: BenchPlan, { out, jobs }: BenchFlags): string {
  return [
    'rollcast bench',
    `--algos ${plan.algorithms.join(',')}`,
    `--envs ${plan.environments.map(quoted).join(',')}`,
    `--seeds ${plan.seeds} --seed ${plan.seed} --steps ${plan.steps} --jobs ${jobs} --out ${quoted(out)}`,
    ...plan.settings.map((setting) => `--set ${quoted(setting)}`),
    ...plan.trainFlags,
  ].join(' ');
}

/** A word for a shell. */
function quoted(word: string): string {
  return /^[\w./=:@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
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
