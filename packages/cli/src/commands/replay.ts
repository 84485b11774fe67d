import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import {
  CheckpointError,
  CheckpointStore,
  ConfigError,
  EnvironmentError,
  NumericalError,
  RunDirectory,
} from '@rollcast/core';
import type { Command } from 'commander';

import { brokenName, readDump } from '../dump.js';
import { givenFlags } from '../flags.js';
import { userFrames } from '../plugins.js';
import { pluginsOfRun, refuseUnnamed, replayCommand } from '../training.js';
import { addBackendFlags, type BackendFlags } from './shared.js';
import { resume, type TrainFlags } from './train.js';

/** Exit code of a replay in which the update fails again. */
const EXIT_FAILS_AGAIN = 1;

export function addReplay(program: Command): void {
  const command = program
    .command('replay')
    .description('Repeat the update of a dump, and say whether it fails again (exit code 1) or not (0).')
    .argument('<dump>', 'folder that a broken invariant left, for example runs/x/dumps/update-000012');
  addBackendFlags(command)
    .option('--env <file>', 'the environment, where it is a file or package of your own')
    .option('--reward <file>', 'the reward, where it is a file of your own')
    .action(replay);
}

/** The update is made in a copy, of which messages know nothing: the dump stays as it is, and what it lacks is said here. */
async function replay(folder: string, flags: BackendFlags, command: Command): Promise<void> {
  const run = RunDirectory.open(folder);
  const dump = readDump(folder);
  if (!dump)
    throw new CheckpointError(
      `${folder} is not a dump: it has no violation.json. Dumps lie in the folder dumps of a run.`,
    );
  new CheckpointStore(run.checkpointFolder).load('latest');
  const plugins = pluginsOfRun(run.config);
  const needless = givenFlags(command).find(
    ([name, flag]) => ['env', 'reward'].includes(name) && plugins.every(([needed]) => needed !== flag),
  );
  if (needless)
    throw new ConfigError(
      `${needless[1]} names code of your own, and this run was made without any there; leave it out.`,
    );
  refuseUnnamed(command, plugins, replayCommand(folder, run));
  const { update, broken, message, backend } = dump.violation;
  console.log(`recorded in update ${update} (${backend}), ${broken}: ${message}`);
  const copy = mkdtempSync(join(tmpdir(), 'rollcast-replay-'));
  try {
    cpSync(folder, copy, { recursive: true });
    // a dump is a run, whose resumption is this one update; nothing but the backend can be given anew
    await resume({ ...flags, out: copy, resume: true } as TrainFlags, command);
    console.log('It does not fail again.');
  } catch (error) {
    if (!(error instanceof NumericalError || error instanceof EnvironmentError)) throw error;
    const same = brokenName(error) === broken;
    console.log(
      same
        ? `It fails again: ${error.message}`
        : `It fails again, in another way. ${brokenName(error)}: ${error.message}`,
    );
    for (const frame of userFrames(error)) console.log(`    ${frame}`);
    process.exitCode = EXIT_FAILS_AGAIN;
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}
