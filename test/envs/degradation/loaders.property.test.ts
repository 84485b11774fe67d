import { afterAll, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { loadSeries } from '@rollcast/envs';

import { DataFolder } from './support.js';

const folder = new DataFolder();
afterAll(() => folder.remove());

/** Histories that change, of any magnitude that is accepted, up to 6 units of up to 9 points. */
const value = fc.double({ min: -1e30, max: 1e30, noNaN: true }).map((x) => x + 0);
const history = fc
  .array(value, { minLength: 2, maxLength: 9 })
  .filter((values) => values.some((x) => x !== values[0]));
const histories = fc.array(history, { minLength: 1, maxLength: 6 });
/** Written as whoever made the file might have. */
const style = fc.record({
  delimiter: fc.constantFrom(',', ';', '\t'),
  newline: fc.constantFrom('\n', '\r\n'),
  mark: fc.constantFrom('', '\ufeff'),
  quoted: fc.boolean(),
});
type Style = typeof style extends fc.Arbitrary<infer S> ? S : never;

function csv(rows: readonly (readonly string[])[], { delimiter, newline, mark, quoted }: Style): string {
  const cell = (text: string): string => (quoted ? `"${text}"` : text);
  return mark + rows.map((row) => row.map(cell).join(delimiter)).join(newline);
}

/** What was read, in the direction of the file. */
function read(text: string, options: object): Record<string, number[]> {
  const set = loadSeries({ files: [folder.write('data.csv', text)], direction: 'rises', ...options });
  return Object.fromEntries(set.units.map(({ unit, values }) => [unit, Array.from(values)]));
}

test('what is written as long CSV comes back, whatever the values, delimiter, quotes and line ends', () => {
  fc.assert(
    fc.property(histories, style, (units, how) => {
      const rows = units.flatMap((values, u) => values.map((x, t) => [`u${u}`, `${t}`, `${x}`]));
      const text = csv([['unit', 'time', 'value'], ...rows], how);
      expect(read(text, { format: 'long' })).toEqual(Object.fromEntries(units.map((v, u) => [`u${u}`, v])));
    }),
  );
});

test('what is written as wide CSV comes back, columns of different lengths too', () => {
  fc.assert(
    fc.property(histories, style, (units, how) => {
      const length = Math.max(...units.map((values) => values.length));
      const rows = Array.from({ length }, (_, t) => [`${t}`, ...units.map((values) => `${values[t] ?? ''}`)]);
      const text = csv([['time', ...units.map((_, u) => `u${u}`)], ...rows], how);
      expect(read(text, { format: 'wide' })).toEqual(Object.fromEntries(units.map((v, u) => [`u${u}`, v])));
    }),
  );
});

test('one sensor of a C-MAPSS file comes back', () => {
  fc.assert(
    fc.property(histories, fc.integer({ min: 1, max: 21 }), (units, sensor) => {
      const rows = units.flatMap((values, u) =>
        values.map((x, t) => {
          const sensors = Array.from({ length: 21 }, (_, s) => (s + 1 === sensor ? `${x}` : '7'));
          return [`${u + 1}`, `${t + 1}`, '0', '0', '100', ...sensors].join('  ');
        }),
      );
      expect(read(rows.join('\n'), { format: 'cmapss', sensor: `s${sensor}` })).toEqual(
        Object.fromEntries(units.map((values, u) => [`${u + 1}`, values])),
      );
    }),
  );
});
