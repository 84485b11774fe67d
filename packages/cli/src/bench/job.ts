/** What a benchmark consists of: one training a combination of algorithm, environment and seed. */
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { AlgorithmEntry } from '@rollcast/algos';

/** Kinds of environment that `rollcast train` learns from scratch. */
export type BenchKind = 'step' | 'sequence';

/** An algorithm, and on which kinds of environment it acts. */
export interface BenchAlgorithm {
  readonly name: string;
  readonly kinds: AlgorithmEntry['kinds'];
}

export interface BenchEnvironment {
  readonly name: string;
  readonly kind: BenchKind;
  /** Of a file or package of the user's own: changes when its code does. */
  readonly codeHash?: string;
}

/** What the user asked for, checked. */
export interface BenchPlan {
  readonly algorithms: readonly BenchAlgorithm[];
  readonly environments: readonly BenchEnvironment[];
  /** The first seed; the others follow it. */
  readonly seed: number;
  readonly seeds: number;
  /** Steps a run: environment steps, or generated tokens. */
  readonly steps: number;
  /** `GROUP.KEY=VALUE`, as given with `--set`. */
  readonly settings: readonly string[];
  /** Flags that every training gets, for example `--backend wasm`. */
  readonly trainFlags: readonly string[];
  /** Flags that only those on step environments get, for example `--preset zoo`. */
  readonly stepFlags: readonly string[];
}

/** One training. Everything that its result depends on. */
export interface BenchJob {
  readonly algorithm: string;
  readonly environment: string;
  readonly seed: number;
  readonly steps: number;
  readonly settings: readonly string[];
  readonly trainFlags: readonly string[];
  /** A run of other code is another run. */
  readonly codeHash?: string;
  /** Why it is not run: the algorithm does not act on the environment. */
  readonly skipped?: string;
}

/**
 * All combinations, seed by seed, so that a benchmark that is stopped early has covered every one alike; those that cannot be
 * are among them, to be rows too.
 */
export function planJobs(plan: BenchPlan): BenchJob[] {
  const { algorithms, environments, steps } = plan;
  return Array.from({ length: plan.seeds }, (_, i) => plan.seed + i).flatMap((seed) =>
    environments.flatMap((environment) =>
      algorithms.map((algorithm) => ({
        algorithm: algorithm.name,
        environment: environment.name,
        seed,
        steps,
        settings: plan.settings.filter((setting) => concerns(setting, algorithm, environment, plan)),
        trainFlags: [...plan.trainFlags, ...(environment.kind === 'step' ? plan.stepFlags : [])],
        ...(environment.codeHash !== undefined && { codeHash: environment.codeHash }),
        ...(!algorithm.kinds.includes(environment.kind) && {
          skipped: `${algorithm.name} acts on ${algorithm.kinds.join(' and ')} environments, and ${environment.name} is a ${environment.kind} environment`,
        }),
      })),
    ),
  );
}

/** Groups of options that only one kind of environment has. */
export const KIND_GROUPS: Readonly<Record<BenchKind, readonly string[]>> = {
  step: ['policy', 'collect'],
  sequence: ['model'],
};

/** `ppo.clipRange=0.1` is not for other algorithms, which would refuse it, nor `model.width=32` for step environments. */
function concerns(
  setting: string,
  algorithm: BenchAlgorithm,
  environment: BenchEnvironment,
  { algorithms }: BenchPlan,
): boolean {
  const group = setting.slice(0, setting.indexOf('.'));
  if (algorithms.some(({ name }) => name === group)) return group === algorithm.name;
  return group === 'env' || KIND_GROUPS[environment.kind].includes(group);
}

/** The name of a job's files, different for every job: `ppo-cart-pole-v1-500000-seed-3`. */
export function jobName({ algorithm, environment, seed, steps, settings, trainFlags }: BenchJob): string {
  const plain = /^[\w-]+$/.test(environment);
  const words = basename(environment).replace(/[^\w-]+/g, '-');
  const more = [...(plain ? [] : [environment]), ...settings, ...trainFlags];
  const mark = createHash('sha256').update(JSON.stringify(more)).digest('hex').slice(0, 8);
  return `${algorithm}-${words}-${steps}-seed-${seed}${more.length > 0 ? `-${mark}` : ''}`;
}

/** A program and its arguments. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
}

/**
 * The command that carries a job out. It exits with 0 and leaves `result.json` (see `result.ts`) in the folder; while it
 * runs, it adds lines with the key `time/steps` to `metrics.jsonl` there.
 */
export function trainCommand(job: BenchJob, folder: string): Command {
  const rollcast = fileURLToPath(new URL('../../bin/rollcast.js', import.meta.url));
  const { algorithm, environment, seed, steps, settings, trainFlags } = job;
  return {
    program: process.execPath,
    args: [
      rollcast,
      'train',
      ...['--env', environment, '--algo', algorithm, '--seed', String(seed), '--steps', String(steps)],
      ...['--out', folder],
      ...settings.flatMap((setting) => ['--set', setting]),
      ...trainFlags,
    ],
  };
}
