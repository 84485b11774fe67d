import { ConfigError, RunDirectory, resolveOptions } from '@rollcast/core';
import { DEFAULT_REWARD, quantities, rewardSeries } from '@rollcast/envs';
import { Option, type Command } from 'commander';

import { DATA_FLAGS, addDataFlags } from '../data-source.js';
import {
  KIND_NAMES,
  algorithmFor,
  entryOfRun,
  environmentNamed,
  type EnvironmentKind,
} from '../environments.js';
import { collect, givenFlags, integer, lengths, number } from '../flags.js';
import {
  forecastRunConfig,
  resolveForecastRun,
  runForecastTraining,
  type ForecastRunFlags,
} from '../forecast-training.js';
import { addKlFlags } from '../kl-flags.js';
import { subjectOf } from '../model-files.js';
import {
  resolveSequenceRun,
  runSequenceTraining,
  sequenceRunConfig,
  type SequenceRunFlags,
} from '../sequence-training.js';
import { isPluginFile, pluginReward } from '../plugins.js';
import { stepRunConfig } from '../step-parts.js';
import { presetNames } from '../step-presets.js';
import { resolveStepRun, runStepTraining, type StepRunFlags } from '../step-training.js';
import { pluginsOfRun, refuseUnnamed, resumeCommand } from '../training.js';
import {
  addBackendFlags,
  addRunFlags,
  changedByFlags,
  refuseSameRun,
  runMode,
  startBackend,
  type BackendFlags,
  type RunFlags,
} from './shared.js';

export type TrainFlags = ForecastRunFlags & SequenceRunFlags & StepRunFlags & RunFlags & BackendFlags;

/** Flags that do not mean something on every kind of environment, and where they do. */
const WHERE: Readonly<Record<string, readonly EnvironmentKind[]>> = {
  ...Object.fromEntries(
    [...DATA_FLAGS, 'reward', 'credit', 'windows', 'horizonSchedule', 'plotEvery'].map((name) => [
      name,
      ['forecast'] as const,
    ]),
  ),
  ...Object.fromEntries(['updates', 'batchSize'].map((name) => [name, ['forecast', 'sequence'] as const])),
  steps: ['sequence', 'step'],
  ...Object.fromEntries(
    ['instances', 'stepsPerRollout', 'workers', 'preset'].map((name) => [name, ['step'] as const]),
  ),
};

/** What a resumed run may be given anew. */
const RESUMABLE: Readonly<Record<EnvironmentKind, readonly string[]>> = {
  forecast: ['updates'],
  sequence: ['updates'],
  step: ['steps', 'workers'],
};

const WHICH_REWARD = `
Which reward, on forecasts:
  "-energyScore - crps"      choose this when in doubt: sharper paths, and the distribution keeps its meaning. Paths of a
                             context are compared: --algo grpo --set grpo.samplesPerContext=16 --batch-size 128
  "-crps"                    the right distribution at every step; the same as "-mae + spread"
  "-energyScore"             the right distribution of whole paths; "- 0.5*variogram" with it minds how rough they are
  "-mse"                     single paths get sharper, and the distribution narrower than the truth: fine where one path is
                             all that is used, wrong where its intervals are
  "- 0.5*crossingError"      added to either: in time at levels, or at yours with --set env.threshold=0.88
How much of it is used can be chosen afterwards: --tuned-share 0.5 of forecast, evaluate and calibrate goes half way.
Controls without a reward, at equal compute: --algo teacher-forcing, scheduled-sampling or soft-unrolling.
`;

export function addTrain(program: Command): void {
  const command = program
    .command('train')
    .description(
      'Fine-tune a pre-trained model on whole generated trajectories, or train a policy on a sequence or step environment.',
    )
    .option(
      '--env <name>',
      'environment: a name (rollcast list shows all), a file (./my-env.ts) or a package (rollcast-env-…)',
      'degradation',
    )
    .option(
      '--init <run>',
      'run to start from, also the frozen reference; forecasts use its data and split unless --data is given',
    )
    .option(
      '--algo <name>',
      'algorithm; rollcast list shows all (default: reinforce on forecasts, otherwise ppo)',
    )
    .option('--updates <count>', 'updates in all (default: 200)', integer(1))
    .option('--batch-size <trajectories>', 'trajectories an update (default: 64)', integer(1, 65_536))
    .option('--lr <rate>', 'learning rate (default: by algorithm)', number({ above: 0 }))
    .option('--seed <number>', 'seed of weights, contexts, episodes, samples and minibatches', integer(0), 0)
    .option(
      '--reward <expression>',
      `what is maximised: an expression of ${[...Object.keys(quantities), ...Object.keys(rewardSeries)].join(', ')}, or a file (./my-reward.ts); see below (default: "${DEFAULT_REWARD}")`,
    )
    .addOption(
      new Option(
        '--credit <how>',
        'reward at each step, or one for the whole sequence (default: step)',
      ).choices(['step', 'sequence']),
    )
    .addOption(
      new Option(
        '--windows <how>',
        'forecasts: all windows alike, or those that lines forecast badly more often (default: alike)',
      ).choices(['alike', 'difficulty']),
    )
    .option(
      '--horizon-schedule <lengths>',
      'forecasts: a growing horizon, such as 10,20,40,60, each for an equal share of the updates (default: the whole one)',
      lengths,
    );
  addKlFlags(command)
    .option('--plot-every <updates>', 'updates between pictures of forecasts (default: 50)', integer(1))
    .option('--checkpoint-every <updates>', 'updates between checkpoints', integer(1), 50)
    .addOption(
      new Option(
        '--steps <count>',
        'instead of --updates: environment steps in all (default: 100000), or generated tokens',
      )
        .argParser(integer(1))
        .conflicts('updates'),
    )
    .option(
      '--instances <count>',
      'step environments: instances stepped together (default: by preset)',
      integer(1, 65_536),
    )
    .option(
      '--steps-per-rollout <count>',
      'step environments: steps of each instance a rollout (default: by preset)',
      integer(1, 1_048_576),
    )
    .option(
      '--workers <count>',
      'step environments: worker threads, for slow ones (default: 0)',
      integer(0, 256),
    )
    .addOption(
      new Option(
        '--preset <name>',
        'step environments: published settings to start from (default: cleanrl)',
      ).choices([...presetNames]),
    )
    .option(
      '--set <group.key=value>',
      'any option of the algorithm, of env, model (sequence environments), policy or collect (step environments), for example ppo.clipRange=0.1; repeatable',
      collect,
      [],
    );
  addRunFlags(addBackendFlags(addDataFlags(command))).addHelpText('after', WHICH_REWARD);
  command.action(async (flags: TrainFlags, self: Command) => {
    await (flags.resume ? resume(flags, self) : start(flags, self));
  });
}

/** Flags → a run folder, and the training in it. What cannot be is refused before anything is made. */
async function start(flags: TrainFlags, command: Command): Promise<void> {
  const entry = await environmentNamed(flags.env);
  refuseFlags(command, flags.env, entry.kind);
  refuseSameRun(flags);
  if (flags.algo !== undefined) algorithmFor(flags.algo, flags.env, entry.kind);
  const backend = await startBackend(flags);
  const create = (config: Readonly<Record<string, unknown>>): RunDirectory =>
    RunDirectory.create(flags.out, { kind: 'train', config, mode: runMode(flags) });
  switch (entry.kind) {
    case 'forecast': {
      const { reward = '' } = flags;
      const rewardFile = isPluginFile(reward) ? await pluginReward(reward) : undefined;
      const config = resolveForecastRun(flags, entry, rewardFile);
      return runForecastTraining(create(config), config, backend, false, rewardFile);
    }
    case 'sequence': {
      const config = resolveSequenceRun(flags, entry);
      return runSequenceTraining(create(config), config, entry, backend, false);
    }
    case 'step': {
      const config = await resolveStepRun(flags, entry);
      return runStepTraining(create(config), config, entry, backend, false);
    }
  }
}

/**
 * Goes on with what the folder says; only what `RESUMABLE` names may be changed. Code of the user's own is not loaded because
 * the folder says so: the flag that named it must be there again.
 */
export async function resume(flags: TrainFlags, command: Command): Promise<void> {
  const backend = await startBackend(flags);
  const found = RunDirectory.open(flags.out);
  const kind = subjectOf(found);
  const open = (): RunDirectory =>
    RunDirectory.create(flags.out, { kind: 'train', config: found.config, mode: 'resume' });
  if (kind === 'pretrain') return void open(); // refused by name
  const plugins = pluginsOfRun(found.config);
  const again = plugins.map(([flag]) => flag.slice(2));
  const changed = changedByFlags(flags, command, RESUMABLE[kind], again);
  refuseUnnamed(command, plugins, resumeCommand(found));
  const { environment } = found.config as { environment: string };
  const name = again.includes('env') ? flags.env : environment;
  switch (kind) {
    case 'forecast': {
      const config = { ...resolveOptions(forecastRunConfig, found.config, ''), ...changed };
      const rewardFile = again.includes('reward') ? await pluginReward(flags.reward!) : undefined;
      return runForecastTraining(open(), config, backend, true, rewardFile);
    }
    case 'sequence': {
      const config = { ...resolveOptions(sequenceRunConfig, found.config, ''), ...changed };
      return runSequenceTraining(open(), config, await entryOfRun(name, kind), backend, true);
    }
    case 'step': {
      const config = { ...resolveOptions(stepRunConfig, found.config, ''), ...changed };
      return runStepTraining(open(), config, await entryOfRun(name, kind), backend, true);
    }
  }
}

/** @throws {ConfigError} naming the first flag that the environment has no use for */
function refuseFlags(command: Command, environment: string, kind: EnvironmentKind): void {
  const wrong = givenFlags(command).find(([name]) => WHERE[name] && !WHERE[name].includes(kind));
  if (!wrong) return;
  const [name, long] = wrong;
  const where = WHERE[name].map((useful) => `${KIND_NAMES[useful]}s`).join(' and ');
  throw new ConfigError(`${long} means nothing with --env ${environment}: it is for ${where}.`);
}
