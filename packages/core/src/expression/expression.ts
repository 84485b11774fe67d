/**
 * Numbers computed by what a user writes, for example `-mse - 0.2*max(0, finalError - 3)`. mathjs parses; the language is
 * closed: a tree is evaluated by what is listed in `functions.ts` and by nothing else, so that an expression can compute
 * numbers from the names that it is given and cannot do anything more, nor take long.
 */
import { ConfigError } from '../errors.js';
import { mathjs } from '../mathjs.js';
import { suggestion } from '../options.js';
import {
  atEachPlace,
  foldedFunctions,
  operators,
  reductions,
  unaryFunctions,
  type ExpressionValue,
} from './functions.js';
import { pointAt, tokens, type Token } from './tokens.js';

/** A name that an expression may use. */
export interface ExpressionVariable {
  readonly description: string;
  /** What its values run along, for example the steps of a forecast; a variable without axis is one number. */
  readonly axis?: string;
}

/** The value of every name. */
export type ExpressionScope = Readonly<Record<string, ExpressionValue>>;

/** A part of an expression, ready to be evaluated. */
export interface ExpressionTerm {
  /** What its values run along; without it the term is one number. */
  readonly axis?: string;
  /** The names in it. */
  readonly names: ReadonlySet<string>;
  /** The names outside of `mean`, `sum`, `first`, `last`, `min` and `max` of a series. */
  readonly unreduced: ReadonlySet<string>;
  /**
   * Every operation runs once over whole series: the work is (nodes of the tree) × (length of the longest series).
   *
   * @param scope - series along one axis have one length
   * @param inReductions - the values inside of reductions, where they are others
   */
  readonly evaluate: (scope: ExpressionScope, inReductions?: ExpressionScope) => ExpressionValue;
}

/** An expression, parsed and checked. */
export interface Expression extends ExpressionTerm {
  readonly text: string;
  /** Summands at the top level, signs included; their sum is the expression. */
  readonly terms: readonly ExpressionTerm[];
}

/** What an expression is called, and what it may use. */
export interface ExpressionOptions {
  readonly variables: Readonly<Record<string, ExpressionVariable>>;
  /** What the result may run along; without it the result is one number. */
  readonly axis?: string;
  /** What the expression is called in messages. @defaultValue 'expression' */
  readonly label?: string;
  /** A sentence for a name that is unknown, instead of the nearest known one. */
  readonly hint?: (name: string) => string | undefined;
}

/** The nodes of mathjs that an expression may consist of; mathjs's own types do not tell them apart. */
type ParsedNode =
  | { type: 'ConstantNode'; value: unknown }
  | { type: 'ParenthesisNode'; content: ParsedNode }
  | { type: 'SymbolNode'; name: string }
  | { type: 'OperatorNode'; op: string; fn: string; args: ParsedNode[] }
  | { type: 'RelationalNode'; conditionals: string[]; params: ParsedNode[] }
  | { type: 'ConditionalNode'; condition: ParsedNode; trueExpr: ParsedNode; falseExpr: ParsedNode }
  | { type: 'FunctionNode'; fn: ParsedNode; args: ParsedNode[] }
  | { type: 'BlockNode' }; // and every other kind: refused

/** A term, and the name that gives it its axis. */
interface CompiledTerm extends ExpressionTerm {
  readonly axisName?: Token;
}

const FUNCTION_NAMES = [
  ...new Set([unaryFunctions, foldedFunctions, reductions].flatMap((table) => Object.keys(table))),
];

/**
 * Parses an expression once; evaluating it later parses nothing.
 *
 * Allowed: numbers, the given variables, + − * / ^, parentheses, comparisons (1 or 0), conditionals (a > b ? c : d), the
 * functions abs, sqrt, exp, log, tanh, square, min and max of several values, and mean, sum, min, max, first and last of one
 * series. At most 1000 characters, 400 pieces and 32 parentheses and conditionals inside one another.
 *
 * @throws {ConfigError} that points at the first thing that is not allowed or known
 */
export function parseExpression(text: string, options: ExpressionOptions): Expression {
  const label = options.label ?? 'expression';
  if (text.trim() === '') throw new ConfigError(`${label}: the expression is empty.`);
  const compiler = new Compiler(text, options);
  let root: ParsedNode;
  try {
    root = mathjs().parse(text) as unknown as ParsedNode;
  } catch (error) {
    const { message, char } = error as Error & { char?: number };
    const what = message.replace(/ \(char \d+\)$/, '').replace(/\.$/, '');
    throw new ConfigError(pointAt(text, label, what, (char ?? 1) - 1, 1), undefined, { lines: 'several' });
  }
  const terms = splitTerms(root, 1).map(({ node, sign }) => {
    const term = compiler.compile(node);
    compiler.checkAxis(term);
    return sign === 1 ? term : compiler.apply((x) => -x, [term]);
  });
  const whole = terms.length === 1 ? terms[0] : compiler.apply((...xs) => xs.reduce((a, b) => a + b), terms);
  return { text, terms, ...whole };
}

/** Summands at the top level; parentheses and leading signs are looked through, products are not multiplied out. */
function splitTerms(node: ParsedNode, sign: 1 | -1): { node: ParsedNode; sign: 1 | -1 }[] {
  const turned = sign === 1 ? -1 : 1;
  if (node.type === 'ParenthesisNode') return splitTerms(node.content, sign);
  if (node.type === 'OperatorNode' && (node.op === '-' || node.op === '+')) {
    const last = node.op === '-' ? turned : sign;
    const [first, second] = node.args;
    if (node.args.length === 1) return splitTerms(first, last);
    return [...splitTerms(first, sign), ...splitTerms(second, last)];
  }
  return [{ node, sign }];
}

/** Turns nodes into closures. It meets names in the order in which they are written, so that it knows the place of each. */
class Compiler {
  private readonly label: string;
  private readonly names: Token[] = [];
  private namesMet = 0;

  /** @throws {ConfigError} at the first piece that the language does not have and at the first unknown name */
  constructor(
    private readonly text: string,
    private readonly options: ExpressionOptions,
  ) {
    this.label = options.label ?? 'expression';
    let name: Token | undefined;
    for (const piece of tokens(text, this.label)) {
      if (name) this.checkName(name, piece.text === '(');
      name = piece.kind === 'name' ? piece : undefined;
      if (name) this.names.push(name);
    }
    if (name) this.checkName(name, false);
  }

  private checkName(place: Token, called: boolean): void {
    const name = place.text;
    const known = called ? FUNCTION_NAMES : Object.keys(this.options.variables);
    if (known.includes(name)) return;
    if (!called && FUNCTION_NAMES.includes(name)) this.fail(`${name} is a function: write ${name}(…)`, place);
    const way = this.options.hint?.(name) ?? suggestion(name, known).trim();
    this.fail(
      `unknown ${called ? 'function' : 'name'} "${name}"`,
      place,
      `${called ? 'Functions' : 'Names'}: ${known.join(', ')}. ${way}`.trimEnd(),
    );
  }

  compile(node: ParsedNode): CompiledTerm {
    switch (node.type) {
      case 'ConstantNode': {
        const { value } = node;
        if (typeof value !== 'number' || !Number.isFinite(value)) return this.fail('not a finite number');
        return { names: new Set(), unreduced: new Set(), evaluate: () => value };
      }
      case 'ParenthesisNode':
        return this.compile(node.content);
      case 'SymbolNode':
        return this.variable(node.name);
      case 'OperatorNode': {
        const args = node.args.map((arg) => this.compile(arg));
        if (args.length === 1 && node.fn === 'unaryMinus') return this.apply((x) => -x, args);
        if (args.length === 1 && node.fn === 'unaryPlus') return args[0];
        if (args.length !== 2 || !Object.hasOwn(operators, node.fn))
          return this.fail(`the operator "${node.op}" is not allowed`);
        return this.apply(operators[node.fn], args);
      }
      case 'RelationalNode': {
        // a < b < c: every neighbouring pair holds
        const { conditionals } = node;
        if (!conditionals.every((name) => Object.hasOwn(operators, name)))
          return this.fail('this comparison is not allowed');
        const holds = conditionals.map((name) => operators[name]);
        const all = (...numbers: number[]) =>
          Number(holds.every((compare, i) => compare(numbers[i], numbers[i + 1]) === 1));
        return this.apply(
          all,
          node.params.map((param) => this.compile(param)),
        );
      }
      case 'ConditionalNode': {
        const parts = [node.condition, node.trueExpr, node.falseExpr].map((part) => this.compile(part));
        return this.apply((test, yes, no) => (test !== 0 ? yes : no), parts);
      }
      case 'FunctionNode':
        return this.call(node.fn, node.args);
      default:
        return this.fail(
          'only numbers, names, + - * / ^, comparisons, conditionals and functions are allowed',
        );
    }
  }

  /** @throws {ConfigError} when the term runs along another axis than the result may */
  checkAxis({ axis, axisName }: CompiledTerm): void {
    if (axis !== undefined && axis !== this.options.axis)
      this.fail(`${axisName!.text} is a series; make one number of it by ${REDUCTIONS}`, axisName);
  }

  /** A function, place by place. */
  apply(apply: (...numbers: number[]) => number, args: readonly CompiledTerm[]): CompiledTerm {
    const [along, ...others] = args.filter(({ axis }) => axis !== undefined);
    const wrong = others.find(({ axis }) => axis !== along.axis);
    if (wrong)
      this.fail(
        `${wrong.axisName!.text} and ${along.axisName!.text} are series of different lengths; make one number of one by ${REDUCTIONS}`,
        wrong.axisName,
      );
    return {
      axis: along?.axis,
      axisName: along?.axisName,
      names: new Set(args.flatMap(({ names }) => [...names])),
      unreduced: new Set(args.flatMap(({ unreduced }) => [...unreduced])),
      evaluate: (scope, inReductions) =>
        atEachPlace(
          apply,
          args.map((arg) => arg.evaluate(scope, inReductions)),
        ),
    };
  }

  private variable(name: string): CompiledTerm {
    const axisName = this.names[this.namesMet];
    this.namesMet += 1;
    const { variables } = this.options;
    if (!Object.hasOwn(variables, name)) return this.fail(`unknown name "${name}"`);
    const names = new Set([name]);
    return {
      axis: variables[name].axis,
      axisName,
      names,
      unreduced: names,
      evaluate: (scope) => scope[name],
    };
  }

  private call(fn: ParsedNode, argumentNodes: readonly ParsedNode[]): CompiledTerm {
    if (fn.type !== 'SymbolNode' || !FUNCTION_NAMES.includes(fn.name))
      return this.fail('only the functions that are listed can be called');
    const { name } = fn;
    const place = this.names[this.namesMet];
    this.namesMet += 1;
    const args = argumentNodes.map((arg) => this.compile(arg));
    const [first] = args;
    if (args.length === 1 && Object.hasOwn(unaryFunctions, name))
      return this.apply(unaryFunctions[name], args);
    if (args.length >= 2 && Object.hasOwn(foldedFunctions, name)) {
      const fold = foldedFunctions[name];
      return this.apply((...numbers) => numbers.reduce((a, b) => fold(a, b)), args);
    }
    if (args.length === 1 && first.axis !== undefined) {
      const reduce = reductions[name];
      return {
        names: first.names,
        unreduced: new Set(),
        evaluate: (scope, inReductions = scope) => {
          const series = first.evaluate(inReductions, inReductions);
          return reduce(typeof series === 'number' ? Float64Array.of(series) : series);
        },
      };
    }
    return this.fail(`${name} takes ${argumentsOf(name)}; got ${describeArguments(args)}`, place);
  }

  /** @param place - where; the whole expression when it is not known */
  private fail(what: string, place?: Token, more = ''): never {
    const { start, length } = place
      ? { start: place.start, length: place.text.length }
      : { start: 0, length: this.text.length };
    const message = pointAt(this.text, this.label, what, start, length);
    throw new ConfigError(more === '' ? message : `${message}\n${more}`, undefined, { lines: 'several' });
  }
}

const REDUCTIONS = 'mean, sum, min, max, first or last';

function argumentsOf(name: string): string {
  if (Object.hasOwn(unaryFunctions, name)) return 'one value';
  return Object.hasOwn(foldedFunctions, name) ? 'two values or more, or one series' : 'one series';
}

function describeArguments(args: readonly ExpressionTerm[]): string {
  return args.length === 1 ? 'one number' : args.length === 0 ? 'none' : `${args.length} values`;
}
