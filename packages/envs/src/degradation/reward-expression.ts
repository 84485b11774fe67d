/**
 * Rewards written as expressions of named quantities, for example `-mse - 0.2*nonMonotonicity`; what is written is
 * maximised. mathjs parses; evaluation is our own and knows only what is listed here, so that an expression can compute a
 * number and nothing else.
 */
import { ConfigError, suggestion } from '@rollcast/core';
import { parse } from 'mathjs/number';

/** Quantities of a forecast. Errors and penalties are ≥ 0; formulas in `reward.ts`. */
export type QuantityName = 'mse' | 'mae' | 'nonMonotonicity' | 'finalError';

/** Which quantities there are, and whether they have a value at each step or one a sequence. */
export const quantities: Readonly<Record<QuantityName, { perStep: boolean; description: string }>> = {
  mse: { perStep: true, description: 'squared error ((ŷ − y)/s)²' },
  mae: { perStep: true, description: 'absolute error |ŷ − y|/s' },
  nonMonotonicity: { perStep: true, description: 'wrong-way part of a step, max(0, ŷ before − ŷ)/s' },
  finalError: { perStep: false, description: 'absolute error of the last point |ŷ_L − y_L|/s' },
};

/** The value of every quantity at one place. */
export type QuantityValues = Readonly<Record<QuantityName, number>>;

/** A summand of the expression. */
export interface RewardTerm {
  /** True when every quantity in it has a value at each step. */
  readonly perStep: boolean;
  evaluate(values: QuantityValues): number;
}

export interface RewardExpression {
  readonly text: string;
  /** The quantities used, in the order of `quantities`. */
  readonly quantities: readonly QuantityName[];
  /** Summands at the top level, signs included; their sum is the expression. */
  readonly terms: readonly RewardTerm[];
  evaluate(values: QuantityValues): number;
}

/** Reward unless asked otherwise: minus the mean squared error, as in the plan. */
export const DEFAULT_REWARD = '-mse';

/** Longer expressions are refused: nesting without end would exhaust the stack. */
const MAX_LENGTH = 1000;

/** The nodes of mathjs that an expression may consist of; mathjs's own types do not tell them apart. */
type ParsedNode = {
  toString(): string;
  traverse(visit: (node: ParsedNode) => void): void;
} & (
  | { type: 'ConstantNode'; value: unknown }
  | { type: 'ParenthesisNode'; content: ParsedNode }
  | { type: 'SymbolNode'; name: string }
  | { type: 'OperatorNode'; op: string; fn: string; args: ParsedNode[] }
  | { type: 'RelationalNode'; conditionals: string[]; params: ParsedNode[] }
  | { type: 'ConditionalNode'; condition: ParsedNode; trueExpr: ParsedNode; falseExpr: ParsedNode }
  | { type: 'FunctionNode'; fn: ParsedNode; args: ParsedNode[] }
  | { type: 'BlockNode' } // and every other kind: refused
);

type Evaluate = (values: QuantityValues) => number;

const FUNCTIONS: Readonly<Record<string, (...values: number[]) => number>> = {
  abs: Math.abs,
  min: Math.min,
  max: Math.max,
  sqrt: Math.sqrt,
  exp: Math.exp,
  log: Math.log,
  tanh: Math.tanh,
  square: (x) => x * x,
};

const OPERATORS: Readonly<Record<string, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '^': (a, b) => a ** b,
};

/** Comparisons give 1 or 0, by the names that mathjs gives them. */
const COMPARISONS: Readonly<Record<string, (a: number, b: number) => number>> = {
  smaller: (a, b) => Number(a < b),
  smallerEq: (a, b) => Number(a <= b),
  larger: (a, b) => Number(a > b),
  largerEq: (a, b) => Number(a >= b),
  equal: (a, b) => Number(a === b),
  unequal: (a, b) => Number(a !== b),
};

/**
 * Parses a reward once.
 *
 * Allowed: numbers, the quantities, + − * / ^, parentheses, comparisons, conditionals (a > b ? c : d) and the functions
 * abs, min, max, sqrt, exp, log, tanh, square.
 *
 * @throws {ConfigError} that points at the first thing that is not allowed or known
 */
export function parseReward(text: string): RewardExpression {
  if (text.trim() === '')
    throw new ConfigError(`reward: the expression is empty. Write for example "${DEFAULT_REWARD}".`);
  if (text.length > MAX_LENGTH)
    throw new ConfigError(`reward: at most ${MAX_LENGTH} characters; got ${text.length}.`);
  let root: ParsedNode;
  try {
    root = parse(text) as unknown as ParsedNode;
  } catch (error) {
    const { message, char } = error as Error & { char?: number };
    const what = message.replace(/ \(char \d+\)$/, '').replace(/\.$/, '');
    throw new ConfigError(pointAt(text, what, (char ?? 1) - 1, 1));
  }
  const evaluate = compile(root, text);
  const used = quantitiesIn(root);
  if (used.length === 0)
    throw new ConfigError(
      `reward: "${text}" does not depend on the forecast. Use one of ${Object.keys(quantities).join(', ')}.`,
    );
  const terms = splitTerms(root, 1).map(({ node, sign }): RewardTerm => {
    const value = compile(node, text);
    return {
      perStep: quantitiesIn(node).every((name) => quantities[name].perStep),
      evaluate: (values) => sign * value(values),
    };
  });
  return { text, quantities: used, terms, evaluate };
}

/** Summands at the top level; parentheses and leading signs are looked through, products are not multiplied out. */
function splitTerms(node: ParsedNode, sign: 1 | -1): { node: ParsedNode; sign: 1 | -1 }[] {
  const turned = sign === 1 ? -1 : 1;
  if (node.type === 'ParenthesisNode') return splitTerms(node.content, sign);
  if (node.type === 'OperatorNode') {
    const [first, second] = node.args;
    if (node.args.length === 1 && (node.op === '-' || node.op === '+'))
      return splitTerms(first, node.op === '-' ? turned : sign);
    if (node.args.length === 2 && (node.op === '-' || node.op === '+'))
      return [...splitTerms(first, sign), ...splitTerms(second, node.op === '-' ? turned : sign)];
  }
  return [{ node, sign }];
}

function compile(node: ParsedNode, text: string): Evaluate {
  switch (node.type) {
    case 'ConstantNode': {
      const value: unknown = node.value;
      if (typeof value !== 'number' || !Number.isFinite(value))
        return refuse(text, `${JSON.stringify(value)} is not a number`, node);
      return () => value;
    }
    case 'ParenthesisNode':
      return compile(node.content, text);
    case 'SymbolNode':
      return compileName(node.name, text);
    case 'OperatorNode': {
      const args = node.args.map((arg: ParsedNode) => compile(arg, text));
      const [a, b] = args;
      if (args.length === 1 && node.op === '-') return (values) => -a(values);
      if (args.length === 1 && node.op === '+') return a;
      const apply = operator(node.op, node.fn);
      if (args.length !== 2 || !apply) return refuse(text, `the operator "${node.op}" is not allowed`, node);
      return (values) => apply(a(values), b(values));
    }
    case 'RelationalNode': {
      // a < b < c: every neighbouring pair holds.
      const parts = node.params.map((param) => compile(param, text));
      return (values) =>
        Number(
          node.conditionals.every((name, i) => COMPARISONS[name](parts[i](values), parts[i + 1](values))),
        );
    }
    case 'ConditionalNode': {
      const test = compile(node.condition, text);
      const yes = compile(node.trueExpr, text);
      const no = compile(node.falseExpr, text);
      return (values) => (test(values) !== 0 ? yes(values) : no(values));
    }
    case 'FunctionNode': {
      const name = node.fn.type === 'SymbolNode' ? node.fn.name : node.fn.toString();
      if (!Object.hasOwn(FUNCTIONS, name)) {
        const known = Object.keys(FUNCTIONS);
        throw new ConfigError(
          `${pointAt(text, `unknown function "${name}"`, findName(text, name), name.length)}\nFunctions: ${known.join(', ')}.${suggestion(name, known)}`,
        );
      }
      const args = node.args.map((arg) => compile(arg, text));
      const many = name === 'min' || name === 'max';
      if (args.length === 0 || (!many && args.length > 1))
        return refuse(
          text,
          `${name} takes ${many ? 'at least one value' : 'one value'}; got ${args.length}`,
          node,
        );
      const apply = FUNCTIONS[name];
      return (values) => apply(...args.map((arg) => arg(values)));
    }
    default:
      return refuse(
        text,
        'only numbers, quantities, + - * / ^, comparisons and conditionals are allowed',
        node,
      );
  }
}

function operator(op: string, fn: string): ((a: number, b: number) => number) | undefined {
  if (Object.hasOwn(OPERATORS, op)) return OPERATORS[op];
  return Object.hasOwn(COMPARISONS, fn) ? COMPARISONS[fn] : undefined;
}

function compileName(name: string, text: string): Evaluate {
  if (Object.hasOwn(quantities, name)) return (values) => values[name as QuantityName];
  const known = Object.keys(quantities);
  const place = pointAt(text, `unknown quantity "${name}"`, findName(text, name), name.length);
  const hint =
    name.toLowerCase() === 'kl'
      ? ' The KL to the reference is weighted by --kl-coef or --kl-target.'
      : suggestion(name, known);
  throw new ConfigError(`${place}\nQuantities: ${known.join(', ')}.${hint}`);
}

function quantitiesIn(node: ParsedNode): QuantityName[] {
  const names = new Set<string>();
  node.traverse((child) => {
    if (child.type === 'SymbolNode') names.add(child.name);
  });
  return (Object.keys(quantities) as QuantityName[]).filter((name) => names.has(name));
}

function refuse(text: string, what: string, node: ParsedNode): never {
  const written = node.toString();
  const start = text.indexOf(written);
  const operatorAt = node.type === 'OperatorNode' ? text.indexOf(node.op) : -1;
  if (start >= 0 && node.type !== 'OperatorNode')
    throw new ConfigError(pointAt(text, what, start, written.length));
  throw new ConfigError(pointAt(text, what, Math.max(0, operatorAt), 1));
}

/** Where a name stands by itself, not inside a longer one. */
function findName(text: string, name: string): number {
  const escaped = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return Math.max(0, text.search(new RegExp(`(?<![\\w.])${escaped}(?!\\w)`)));
}

/** The message, the expression, and a caret under the place. */
function pointAt(text: string, what: string, start: number, length: number): string {
  const caret = ' '.repeat(Math.max(0, start)) + '^'.repeat(Math.max(1, length));
  return `reward: ${what} (column ${start + 1}).\n  ${text.replace(/\s/g, ' ')}\n  ${caret}`;
}
