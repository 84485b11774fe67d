import {
  ConfigError,
  Tokeniser,
  checkEnvironment,
  checkRules,
  resolveOptions,
  writeFileAtomically,
  type CheckReport,
} from '@rollcast/core';
import { DegradationEnvironment, RLDataset, simulate, type DegradationOptions } from '@rollcast/envs';
import type { Command } from 'commander';

import { environmentNamed } from '../environments.js';
import { collect, integer, parseSettings } from '../flags.js';
import { isPlugin, pluginKind, pluginReward } from '../plugins.js';
import { counted, renderTextTable } from '../report/table.js';
import { prepareFile } from './shared.js';

interface CheckFlags {
  seed: number;
  set: string[];
  json?: string;
  rules?: boolean;
}

/** Windows of this simulator are what rewards of forecasts are tried on. */
const LAW = 'paris-law';

export function addCheck(program: Command): void {
  program
    .command('check')
    .description(
      'Check an environment or a reward: contract, shapes, ranges, determinism, ends, rewards, speed. Says what to change.',
    )
    .argument(
      '[name]',
      'a file (./my-env.ts, ./my-reward.ts), a package (rollcast-env-…), or a name of rollcast list',
    )
    .option('--set <group.key=value>', 'any option of env, or of reward; repeatable', collect, [])
    .option('--seed <number>', 'seed of episodes, actions, contexts and tokens', integer(0), 0)
    .option('--json <file>', 'also write the findings as JSON')
    .option('--rules', 'show every rule instead')
    .action((name: string | undefined, flags: CheckFlags) => {
      if (flags.rules) return showRules();
      if (name === undefined)
        throw new ConfigError('check needs what to check, for example: rollcast check ./my-env.ts');
      return runCheck(name, flags);
    });
}

async function runCheck(name: string, flags: CheckFlags): Promise<void> {
  if (flags.json) prepareFile('--json', flags.json);
  const report = checkEnvironment(await subject(name, flags.set), { seed: flags.seed });
  if (flags.json) writeFileAtomically(flags.json, `${JSON.stringify(report, null, 2)}\n`);
  for (const { rule, severity, problem, mend } of report.findings)
    console.log(`${severity}: ${rule}: ${problem}\n    ${mend}`);
  console.log(verdict(name, report));
  if (report.findings.some(({ severity }) => severity === 'error')) process.exitCode = 1;
}

function verdict(name: string, { kind, findings, perSecond }: CheckReport): string {
  const count = (severity: string): number =>
    findings.filter((finding) => finding.severity === severity).length;
  const rules = Object.values(checkRules).filter(({ kinds }) =>
    (kinds as readonly string[]).includes(kind),
  ).length;
  const speed = Number.isFinite(perSecond)
    ? `, ${Math.round(perSecond)} ${kind === 'step' ? 'steps' : 'tokens'} a second`
    : '';
  return findings.length === 0
    ? `${name} is sound: ${counted(rules, 'rule')} of ${kind} environments hold${speed}.`
    : `${name}: ${counted(count('error'), 'error')}, ${counted(count('warning'), 'warning')} (${counted(rules, 'rule')} of ${kind} environments${speed}).`;
}

/** What makes the instances that are checked. */
async function subject(
  name: string,
  settings: readonly string[],
): Promise<Parameters<typeof checkEnvironment>[0]> {
  if (isPlugin(name) && (await pluginKind(name)) === 'reward') {
    const reward = await pluginReward(name);
    const options = parseSettings(settings, ['reward'])['reward'];
    resolveOptions(reward.options, options, 'reward');
    return () => forecasts({ reward: reward.create(options) });
  }
  const entry = await environmentNamed(name);
  const options = resolveOptions(entry.options, parseSettings(settings, ['env'])['env'], 'env');
  if (entry.kind === 'forecast') return () => forecasts(options as DegradationOptions);
  return () => entry.create(options);
}

/** The forecast job on simulated windows. */
function forecasts(options: DegradationOptions): DegradationEnvironment {
  const dataset = new RLDataset(simulate(LAW, { units: 8, seed: 0 }));
  return new DegradationEnvironment(dataset, new Tokeniser(), options);
}

function showRules(): void {
  const columns = [{ label: 'rule' }, { label: 'for' }, { label: 'severity' }, { label: 'what must hold' }];
  const rows = Object.entries(checkRules).map(([rule, { kinds, severity, demand }]) => [
    rule,
    kinds.join(', '),
    severity,
    demand,
  ]);
  console.log(renderTextTable({ title: 'Rules of rollcast check', columns, rows }));
}
