/** A value of an expression: one number, or one for each place along an axis. */
export type ExpressionValue = number | Float64Array;

/** Functions of one value, place by place. */
export const unaryFunctions: Readonly<Record<string, (x: number) => number>> = {
  abs: Math.abs,
  sqrt: Math.sqrt,
  exp: Math.exp,
  log: Math.log,
  tanh: Math.tanh,
  square: (x) => x * x,
};

/** Functions of two or more values, place by place. */
export const foldedFunctions: Readonly<Record<string, (a: number, b: number) => number>> = {
  min: (a, b) => Math.min(a, b),
  max: (a, b) => Math.max(a, b),
};

/** Functions that make one number of a series. */
export const reductions: Readonly<Record<string, (series: Float64Array) => number>> = {
  mean: (series) => total(series) / series.length,
  sum: total,
  min: (series) => series.reduce((a, b) => Math.min(a, b), Infinity),
  max: (series) => series.reduce((a, b) => Math.max(a, b), -Infinity),
  first: (series) => series[0],
  last: (series) => series[series.length - 1],
};

/** Operators between two values, by the names that mathjs gives them. Comparisons give 1 or 0. */
export const operators: Readonly<Record<string, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  subtract: (a, b) => a - b,
  multiply: (a, b) => a * b,
  divide: (a, b) => a / b,
  pow: (a, b) => a ** b,
  smaller: (a, b) => Number(a < b),
  smallerEq: (a, b) => Number(a <= b),
  larger: (a, b) => Number(a > b),
  largerEq: (a, b) => Number(a >= b),
  equal: (a, b) => Number(a === b),
  unequal: (a, b) => Number(a !== b),
};

/** Applies a function place by place; a number stands at every place. */
export function atEachPlace(
  apply: (...numbers: number[]) => number,
  values: readonly ExpressionValue[],
): ExpressionValue {
  const series = values.find((value) => typeof value !== 'number');
  if (series === undefined) return apply(...(values as number[]));
  return Float64Array.from({ length: series.length }, (_, i) =>
    apply(...values.map((value) => (typeof value === 'number' ? value : value[i]))),
  );
}

function total(series: Float64Array): number {
  return series.reduce((a, b) => a + b, 0);
}
