import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { RandomStream, Tokeniser, decodeSafetensors, encodeSafetensors } from '@rollcast/core';
import { DegradationEnvironment, RLDataset, loadSeries, splitUnits, type DataOptions } from '@rollcast/envs';

import { requireFinite, type FuzzTarget } from '../support/fuzz.js';
import { mutateBytes, mutateHeader, mutateTable } from '../support/mutate.js';
import { cellsCsv } from '../cli/support.js';

const CONTEXT = 4;
const HORIZON = 3;

/** A file → series → windows → split → tokens and rewards: everything that training would read must be finite. */
function useData(options: DataOptions): void {
  const set = loadSeries(options);
  requireFinite('the series', set);
  const dataset = new RLDataset(set, { contextLength: CONTEXT, horizon: HORIZON });
  const { train, heldOut } = splitUnits({ ...set, units: dataset.units }, { holdoutShare: 0.3, seed: 1 });
  for (const part of [train, heldOut]) {
    const windows = new RLDataset(part, { contextLength: CONTEXT, horizon: HORIZON });
    const environment = new DegradationEnvironment(windows, new Tokeniser({ vocabularySize: 16 }), {
      reward: '-mse - mae - nonMonotonicity - finalError',
    });
    const batch = environment.sample(4, new RandomStream(1, 'fuzz'));
    const generated = Int32Array.from({ length: 4 * HORIZON }, (_, i) => i % 16);
    requireFinite('the batch', { contexts: batch.windows, scalings: batch.scalings });
    requireFinite('the reward', environment.reward(batch, generated));
    requireFinite('the view', environment.view(batch, 0, generated));
  }
}

function wideCsv(units: number, length: number): string {
  const names = Array.from({ length: units }, (_, u) => `unit ${u}`);
  const rows = Array.from({ length }, (_, i) => [
    i,
    ...names.map((_, u) => (1 + 0.01 * i * (u + 1)).toFixed(4)),
  ]);
  return [['cycle', ...names], ...rows].map((row) => row.join(',')).join('\n');
}

function timesCsv(units: number, length: number): string {
  const names = Array.from({ length: units }, (_, u) => `cycles_${u}`);
  const rows = Array.from({ length }, (_, i) => [9 + 0.2 * i, ...names.map((_, u) => i * i + u * i)]);
  return [['crack_mm', ...names], ...rows].map((row) => row.join(',')).join('\n');
}

function cmapss(units: number, length: number): string {
  const random = new RandomStream(5, 'fuzz/cmapss');
  const rows: string[] = [];
  for (let unit = 1; unit <= units; unit++)
    for (let cycle = 1; cycle <= length; cycle++) {
      const sensors = Array.from({ length: 21 }, (_, s) =>
        (100 + 10 * s + 0.1 * cycle + random.normal()).toFixed(2),
      );
      rows.push([unit, cycle, '0.0', '0.0', '100.0', ...sensors].join(' '));
    }
  return rows.join('\n');
}

/** A small table of one of the formats, and how it is read. */
export interface Table {
  readonly name: string;
  readonly text: string;
  /** Between its cells. */
  readonly delimiter: string | RegExp;
  /** The ways to read it; one is drawn. */
  readonly readings: readonly Omit<DataOptions, 'files'>[];
}

/** Four units of twelve points in every format. */
export const tables: readonly Table[] = [
  {
    name: 'long csv',
    text: cellsCsv(4, 12),
    delimiter: ',',
    readings: [
      {},
      { format: 'long' },
      { unitColumn: 'cell', timeColumn: 'cycle', valueColumn: 'capacity_ah' },
    ],
  },
  { name: 'wide csv', text: wideCsv(4, 12), delimiter: ',', readings: [{}, { format: 'wide' }] },
  {
    name: 'wide csv of times',
    text: timesCsv(4, 12),
    delimiter: ',',
    readings: [{ points: 10 }, { format: 'wide-times' }, { format: 'wide-times', points: 30 }],
  },
  {
    name: 'c-mapss',
    text: cmapss(4, 12),
    delimiter: /\s+/,
    readings: [{ format: 'cmapss' }, { sensor: 's11' }, { healthIndex: 's2,s3,-s7' }],
  },
];

/** A damaged table in a file, and a way to read it. */
export function damagedTable(file: string, table: Table, random: RandomStream): DataOptions {
  writeFileSync(file, mutateTable(table.text, table.delimiter, random));
  return { files: [file], ...table.readings[random.integer(table.readings.length)] };
}

/** Long and wide CSV, wide CSV of times, C-MAPSS text and safetensors. */
export function dataTargets(folder: string): FuzzTarget[] {
  const arrays = {
    'layers.0.weight': { shape: [3, 4], data: Float32Array.from({ length: 12 }, (_, i) => i - 5.5) },
    bias: { shape: [4], data: new Float32Array(4) },
    empty: { shape: [0], data: new Float32Array(0) },
  };
  const safetensors = encodeSafetensors(arrays, { kind: 'test' });
  return [
    ...tables.map((table) => ({
      name: table.name,
      attempt: (random: RandomStream) => useData(damagedTable(join(folder, 'table.txt'), table, random)),
    })),
    {
      name: 'safetensors',
      attempt(random) {
        // half of the time only the header, where the claims are
        const bytes =
          random.integer(2) === 0 ? mutateBytes(safetensors, random) : mutateHeader(safetensors, random);
        const { arrays: read } = decodeSafetensors(bytes, 'fuzzed.safetensors');
        requireFinite('an array', read);
        for (const { shape, data } of Object.values(read))
          if (shape.reduce((a, b) => a * b, 1) !== data.length) throw new Error('shape and values differ');
      },
    },
  ];
}
