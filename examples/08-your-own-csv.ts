/**
 * From a CSV to a judged forecast: pre-train on the histories in the file, fine-tune on whole trajectories, judge both on units
 * that neither has seen. These are the commands of the command line, called from a program.
 *
 *     npx tsx examples/08-your-own-csv.ts [updates, 60] [cells.csv unit-column value-column]
 *
 * Without a file it writes one of simulated cells first, so that you can see the format: one row a measurement.
 *
 * Expect: two minutes on two cores; a table of naive lines, the frozen reference and the tuned policy, a sentence that says
 * whether the fine-tuning helped, and `forecast.csv` with the next 60 points of each cell.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { main } from '@rollcast/cli';
import { simulate } from '@rollcast/envs';

const [updates = '60', file, unitColumn = 'cell', valueColumn = 'capacity_ah'] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'rollcast-'));
const data = file ?? demoCsv(join(folder, 'cells.csv'));

async function rollcast(...args: string[]): Promise<void> {
  console.log(`\n$ rollcast ${args.join(' ')}`);
  const code = await main(args);
  if (code !== 0) process.exit(code);
}

const pretrained = join(folder, 'pretrained');
const tuned = join(folder, 'tuned');
const columns = ['--unit-column', unitColumn, '--value-column', valueColumn];
const small = ['--set', 'model.width=32', '--set', 'model.layers=2'];
const steps = String(5 * Number(updates));
await rollcast('pretrain', '--data', data, ...columns, ...small, '--steps', steps, '--out', pretrained);
await rollcast(
  ...['train', '--env', 'degradation', '--init', pretrained, '--algo', 'ppo', '--reward', '-mse'],
  ...['--updates', updates, '--batch-size', '32', '--out', tuned],
);
await rollcast('evaluate', '--run', tuned, '--windows-per-unit', '5', '--samples', '4');
await rollcast(
  ...['forecast', '--run', tuned, '--data', data, ...columns, '--paths', '20'],
  ...['--out', join(folder, 'forecast.csv')],
);
console.log(`\nReport and plots: ${tuned}; what comes next for each cell: ${join(folder, 'forecast.csv')}`);

/** Long format: the name of the unit, a time, the degrading quantity, which may rise or fall with wear. */
function demoCsv(path: string): string {
  const { units, sign } = simulate('sei-growth', { units: 20, length: 160, seed: 1 });
  const rows = units.flatMap(({ unit, values }) =>
    Array.from(values, (value, cycle) => `${unit},${cycle + 1},${(sign * value).toFixed(5)}`),
  );
  writeFileSync(path, `cell,cycle,capacity_ah\n${rows.join('\n')}\n`);
  return path;
}
