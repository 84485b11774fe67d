/**
 * Charts as files: an ECharts option rendered to SVG without a DOM, and the SVG to PNG with the fonts of the project, so
 * that pictures are the same on a machine without fonts. Both libraries are loaded with the first chart.
 */
import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

import type { EChartsOption } from 'echarts';

import { showControls } from '../errors.js';
import { fileError, writeFileAtomically } from '../run/atomic.js';
import { FONT_FAMILY, textWidth } from './style.js';

/** What is drawn: an ECharts option, plain data, so that the same object works in a page. */
export type ChartOption = EChartsOption;

/** The size of a picture. */
export interface ChartSize {
  /** Pixels. */
  width: number;
  /** Pixels. */
  height: number;
}

/** A chart and the size it was laid out for. */
export interface Chart extends ChartSize {
  option: ChartOption;
}

/** PNG pixels per chart pixel, so that text stays sharp. */
const PNG_SCALE = 2;

/** Renders an option to SVG. Equal options give equal text, and ids that do not clash with other charts in one page. */
export async function renderSvg(option: ChartOption, { width, height }: ChartSize): Promise<string> {
  const echarts = await import('echarts');
  echarts.setPlatformAPI({ measureText: (text, font = '12px') => ({ width: textWidth(text, font) }) });
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width, height });
  try {
    chart.setOption({
      backgroundColor: '#ffffff',
      textStyle: { fontFamily: FONT_FAMILY },
      ...option,
      animation: false,
    });
    const svg = chart.renderToSVGString();
    return withOwnIds(svg.split('\n').map(showControls).join('\n')); // titles may be names from a file
  } finally {
    chart.dispose();
  }
}

/**
 * ECharts numbers ids and classes through a whole process (`zr3-c0`, `zr3-cls-7`). The classes only serve the mouse and
 * go; the ids are named after the content.
 */
function withOwnIds(svg: string): string {
  const anonymous = svg
    .replace(/<style\b[^>]*>[\s\S]*?<\/style>\s*/g, '')
    .replace(/ class="zr\d+-cls-\d+"/g, '')
    .replace(/ ecmeta_\w+="[^"]*"/g, '')
    .replace(/ pointer-events="visible"/g, '')
    .replace(/\bzr\d+-/g, 'zr-');
  const id = createHash('sha256').update(anonymous).digest('hex').slice(0, 8);
  return anonymous.replace(/\bzr-/g, `c${id}-`);
}

/** Renders an SVG to PNG at twice its size, with no font but the project's. */
export async function renderPng(svg: string): Promise<Buffer> {
  const { Resvg } = await import('@resvg/resvg-js');
  const require = createRequire(import.meta.url);
  const fontFiles = ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf'].map((file) =>
    require.resolve(`dejavu-fonts-ttf/ttf/${file}`),
  );
  const image = new Resvg(withoutUnseenLines(svg), {
    font: { loadSystemFonts: false, fontFiles, defaultFontFamily: 'DejaVu Sans' },
    fitTo: { mode: 'zoom', value: PNG_SCALE },
  });
  return image.render().asPng();
}

/**
 * Without the lines that lie wholly beside the picture. Nobody sees them, and resvg 2.6 ends the process over one that lies far
 * out and is clipped (its layer gets a size below zero).
 */
function withoutUnseenLines(svg: string): string {
  const [, width, height] = (/<svg width="([\d.]+)" height="([\d.]+)"/.exec(svg) ?? []).map(Number);
  const beside = (values: readonly number[], size: number): boolean =>
    values.every((value) => value < 0) || values.every((value) => value > size);
  // points are pairs of absolute coordinates; paths with arcs or relative steps are shapes, not lines
  return svg.replace(/<path d="([MLCZ\d .,e+-]+)"[^>]*><\/path>\n?/g, (path, d: string) => {
    const numbers = (d.match(/[\d.e+-]+/g) ?? []).map(Number);
    const [x, y] = [0, 1].map((axis) => numbers.filter((_, i) => i % 2 === axis));
    return numbers.length > 0 && (beside(x, width) || beside(y, height)) ? '' : path;
  });
}

/**
 * Writes one picture, as SVG or PNG by the end of its name.
 *
 * @param file - ends in .svg or .png
 * @throws {CheckpointError} when it cannot be written
 */
export async function writePicture(file: string, { option, width, height }: Chart): Promise<void> {
  const svg = await renderSvg(option, { width, height });
  writeFileAtomically(file, file.toLowerCase().endsWith('.png') ? await renderPng(svg) : svg);
}

/**
 * Writes `NAME.svg` and `NAME.png` into a folder, which is made if need be.
 *
 * @throws {CheckpointError} when they cannot be written
 */
export async function writeChart(
  folder: string,
  name: string,
  { option, width, height }: Chart,
): Promise<{ svg: string; png: string }> {
  const files = { svg: join(folder, `${name}.svg`), png: join(folder, `${name}.png`) };
  const svg = await renderSvg(option, { width, height });
  const png = await renderPng(svg);
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw fileError('make the folder', folder, error);
  }
  writeFileAtomically(files.svg, svg);
  writeFileAtomically(files.png, png);
  return files;
}
