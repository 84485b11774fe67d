/** What all charts share: colours, type, axis ranges, and how wide a text is. */
export const FONT_FAMILY = "'DejaVu Sans', sans-serif";

/** Okabe and Ito's palette, distinguishable with any of the common colour-vision deficiencies. */
export const PALETTE = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000'];
export const INK = '#222222';
export const MUTED = '#6b6b6b';
const GRID_LINE = '#e6e6e6';

/** Pixels around a chart. */
export const MARGIN = 18;
/** Pixels below the title, where the legend begins. */
export const LEGEND_TOP = MARGIN + 28;
export const TITLE_SIZE = 15;
export const TEXT_SIZE = 12;

// Widths of DejaVu Sans 2.37 in hundredths of the font size; anything else counts as an average letter.
const WIDTHS: readonly [width: number, characters: string][] = [
  [28, "'ijlIJ"],
  [32, ' ,.'],
  [34, '/:;\\|'],
  [36, '-f'],
  [40, '!()[]tr'],
  [46, '"'],
  [50, '*_`–'],
  [53, '?sz'],
  [56, 'LFkc'],
  [60, 'PvxyTYaoπ'],
  [63, 'ESbdeghnpquσ'],
  [64, '$0123456789{}'],
  [69, 'AVBRXZCK'],
  [77, 'DGHNOQU&'],
  [84, '#+<=>^~w−'],
  [86, 'M'],
  [98, '%@mW…½'],
];
const WIDTH_OF = new Map(WIDTHS.flatMap(([width, characters]) => [...characters].map((c) => [c, width])));
const BOLD_FACTOR = 1.13;

/** The width of a text in pixels, for a CSS font such as `bold 12px …`. */
export function textWidth(text: string, font: string): number {
  const size = Number(/([\d.]+)px/.exec(font)?.[1] ?? TEXT_SIZE);
  const bold = /\b(bold|[6-9]00)\b/.test(font) ? BOLD_FACTOR : 1;
  let hundredths = 0;
  for (const character of text) hundredths += WIDTH_OF.get(character) ?? 65;
  return (hundredths / 100) * size * bold;
}

/** An axis range with round ends and a round distance between ticks. */
export interface NiceRange {
  min: number;
  max: number;
  interval: number;
}

/** No axis goes beyond, so that its ends and ticks are numbers; the values may. */
const HIGHEST = 1e300;
/** What differs by less than this share is one value: ticks have twelve digits. */
const SMALLEST = 1e-10;

/**
 * A round range around values. Zero is included only when it is near: data far from zero fill the picture.
 *
 * @param targetTicks - about how many intervals
 */
export function niceRange(values: Iterable<number>, targetTicks = 5): NiceRange {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    const drawn = Math.max(-HIGHEST, Math.min(HIGHEST, value));
    low = Math.min(low, drawn);
    high = Math.max(high, drawn);
  }
  if (low > high) [low, high] = [0, 1];
  const size = Math.max(Math.abs(low), Math.abs(high));
  if (high - low <= Math.max(SMALLEST * size, 1 / HIGHEST)) {
    const margin = size > 1 / HIGHEST ? size * 0.05 : 1;
    [low, high] = [low - margin, high + margin];
  }
  if (low > 0 && low < 0.3 * high) low = 0;
  if (high < 0 && high > 0.3 * low) high = 0;
  const raw = (high - low) / targetTicks;
  const power = 10 ** Math.floor(Math.log10(raw));
  const interval = power * ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= raw * 0.999) ?? 10);
  const clean = (value: number): number => Number(value.toPrecision(12));
  return {
    min: clean(Math.floor(low / interval + 1e-9) * interval),
    max: clean(Math.ceil(high / interval - 1e-9) * interval),
    interval: clean(interval),
  };
}

/** The multiples of the interval on an axis. */
export function roundTicks({ min, max, interval }: NiceRange): number[] {
  const first = Math.ceil(min / interval - 1e-9);
  const last = Math.floor(max / interval + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * interval).toPrecision(12)));
}

/** The look of a value axis; `name` is its label with unit. */
export function valueAxis(name: string, { min, max, interval }: NiceRange) {
  return {
    type: 'value' as const,
    min,
    max,
    interval,
    name,
    nameLocation: 'middle' as const,
    nameTextStyle: { color: INK, fontSize: TEXT_SIZE },
    axisLabel: { color: MUTED, fontSize: TEXT_SIZE - 1, hideOverlap: true },
    axisLine: { show: true, onZero: false, lineStyle: { color: MUTED } },
    axisTick: { show: false },
    splitLine: { show: true, lineStyle: { color: GRID_LINE } },
  };
}

/** Pixels that the tick labels of a range take, for margins. */
export function tickLabelWidth({ min, max, interval }: NiceRange): number {
  const decimals = String(interval).split('.')[1]?.length ?? 0;
  const widths = [min, max].map((value) =>
    textWidth(
      value.toLocaleString('en-US', { minimumFractionDigits: Math.min(decimals, 12) }),
      `${TEXT_SIZE - 1}px`,
    ),
  );
  return Math.ceil(Math.max(...widths));
}

const LEGEND_ICON = 30;
const LEGEND_GAP = 16;
export const LEGEND_ROW = 25;

/** How many rows a legend takes, laid out from left to right. */
export function legendRows(names: readonly string[], width: number): number {
  let rows = 1;
  let used = 0;
  for (const name of names) {
    const item = LEGEND_ICON + 6 + textWidth(name, `${TEXT_SIZE}px`) + LEGEND_GAP;
    if (used > 0 && used + item > width) {
      rows++;
      used = 0;
    }
    used += item;
  }
  return rows;
}

/** A legend above the data, never over it; `areas` are shown as filled boxes, everything else as a line. */
export function legendOption(names: readonly string[], areas: readonly string[] = []) {
  return {
    data: names.map((name) =>
      areas.includes(name) ? { name, icon: 'rect' } : { name, itemStyle: { opacity: 0 } },
    ),
    top: LEGEND_TOP,
    left: MARGIN,
    right: MARGIN,
    padding: 0,
    itemGap: LEGEND_GAP,
    itemWidth: LEGEND_ICON,
    itemHeight: 10,
    textStyle: { color: INK, fontSize: TEXT_SIZE },
  };
}

export function titleOption(text: string, top: number, left: number, size = TITLE_SIZE) {
  return {
    text,
    top,
    left,
    padding: 0,
    textStyle: { color: INK, fontSize: size, fontWeight: 'bold' as const },
  };
}
