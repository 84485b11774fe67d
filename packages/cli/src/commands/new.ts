import { Option, type Command } from 'commander';

import { writeScaffold, type scaffolds } from '../scaffold/scaffold.js';

export function addNew(program: Command): void {
  const command = program
    .command('new')
    .description(
      'Write a small working environment or reward of your own, with its test and what to do next.',
    );
  command
    .command('env')
    .description('Write NAME.ts, an environment, and NAME.test.mjs into this folder.')
    .argument('<name>', 'for example my-env')
    .addOption(
      new Option('--kind <kind>', 'one action at a time, or whole token sequences')
        .choices(['step', 'sequence'])
        .default('step'),
    )
    .action((name: string, { kind }: { kind: 'step' | 'sequence' }) => start(kind, name));
  command
    .command('reward')
    .description('Write NAME.ts, a reward of forecasts, and NAME.test.mjs into this folder.')
    .argument('<name>', 'for example my-reward')
    .action((name: string) => start('reward', name));
}

function start(kind: keyof typeof scaffolds, name: string): void {
  const { files, commands, expect } = writeScaffold(kind, name, process.cwd());
  console.log(`Wrote ${files.join(' and ')}. What to do next:\n`);
  for (const command of commands) console.log(`  ${command}`);
  console.log(`\n${expect}`);
}
