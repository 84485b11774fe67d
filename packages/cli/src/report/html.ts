import { type Table, alignment, formatCell } from './table.js';

export interface Report {
  title: string;
  /** Paragraphs of plain text, in the order of what matters. */
  summary: readonly string[];
  tables?: readonly Table[];
  charts?: readonly ReportChart[];
  /** Shell commands that repeat the run. */
  commands?: readonly string[];
}

export interface ReportChart {
  title: string;
  /** As `renderSvg` writes it; put into the page as it is. */
  svg: string;
  caption?: string;
}

const STYLE = `
:root { color-scheme: light; }
body { margin: 0 auto; max-width: 72rem; padding: 1.5rem 1rem 4rem; color: #222; background: #fff;
  font: 1rem/1.5 system-ui, 'DejaVu Sans', sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
p { max-width: 44rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .8rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .45rem; border-bottom: 1px solid #e2e2e2; text-align: left; white-space: nowrap; }
th { border-bottom: 2px solid #888; vertical-align: bottom; }
.right { text-align: right; }
th:first-child, td:first-child { position: sticky; left: 0; background: #fff; }
figure { margin: 1rem 0 2rem; } figure svg { display: block; max-width: 100%; height: auto; }
figcaption { color: #555; font-size: .9rem; max-width: 44rem; }
pre { overflow-x: auto; background: #f5f5f5; padding: .8rem 1rem; border-radius: .3rem; font-size: .85rem; }
@media (max-width: 40rem) { figure { overflow-x: auto; } figure svg { min-width: 34rem; } }
@media print { .scroll, figure, pre { overflow: visible; } }
`;

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character]);
}

function tableHtml(table: Table): string {
  const cell = (tag: 'td' | 'th', index: number, text: string): string => {
    const right = alignment(table, index) === 'right' ? ' class="right"' : '';
    const scope = tag === 'th' ? ' scope="col"' : '';
    return `<${tag}${scope}${right}>${escapeHtml(text)}</${tag}>`;
  };
  const header = table.columns.map(({ label }, i) => cell('th', i, label)).join('');
  const rows = table.rows.map(
    (row) =>
      `<tr>${table.columns.map((column, i) => cell('td', i, formatCell(row[i] ?? null, column))).join('')}</tr>`,
  );
  return `${table.title === undefined ? '' : `<h2>${escapeHtml(table.title)}</h2>\n`}<div class="scroll"><table>
<thead><tr>${header}</tr></thead>
<tbody>
${rows.join('\n')}
</tbody>
</table></div>`;
}

function chartHtml({ title, svg, caption }: ReportChart): string {
  const note = caption === undefined ? '' : `\n<figcaption>${escapeHtml(caption)}</figcaption>`;
  const picture = svg
    .replace(/^\s*<\?xml[^>]*\?>\s*/, '')
    .replace('<svg ', `<svg role="img" aria-label="${escapeHtml(title)}" `);
  return `<h2>${escapeHtml(title)}</h2>\n<figure>${picture}${note}</figure>`;
}

/** One self-contained page: no script, no font, no picture from elsewhere. Every text is escaped. */
export function renderReport({ title, summary, tables = [], charts = [], commands = [] }: Report): string {
  const parts = [
    `<h1>${escapeHtml(title)}</h1>`,
    ...summary.map((paragraph) => `<p>${escapeHtml(paragraph)}</p>`),
    ...tables.map(tableHtml),
    ...charts.map(chartHtml),
    ...(commands.length === 0
      ? []
      : [`<h2>How to repeat this</h2>\n<pre><code>${commands.map(escapeHtml).join('\n')}</code></pre>`]),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
${parts.join('\n')}
</body>
</html>
`;
}
