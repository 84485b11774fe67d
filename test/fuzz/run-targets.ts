import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { CheckpointStore, type RandomStream } from '@rollcast/core';

import { Refused, messageProblem, requireFinite, type FuzzTarget } from '../support/fuzz.js';
import { mutateBytes, mutateHeader, mutateJson, mutateNumber } from '../support/mutate.js';
import { cellsCsv, rollcast } from '../cli/support.js';
import { damagedTable, tables } from './data-targets.js';

/** Small runs of every kind, each at its end. */
export interface SmallRuns {
  readonly folder: string;
  readonly names: readonly string[];
}

const TINY = ['model.width=8', 'model.heads=2', 'model.layers=1'].flatMap((setting) => ['--set', setting]);
const WASM = ['--backend', 'wasm'];

/** Pre-training, a forecast, a sequence and a step environment; two updates each. */
export async function makeSmallRuns(folder: string): Promise<SmallRuns> {
  const data = join(folder, 'cells.csv');
  writeFileSync(data, cellsCsv(5, 20));
  const commands: Record<string, string[]> = {
    pre: [
      ...[
        'pretrain',
        '--data',
        data,
        '--context',
        '6',
        '--horizon',
        '4',
        '--steps',
        '2',
        '--batch-size',
        '4',
      ],
      ...[...TINY, '--set', 'tokeniser.vocabularySize=16'],
    ],
    forecast: ['train', '--init', join(folder, 'pre'), '--updates', '2', '--batch-size', '4'],
    sequence: ['train', '--env', 'token-copy-v1', '--updates', '2', '--batch-size', '4', ...TINY],
    step: [
      ...['train', '--env', 'cart-pole-v1', '--steps', '32', '--instances', '2', '--steps-per-rollout', '8'],
      ...['--set', 'policy.hidden=[8]', '--set', 'collect.normaliseObservations=true'],
    ],
  };
  for (const [name, args] of Object.entries(commands)) {
    const { code, err } = await rollcast(...args, ...WASM, '--out', join(folder, name));
    if (code !== 0) throw new Error(`${name}: ${err}`);
    // no pictures and no curve, which would be drawn again each time
    rmSync(join(folder, name, 'plots'), { recursive: true });
    if (name !== 'forecast') rmSync(join(folder, name, 'metrics.jsonl'));
  }
  return { folder, names: Object.keys(commands) };
}

/** A copy of one of the runs, to be damaged. */
function copyOf({ folder, names }: SmallRuns, random: RandomStream): { name: string; path: string } {
  // forecasts are the slowest by far, because resuming them draws
  const name = random.integer(12) === 0 ? 'forecast' : names[random.integer(names.length)];
  const chosen = name === 'forecast' && random.integer(3) > 0 ? 'sequence' : name;
  const path = join(folder, 'damaged');
  rmSync(path, { recursive: true, force: true });
  cpSync(join(folder, chosen), path, { recursive: true });
  mkdirSync(join(path, 'plots'), { recursive: true });
  return { name: chosen, path };
}

/**
 * Runs a command that is interrupted as soon as it listens for that, so that a mutated number of updates does not mean hours.
 * It must end well, be interrupted, or end with one error message.
 *
 * @param input - in which "NaN" may be a name, which is then shown
 */
async function command(args: readonly string[], input = ''): Promise<'accepted' | 'refused'> {
  let running = true;
  const interrupt = (event: string | symbol): void => {
    if (event !== 'SIGINT') return;
    process.off('newListener', interrupt);
    setImmediate(() => running && process.emit('SIGINT')); // a second one would end the process
  };
  process.on('newListener', interrupt);
  const { code, out, err } = await rollcast(...args).finally(() => {
    running = false;
    process.off('newListener', interrupt);
  });
  // a forecast without some of the units says which, and ends with 1
  const partly = code === 1 && /^Left out, \d+ of /m.test(err) && !err.includes('error: ');
  if (code === 0 || code === 130 || partly) {
    if (/\bNaN\b/.test(out) && !input.includes('NaN'))
      throw new Error(`${args.join(' ')} ended well with NaN: ${out}`);
    const shown = messageProblem(err, Infinity);
    if (shown !== undefined) throw new Error(`${args.join(' ')}: ${shown}`);
    return 'accepted';
  }
  const at = err.indexOf('error: ');
  if (at < 0 || (code !== 2 && code !== 1)) throw new Error(`${args.join(' ')} ended with ${code}: ${err}`);
  const message = err.slice(err.lastIndexOf('\nerror: ') + 1).trimEnd();
  // one line for each problem of a configuration, each with the path of the option, as the file has it, before a colon
  const lines = message.split('\n').every((line, i) => i === 0 || /^[^:]*: /.test(line));
  const problem = lines ? messageProblem(message, message.split('\n').length) : `lines: ${message}`;
  if (problem !== undefined) throw new Error(`${args.join(' ')}: ${problem}`);
  return 'refused';
}

/** One update more for a run at its end, where the command line can ask for it. */
const ONE_MORE: Readonly<Record<string, string[]>> = {
  pre: [],
  forecast: ['--updates', '3'],
  sequence: ['--updates', '3'],
  step: ['--steps', '48'],
};

/** What a user does with a run. */
async function use(name: string, path: string, random: RandomStream, more: string[] = []): Promise<void> {
  const resume = [name === 'pre' ? 'pretrain' : 'train', '--resume', '--out', path, ...more];
  const others: Record<string, string[]> = {
    pre: ['train', '--init', path, '--updates', '1', '--batch-size', '2', '--out', join(path, '..', 'new')],
    sequence: [
      ...['train', '--env', 'token-copy-v1', '--init', path, '--updates', '1', '--batch-size', '2'],
      ...['--out', join(path, '..', 'new')],
    ],
    step: [
      ...['train', '--env', 'cart-pole-v1', '--init', path, '--steps', '8', '--instances', '2'],
      ...['--steps-per-rollout', '4', '--out', join(path, '..', 'new')],
    ],
    forecast: ['evaluate', '--run', path, '--windows-per-unit', '1', '--samples', '2'],
  };
  rmSync(join(path, '..', 'new'), { recursive: true, force: true });
  const args = random.integer(8) === 0 ? others[name] : resume;
  if ((await command([...args, ...WASM])) === 'refused') throw new Refused();
}

/** What a user does with a table: trains on it, forecasts its units, judges a run by it. */
async function useTable(folder: string, flags: readonly string[], random: RandomStream): Promise<void> {
  const [pre, out, json, csv] = ['pre', 'new', 'numbers.json', 'forecast.csv'].map((name) =>
    join(folder, name),
  );
  for (const path of [out, json, csv]) rmSync(path, { recursive: true, force: true });
  const commands = [
    [
      ...['pretrain', ...flags, '--context', '4', '--horizon', '3', '--steps', '1', '--batch-size', '2'],
      ...['--out', out, ...TINY],
    ],
    [
      ...[
        'forecast',
        '--run',
        pre,
        ...flags,
        '--paths',
        '10',
        '--threshold',
        String(random.normal()),
        '--json',
        json,
      ],
      ...['--out', csv, '--plot', join(folder, 'forecast.svg')],
    ],
    ['evaluate', '--run', pre, ...flags, '--windows-per-unit', '1', '--samples', '2', '--json', json],
  ];
  // pictures make the last one the slowest
  const chosen = [0, 0, 0, 1, 1, 1, 1, 2][random.integer(8)];
  const table = readFileSync(join(folder, 'table.txt'), 'utf8');
  const result = await command([...commands[chosen], ...WASM], table);
  if (existsSync(csv)) requireNumbers('the forecast', readFileSync(csv, 'utf8'));
  if (existsSync(json)) requireFinite('the result', JSON.parse(readFileSync(json, 'utf8')));
  if (result === 'refused') throw new Refused();
}

/** Throws when a CSV has a number that is not finite beside the names in its first column. */
function requireNumbers(what: string, csv: string): void {
  const rows = csv.replace(/"(?:[^"]|"")*"/g, 'quoted').split('\n');
  const wrong = rows.find((row) => /,-?(NaN|Infinity)\b/.test(row));
  if (wrong !== undefined) throw new Error(`${what} was accepted with ${wrong}`);
}

/** Configurations, whatever else a run folder holds, tables, and checkpoints that claim to be whole. `runs` may still be made when the targets are. */
export function runTargets(runs: () => SmallRuns): FuzzTarget[] {
  return [
    {
      name: 'configuration',
      async attempt(random) {
        const { name, path } = copyOf(runs(), random);
        const file = join(path, 'config.json');
        const config: unknown = JSON.parse(readFileSync(file, 'utf8'));
        writeFileSync(
          file,
          random.integer(10) === 0
            ? mutateBytes(readFileSync(file), random)
            : JSON.stringify(mutateJson(config, random)),
        );
        await use(name, path, random);
      },
    },
    {
      name: 'run folder',
      async attempt(random) {
        const { name, path } = copyOf(runs(), random);
        damage(path, random);
        await use(name, path, random);
      },
    },
    {
      name: 'table on the command line',
      async attempt(random) {
        const { folder } = runs();
        const data = damagedTable(join(folder, 'table.txt'), tables[random.integer(tables.length)], random);
        const flags = Object.entries(data).flatMap(([name, value]) => [
          `--${name === 'files' ? 'data' : name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
          String(value),
        ]);
        await useTable(folder, flags, random);
      },
    },
    {
      // so that what reads the files has to notice it, not the checksums
      name: 'checkpoint with the right checksums',
      async attempt(random) {
        const { name, path } = copyOf(runs(), random);
        const store = new CheckpointStore(join(path, 'checkpoints'));
        const { update, files } = store.load('latest');
        store.save(update, mutateFiles(files, random), { best: name === 'pre' });
        await use(name, path, random, ONE_MORE[name]);
      },
    },
  ];
}

/** One file of a checkpoint lost, or with other content. */
function mutateFiles(
  files: Readonly<Record<string, Buffer>>,
  random: RandomStream,
): Readonly<Record<string, Buffer>> {
  const names = Object.keys(files).sort();
  const chosen = names[random.integer(names.length)];
  if (random.integer(12) === 0)
    return Object.fromEntries(Object.entries(files).filter(([name]) => name !== chosen));
  return { ...files, [chosen]: mutateFile(chosen, files[chosen], random) };
}

/** JSON that is JSON still, or arrays with other claims or numbers; now and then other bytes. */
function mutateFile(name: string, content: Buffer, random: RandomStream): Buffer {
  if (random.integer(8) === 0) return mutateBytes(content, random);
  if (name.endsWith('.json'))
    return Buffer.from(JSON.stringify(mutateJson(JSON.parse(content.toString('utf8')), random)));
  return random.integer(2) === 0 ? mutateHeader(content, random) : mutateNumber(content, random);
}

/** One file changed, lost, emptied, replaced by a folder or given the content of another. */
function damage(path: string, random: RandomStream): void {
  const files = readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => statSync(join(path, name)).isFile())
    .sort();
  const file = join(path, files[random.integer(files.length)]);
  const content = readFileSync(file);
  switch (random.integer(6)) {
    case 0:
      return rmSync(file);
    case 1:
      return writeFileSync(file, '');
    case 2:
      rmSync(file);
      mkdirSync(file);
      return;
    case 3:
      return writeFileSync(file, readFileSync(join(path, files[random.integer(files.length)])));
    default:
      return writeFileSync(file, mutateBytes(content, random));
  }
}
