import { showControls } from '@rollcast/core';

/** One table, three looks: aligned text for a terminal, Markdown, and HTML cells. */
export interface Table {
  title?: string;
  columns: readonly TableColumn[];
  /** One cell a column; `null` is "does not apply". */
  rows: readonly (readonly Cell[])[];
}

export interface TableColumn {
  /** With unit where there is one. */
  label: string;
  /** @defaultValue 'right' when the column holds numbers only, otherwise 'left' */
  align?: 'left' | 'right';
  /** Significant digits of numbers. @defaultValue 4 */
  digits?: number;
}

export type Cell = string | number | null;

const NOTHING = '–';

/** `1 unit`, `3 units`. */
export function counted(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}

/** A number to some significant digits, whole numbers in full: `0.02513`, `1.204`, `12000`, `1.3e-7`. */
export function formatNumber(value: number, digits = 4): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞';
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return String(value);
  const magnitude = Math.abs(value);
  if (magnitude >= 1e6 || magnitude < 1e-4) return value.toExponential(digits - 1).replace('e+', 'e');
  // toPrecision would write 12345.6 as 1.235e+4
  return magnitude >= 10 ** (digits - 1) ? value.toFixed(0) : value.toPrecision(digits);
}

export function formatCell(cell: Cell, column: TableColumn): string {
  if (cell === null) return NOTHING;
  return typeof cell === 'number' ? formatNumber(cell, column.digits) : cell;
}

export function alignment(table: Table, index: number): 'left' | 'right' {
  const onlyNumbers = table.rows.every((row) => typeof row[index] !== 'string');
  return table.columns[index].align ?? (onlyNumbers ? 'right' : 'left');
}

/** The number of terminal columns of a text; combining marks and wide characters are not expected here. */
const width = (text: string): number => [...text].length;

function pad(text: string, to: number, align: 'left' | 'right'): string {
  const blanks = ' '.repeat(Math.max(0, to - width(text)));
  return align === 'right' ? blanks + text : text + blanks;
}

function layOut(table: Table): { lines: string[][]; widths: number[]; aligns: ('left' | 'right')[] } {
  const { columns, rows } = table;
  const header = columns.map(({ label }) => showControls(label));
  const body = rows.map((row) =>
    columns.map((column, i) => showControls(formatCell(row[i] ?? null, column))),
  );
  const aligns = columns.map((_, i) => alignment(table, i));
  const widths = columns.map((_, i) => Math.max(3, ...[header, ...body].map((line) => width(line[i]))));
  const lines = [header, ...body].map((line) => line.map((text, i) => pad(text, widths[i], aligns[i])));
  return { lines, widths, aligns };
}

/** For a terminal: columns aligned, a rule below the header. */
export function renderTextTable(table: Table): string {
  const { lines, widths } = layOut(table);
  const [header, ...body] = lines.map((line) => line.join('  ').trimEnd());
  const rule = widths.map((n) => '─'.repeat(n)).join('  ');
  return `${[...(table.title ? table.title.split('\n').map(showControls) : []), header, rule, ...body].join('\n')}\n`;
}

/** GitHub's Markdown, aligned in the source too. */
export function renderMarkdownTable(table: Table): string {
  const escaped: Table = {
    ...table,
    columns: table.columns.map((column) => ({ ...column, label: escapeMarkdown(column.label) })),
    rows: table.rows.map((row) =>
      row.map((cell) => (typeof cell === 'string' ? escapeMarkdown(cell) : cell)),
    ),
  };
  const { lines, widths, aligns } = layOut(escaped);
  const rule = widths.map((n, i) => (aligns[i] === 'right' ? `${'-'.repeat(n - 1)}:` : '-'.repeat(n)));
  const [header, ...body] = lines;
  const text = [header, rule, ...body].map((line) => `| ${line.join(' | ')} |`);
  return `${[...(table.title ? [`**${escapeMarkdown(table.title)}**`, ''] : []), ...text].join('\n')}\n`;
}

function escapeMarkdown(text: string): string {
  return text.replace(/[\\|*_`<]/g, '\\$&').replace(/\s*\n\s*/g, ' ');
}
